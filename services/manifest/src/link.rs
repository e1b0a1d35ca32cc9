//! Either end of the host channel: messages arrive once each and in order, though the line's driver may die at any byte.
//!
//! Each message has a number, and each frame a checksum. The line itself loses nothing: bytes are lost, or sent
//! twice, only where the guest's driver is made anew. So nothing is acknowledged and no time is measured. The guest's end sees that
//! its driver is another one ([`Link::broken`]), asks the host's for what it misses, and sends again what the host
//! misses; and an end that gets a message out of turn asks for those between. An end keeps the last [`KEPT`] bytes
//! that it sent, more than can be lost on the way.
//!
//! A frame is a postcard-encoded [`Content`], its CRC-32 (iSCSI), all of it encoded with COBS, and a zero byte.

use crate::channel::MAX_FRAME;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use crc::{CRC_32_ISCSI, Crc, Table};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Bytes of sent frames that can be sent again: more than a ring, the UART and the driver hold between them.
pub const KEPT: usize = 32 * 1024;

const CHECKSUM: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);
const CHECKSUM_BYTES: usize = 4;

/// What a frame holds.
#[derive(Serialize, Deserialize)]
enum Content<M> {
    /// A message and its number; the first is 0.
    Message(u32, M),
    /// "The next message that I can take is this one: send from there on." With `asks`, the same is wanted in return.
    Resume { next: u32, asks: bool },
}

/// Why a link can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The other end wants messages from this number on, which are not kept any more or were never sent.
    Message(u32),
    /// A message can't be encoded.
    Encoding,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Message(number) => write!(f, "message {number} of the host channel can't be sent again"),
            Lost::Encoding => f.write_str("a message of the host channel can't be encoded"),
        }
    }
}

impl core::error::Error for Lost {}

/// An end that sends `O` and receives `I`.
#[derive(Debug)]
pub struct Link<O, I> {
    /// Frames that were sent and those that wait, the oldest first.
    frames: VecDeque<Vec<u8>>,
    /// The number of the first of them.
    first: u32,
    /// How many of them were sent.
    sent: usize,
    /// Bytes sent of the frame after those.
    offset: usize,
    /// Bytes of frames that were sent, and of those that were not.
    kept: usize,
    queued: usize,
    /// What goes before the next frame: the end of a torn one, and [`Content::Resume`].
    control: Vec<u8>,
    /// The other end was asked where to resume.
    waiting: bool,
    /// The number of the next message to come.
    next: u32,
    /// Messages from this number on have been asked for.
    asked: Option<u32>,
    /// The frame that is coming in.
    arriving: Vec<u8>,
    garbled: u32,
    types: PhantomData<fn(O) -> I>,
}

impl<O, I> Default for Link<O, I> {
    fn default() -> Self {
        Self {
            frames: VecDeque::new(),
            first: 0,
            sent: 0,
            offset: 0,
            kept: 0,
            queued: 0,
            control: Vec::new(),
            waiting: false,
            next: 0,
            asked: None,
            arriving: Vec::new(),
            garbled: 0,
            types: PhantomData,
        }
    }
}

impl<O: Serialize, I: DeserializeOwned> Link<O, I> {
    /// Queues a message.
    pub fn send(&mut self, message: &O) -> Result<(), Lost> {
        let number = self.first.wrapping_add(self.frames.len() as u32);
        let frame = encode(&Content::Message(number, message))?;
        self.queued += frame.len();
        self.frames.push_back(frame);
        Ok(())
    }

    /// The bytes that are to be written next; empty if there are none now.
    pub fn outgoing(&self) -> &[u8] {
        if self.offset > 0 || self.control.is_empty() && !self.waiting {
            self.frames.get(self.sent).map_or(&[], |frame| &frame[self.offset..])
        } else {
            &self.control
        }
    }

    /// So many bytes of [`Link::outgoing`] have been written.
    pub fn written(&mut self, count: usize) {
        if self.offset == 0 && !self.control.is_empty() {
            self.control.drain(..count.min(self.control.len()));
            return;
        }
        let Some(length) = self.frames.get(self.sent).map(Vec::len) else { return };
        self.offset += count;
        self.queued = self.queued.saturating_sub(count);
        if self.offset >= length {
            (self.offset, self.sent, self.kept) = (0, self.sent + 1, self.kept + length);
        }
        while self.kept > KEPT && self.sent > 0 {
            let oldest = self.frames.pop_front().map_or(0, |frame| frame.len());
            (self.first, self.sent, self.kept) = (self.first.wrapping_add(1), self.sent - 1, self.kept - oldest);
        }
    }

    /// Bytes of messages that have not been written.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// The driver between the ends is another one than before: what was on its way may be lost or torn.
    pub fn broken(&mut self) -> Result<(), Lost> {
        self.waiting = true;
        self.tear();
        self.resume(true)
    }

    /// Takes bytes that have arrived; returns the messages that they complete.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Vec<I>, Lost> {
        let mut messages = Vec::new();
        for &byte in bytes {
            if byte != 0 {
                // What is too long can't be a frame; one byte more tells so.
                if self.arriving.len() <= MAX_FRAME {
                    self.arriving.push(byte);
                }
            } else if !self.arriving.is_empty() {
                let content = decode(&self.arriving);
                self.arriving.clear();
                match content {
                    Some(content) => messages.extend(self.take(content)?),
                    None => self.garbled += 1,
                }
            }
        }
        Ok(messages)
    }

    /// How many frames could not be read since the last time somebody asked.
    pub fn garbled(&mut self) -> u32 {
        core::mem::take(&mut self.garbled)
    }

    fn take(&mut self, content: Content<I>) -> Result<Option<I>, Lost> {
        match content {
            Content::Message(number, message) if number == self.next => {
                self.next = number.wrapping_add(1);
                self.asked = None;
                return Ok(Some(message));
            }
            // Either there already, or ahead of what was lost.
            Content::Message(number, _) => {
                let ahead = number.wrapping_sub(self.next) < u32::MAX / 2;
                if ahead && self.asked != Some(self.next) {
                    self.resume(false)?;
                }
            }
            Content::Resume { next, asks } => {
                self.go_back(next)?;
                if asks {
                    self.resume(false)?;
                } else {
                    self.waiting = false;
                }
            }
        }
        Ok(None)
    }

    /// Asks for the next message and those after it.
    fn resume(&mut self, asks: bool) -> Result<(), Lost> {
        self.asked = Some(self.next);
        let frame = encode::<()>(&Content::Resume { next: self.next, asks })?;
        self.control.extend(frame);
        Ok(())
    }

    /// Lets sending go on with this message.
    fn go_back(&mut self, number: u32) -> Result<(), Lost> {
        let index = number.wrapping_sub(self.first) as usize;
        if index > self.frames.len() {
            return Err(Lost::Message(number));
        }
        self.tear();
        // Forward, if an earlier going back proves to have been in vain: all of it was under way still.
        let bytes = |range| self.frames.range(range).map(Vec::len).sum::<usize>();
        if index < self.sent {
            let again = bytes(index..self.sent);
            (self.kept, self.queued) = (self.kept - again, self.queued + again);
        } else {
            let there = bytes(self.sent..index);
            (self.kept, self.queued) = (self.kept + there, self.queued - there);
        }
        self.sent = index;
        Ok(())
    }

    /// Ends the frame that is half sent, which then begins anew; the other end drops the half.
    fn tear(&mut self) {
        self.queued += self.offset;
        self.offset = 0;
        self.control.insert(0, 0);
    }
}

fn encode<M: Serialize>(content: &Content<M>) -> Result<Vec<u8>, Lost> {
    let mut bytes = postcard::to_allocvec(content).map_err(|_| Lost::Encoding)?;
    let checksum = CHECKSUM.checksum(&bytes);
    bytes.extend(checksum.to_le_bytes());
    let mut frame = cobs::encode_vec(&bytes);
    frame.push(0);
    Ok(frame)
}

fn decode<M: DeserializeOwned>(frame: &[u8]) -> Option<Content<M>> {
    let bytes = cobs::decode_vec(frame).ok()?;
    let (content, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
    if CHECKSUM.checksum(content) != u32::from_le_bytes(*checksum) {
        return None;
    }
    postcard::from_bytes(content).ok()
}
