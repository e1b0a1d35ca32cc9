//! What an invocation is given: the thread that makes it, its message words and the capabilities beside it.

use super::error::{Error, Stop};
use crate::cap::{Cap, CapRef, Kind, direct_slot, lookup_slot_at};
use crate::ipc::{Buffer, ExtraCaps, NotDerivable, derive};
use crate::mem::Ref;
use crate::object::{Kernel, Tcb};
use chestnut_abi::ipc_buffer::MSG_WORD;
use chestnut_abi::message::{MAX_LENGTH, REGISTER_WORDS};
use chestnut_abi::{LookupFailure, MessageInfo};
use core::cell::Cell;

/// Whether it was done. Results are written into the invoking thread's message by [`Arguments::answer`].
pub type Outcome = Result<(), Stop>;

pub struct Arguments<'k> {
    pub k: Kernel<'k>,
    pub thread: Ref<'k, Tcb>,
    pub info: MessageInfo,
    pub caps: ExtraCaps<'k>,
    pub blocking: bool,
    /// The caller wants an answer.
    pub is_call: bool,
    /// Its scheduling context may go along with a message.
    pub can_donate: bool,
    /// Words that were answered.
    answered: Cell<u64>,
    /// There is nothing to answer any more: it was a message to an endpoint, or it was answered.
    pub sent: Cell<bool>,
}

/// The words of a message.
#[derive(Clone, Copy)]
pub struct Words<'k> {
    thread: Ref<'k, Tcb>,
    /// Where those beyond the fourth are.
    buffer: Option<Buffer<'k>>,
}

impl Words<'_> {
    /// One of them; 0 if the thread has no buffer that could hold it.
    #[inline(always)]
    pub fn get(&self, index: usize) -> u64 {
        match self.buffer {
            _ if index < REGISTER_WORDS => self.thread.context.message_register(index),
            Some(buffer) if index < MAX_LENGTH => buffer.read(MSG_WORD + index),
            _ => 0,
        }
    }
}

/// Where the words of an answer go, as far as there is room for them.
pub struct LongAnswer<'k> {
    thread: Ref<'k, Tcb>,
    /// Where those beyond the fourth go.
    buffer: Option<Buffer<'k>>,
    wanted: bool,
}

impl LongAnswer<'_> {
    /// Sets a word.
    #[inline(always)]
    pub fn put(&self, index: usize, value: u64) {
        match self.buffer {
            _ if !self.wanted => {}
            _ if index < REGISTER_WORDS => self.thread.context.set_message_register(index, value),
            Some(buffer) if index < MAX_LENGTH => buffer.write(MSG_WORD + index, value),
            _ => {}
        }
    }
}

impl<'k> Arguments<'k> {
    #[inline(always)]
    pub fn new(
        k: Kernel<'k>,
        thread: Ref<'k, Tcb>,
        caps: ExtraCaps<'k>,
        blocking: bool,
        is_call: bool,
        can_donate: bool,
    ) -> Self {
        let info = MessageInfo(thread.context.message_info());
        let (answered, sent) = (Cell::new(0), Cell::new(false));
        Self { k, thread, info, caps, blocking, is_call, can_donate, answered, sent }
    }

    /// How many message words there are.
    #[inline(always)]
    pub fn length(&self) -> usize {
        self.info.length().min(MAX_LENGTH)
    }

    /// Message words, all of which must be there.
    #[inline(always)]
    pub fn words<const N: usize>(&self) -> Result<[u64; N], Error> {
        if self.length() < N {
            return Err(Error::TruncatedMessage);
        }
        let mut words = [0; N];
        for (index, word) in words.iter_mut().enumerate() {
            *word = self.word(index);
        }
        Ok(words)
    }

    /// One message word; 0 if the thread has no buffer that could hold it.
    #[inline(always)]
    pub fn word(&self, index: usize) -> u64 {
        if index < REGISTER_WORDS { self.thread.context.message_register(index) } else { self.all_words().get(index) }
    }

    /// All message words, for one who reads many.
    #[inline(always)]
    pub fn all_words(&self) -> Words<'k> {
        Words { thread: self.thread, buffer: Buffer::of(self.k, self.thread, false) }
    }

    /// The slot of an extra capability, which must be there.
    #[inline(always)]
    pub fn slot(&self, index: usize) -> Result<CapRef<'k>, Error> {
        self.caps.get(index).ok_or(Error::TruncatedMessage)
    }

    /// An extra capability, which must be there.
    #[inline(always)]
    pub fn cap(&self, index: usize) -> Result<Cap, Error> {
        self.slot(index).map(|slot| slot.cap())
    }

    /// The slot that an index of `depth` bits in a CNode names, for a source or a destination.
    #[inline(never)]
    pub fn slot_in(&self, root: Cap, index: u64, depth: u64, source: bool) -> Result<CapRef<'k>, Error> {
        if let Some(slot) = direct_slot(self.k.entry(), root, index, depth) {
            return Ok(slot);
        }
        if root.kind() != Kind::CNode {
            return Err(Error::FailedLookup(source, LookupFailure::InvalidRoot));
        }
        if !(1..=64).contains(&depth) {
            return Err(Error::Range(1, 64));
        }
        lookup_slot_at(self.k.entry(), root, index, depth).map_err(|failure| Error::FailedLookup(source, failure))
    }

    /// The same where it has to be quick.
    #[inline(always)]
    pub fn slot_near(&self, root: Cap, index: u64, depth: u64, source: bool) -> Result<CapRef<'k>, Error> {
        match self.thread.slot_of_own(self.k, root, index, depth) {
            Some(slot) => Ok(slot),
            None => self.slot_in(root, index, depth, source),
        }
    }

    /// An empty slot, for a destination.
    pub fn empty_slot_in(&self, root: Cap, index: u64, depth: u64) -> Result<CapRef<'k>, Error> {
        let slot = self.slot_in(root, index, depth, false)?;
        if slot.is_empty() { Ok(slot) } else { Err(Error::DeleteFirst) }
    }

    /// A copy of a capability, as Copy makes it.
    #[inline(never)]
    pub fn derived(&self, source: CapRef) -> Result<Cap, Error> {
        self.derived_here(source)
    }

    /// The same where it has to be quick.
    #[inline(always)]
    pub fn derived_here(&self, source: CapRef) -> Result<Cap, Error> {
        derive(source).map_err(|why| match why {
            NotDerivable::HasChildren => Error::RevokeFirst,
            NotDerivable::Unique | NotDerivable::NotMapped => Error::IllegalOperation,
        })
    }

    /// Gives back a result word; called for each in order.
    #[inline(always)]
    pub fn answer(&self, value: u64) {
        let index = self.answered.get();
        if self.is_call && self.set_word(index as usize, value) {
            self.answered.set(index + 1);
        }
    }

    /// An answer of many words, for [`Self::give`].
    #[inline(always)]
    pub fn long_answer(&self) -> LongAnswer<'k> {
        LongAnswer { thread: self.thread, buffer: Buffer::of(self.k, self.thread, true), wanted: self.is_call }
    }

    /// The answer is this one, of `length` words.
    #[inline(always)]
    pub fn give(&self, answer: LongAnswer<'k>, length: u64) {
        let room = if answer.buffer.is_some() { MAX_LENGTH } else { REGISTER_WORDS } as u64;
        self.answered.set(if answer.wanted { length.min(room) } else { 0 });
    }

    /// Sets a word of the answer. Returns whether there was a place for it.
    #[inline(always)]
    fn set_word(&self, index: usize, value: u64) -> bool {
        if index < REGISTER_WORDS {
            self.thread.context.set_message_register(index, value);
            return true;
        }
        let Some(buffer) = Buffer::of(self.k, self.thread, true) else { return false };
        if index < MAX_LENGTH {
            buffer.write(MSG_WORD + index, value);
        }
        index < MAX_LENGTH
    }

    /// Completes the answer to a successful invocation.
    pub fn finish(&self) {
        let registers = &self.thread.get().context;
        // The number of words is all that it says.
        registers.set_message_info(self.answered.get());
        registers.set_badge(0);
    }
}
