//! Untyped: Retype.

use super::{Arguments, Error, Outcome};
use crate::cap::{CapRef, Kind};
use crate::lifecycle::{self, Blueprint};
use crate::{arch, cap};
use chestnut_abi::object::{MAX_UNTYPED_BITS, MIN_SCHED_CONTEXT_BITS, MIN_UNTYPED_BITS};
use chestnut_abi::{Label, LookupFailure, ObjectType};

/// Most objects made at once.
const FAN_OUT: u64 = 256;

pub fn invoke<'k>(call: &Arguments<'k>, slot: CapRef<'k>, label: Label) -> Outcome {
    if label != Label::UntypedRetype {
        return Err(Error::IllegalOperation.into());
    }
    let [kind, user_bits, node_index, node_depth, node_offset, count] = call.words()?;
    let root = call.cap(0)?;
    let kind = ObjectType::from_number(kind).ok_or(Error::InvalidArgument(0))?;
    let (k, untyped) = (call.k, slot.cap());
    let what = Blueprint { kind, user_bits, device: untyped.untyped_is_device() };
    check_size(what)?;

    let node = if node_depth == 0 { root } else { call.slot_in(root, node_index, node_depth, false)?.cap() };
    if node.kind() != Kind::CNode {
        return Err(Error::FailedLookup(false, LookupFailure::MissingCapability { bits_left: node_depth }).into());
    }
    let node_size = 1u64 << node.cnode_bits();
    if node_offset >= node_size {
        return Err(Error::Range(0, node_size - 1).into());
    }
    if !(1..=FAN_OUT).contains(&count) {
        return Err(Error::Range(1, FAN_OUT).into());
    }
    if count > node_size - node_offset {
        return Err(Error::Range(1, node_size - node_offset).into());
    }
    let destination = || cap::slots(k.entry(), node, node_offset, count);
    if node.cnode_bits() == 0 {
        return Err(Error::Range(1, 64).into());
    }
    if destination().any(|slot| !slot.is_empty()) {
        return Err(Error::DeleteFirst.into());
    }

    let reset = slot.first_descendant().is_none();
    let free = if reset { 0 } else { untyped.untyped_free() };
    let size_bits = what.size_bits();
    let capacity = 1u64 << untyped.untyped_bits();
    let offset = free.next_multiple_of(1 << size_bits);
    if size_bits > untyped.untyped_bits() || offset > capacity || (capacity - offset) >> size_bits < count {
        return Err(Error::NotEnoughMemory(capacity - free.min(capacity)).into());
    }
    if what.device
        && !matches!(kind, ObjectType::Untyped | ObjectType::X864K | ObjectType::X86LargePage | ObjectType::X64HugePage)
    {
        return Err(Error::InvalidArgument(1).into());
    }
    if reset {
        lifecycle::reset(k, slot)?;
    }
    lifecycle::retype(k, slot, offset, what, destination());
    Ok(())
}

fn check_size(what: Blueprint) -> Result<(), Error> {
    let bits = what.user_bits;
    match what.kind {
        ObjectType::Untyped if !(MIN_UNTYPED_BITS..=MAX_UNTYPED_BITS).contains(&bits) => {
            Err(Error::Range(MIN_UNTYPED_BITS, MAX_UNTYPED_BITS))
        }
        ObjectType::CapTable if bits == 0 => Err(Error::InvalidArgument(1)),
        ObjectType::SchedContext if bits < MIN_SCHED_CONTEXT_BITS => Err(Error::InvalidArgument(1)),
        ObjectType::X64HugePage if !arch::has_1g_pages() => Err(Error::InvalidArgument(0)),
        _ if what.size_bits() > MAX_UNTYPED_BITS => Err(Error::Range(0, MAX_UNTYPED_BITS)),
        _ => Ok(()),
    }
}
