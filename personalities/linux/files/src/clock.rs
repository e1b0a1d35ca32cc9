//! Time, as files need it: stamps on inodes, and the inter-byte timer of terminals.

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
    /// CLOCK_MONOTONIC, since boot.
    fn monotonic(&self) -> Duration;
    /// Wakes `waker` once, at `deadline` of the monotonic clock or a little later. Waking somebody who no longer cares is
    /// harmless, so there is no way to take it back.
    fn wake_at(&self, deadline: Duration, waker: &Waker);
}
