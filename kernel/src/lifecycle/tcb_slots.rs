//! A TCB's own slots: the one place that fills and empties them, and that drops what is decoded from them.
#![forbid(unsafe_code)]

use super::delete;
use super::preemption::Preempted;
use crate::cap::{Cap, CapRef};
use crate::mem::Ref;
use crate::object::{Kernel, Tcb, TcbSlot};

/// Empties a TCB's slot. May be preempted only where it holds the last capability to a container.
pub fn replace<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, slot: TcbSlot) -> Result<(), Preempted> {
    delete(k, thread.slot(slot))
}

/// Puts a copy of `source`'s capability, as `cap`, in an empty slot of a TCB.
pub fn install<'k>(thread: Ref<'k, Tcb>, slot: TcbSlot, cap: Cap, source: CapRef<'k>) {
    if !cap.is_null() && thread.slot(slot).is_empty() {
        thread.slot(slot).fill_derived(cap, source);
    }
}
