//! Ending waits: a thread is suspended or deleted, or what it waits on goes away.

use super::{call_stack, consumed, waiting};
use crate::mem::Ref;
use crate::object::{Endpoint, Kernel, Notification, Tcb, ThreadState};
use crate::time;

/// Ends whatever wait a thread is in. Its state becomes `Inactive`, from which the caller moves it on.
pub fn cancel<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) {
    match thread.state.get() {
        ThreadState::BlockedOnSend | ThreadState::BlockedOnReceive => {
            if let Some(endpoint) = thread.endpoint.get(k) {
                waiting::leave_endpoint(k, thread, endpoint);
            }
            if let Some(reply) = thread.reply.take(k) {
                reply.tcb.clear();
            }
            thread.fault.set(None);
        }
        ThreadState::BlockedOnNotification => {
            if let Some(notification) = thread.waiting_on.get(k) {
                waiting::leave_notification(k, thread, notification);
            }
        }
        ThreadState::BlockedOnReply => {
            thread.fault.set(None);
            call_stack::unlink_caller(k, thread);
        }
        ThreadState::Inactive | ThreadState::Running | ThreadState::Restart => return,
    }
    thread.state.set(ThreadState::Inactive);
}

/// Stops a thread. What it was blocked in, it will begin again when resumed.
pub fn suspend<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) {
    consumed::complete_yield(k, thread);
    match thread.state.get() {
        // Between two instructions: it goes on with the next.
        ThreadState::Running => thread.context.set_fault_ip(thread.context.get(chestnut_abi::registers::Register::Rip)),
        ThreadState::Restart | ThreadState::Inactive => {}
        _ => cancel(k, thread),
    }
    time::dequeue(k, thread);
    thread.state.set(ThreadState::Inactive);
}

/// Starts a thread that isn't running, or makes a blocked one begin its system call again.
pub fn restart<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) {
    if thread.is_runnable() {
        return;
    }
    cancel(k, thread);
    set_runnable(k, thread);
}

/// Makes an inactive thread runnable at its fault IP.
pub fn set_runnable<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) {
    thread.state.set(ThreadState::Restart);
    time::wake(k, thread);
}

/// The endpoint goes away: the first who waits on it begins anew. Returns whether anybody did.
pub fn cancel_first<'k>(k: Kernel<'k>, endpoint: Ref<'k, Endpoint>) -> bool {
    let first = endpoint.queue.first(k);
    first.inspect(|&thread| end_wait(k, thread)).is_some()
}

/// The notification goes away: the first who waits on it begins anew. Returns whether anybody did.
pub fn cancel_first_wait<'k>(k: Kernel<'k>, notification: Ref<'k, Notification>) -> bool {
    let first = notification.queue.first(k);
    first.inspect(|&thread| end_wait(k, thread)).is_some()
}

/// Up to `most` senders with this badge begin anew; others stay. Returns whether there may be more.
pub fn cancel_badged<'k>(k: Kernel<'k>, endpoint: Ref<'k, Endpoint>, badge: u64, most: u64) -> bool {
    if !endpoint.has_senders(k) {
        return false;
    }
    let mut left = most;
    let mut next = endpoint.queue.first(k);
    while let Some(thread) = next {
        next = thread.next.get(k);
        if thread.blocked_badge.get() == badge {
            end_wait(k, thread);
            left = left.saturating_sub(1);
            if left == 0 {
                return true;
            }
        }
    }
    false
}

fn end_wait<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) {
    let faulted = thread.fault.get().is_some();
    cancel(k, thread);
    if faulted {
        // It waited to report a fault; there is nothing that it could begin anew.
        thread.state.set(ThreadState::Inactive);
    } else {
        set_runnable(k, thread);
    }
}
