//! Standing in the queue of an endpoint or a notification, and leaving it.

use crate::mem::Ref;
use crate::object::{Endpoint, Kernel, Notification, Place, Tcb, ThreadState};
use crate::time;

/// Puts a thread in the queue of an endpoint, as a sender or a receiver.
pub fn wait_at_endpoint(k: Kernel, thread: Ref<Tcb>, endpoint: Ref<Endpoint>, state: ThreadState) {
    time::dequeue(k, thread);
    thread.state.set(state);
    thread.endpoint.set(Some(endpoint));
    thread.place.set(Place::Object);
    endpoint.queue.insert_by_priority(k, thread);
}

/// Takes a thread out of the queue of the endpoint that it is blocked on.
pub fn leave_endpoint(k: Kernel, thread: Ref<Tcb>, endpoint: Ref<Endpoint>) {
    endpoint.queue.remove(k, thread);
    thread.endpoint.clear();
    thread.place.set(Place::Nowhere);
}

/// Puts a thread in the queue of a notification.
pub fn wait_at_notification(k: Kernel, thread: Ref<Tcb>, notification: Ref<Notification>) {
    time::dequeue(k, thread);
    thread.state.set(ThreadState::BlockedOnNotification);
    thread.waiting_on.set(Some(notification));
    thread.place.set(Place::Object);
    notification.queue.insert_by_priority(k, thread);
}

/// Takes a thread out of the queue of the notification that it waits on.
pub fn leave_notification(k: Kernel, thread: Ref<Tcb>, notification: Ref<Notification>) {
    notification.queue.remove(k, thread);
    thread.waiting_on.clear();
    thread.place.set(Place::Nowhere);
}
