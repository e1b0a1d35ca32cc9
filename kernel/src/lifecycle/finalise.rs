//! What the end of a capability, or of the last one to an object, means for everything that knows the object.
#![forbid(unsafe_code)]

use super::preemption;
use crate::cap::{Cap, Kind};
use crate::mem::Ref;
use crate::object::{IrqState, Kernel, Notification, SchedContext, Tcb, x86_64};
use crate::{arch, ipc, time};

/// Ending a pool looks at 512 address spaces.
const ASID_POOL_WORK: u64 = 45;

/// What a capability leaves behind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    Nothing,
    /// The slots of a CNode or TCB, whose capabilities must be deleted too.
    Slots,
    /// Threads that still wait on the endpoint or notification: one at a time is sent off.
    Waiters,
}

/// Undoes what a capability stands for; with `last`, ends its object. Every link to an object that ends is cleared here.
pub fn finalise<'k>(k: Kernel<'k>, cap: Cap, last: bool) -> Remains {
    match cap.kind() {
        // Mappings belong to single capabilities.
        Kind::Frame => x86_64::unmap_frame(k, cap),
        Kind::CNode if last => return Remains::Slots,
        Kind::Tcb if last => {
            if let Some(thread) = cap.as_tcb(k) {
                end_thread(k, thread);
                return Remains::Slots;
            }
        }
        _ if !last => {}
        Kind::Endpoint => {
            if let Some(endpoint) = cap.as_endpoint(k)
                && ipc::cancel_first(k, endpoint)
            {
                return Remains::Waiters;
            }
        }
        Kind::Notification => {
            if let Some(notification) = cap.as_notification(k) {
                if ipc::cancel_first_wait(k, notification) {
                    return Remains::Waiters;
                }
                end_notification(k, notification);
            }
        }
        Kind::Reply => {
            if let Some(reply) = cap.as_reply(k) {
                ipc::remove_reply(k, reply);
            }
        }
        Kind::SchedContext => {
            if let Some(context) = cap.as_sched_context(k) {
                end_sched_context(k, context);
            }
        }
        Kind::PageTable => x86_64::unmap_table(k, cap),
        Kind::AsidPool => {
            x86_64::end_asid_pool(k, cap);
            preemption::count(k, ASID_POOL_WORK);
        }
        Kind::IrqHandler => {
            arch::irq_mask(cap.irq() as usize);
            // Its slot may hold the last capability to a notification.
            if let Some(slot) = k.state().irqs.slot(cap.irq()) {
                if finalise(k, slot.cap(), slot.is_final()) == Remains::Waiters {
                    return Remains::Waiters;
                }
                slot.clear();
            }
            k.irqs.set_state(cap.irq(), IrqState::Inactive);
        }
        Kind::IoPort => {
            let (first, last) = cap.ports();
            k.ports.set_issued(first, last, false);
        }
        _ => {}
    }
    Remains::Nothing
}

fn end_thread<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) {
    ipc::unbind(k, thread);
    if let Some(context) = thread.sched_context.get(k) {
        unbind_thread(k, context);
    }
    ipc::suspend(k, thread);
    if k.fpu_owner.is(thread) {
        k.fpu_owner.clear();
        arch::fpu_disable();
    }
}

fn end_notification<'k>(k: Kernel<'k>, notification: Ref<'k, Notification>) {
    if let Some(context) = notification.sched_context.take(k) {
        context.notification.clear();
    }
    if let Some(thread) = notification.bound_tcb.get(k) {
        ipc::unbind(k, thread);
    }
}

fn end_sched_context<'k>(k: Kernel<'k>, context: Ref<'k, SchedContext>) {
    unbind_thread(k, context);
    if let Some(notification) = context.notification.take(k) {
        notification.sched_context.clear();
    }
    // The stack of calls that it passed through stays, without it.
    if let Some(reply) = context.reply.take(k) {
        reply.set_above(crate::object::Above::Nothing);
    }
    if let Some(thread) = context.yield_from.get(k) {
        ipc::complete_yield(k, thread);
    }
    if k.current_sc.is(context) {
        k.consumed.set(0);
        k.current_sc.clear();
        k.set_timer_anew();
    }
}

/// Takes a scheduling context's thread off it.
pub fn unbind_thread<'k>(k: Kernel<'k>, context: Ref<'k, SchedContext>) {
    let Some(thread) = context.tcb.get(k) else { return };
    if k.current_sc.is(context) {
        time::charge_current(k);
    }
    time::dequeue(k, thread);
    thread.sched_context.clear();
    context.tcb.clear();
    if k.current.is(thread) {
        time::reschedule(k);
    }
}
