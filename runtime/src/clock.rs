//! Time: the time-stamp counter, and how a service asks the timer to be woken.
//!
//! Reading the clock costs one instruction and no IPC. To be woken, a service writes an absolute deadline in ticks
//! into a page that it shares with the timer and signals the timer; once the deadline has passed, the timer sets it to
//! [`NEVER`] and signals back. Either side may write at any time, so the page is one atomic word.

use core::{
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering::*},
};

/// The deadline that does not come.
pub const NEVER: u64 = u64::MAX;

/// The time-stamp counter.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn ticks() -> u64 {
    // SAFETY: every x86_64 processor has the instruction, and the kernel leaves it to user code.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// The shared page of one client and the timer.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(NonNull<u64>);

impl Deadline {
    /// The deadline at `address`.
    ///
    /// # Safety
    /// A page is mapped there, readable and writable, as long as the value is used, and this program accesses its
    /// first word only through values of this type.
    ///
    /// # Panics
    /// If the address is 0 or not aligned to 8 bytes.
    pub unsafe fn new(address: *mut u64) -> Self {
        assert!(address.is_aligned(), "a deadline is aligned to 8 bytes");
        Self(NonNull::new(address).expect("a deadline is not at address 0"))
    }

    fn word(&self) -> &AtomicU64 {
        // SAFETY: `new`'s caller promised memory for the life of the value, and only atomic accesses.
        unsafe { AtomicU64::from_ptr(self.0.as_ptr()) }
    }

    /// Client: wants to be woken at `ticks` ([`NEVER`]: not at all). The timer must be signalled if that is earlier than
    /// before, or else it finds out at the earlier one.
    pub fn set(&self, ticks: u64) {
        self.word().store(ticks, SeqCst);
    }

    /// When the client wants to be woken.
    pub fn get(&self) -> u64 {
        self.word().load(SeqCst)
    }

    /// Timer: whether the deadline is due at `now`; if so it is taken away, and the client must be signalled. A deadline
    /// that the client replaces meanwhile stays.
    pub fn take_if_due(&self, now: u64) -> bool {
        let deadline = self.get();
        deadline <= now && self.word().compare_exchange(deadline, NEVER, SeqCst, SeqCst).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::boxed::Box;

    #[test]
    fn a_deadline_is_taken_once_and_not_before_it_is_due() {
        // SAFETY: a word of its own, leaked.
        let deadline = unsafe { Deadline::new(Box::leak(Box::new(NEVER))) };
        assert!(!deadline.take_if_due(u64::MAX - 1));
        deadline.set(100);
        assert!(!deadline.take_if_due(99));
        assert!(deadline.take_if_due(100));
        assert_eq!(deadline.get(), NEVER);
        assert!(!deadline.take_if_due(101));
    }
}
