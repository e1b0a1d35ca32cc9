//! eventfd(2): a counter to wait on.

use core::cell::Cell;

use super::{Attempt, File};
use crate::buffer::{Sink, Source};
use crate::wait::{Events, WaitQueue};
use crate::{Errno, Result};

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

impl File for EventCounter {
    fn read(&self, _: &mut Attempt, _: u64, sink: &mut dyn Sink) -> Result<usize> {
        if sink.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        let count = self.count.get();
        if count == 0 {
            return Err(Errno::EAGAIN);
        }
        let given = if self.semaphore { 1 } else { count };
        self.count.set(count - given);
        self.waiters.wake(Events::WRITABLE);
        match sink.put(&given.to_le_bytes())? {
            8 => Ok(8),
            _ => Err(Errno::EFAULT),
        }
    }

    fn write(&self, attempt: &mut Attempt, _: u64, source: &mut dyn Source) -> Result<usize> {
        let added = match attempt.carried {
            Some(word) => word,
            None => take_word(source)?,
        };
        attempt.carried = Some(added);
        // The greatest value is never reached by writing, so that "may write 1" and "is writable" are the same.
        let sum = self.count.get().checked_add(added).filter(|&sum| sum < u64::MAX).ok_or(Errno::EAGAIN)?;
        self.count.set(sum);
        if added > 0 {
            self.waiters.wake(Events::READABLE);
        }
        Ok(8)
    }

    fn readiness(&self) -> Events {
        let mut ready = Events::empty();
        if self.count.get() > 0 {
            ready |= Events::READABLE;
        }
        if self.count.get() < u64::MAX - 1 {
            ready |= Events::WRITABLE;
        }
        ready
    }

    fn waiters(&self) -> Option<&WaitQueue> {
        Some(&self.waiters)
    }
}

/// The argument of a write: eight bytes, not all ones.
fn take_word(source: &mut dyn Source) -> Result<u64> {
    let mut bytes = [0; 8];
    if source.remaining() < bytes.len() {
        return Err(Errno::EINVAL);
    }
    if source.take(&mut bytes)? < bytes.len() {
        return Err(Errno::EFAULT);
    }
    match u64::from_le_bytes(bytes) {
        u64::MAX => Err(Errno::EINVAL),
        word => Ok(word),
    }
}
