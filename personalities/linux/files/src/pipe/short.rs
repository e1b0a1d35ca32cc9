//! A few bytes at a time, which is how most programs talk by pipes: without a sink or a source, and straight to a reader who waits.
//!
//! Whatever isn't plain — bytes that wrap around in the ring, memory that isn't taken yet, a side that has closed — is left to
//! [`File::read`](crate::open::File::read) and [`File::write`](crate::open::File::write), which say what is to be done.

use alloc::rc::Rc;

use super::{ATOMIC, Pipe};
use crate::wait::{Events, Listener, WaitQueue};

impl Pipe {
    /// Who waits at either end.
    #[inline]
    pub const fn waiters(&self) -> &WaitQueue {
        &self.waiters
    }

    /// There is nothing to read, but may be.
    #[inline]
    pub fn is_dry(&self) -> bool {
        self.buffer.borrow().is_empty() && self.writers.open.get() > 0
    }

    /// Who waits for bytes, hears at once and is the only one who waits here at all, while there are none: a writer's bytes are its own
    /// then, and nobody sees whether they have been in the pipe.
    #[inline]
    pub fn only_reader(&self) -> Option<Rc<dyn Listener>> {
        let is_next = self.buffer.borrow().is_empty() && self.readers.open.get() > 0;
        if is_next { self.waiters.only_listener(Events::READABLE) } else { None }
    }

    /// Puts `length` bytes in, as `fill` writes them. False if that isn't plain, or would not be atomic: nothing has happened.
    #[inline]
    pub fn put_short(&self, length: usize, fill: impl FnOnce(&mut [u8])) -> bool {
        let fits = length <= ATOMIC && length <= self.room() && self.readers.open.get() > 0;
        let done = fits && self.buffer.borrow_mut().put_run(length, fill);
        if done {
            self.waiters.wake(Events::READABLE);
        }
        done
    }

    /// Shows the first bytes to `take`, at most `most`, and takes them away if it says so. `None`: nothing has happened.
    #[inline]
    pub fn take_short(&self, most: usize, take: impl FnOnce(&[u8]) -> bool) -> Option<usize> {
        let count = self.buffer.borrow_mut().take_run(most, take)?;
        self.waiters.wake(Events::WRITABLE);
        Some(count)
    }
}
