//! CNode: operations on the slots below it.

use super::{Arguments, Error, Outcome};
use crate::cap::{Cap, CapRef, Kind};
use crate::{ipc, lifecycle};
use chestnut_abi::{CNodeCapData, CapRights, Label};

pub fn invoke(call: &Arguments, root: Cap, label: Label) -> Outcome {
    match label {
        Label::CNodeRevoke | Label::CNodeDelete | Label::CNodeCancelBadgedSends => {
            let [index, depth] = call.words()?;
            let slot = call.slot_in(root, index, depth & 0xff, false)?;
            match label {
                Label::CNodeRevoke => Ok(lifecycle::revoke(call.k, slot)?),
                Label::CNodeDelete => Ok(lifecycle::delete(call.k, slot)?),
                _ => cancel_badged_sends(call, slot),
            }
        }
        Label::CNodeCopy => {
            let [index, depth, source_index, source_depth, rights] = call.words()?;
            let (to, from) = places(call, root, index, depth, 0, source_index, source_depth)?;
            derive(call, to, from, from.cap().masked(CapRights(rights)), Some)
        }
        Label::CNodeMint => {
            let [index, depth, source_index, source_depth, rights, badge] = call.words()?;
            let (to, from) = places(call, root, index, depth, 0, source_index, source_depth)?;
            derive(call, to, from, from.cap().masked(CapRights(rights)), |cap| with_data(cap, badge, false))
        }
        Label::CNodeMove => {
            let [index, depth, source_index, source_depth] = call.words()?;
            let (to, from) = places(call, root, index, depth, 0, source_index, source_depth)?;
            from.move_to(to, from.cap());
            Ok(())
        }
        Label::CNodeMutate => {
            let [index, depth, source_index, source_depth, badge] = call.words()?;
            let (to, from) = places(call, root, index, depth, 0, source_index, source_depth)?;
            let cap = with_data(from.cap(), badge, true).ok_or(Error::IllegalOperation)?;
            from.move_to(to, cap);
            Ok(())
        }
        Label::CNodeRotate => rotate(call, root),
        _ => Err(Error::IllegalOperation.into()),
    }
}

/// An empty destination and a filled source.
fn places<'k>(
    call: &Arguments<'k>,
    root: Cap,
    index: u64,
    depth: u64,
    source_root: usize,
    source_index: u64,
    source_depth: u64,
) -> Result<(CapRef<'k>, CapRef<'k>), Error> {
    let source_root = call.cap(source_root)?;
    let to = call.empty_slot_in(root, index, depth & 0xff)?;
    let from = filled(call, source_root, source_index, source_depth & 0xff)?;
    Ok((to, from))
}

fn filled<'k>(call: &Arguments<'k>, root: Cap, index: u64, depth: u64) -> Result<CapRef<'k>, Error> {
    let slot = call.slot_in(root, index, depth, true)?;
    if slot.is_empty() {
        let failure = chestnut_abi::LookupFailure::MissingCapability { bits_left: depth };
        return Err(Error::FailedLookup(true, failure));
    }
    Ok(slot)
}

/// Copies the capability in `from` as `cap`, changed by `change`.
fn derive<'k>(
    call: &Arguments<'k>,
    to: CapRef<'k>,
    from: CapRef<'k>,
    cap: Cap,
    change: impl Fn(Cap) -> Option<Cap>,
) -> Outcome {
    let copy = call.derived(from)?;
    // What derivation changes is where a frame is mapped; rights come from `cap`.
    let cap = if copy.kind() == Kind::Frame { cap.with_mapping(0, 0) } else { cap };
    let cap = change(cap).ok_or(Error::IllegalOperation)?;
    to.fill_derived(cap, from);
    Ok(())
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
