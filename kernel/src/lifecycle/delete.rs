//! Deleting a capability, and everything derived from one.
//!
//! Deleting the last capability to a CNode or TCB means deleting the capabilities in its slots, among which may be the last one to
//! another CNode, and so on to any depth, or round in a circle. There is no recursion and no stack: the slot being deleted
//! always holds the container that is being emptied, as a *zombie* that counts its slots still filled. When the last of these holds a
//! container itself, the two change places: the inner zombie moves up into the slot, and the outer one waits in the inner one's slot 0,
//! which is emptied last; what was there takes the free place in the outer one. When only slot 0 is left and holds a zombie, that one
//! moves back up, and the inner container is done. A container that holds itself keeps its own zombie in slot 0 until the rest is
//! empty. Every exchange either turns one more container into a zombie or finishes one, so the
//! loop ends; it can stop after every step, and a second deleter that comes upon a zombie goes on with it in the same way.

use super::finalise::{Remains, finalise};
use super::preemption::{Preempted, preemption_point};
use crate::cap::{Cap, CapRef, Kind};
use crate::mem::Ref;
use crate::object::{Kernel, Tcb, TcbSlot};
use chestnut_abi::CapRights;
use chestnut_abi::object::TCB_BITS;

/// Work of deleting one capability, or of sending one waiting thread off, in units of preemption.
pub const WORK: u64 = 3;

/// Empties a slot. If its capability was the last one to its object, the object ends.
pub fn delete<'k>(k: Kernel<'k>, target: CapRef<'k>) -> Result<(), Preempted> {
    let mut slot = target;
    loop {
        let cap = slot.cap();
        if cap.kind() == Kind::Zombie {
            slot = step(k, slot, cap);
        } else {
            match bury(k, slot) {
                Remains::Nothing if target.is_empty() => return Ok(()),
                Remains::Nothing => slot = target,
                Remains::Slots | Remains::Waiters => {}
            }
        }
        preemption_point(k, WORK)?;
    }
}

/// Empties a slot at once if that ends no object, or one that nobody else knows, and says whether it did. The slot isn't a TCB's.
#[inline]
pub fn delete_aside<'k>(k: Kernel<'k>, slot: CapRef<'k>) -> bool {
    let cap = slot.cap();
    let plain = match cap.kind() {
        Kind::Zombie => false,
        // A frame has nothing to end but where it is mapped, and an untyped nothing at all.
        Kind::Frame | Kind::Untyped | Kind::Null => true,
        Kind::Endpoint if cap.as_endpoint(k).is_some_and(|endpoint| endpoint.queue.is_empty()) => true,
        _ => !slot.is_final(),
    };
    if plain {
        finalise(k, cap, false);
        slot.clear();
    }
    plain
}

/// Finalises the capability in a slot that holds no zombie: empties the slot, or leaves a zombie in it.
fn bury<'k>(k: Kernel<'k>, slot: CapRef<'k>) -> Remains {
    let cap = slot.cap();
    if cap.is_in_tcb() {
        drop_caches(k, slot);
    }
    let remains = finalise(k, cap, slot.is_final());
    match remains {
        Remains::Nothing => slot.clear(),
        Remains::Slots => slot.update(zombie_of(cap)),
        // Nobody can begin to wait by a capability without rights, so that those who wait only get fewer.
        Remains::Waiters => slot.update(cap.masked(CapRights(0))),
    }
    remains
}

/// The slot belongs to a TCB that caches what it decoded from it. What it decoded from another slot stays.
fn drop_caches<'k>(k: Kernel<'k>, slot: CapRef<'k>) {
    let tcb = slot.physical(k) >> TCB_BITS << TCB_BITS;
    // SAFETY: capabilities so marked stand in TCBs' slots only, and TCBs are aligned to their size.
    let thread: Ref<Tcb> = unsafe { Ref::at(k.entry(), tcb) };
    if slot == thread.slot(TcbSlot::VSpace) {
        thread.vspace.set(None);
    } else if slot == thread.slot(TcbSlot::IpcBuffer) {
        thread.buffer.set(Default::default());
    } else {
        thread.cspace.set(Default::default());
    }
}

fn outside_tcb(cap: Cap) -> Cap {
    if cap.is_in_tcb() { cap.outside_tcb() } else { cap }
}

fn zombie_of(cap: Cap) -> Cap {
    match cap.kind() {
        Kind::Tcb => Cap::zombie(cap.address() + Tcb::SLOTS_OFFSET, Cap::TCB_SLOTS, Tcb::SLOTS),
        _ => Cap::zombie(cap.address(), cap.cnode_bits() as u8, 1 << cap.cnode_bits()),
    }
}

/// Does one piece of the work of emptying the container whose zombie `slot` holds. Returns the slot to go on with.
fn step<'k>(k: Kernel<'k>, slot: CapRef<'k>, zombie: Cap) -> CapRef<'k> {
    let Some(last_index) = zombie.zombie_count().checked_sub(1) else {
        slot.clear();
        return slot;
    };
    let last = inner_slot(k, zombie, last_index);
    if last == slot {
        return step_in_itself(k, slot, zombie, last_index);
    }
    let inner = last.cap();
    if inner.is_null() {
        slot.update(zombie.with_zombie_count(last_index));
    } else if inner.kind() != Kind::Zombie {
        // What remains of a container stays in `last` as a zombie and is met again in the next step.
        bury(k, last);
    } else if inner.zombie_count() == 0 {
        last.clear();
    } else if last_index == 0 {
        // The outer zombie waits here, or a nested one is all that is left: it takes the slot, and this container is done.
        last.swap(slot, zombie, inner);
        last.clear();
    } else {
        return exchange(k, slot, zombie, last, inner);
    }
    slot
}

/// The container's zombie is in the container itself. It is the last to go.
fn step_in_itself<'k>(k: Kernel<'k>, slot: CapRef<'k>, zombie: Cap, index: u64) -> CapRef<'k> {
    let first = inner_slot(k, zombie, 0);
    if index == 0 {
        slot.clear();
    } else if first.is_empty() {
        slot.move_to(first, zombie);
    } else {
        slot.swap(first, outside_tcb(first.cap()), zombie);
    }
    first
}

/// The inner zombie, in `last`, comes up, the outer one waits in its slot 0, whose content takes the outer's free place.
fn exchange<'k>(k: Kernel<'k>, slot: CapRef<'k>, outer: Cap, last: CapRef<'k>, inner: Cap) -> CapRef<'k> {
    let first = inner_slot(k, inner, 0);
    slot.swap(last, inner, outer);
    // `last` now holds the outer zombie.
    if first == slot {
        // The two hold each other. Now each holds itself, and the outer one is done first.
        return last;
    }
    if first.is_empty() {
        last.move_to(first, outer);
    } else {
        // It may come out of a TCB's slot.
        last.swap(first, outside_tcb(first.cap()), outer);
    }
    slot
}

fn inner_slot<'k>(k: Kernel<'k>, zombie: Cap, index: u64) -> CapRef<'k> {
    // SAFETY: a zombie names as many slots of one container as its count says, counted down from what the container had, and
    // the container's memory isn't reused before the zombie is gone.
    unsafe { Ref::at(k.entry(), zombie.address() + index * size_of::<crate::cap::Slot>() as u64) }
}

/// Deletes everything derived from the capability in a slot; the capability itself stays.
pub fn revoke<'k>(k: Kernel<'k>, slot: CapRef<'k>) -> Result<(), Preempted> {
    while let Some(child) = slot.first_descendant() {
        delete(k, child)?;
        preemption_point(k, WORK)?;
    }
    Ok(())
}
