//! Messages: how words and capabilities are laid out for the kernel, and how invocations answer.
//!
//! A message's first four words are in registers, the others and the capabilities in the IPC buffer. An invocation is
//! a call on a kernel object's capability; its answer is either results or an [`InvocationError`], which keeps which
//! invocation it was and why it failed, so that it reads well on a log.

use crate::{
    ipc_buffer,
    sys::{self, Registers},
};
use chestnut_abi::{
    Error, Label, LookupFailure, MessageInfo,
    invocation::INVOCATIONS,
    message::{MAX_EXTRA_CAPS, MAX_LENGTH, REGISTER_WORDS},
};
use core::fmt;

/// A message as it was received.
pub type Received = Registers;

impl Registers {
    /// Message word `index`: from the registers or the IPC buffer. Valid until the next system call with a message.
    #[inline]
    pub fn word(&self, index: usize) -> u64 {
        if index < REGISTER_WORDS { self.words[index] } else { ipc_buffer::message_word(index) }
    }

    /// What the message is about.
    pub fn label(&self) -> u64 {
        self.info.label()
    }

    /// Words that the message has and that can be read: at most [`MAX_LENGTH`].
    pub fn length(&self) -> usize {
        self.info.length().min(MAX_LENGTH)
    }
}

/// Lays a message out: words beyond the fourth and capabilities go to the IPC buffer, the rest is returned.
///
/// # Panics
/// If there are more words or capabilities than a message can carry.
#[inline]
pub fn encode(label: u64, words: &[u64], caps: &[u64]) -> (MessageInfo, [u64; REGISTER_WORDS]) {
    assert!(words.len() <= MAX_LENGTH && caps.len() <= MAX_EXTRA_CAPS, "message too long");
    let mut registers = [0; REGISTER_WORDS];
    for (index, &word) in words.iter().enumerate() {
        if index < REGISTER_WORDS {
            registers[index] = word;
        } else {
            ipc_buffer::set_message_word(index, word);
        }
    }
    for (index, &cap) in caps.iter().enumerate() {
        ipc_buffer::set_cap(index, cap);
    }
    (MessageInfo::new(label, 0, caps.len() as u64, words.len() as u64), registers)
}

/// Invokes a kernel object. `words` and `caps` are in the order that [`INVOCATIONS`] lists.
#[inline]
pub fn invoke(cap: u64, label: Label, words: &[u64], caps: &[u64]) -> Result<Received, InvocationError> {
    let (info, registers) = encode(label as u64, words, caps);
    let answer = sys::call(cap, info, registers);
    if answer.label() == Error::NoError as u64 { Ok(answer) } else { Err(InvocationError::from_answer(label, &answer)) }
}

/// Why an invocation failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InvocationError {
    pub invocation: Label,
    /// What was wrong; `None` if the answer's label is no error of the kernel: the capability was an endpoint's.
    pub error: Option<Error>,
    /// The causes, as [`Error`]'s cases say.
    pub words: [u64; 5],
}

/// The result of an invocation without results.
pub type Outcome = Result<(), InvocationError>;

impl InvocationError {
    #[cold]
    fn from_answer(invocation: Label, answer: &Received) -> Self {
        let mut words = [0; 5];
        for (index, word) in words.iter_mut().enumerate().take(answer.length()) {
            *word = answer.word(index);
        }
        Self { invocation, error: Error::from_label(answer.label()), words }
    }

    /// Whether the cause is `error`.
    pub fn is(&self, error: Error) -> bool {
        self.error == Some(error)
    }

    /// How far the failed lookup came, if that was the cause.
    pub fn lookup_failure(&self) -> Option<LookupFailure> {
        let [_, failure @ ..] = self.words;
        if self.is(Error::FailedLookup) { LookupFailure::from_words(failure) } else { None }
    }
}

impl fmt::Display for InvocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = INVOCATIONS.iter().find(|row| row.label == self.invocation);
        match row {
            Some(row) => write!(f, "{}_{}: ", row.object, row.method)?,
            None => write!(f, "{:?}: ", self.invocation)?,
        }
        let Some(error) = self.error else {
            return write!(f, "answered by something that is no kernel object");
        };
        write!(f, "{error:?}")?;
        let [w0, w1, ..] = self.words;
        match error {
            Error::InvalidArgument => {
                write!(f, ", argument {w0}")?;
                if let Some(name) = row.and_then(|row| row.words.get(w0 as usize)) {
                    write!(f, " ({name})")?;
                }
            }
            Error::InvalidCapability if w0 == 0 => write!(f, ", the invoked one")?,
            Error::InvalidCapability => {
                write!(f, ", number {w0}")?;
                if let Some(name) = row.and_then(|row| row.caps.get(w0 as usize - 1)) {
                    write!(f, " ({name})")?;
                }
            }
            Error::RangeError => write!(f, ", allowed is {w0} to {w1}")?,
            Error::FailedLookup => {
                write!(f, " of {}", if w0 == 0 { "the destination" } else { "the source" })?;
                if let Some(failure) = self.lookup_failure() {
                    write!(f, ": {failure:?}")?;
                }
            }
            Error::NotEnoughMemory => write!(f, ", {w0} bytes left")?,
            _ => {}
        }
        Ok(())
    }
}

impl fmt::Debug for InvocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for InvocationError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{Arguments, fake};
    use chestnut_abi::Syscall;
    use std::string::ToString;

    #[test]
    fn words_go_to_registers_first_and_then_to_the_buffer() {
        let (info, registers) = encode(7, &[10, 11, 12, 13, 14, 15], &[90, 91]);
        assert_eq!((info.label(), info.length(), info.extra_caps()), (7, 6, 2));
        assert_eq!(registers, [10, 11, 12, 13]);
        assert_eq!((ipc_buffer::message_word(4), ipc_buffer::message_word(5)), (14, 15));
        assert_eq!((ipc_buffer::received_badge(0), ipc_buffer::received_badge(1)), (90, 91));
    }

    #[test]
    fn an_invocation_is_a_call_with_its_label() {
        fake::answer(Registers { words: [5, 0, 0, 0], info: MessageInfo::new(0, 0, 0, 1), badge: 0 });
        let answer = invoke(42, Label::X86PageGetAddress, &[], &[]).unwrap();
        assert_eq!(answer.word(0), 5);
        let info = MessageInfo::new(Label::X86PageGetAddress as u64, 0, 0, 0);
        assert_eq!(fake::asked(), [(Syscall::Call, Arguments { cap: 42, info, ..Default::default() })]);
    }

    #[test]
    fn a_failed_lookup_keeps_all_five_causes() {
        ipc_buffer::set_message_word(4, 3);
        let info = MessageInfo::new(Error::FailedLookup as u64, 0, 0, 5);
        fake::answer(Registers { badge: 0, info, words: [1, 4, 60, 9] });
        let error = invoke(2, Label::CNodeCopy, &[], &[]).unwrap_err();
        let expected = LookupFailure::GuardMismatch { bits_left: 60, guard: 9, guard_bits: 3 };
        assert_eq!(error.lookup_failure(), Some(expected));
        assert!(error.to_string().starts_with("CNode_Copy: FailedLookup of the source: GuardMismatch"), "{error}");
    }

    #[test]
    fn errors_name_the_argument_or_capability_that_was_wrong() {
        let error = |error, words| InvocationError { invocation: Label::TcbConfigure, error: Some(error), words };
        assert_eq!(
            error(Error::InvalidCapability, [2, 0, 0, 0, 0]).to_string(),
            "TCB_Configure: InvalidCapability, number 2 (vspace_root)"
        );
        assert_eq!(
            error(Error::InvalidArgument, [2, 0, 0, 0, 0]).to_string(),
            "TCB_Configure: InvalidArgument, argument 2 (buffer)"
        );
        assert_eq!(
            error(Error::RangeError, [4, 64, 0, 0, 0]).to_string(),
            "TCB_Configure: RangeError, allowed is 4 to 64"
        );
        assert_eq!(
            error(Error::NotEnoughMemory, [4096, 0, 0, 0, 0]).to_string(),
            "TCB_Configure: NotEnoughMemory, 4096 bytes left"
        );
        assert_eq!(
            error(Error::InvalidCapability, [0; 5]).to_string(),
            "TCB_Configure: InvalidCapability, the invoked one"
        );
    }

    #[test]
    fn an_answer_of_a_server_is_not_mistaken_for_success() {
        fake::answer(Registers { badge: 0, info: MessageInfo::new(77, 0, 0, 0), words: [0; 4] });
        let error = invoke(2, Label::TcbSuspend, &[], &[]).unwrap_err();
        assert_eq!(error.error, None);
    }
}
