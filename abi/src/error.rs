//! What goes wrong in an invocation, and why. An error returns as the label of the reply, its causes in message words.

/// The label of an invocation's reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Error {
    NoError = 0,
    /// Word 0: index of the argument.
    InvalidArgument = 1,
    /// Word 0: index of the capability among those given (0 = the invoked one).
    InvalidCapability = 2,
    IllegalOperation = 3,
    /// Words 0 and 1: least and greatest value allowed.
    RangeError = 4,
    AlignmentError = 5,
    /// Word 0: 1 if a source was looked up, 0 if a destination; from word 1 a [`LookupFailure`].
    FailedLookup = 6,
    TruncatedMessage = 7,
    DeleteFirst = 8,
    RevokeFirst = 9,
    /// Word 0: bytes that are left.
    NotEnoughMemory = 10,
}

impl Error {
    pub const fn from_label(label: u64) -> Option<Self> {
        Some(match label {
            0 => Self::NoError,
            1 => Self::InvalidArgument,
            2 => Self::InvalidCapability,
            3 => Self::IllegalOperation,
            4 => Self::RangeError,
            5 => Self::AlignmentError,
            6 => Self::FailedLookup,
            7 => Self::TruncatedMessage,
            8 => Self::DeleteFirst,
            9 => Self::RevokeFirst,
            10 => Self::NotEnoughMemory,
            _ => return None,
        })
    }
}

/// How far a capability lookup came. On the wire: a number (1–4), then the words listed at each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupFailure {
    /// The root is no CNode. No further word.
    InvalidRoot,
    /// An empty or non-CNode slot with `bits_left` address bits still to resolve. Words: `bits_left`.
    MissingCapability { bits_left: u64 },
    /// The CNode resolves `bits_found` bits, more than the `bits_left` remaining. Words: `bits_left`, `bits_found`.
    DepthMismatch { bits_left: u64, bits_found: u64 },
    /// The guard of `guard_bits` bits differs from the address. Words: `bits_left`, `guard`, `guard_bits`.
    GuardMismatch { bits_left: u64, guard: u64, guard_bits: u64 },
}

impl LookupFailure {
    /// The failure as message words, and how many of them count.
    pub const fn to_words(self) -> ([u64; 4], usize) {
        match self {
            Self::InvalidRoot => ([1, 0, 0, 0], 1),
            Self::MissingCapability { bits_left } => ([2, bits_left, 0, 0], 2),
            Self::DepthMismatch { bits_left, bits_found } => ([3, bits_left, bits_found, 0], 3),
            Self::GuardMismatch { bits_left, guard, guard_bits } => ([4, bits_left, guard, guard_bits], 4),
        }
    }
    /// The failure that message words describe, if they do.
    pub const fn from_words(words: [u64; 4]) -> Option<Self> {
        Some(match words {
            [1, ..] => Self::InvalidRoot,
            [2, bits_left, ..] => Self::MissingCapability { bits_left },
            [3, bits_left, bits_found, _] => Self::DepthMismatch { bits_left, bits_found },
            [4, bits_left, guard, guard_bits] => Self::GuardMismatch { bits_left, guard, guard_bits },
            _ => return None,
        })
    }
}
