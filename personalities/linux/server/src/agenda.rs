//! When the message loop has anything to do besides messages: one number, looked at for each of them.
//!
//! Whoever leaves work for the loop (a future that was woken, a deadline, bytes for a driver) says so here. The loop then looks what there is, and
//! notes when it must look again by itself.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

/// A reading of the time-stamp counter: from then on there is something to do.
#[derive(Clone, Default)]
pub struct Agenda(Arc<AtomicU64>);

impl Agenda {
    /// There is something to do at once.
    #[inline]
    pub fn now(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
    /// Whether there is, at this reading of the time-stamp counter.
    #[inline]
    pub fn is_due(&self, now: u64) -> bool {
        now >= self.0.load(Ordering::Relaxed)
    }
    /// Where [`is_due`](Self::is_due) looks, for a loop that asks often.
    pub fn reading(&self) -> &AtomicU64 {
        &self.0
    }
    /// Whether there is something to do at once: the loop doesn't wait for messages then.
    #[inline]
    pub fn is_pressing(&self) -> bool {
        self.is_due(0)
    }
    /// All that was noted has been done.
    pub fn clear(&self) {
        self.0.store(u64::MAX, Ordering::Relaxed);
    }
    /// There will be something to do then, if not before.
    pub fn at_latest(&self, then: u64) {
        self.0.fetch_min(then, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_first_counts() {
        let agenda = Agenda::default();
        assert!(agenda.is_pressing(), "nobody has looked yet");
        agenda.clear();
        agenda.at_latest(100);
        agenda.at_latest(200);
        assert_eq!((agenda.is_due(99), agenda.is_due(100)), (false, true));
        assert!(!agenda.is_pressing());
        agenda.clone().now();
        assert!(agenda.is_pressing());
        agenda.at_latest(300);
        assert!(agenda.is_pressing(), "until it is done");
    }
}
