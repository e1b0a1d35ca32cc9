//! Where a thread's `syscall` instructions go that aren't native ones: extension (a) of the design.
//!
//! The stub of `syscall` looks at this before anything else, for every thread. So it is kept as that comparison wants it: by the address
//! that the instruction returns to, which is what the processor says, and with a value for "off" that needs no question of its own.

use crate::arch::SYSTEM_CALL_LENGTH;
use core::mem::offset_of;

/// Which system calls of a thread are native, and where the others go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Redirect {
    /// Where the first native `syscall` returns to. One is native if it returns less than `length` bytes behind this, modulo 2^64.
    first: u64,
    length: u64,
    /// Where the thread goes on after a call that isn't native.
    entry: u64,
    /// What it finds there in R11.
    word: u64,
}

impl Redirect {
    /// Every call is native: none returns to the last address there is.
    pub const OFF: Self = Self { first: 0, length: u64::MAX, entry: 0, word: 0 };

    /// Offsets for the stub.
    pub const FIRST: usize = offset_of!(Self, first);
    pub const LENGTH: usize = offset_of!(Self, length);
    pub const ENTRY: usize = offset_of!(Self, entry);
    pub const WORD: usize = offset_of!(Self, word);

    /// Calls are native whose instruction is one of the `length` bytes from `base` on; others go to `entry`, with `word` in R11.
    pub fn unless_within(base: u64, length: u64, entry: u64, word: u64) -> Self {
        Self { first: base.wrapping_add(SYSTEM_CALL_LENGTH), length, entry, word }
    }

    pub fn is_off(self) -> bool {
        self.length == u64::MAX
    }

    /// Where a call that returns to `address` goes, and with what, unless it is native: what the stub does, for the simulated machine.
    #[cfg(not(target_os = "none"))]
    pub fn of_call(self, address: u64) -> Option<(u64, u64)> {
        (address.wrapping_sub(self.first) >= self.length).then_some((self.entry, self.word))
    }
}
