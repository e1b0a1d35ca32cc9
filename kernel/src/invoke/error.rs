//! Errors of invocations, with their causes, and how the invoking thread is told.

use crate::ipc::set_message_word;
use crate::lifecycle::Preempted;
use crate::mem::Ref;
use crate::object::{Kernel, Tcb};
use chestnut_abi::{self as abi, LookupFailure, MessageInfo};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Which argument.
    InvalidArgument(u64),
    /// Which of the capabilities; 0 is the invoked one.
    InvalidCapability(u64),
    IllegalOperation,
    /// What would be allowed.
    Range(u64, u64),
    Alignment,
    /// Whether a source was looked up (rather than a destination), and where the look-up ended.
    FailedLookup(bool, LookupFailure),
    TruncatedMessage,
    DeleteFirst,
    RevokeFirst,
    /// Bytes that are left.
    NotEnoughMemory(u64),
}

/// Why an invocation didn't come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Error(Error),
    /// Half-way; to be invoked again.
    Preempted,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Preempted> for Stop {
    fn from(_: Preempted) -> Self {
        Self::Preempted
    }
}

impl Error {
    /// Makes the error the message that `thread` receives.
    pub fn reply<'k>(self, k: Kernel<'k>, thread: Ref<'k, Tcb>) {
        let mut length = 0;
        let mut put = |value| {
            if set_message_word(k, thread, length, value) {
                length += 1;
            }
        };
        let label = match self {
            Self::InvalidArgument(index) => {
                put(index);
                abi::Error::InvalidArgument
            }
            Self::InvalidCapability(index) => {
                put(index);
                abi::Error::InvalidCapability
            }
            Self::IllegalOperation => abi::Error::IllegalOperation,
            Self::Range(least, most) => {
                put(least);
                put(most);
                abi::Error::RangeError
            }
            Self::Alignment => abi::Error::AlignmentError,
            Self::FailedLookup(source, failure) => {
                put(source as u64);
                let (words, count) = failure.to_words();
                words.into_iter().take(count).for_each(put);
                abi::Error::FailedLookup
            }
            Self::TruncatedMessage => abi::Error::TruncatedMessage,
            Self::DeleteFirst => abi::Error::DeleteFirst,
            Self::RevokeFirst => abi::Error::RevokeFirst,
            Self::NotEnoughMemory(left) => {
                put(left);
                abi::Error::NotEnoughMemory
            }
        };
        thread.context.set_message_info(MessageInfo::new(label as u64, 0, 0, length as u64).0);
    }
}
