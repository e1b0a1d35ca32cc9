//! Words that carry several fields: message information, capability rights, CNode guards.

/// Most words in one message.
pub const MAX_LENGTH: usize = 120;
/// Most capabilities beside a message.
pub const MAX_EXTRA_CAPS: usize = 3;
/// Message words that travel in registers.
pub const REGISTER_WORDS: usize = 4;

/// What a message is: from the top, label (52 bits), unwrapped capabilities (3), extra capabilities (2), length (7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct MessageInfo(pub u64);

impl MessageInfo {
    /// `length` is in words and at most [`MAX_LENGTH`]; `extra_caps` at most [`MAX_EXTRA_CAPS`]. Larger values are cut.
    pub const fn new(label: u64, unwrapped: u64, extra_caps: u64, length: u64) -> Self {
        Self(label << 12 | (unwrapped & 7) << 9 | (extra_caps & 3) << 7 | length & 0x7f)
    }
    /// What the message means: an invocation label, a fault, an error, or what the two threads agreed on.
    pub const fn label(self) -> u64 {
        self.0 >> 12
    }
    /// One bit for each extra capability that arrived as a badge.
    pub const fn unwrapped(self) -> u64 {
        self.0 >> 9 & 7
    }
    /// Number of capabilities sent or received.
    pub const fn extra_caps(self) -> usize {
        (self.0 >> 7 & 3) as usize
    }
    /// Number of message words, as the sender wrote it: up to 127, of which at most [`MAX_LENGTH`] count.
    pub const fn length(self) -> usize {
        (self.0 & 0x7f) as usize
    }
}

/// What a capability allows: from bit 0 write, read, grant, grant-reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct CapRights(pub u64);

impl CapRights {
    pub const NONE: Self = Self(0);
    pub const WRITE: Self = Self(1);
    pub const READ: Self = Self(2);
    pub const GRANT: Self = Self(4);
    pub const GRANT_REPLY: Self = Self(8);
    pub const READ_WRITE: Self = Self(3);
    pub const ALL: Self = Self(15);

    /// Whether every right in `other` is also in `self`.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// The rights in both.
    pub const fn intersect(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    /// The rights in either.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A CNode capability's guard as Mint, Mutate and the TCB's space setters take it: guard (58 bits), its size (6 bits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct CNodeCapData(pub u64);

impl CNodeCapData {
    pub const fn new(guard: u64, guard_bits: u64) -> Self {
        Self(guard << 6 | guard_bits & 0x3f)
    }
    pub const fn guard(self) -> u64 {
        self.0 >> 6
    }
    /// Length of the guard in bits.
    pub const fn guard_bits(self) -> u64 {
        self.0 & 0x3f
    }
}
