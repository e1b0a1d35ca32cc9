//! A TCB's own slots: the one place that fills and empties them, and that drops what is decoded from them.
#![forbid(unsafe_code)]

use super::delete;
use super::preemption::Preempted;
use crate::cap::{BufferCache, Cap, CapRef, RootCache};
use crate::mem::Ref;
use crate::object::{Kernel, Tcb, TcbSlot};

/// Empties a TCB's slot. May be preempted only where it holds the last capability to a container, or to what threads wait on.
pub fn replace<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, slot: TcbSlot) -> Result<(), Preempted> {
    delete(k, thread.slot(slot))
}

/// Puts a copy of `source`'s capability, as `cap`, in an empty slot of a TCB. A buffer's user address is there already.
pub fn install<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, slot: TcbSlot, cap: Cap, source: CapRef<'k>) {
    if cap.is_null() || !thread.slot(slot).is_empty() {
        return;
    }
    match slot {
        TcbSlot::CSpace => {
            thread.cspace.set(RootCache::of(k.entry(), cap));
            thread.slot(slot).fill_derived(cap.in_tcb(), source);
        }
        TcbSlot::VSpace => {
            thread.vspace.set(cap.as_table(k));
            thread.slot(slot).fill_derived(cap.in_tcb(), source);
        }
        TcbSlot::IpcBuffer => {
            thread.buffer.set(BufferCache::of(k.entry(), cap, thread.ipc_buffer.get()));
            thread.slot(slot).fill_derived(cap.in_tcb(), source);
        }
        _ => thread.slot(slot).fill_derived(cap, source),
    }
}
