//! Notification: a word of signals that arrived and threads that wait for one.

use super::{Queue, SchedContext, Tcb};
use crate::mem::Link;
use core::cell::Cell;

#[repr(C, align(64))]
pub struct Notification {
    /// Threads that wait.
    pub queue: Queue,
    /// The badges of signals that nobody received yet, or'ed; meaningful when `active`.
    pub badge: Cell<u64>,
    /// Whether a signal waits to be received.
    pub active: Cell<bool>,
    /// The thread that receives signals while it waits on endpoints.
    pub bound_tcb: Link<Tcb>,
    /// Lent to a passive thread that receives a signal.
    pub sched_context: Link<SchedContext>,
}

const _: () = assert!(size_of::<Notification>() == 1 << chestnut_abi::object::NOTIFICATION_BITS);
