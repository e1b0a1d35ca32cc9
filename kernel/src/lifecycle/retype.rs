//! Retype: objects made of untyped memory.
//!
//! `unsafe`: memory is cleared and becomes objects. Invariant: bytes of an untyped from its free offset on belong to no object, and
//! an untyped without descendants has no object in it at all.

use super::preemption::{Preempted, preemption_point};
use crate::cap::{Cap, CapRef, FrameSize, VmRights};
use crate::mem::{self, PhysAddr, Ref};
use crate::object::{Kernel, SchedContext, Tcb};
use chestnut_abi::{CNodeCapData, CapRights, ObjectType, object};

/// Cleared at a time at most, in bits: what an untyped's reset does between two preemption points.
const RESET_CHUNK_BITS: u64 = 12;
/// Units of work that this is.
const RESET_CHUNK_WORK: u64 = 7;

/// What to make.
#[derive(Clone, Copy)]
pub struct Blueprint {
    pub kind: ObjectType,
    /// For untypeds and scheduling contexts bytes, for CNodes slots, as a power of two; else ignored.
    pub user_bits: u64,
    /// In device memory: not to be cleared.
    pub device: bool,
}

impl Blueprint {
    /// Size of one object as a power of two in bytes.
    pub fn size_bits(self) -> u64 {
        self.kind.size_bits(self.user_bits)
    }

    fn cap(self, at: PhysAddr) -> Cap {
        match self.kind {
            ObjectType::Untyped => Cap::untyped(at, self.user_bits, self.device),
            ObjectType::Tcb => Cap::tcb(at),
            ObjectType::Endpoint => Cap::endpoint(at, 0, CapRights::ALL),
            ObjectType::Notification => Cap::notification(at, 0, CapRights::READ_WRITE),
            ObjectType::CapTable => Cap::cnode(at, self.user_bits, CNodeCapData::default()),
            ObjectType::SchedContext => Cap::sched_context(at, self.user_bits),
            ObjectType::Reply => Cap::reply(at, CapRights::ALL),
            ObjectType::X86PageTable => Cap::page_table(at, 1),
            ObjectType::X86PageDirectory => Cap::page_table(at, 2),
            ObjectType::X86Pdpt => Cap::page_table(at, 3),
            ObjectType::X64Pml4 => Cap::page_table(at, 4),
            ObjectType::X864K => Cap::frame(at, FrameSize::Small, VmRights::ReadWrite, self.device),
            ObjectType::X86LargePage => Cap::frame(at, FrameSize::Large, VmRights::ReadWrite, self.device),
            ObjectType::X64HugePage => Cap::frame(at, FrameSize::Huge, VmRights::ReadWrite, self.device),
        }
    }
}

/// Makes the untyped in `slot`, which has no descendants, wholly free: its used memory is cleared from the end, chunk by chunk.
pub fn reset(k: Kernel, slot: CapRef) -> Result<(), Preempted> {
    let cap = slot.cap();
    let used = cap.untyped_free();
    if used == 0 {
        return Ok(());
    }
    if cap.untyped_is_device() {
        slot.update(cap.with_untyped_free(0));
        return Ok(());
    }
    let mut end = used;
    while end > 0 {
        let left = (end - 1) >> RESET_CHUNK_BITS << RESET_CHUNK_BITS;
        let chunk = end - left;
        // SAFETY: the untyped has no descendants, so no object is in its memory; RAM untypeds lie in the window.
        unsafe { mem::zero(k.entry(), cap.address() + left, chunk as usize) };
        slot.update(slot.cap().with_untyped_free(left));
        if left > 0 {
            preemption_point(k, RESET_CHUNK_WORK)?;
        }
        end = left;
    }
    Ok(())
}

/// Makes one object for each slot of `destination`, side by side from `offset` on, which is aligned to the object's size and not
/// below the untyped's free offset; there is room for all. The slots are empty.
pub fn retype<'k>(
    k: Kernel<'k>,
    untyped: CapRef<'k>,
    offset: u64,
    what: Blueprint,
    destination: impl Iterator<Item = CapRef<'k>>,
) {
    let (cap, size) = (untyped.cap(), 1u64 << what.size_bits());
    let mut at = cap.address() + offset;
    let first = what.cap(at);
    for slot in destination {
        initialise(k, what, at);
        slot.fill_original(first.moved_to(at), untyped);
        at += size;
    }
    untyped.update(untyped.cap().with_untyped_free(at - cap.address()));
}

/// Untyped memory is kept cleared, so most objects are ready as they are.
fn initialise(k: Kernel, what: Blueprint, at: PhysAddr) {
    match what.kind {
        ObjectType::Tcb => {
            // SAFETY: cleared memory of a TCB's size and alignment that nothing else refers to.
            let thread: Ref<Tcb> = unsafe { Ref::at(k.entry(), at) };
            thread.initialise();
        }
        ObjectType::SchedContext => {
            // SAFETY: as above; all zeroes is an unconfigured context.
            let context: Ref<SchedContext> = unsafe { Ref::at(k.entry(), at) };
            // SAFETY: the object being made has this size.
            unsafe { context.set_size(what.user_bits) };
        }
        ObjectType::X64Pml4 => {
            // SAFETY: as above; all zeroes is an empty table.
            let table: Ref<crate::object::x86_64::Table> = unsafe { Ref::at(k.entry(), at) };
            table.set(511, crate::object::x86_64::TableEntry(crate::arch::kernel_root_entry()));
        }
        _ => {}
    }
}

/// Turns the whole of a childless, wholly free untyped of a pool's size into the ASID pool with this base, in an empty slot.
pub fn make_asid_pool<'k>(k: Kernel<'k>, untyped: CapRef<'k>, destination: CapRef<'k>, base: u64) {
    let cap = untyped.cap();
    untyped.update(cap.with_untyped_free(1 << object::ASID_POOL_BITS));
    destination.fill_original(Cap::asid_pool(cap.address(), base), untyped);
    if let Some(pool) = destination.cap().as_asid_pool(k) {
        k.asids.pool(base).set(Some(pool));
    }
}
