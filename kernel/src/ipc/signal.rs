//! Signals: notifications, who waits for them, and the scheduling contexts they lend.

use super::{cancel, waiting};
use crate::mem::Ref;
use crate::object::{Kernel, Notification, Tcb, ThreadState};
use crate::time;

/// Signals a notification: its badge goes to a waiting thread, or is kept for the next one to ask.
pub fn signal<'k>(k: Kernel<'k>, notification: Ref<'k, Notification>, badge: u64) {
    if let Some(thread) = notification.queue.first(k) {
        waiting::leave_notification(k, thread, notification);
        deliver(k, thread, notification, badge);
        return;
    }
    if notification.active.get() {
        notification.badge.set(notification.badge.get() | badge);
        return;
    }
    if let Some(thread) = notification.bound_tcb.get(k)
        && thread.state.get() == ThreadState::BlockedOnReceive
    {
        cancel::cancel(k, thread);
        deliver(k, thread, notification, badge);
        return;
    }
    notification.badge.set(badge);
    notification.active.set(true);
}

fn deliver<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, notification: Ref<'k, Notification>, badge: u64) {
    thread.state.set(ThreadState::Running);
    thread.context.set_badge(badge);
    lend_context(k, thread, notification);
    time::wake(k, thread);
}

/// Waits for a signal. Returns whether one was there; if not, a blocking wait blocks and a poll leaves badge 0.
pub fn wait<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, notification: Ref<'k, Notification>, blocking: bool) -> bool {
    if notification.active.get() {
        complete_signal(k, thread, notification);
        return true;
    }
    if !blocking {
        thread.context.set_badge(0);
        return false;
    }
    waiting::wait_at_notification(k, thread, notification);
    if let Some(context) = thread.sched_context.get(k).filter(|&context| notification.sched_context.is(context)) {
        context.tcb.clear();
        thread.sched_context.clear();
    }
    false
}

/// Takes the signal that waits at an active notification.
pub fn complete_signal<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, notification: Ref<'k, Notification>) {
    thread.context.set_badge(notification.badge.replace(0));
    notification.active.set(false);
    lend_context(k, thread, notification);
    if thread.sched_context.get(k).is_some_and(|context| context.sporadic.get() && !k.current_sc.is(context)) {
        time::wake(k, thread);
    }
}

/// A passive thread that takes a signal runs on the notification's scheduling context.
fn lend_context<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, notification: Ref<'k, Notification>) {
    if thread.sched_context.is_none()
        && let Some(context) = notification.sched_context.get(k)
        && context.tcb.is_none()
    {
        time::donate(k, context, thread);
    }
}

/// A thread that blocks on an endpoint gives back what its bound notification lent it.
pub fn return_lent_context<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) {
    if let Some(notification) = thread.bound_notification.get(k)
        && let Some(context) = thread.sched_context.get(k)
        && notification.sched_context.is(context)
    {
        context.tcb.clear();
        thread.sched_context.clear();
    }
}

/// Binds a notification to a thread, so that the thread receives its signals while it waits on endpoints.
pub fn bind(thread: Ref<Tcb>, notification: Ref<Notification>) {
    thread.bound_notification.set(Some(notification));
    notification.bound_tcb.set(Some(thread));
}

/// Unbinds a thread's notification, if it has one.
pub fn unbind(k: Kernel, thread: Ref<Tcb>) {
    if let Some(notification) = thread.bound_notification.take(k) {
        notification.bound_tcb.clear();
    }
}
