//! Moving a message from one thread to another: four words in registers, the rest through the IPC buffers, and capabilities.

use super::Buffer;
use crate::cap::{Cap, CapRef, Kind, lookup_slot_at};
use crate::mem::Ref;
use crate::object::{Endpoint, Kernel, Tcb};
use chestnut_abi::ipc_buffer::{CAPS_WORD, MSG_WORD, RECEIVE_CNODE_WORD, RECEIVE_DEPTH_WORD, RECEIVE_INDEX_WORD};
use chestnut_abi::message::{MAX_EXTRA_CAPS, MAX_LENGTH, REGISTER_WORDS};
use chestnut_abi::{LookupFailure, MessageInfo};

/// The capabilities that a sender puts beside its message, looked up in its CSpace.
#[derive(Clone, Copy, Default)]
pub struct ExtraCaps<'k> {
    slots: [Option<CapRef<'k>>; MAX_EXTRA_CAPS],
}

impl<'k> ExtraCaps<'k> {
    /// Looks up as many as `info` says. The error names the address that led nowhere.
    pub fn look_up(k: Kernel<'k>, sender: Ref<'k, Tcb>, info: MessageInfo) -> Result<Self, (u64, LookupFailure)> {
        let mut found = Self::default();
        if info.extra_caps() != 0 {
            found.fill_all(k, sender, info)?;
        }
        Ok(found)
    }

    #[inline(never)]
    fn fill_all(&mut self, k: Kernel<'k>, sender: Ref<'k, Tcb>, info: MessageInfo) -> Result<(), (u64, LookupFailure)> {
        let Some(buffer) = Buffer::of(k, sender, false) else { return Ok(()) };
        for (index, slot) in self.slots.iter_mut().enumerate().take(info.extra_caps()) {
            let address = buffer.read(CAPS_WORD + index);
            *slot = Some(sender.named_slot(k, address).map_err(|failure| (address, failure))?);
        }
        Ok(())
    }

    /// Looks up as many as `info` says, where it has to be quick: invocations have one at most, mostly. Says whether all lead somewhere.
    #[inline(always)]
    pub fn fill(&mut self, k: Kernel<'k>, sender: Ref<'k, Tcb>, info: MessageInfo) -> bool {
        let [first, ..] = &mut self.slots;
        match info.extra_caps() {
            0 => return true,
            1 => {
                let buffer = Buffer::of(k, sender, false);
                *first = buffer.and_then(|buffer| sender.cspace.get().slot(k.entry(), buffer.read(CAPS_WORD)));
            }
            _ => {}
        }
        first.is_some() || self.fill_all(k, sender, info).is_ok()
    }

    /// The slot of the capability at `index`, if so many were given.
    pub fn get(&self, index: usize) -> Option<CapRef<'k>> {
        self.slots.get(index).copied().flatten()
    }
}

/// Copies the words of a message of `length` words; returns how many arrived.
fn copy_words(k: Kernel, from: Ref<Tcb>, to: Ref<Tcb>, length: usize) -> usize {
    let length = length.min(MAX_LENGTH);
    for index in 0..length.min(REGISTER_WORDS) {
        to.context.set_message_register(index, from.context.message_register(index));
    }
    if length <= REGISTER_WORDS {
        return length;
    }
    let (Some(source), Some(target)) = (Buffer::of(k, short(from), false), Buffer::of(k, short(to), true)) else {
        return REGISTER_WORDS;
    };
    target.copy_words(source, MSG_WORD + REGISTER_WORDS, length - REGISTER_WORDS);
    length
}

fn short<'s, 'k: 's, T>(object: Ref<'k, T>) -> Ref<'s, T> {
    Ref::from(object.get())
}

/// Copies a message; `endpoint` is the one it goes through, if any. With `caps`, capabilities go along.
pub fn transfer<'k>(
    k: Kernel<'k>,
    from: Ref<'k, Tcb>,
    to: Ref<'k, Tcb>,
    endpoint: Option<Ref<'k, Endpoint>>,
    badge: u64,
    caps: Option<ExtraCaps<'k>>,
) {
    let info = MessageInfo(from.context.message_info());
    let length = copy_words(k, from, to, info.length());
    let (taken, unwrapped) = match caps {
        Some(caps) => transfer_caps(k, to, endpoint, caps),
        None => (0, 0),
    };
    to.context.set_message_info(MessageInfo::new(info.label(), unwrapped, taken, length as u64).0);
    to.context.set_badge(badge);
}

/// Gives capabilities to a receiver: those to the endpoint that the message came through as their badges, one other one into its
/// receive slot. Returns how many arrived, and a bit for each that arrived as a badge.
fn transfer_caps<'k>(
    k: Kernel<'k>,
    to: Ref<'k, Tcb>,
    endpoint: Option<Ref<'k, Endpoint>>,
    caps: ExtraCaps<'k>,
) -> (u64, u64) {
    let Some(buffer) = Buffer::of(k, to, true) else { return (0, 0) };
    let mut receive_slot = if caps.get(0).is_some() { receive_slot(k, to, buffer) } else { None };
    let (mut taken, mut unwrapped) = (0, 0);
    while let Some(source) = caps.get(taken as usize) {
        let cap = source.cap();
        let through = endpoint.is_some_and(|endpoint| cap.as_endpoint(k) == Some(endpoint));
        if through {
            buffer.write(CAPS_WORD + taken as usize, cap.badge());
            unwrapped |= 1 << taken;
        } else {
            let Some(slot) = receive_slot.take() else { break };
            let Some(cap) = derive(source).ok().filter(|cap| !cap.is_null()) else { break };
            slot.fill_derived(cap, source);
        }
        taken += 1;
    }
    (taken, unwrapped)
}

/// Where a receiver wants a capability: an empty slot that its buffer names.
fn receive_slot<'k>(k: Kernel<'k>, to: Ref<'k, Tcb>, buffer: Buffer<'k>) -> Option<CapRef<'k>> {
    let root = to.named_slot(k, buffer.read(RECEIVE_CNODE_WORD)).ok()?.cap();
    let (index, depth) = (buffer.read(RECEIVE_INDEX_WORD), buffer.read(RECEIVE_DEPTH_WORD));
    if depth == 0 || depth > 64 {
        return None;
    }
    lookup_slot_at(k.entry(), root, index, depth).ok().filter(|slot| slot.is_empty())
}

/// Why a capability can't be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDerivable {
    /// An untyped with children: the copy would offer the same memory again.
    HasChildren,
    /// A kind that exists once.
    Unique,
    /// A paging structure that isn't mapped: a copy could be mapped elsewhere.
    NotMapped,
}

/// What a copy of the capability in a slot is.
#[inline(always)]
pub fn derive(source: CapRef) -> Result<Cap, NotDerivable> {
    let cap = source.cap();
    if cap.copies_as_it_is() {
        return Ok(cap);
    }
    match cap.kind() {
        // A copy of a frame isn't mapped anywhere yet.
        Kind::Frame => Ok(cap.with_mapping(0, 0)),
        _ => reason_against(source, cap).map_or(Ok(cap), Err),
    }
}

#[inline(never)]
fn reason_against(source: CapRef, cap: Cap) -> Option<NotDerivable> {
    match cap.kind() {
        Kind::Untyped => source.first_descendant().map(|_| NotDerivable::HasChildren),
        Kind::PageTable => (cap.asid() == 0).then_some(NotDerivable::NotMapped),
        _ => Some(NotDerivable::Unique),
    }
}

/// Sets word `index` of the message that a thread is being given; past the registers this needs its buffer. Returns whether it
/// could be set.
pub fn set_message_word<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, index: usize, value: u64) -> bool {
    if index < REGISTER_WORDS {
        thread.context.set_message_register(index, value);
        return true;
    }
    match Buffer::of(k, thread, true) {
        Some(buffer) if index < MAX_LENGTH => {
            buffer.write(MSG_WORD + index, value);
            true
        }
        _ => false,
    }
}

/// Word `index` of the message that a thread is sending; 0 if it has no buffer to hold it.
pub fn message_word<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, index: usize) -> u64 {
    if index < REGISTER_WORDS {
        return thread.context.message_register(index);
    }
    Buffer::of(k, thread, false).map_or(0, |buffer| if index < MAX_LENGTH { buffer.read(MSG_WORD + index) } else { 0 })
}
