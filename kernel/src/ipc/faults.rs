//! Faults: who is told, and what becomes of a thread that nobody hears.

use super::rendezvous::{self, Sending};
use crate::cap::Cap;
use crate::mem::Ref;
use crate::object::{Fault, Kernel, Tcb, TcbSlot, ThreadState};
use crate::time;
use chestnut_abi::CapRights;

/// Whether a capability may receive fault messages: an endpoint that can be written and replied through.
pub fn is_handler(cap: Cap) -> bool {
    let rights = cap.rights();
    cap.kind() == crate::cap::Kind::Endpoint
        && rights.contains(CapRights::WRITE)
        && (rights.contains(CapRights::GRANT) || rights.contains(CapRights::GRANT_REPLY))
}

pub fn has_timeout_handler(k: Kernel, thread: Ref<Tcb>) -> bool {
    let _ = k;
    is_handler(Ref::<Tcb>::slot(Ref::from(thread.get()), TcbSlot::TimeoutHandler).cap())
}

/// Tells a thread's fault handler about a fault. Without a handler the thread becomes inactive.
pub fn deliver_fault<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, fault: Fault) {
    let handler = thread.slot(TcbSlot::FaultHandler).cap();
    thread.fault.set(Some(fault));
    if !send_to(k, thread, handler, !thread.sched_context.is_none()) {
        thread.fault.set(None);
        time::dequeue(k, thread);
        thread.state.set(ThreadState::Inactive);
    }
}

/// Tells a thread's timeout handler that its budget ran out.
pub fn timeout<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) {
    let Some(context) = thread.sched_context.get(k) else { return };
    let handler = thread.slot(TcbSlot::TimeoutHandler).cap();
    thread.fault.set(Some(Fault::Timeout { badge: context.badge.get() }));
    // There is no time to give along: it just ran out.
    if !send_to(k, thread, handler, false) {
        thread.fault.set(None);
        time::end_of_budget(k, thread);
    }
}

fn send_to<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, handler: Cap, donate: bool) -> bool {
    let Some(endpoint) = handler.as_endpoint(k).filter(|_| is_handler(handler)) else { return false };
    let how = Sending {
        badge: handler.badge(),
        rights: handler.rights(),
        blocking: true,
        call: false,
        donate,
        caps: Default::default(),
    };
    time::dequeue(k, thread);
    rendezvous::send(k, thread, endpoint, how);
    true
}
