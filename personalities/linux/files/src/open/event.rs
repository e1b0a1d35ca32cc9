//! eventfd(2): a counter to wait on.
use super::File;
use crate::wait::WaitQueue;
use core::cell::Cell;

/// What eventfd(2) makes. Open it with [`super::OpenFile::anonymous`].
pub struct EventCounter {
    count: Cell<u64>,
    semaphore: bool,
    waiters: WaitQueue,
}

impl EventCounter {
    /// `semaphore` is EFD_SEMAPHORE.
    pub fn new(initial: u32, semaphore: bool) -> Self {
        EventCounter { count: Cell::new(initial.into()), semaphore, waiters: WaitQueue::new() }
    }
}

impl File for EventCounter {}
