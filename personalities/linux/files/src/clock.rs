//! Time, as files need it: stamps on inodes, and the inter-byte timer of terminals.

use alloc::rc::Rc;
use core::task::Waker;
use core::time::Duration;

/// A point of CLOCK_REALTIME. Seconds may be negative (before 1970), nanoseconds are 0–999,999,999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    pub seconds: i64,
    pub nanoseconds: u32,
}

/// The server's clocks.
pub trait Clock {
    /// CLOCK_REALTIME.
    fn realtime(&self) -> Timestamp;
    /// The same for stamps on inodes, which may be behind by a millisecond.
    fn stamp(&self) -> Timestamp {
        self.realtime()
    }
    /// CLOCK_MONOTONIC, since boot.
    fn monotonic(&self) -> Duration;
    /// Wakes `waker` once, at `deadline` of the monotonic clock or a little later, unless [`Clock::forget`] is called before with
    /// the same deadline and the number that this returns. Use [`Wakeup`], which can't forget to.
    fn wake_at(&self, deadline: Duration, waker: &Waker) -> u64;
    /// Nobody wants to be woken any more.
    fn forget(&self, deadline: Duration, number: u64);
}

/// A wake-up that is due; dropping it takes it back, so that who waits again and again with long deadlines leaves nothing behind.
pub struct Wakeup {
    clock: Rc<dyn Clock>,
    deadline: Duration,
    number: u64,
}

impl Wakeup {
    pub fn new(clock: &Rc<dyn Clock>, deadline: Duration, waker: &Waker) -> Self {
        let number = clock.wake_at(deadline, waker);
        Wakeup { clock: clock.clone(), deadline, number }
    }
}

impl Drop for Wakeup {
    fn drop(&mut self) {
        self.clock.forget(self.deadline, self.number);
    }
}
