//! Invocations as the interface's table lists them: a capability, a label, words, capabilities.
//!
//! Arguments are in the order of [`INVOCATIONS`](chestnut_abi::invocation::INVOCATIONS). Any thread of a test may use this.

use super::{buffer, message};
use crate::check::fail;
use chestnut_abi::{Error, Label, LookupFailure};
use chestnut_runtime::sys;

/// What the kernel answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 0, or an [`Error`].
    pub label: u64,
    pub length: usize,
    /// The first words; those that the answer doesn't have are 0.
    pub words: [u64; 5],
}

impl Answer {
    pub fn is(&self, error: Error) -> bool {
        self.label == error as u64
    }

    /// How far a failed lookup came.
    pub fn lookup_failure(&self) -> Option<LookupFailure> {
        let [_, failure @ ..] = self.words;
        if self.is(Error::FailedLookup) { LookupFailure::from_words(failure) } else { None }
    }
}

/// Calls a capability with a message of this label.
pub fn invoke_label(cap: u64, label: u64, words: &[u64], caps: &[u64]) -> Answer {
    let (info, registers) = message::encode(label, words, caps);
    let answer = sys::call(cap, info, registers);
    let length = answer.info.length();
    let mut result = Answer { label: answer.info.label(), length, words: [0; 5] };
    for (index, word) in result.words.iter_mut().enumerate().take(length) {
        *word = if index < 4 { answer.words[index] } else { buffer::word(index) };
    }
    result
}

/// Makes an invocation.
pub fn invoke(cap: u64, label: Label, words: &[u64], caps: &[u64]) -> Answer {
    invoke_label(cap, label as u64, words, caps)
}

/// Makes an invocation that has to succeed.
#[track_caller]
pub fn must(cap: u64, label: Label, words: &[u64], caps: &[u64]) -> Answer {
    let answer = invoke(cap, label, words, caps);
    if answer.label != Error::NoError as u64 {
        fail(format_args!("{label:?} {words:x?} {caps:x?}: {:?} {:x?}", Name(answer.label), answer.words));
    }
    answer
}

/// Makes an invocation that has to fail with this error; the answer has its causes.
#[track_caller]
pub fn refused(error: Error, cap: u64, label: Label, words: &[u64], caps: &[u64]) -> Answer {
    let answer = invoke(cap, label, words, caps);
    if !answer.is(error) {
        fail(format_args!(
            "{label:?} {words:x?} {caps:x?}: {:?} {:x?}, expected {error:?}",
            Name(answer.label),
            answer.words
        ));
    }
    answer
}

/// An answer's label in words.
struct Name(u64);

impl core::fmt::Debug for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match Error::from_label(self.0) {
            Some(Error::NoError) => f.write_str("success"),
            Some(error) => write!(f, "{error:?}"),
            None => write!(f, "label {:#x}", self.0),
        }
    }
}
