//! CNode: operations on the slots below it.

use super::{Arguments, Error, Outcome};
use crate::cap::{Cap, CapRef, Kind};
use crate::{ipc, lifecycle};
use chestnut_abi::{CNodeCapData, CapRights, Label};

/// What may end objects, or take long.
pub fn invoke(call: &Arguments, root: Cap, label: Label) -> Outcome {
    if !matches!(label, Label::CNodeRevoke | Label::CNodeDelete | Label::CNodeCancelBadgedSends) {
        return Err(Error::IllegalOperation.into());
    }
    let slot = named(call, root)?;
    match label {
        Label::CNodeRevoke => Ok(lifecycle::revoke(call.k, slot)?),
        Label::CNodeDelete => Ok(lifecycle::delete(call.k, slot)?),
        _ => cancel_badged_sends(call, slot),
    }
}

/// What only moves and copies capabilities, or deletes one of which others remain; else `None`.
#[inline(always)]
pub fn invoke_aside(call: &Arguments, root: Cap, label: Label) -> Option<Outcome> {
    match label {
        Label::CNodeCopy | Label::CNodeMint => Some(copy(call, root, label == Label::CNodeMint)),
        Label::CNodeMove | Label::CNodeMutate => Some(carry(call, root, label == Label::CNodeMutate)),
        Label::CNodeDelete => match named(call, root) {
            Ok(slot) => lifecycle::delete_aside(call.k, slot).then_some(Ok(())),
            Err(error) => Some(Err(error.into())),
        },
        Label::CNodeRotate => Some(rotate(call, root)),
        _ => None,
    }
}

/// The slot that the first two words name.
#[inline(always)]
fn named<'k>(call: &Arguments<'k>, root: Cap) -> Result<CapRef<'k>, Error> {
    let [index, depth] = call.words()?;
    call.slot_near(root, index, depth & 0xff, false)
}

/// Copies a capability, with fewer rights if so asked, and minted with other data.
#[inline(always)]
fn copy(call: &Arguments, root: Cap, minted: bool) -> Outcome {
    let (to, from) = places(call, root, 5 + usize::from(minted))?;
    let copy = call.derived_here(from)?.masked(CapRights(call.word(4)));
    let copy = if minted { with_data(copy, call.word(5), false).ok_or(Error::IllegalOperation)? } else { copy };
    to.fill_derived(copy, from);
    Ok(())
}

/// Moves a capability, as it is or mutated.
#[inline(always)]
fn carry(call: &Arguments, root: Cap, mutated: bool) -> Outcome {
    let (to, from) = places(call, root, 4 + usize::from(mutated))?;
    let cap = from.cap();
    let cap = if mutated { with_data(cap, call.word(4), true).ok_or(Error::IllegalOperation)? } else { cap };
    from.move_to(to, cap);
    Ok(())
}

/// An empty slot and a filled one, as a message of `length` words at least names them.
#[inline(always)]
fn places<'k>(call: &Arguments<'k>, root: Cap, length: usize) -> Result<(CapRef<'k>, CapRef<'k>), Error> {
    if call.length() < length {
        return Err(Error::TruncatedMessage);
    }
    let source_root = call.cap(0)?;
    let to = call.slot_near(root, call.word(0), call.word(1) & 0xff, false)?;
    if !to.is_empty() {
        return Err(Error::DeleteFirst);
    }
    Ok((to, filled(call, source_root, call.word(2), call.word(3) & 0xff)?))
}

#[inline(always)]
fn filled<'k>(call: &Arguments<'k>, root: Cap, index: u64, depth: u64) -> Result<CapRef<'k>, Error> {
    let slot = call.slot_near(root, index, depth, true)?;
    if slot.is_empty() {
        let failure = chestnut_abi::LookupFailure::MissingCapability { bits_left: depth };
        return Err(Error::FailedLookup(true, failure));
    }
    Ok(slot)
}

/// A capability with a new badge or guard. A badge is given once, and only by Mint; kinds without either stay as they are.
fn with_data(cap: Cap, data: u64, moving: bool) -> Option<Cap> {
    match cap.kind() {
        Kind::Endpoint | Kind::Notification => (!moving && cap.badge() == 0).then(|| cap.with_badge(data)),
        Kind::CNode => {
            let guard = CNodeCapData(data);
            (guard.guard_bits() + cap.cnode_bits() <= 64).then(|| {
                let mask = (1u64 << guard.guard_bits()).wrapping_sub(1);
                cap.with_guard(CNodeCapData::new(guard.guard() & mask, guard.guard_bits()))
            })
        }
        _ => Some(cap),
    }
}

fn cancel_badged_sends(call: &Arguments, slot: CapRef) -> Outcome {
    let cap = slot.cap();
    let Some(endpoint) = cap.as_endpoint(call.k).filter(|_| cap.rights() == CapRights::ALL) else {
        return Err(Error::IllegalOperation.into());
    };
    if cap.badge() != 0 {
        while ipc::cancel_badged(call.k, endpoint, cap.badge(), 1) {
            lifecycle::preemption_point(call.k, lifecycle::WORK)?;
        }
    }
    Ok(())
}

/// Moves pivot to destination and source to pivot; destination and source may be the same slot, which swaps.
fn rotate(call: &Arguments, root: Cap) -> Outcome {
    let [index, depth, badge, pivot_index, pivot_depth, pivot_badge, source_index, source_depth] = call.words()?;
    let (pivot_root, source_root) = (call.cap(0)?, call.cap(1)?);
    let to = call.slot_in(root, index, depth & 0xff, false)?;
    let from = call.slot_in(source_root, source_index, source_depth & 0xff, true)?;
    let pivot = call.slot_in(pivot_root, pivot_index, pivot_depth & 0xff, true)?;
    if pivot == from || pivot == to {
        return Err(Error::IllegalOperation.into());
    }
    if from != to && !to.is_empty() {
        return Err(Error::DeleteFirst.into());
    }
    let missing =
        |depth| Error::FailedLookup(true, chestnut_abi::LookupFailure::MissingCapability { bits_left: depth });
    if from.is_empty() {
        return Err(missing(source_depth & 0xff).into());
    }
    if pivot.is_empty() {
        return Err(missing(pivot_depth & 0xff).into());
    }
    let change = |slot: CapRef, data| if data == 0 { Some(slot.cap()) } else { with_data(slot.cap(), data, true) };
    let new_pivot = change(from, pivot_badge).ok_or(Error::IllegalOperation)?;
    let new_to = change(pivot, badge).ok_or(Error::IllegalOperation)?;
    if from == to {
        from.swap(pivot, new_to, new_pivot);
    } else {
        pivot.move_to(to, new_to);
        from.move_to(pivot, new_pivot);
    }
    Ok(())
}
