//! The server's access to a program's memory: page by page, checked as the program's own access would be, by the server's
//! window on each frame. Pages are brought in as needed; a page that can't be had is `EFAULT`.
//!
//! What is read may change the next moment: it is copied once, then looked at.

use super::space::{AddressSpace, Intent};
use super::{FramePage, PAGE, USER_END};
use crate::capability::{Frame, Piece, Window};
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::buffer::{Argument, Sink, Source};
use chestnut_linux_files::page::Page;
use chestnut_linux_files::{Errno, Result};
use core::cell::Cell;
use zerocopy::IntoBytes;

/// Most entries of an I/O vector.
const MAX_VECTORS: u64 = 1024;
/// Most bytes that one read or write moves (MAX_RW_COUNT).
const MAX_BYTES: u64 = 0x7fff_f000;
/// Bytes of a string that are made room for at first: more than most paths have.
const SHORT_STRING: usize = 64;

impl AddressSpace {
    /// Calls `step` for each part of a range that lies in one page: its memory, the offset in it, the offset in the range, the
    /// length. Returns how many bytes were there, fewer than `length` if a page wasn't.
    #[inline]
    fn each_page(
        &self,
        address: u64,
        length: usize,
        intent: Intent,
        mut step: impl FnMut(Window, usize, usize, usize),
    ) -> usize {
        let mut done = 0;
        while done < length {
            let Some(at) = address.checked_add(done as u64).filter(|&at| at < USER_END) else { break };
            let Ok(window) = self.window(at, intent) else { break };
            let offset = (at % PAGE) as usize;
            let part = (length - done).min(PAGE as usize - offset);
            step(window, offset, done, part);
            done += part;
        }
        done
    }

    /// Copies a piece of a page to memory that is all there already. False if it isn't; then a part may have been copied.
    #[inline]
    pub fn put_piece(&self, address: u64, mut piece: Piece) -> bool {
        let mut at = address;
        while piece.left() > 0 {
            let Some(window) = self.window_present(at, Intent::Write) else { return false };
            at = at.wrapping_add(piece.put(window, (at % PAGE) as usize) as u64);
        }
        true
    }
    /// The same the other way round: fills a piece of a page.
    #[inline]
    pub fn take_piece(&self, address: u64, mut piece: Piece) -> bool {
        let mut at = address;
        while piece.left() > 0 {
            let Some(window) = self.window_present(at, Intent::Read) else { return false };
            at = at.wrapping_add(piece.take(window, (at % PAGE) as usize) as u64);
        }
        true
    }

    /// Copies a prefix of the memory at `address`; returns its length.
    pub fn read_some(&self, address: u64, into: &mut [u8]) -> usize {
        self.each_page(address, into.len(), Intent::Read, |window, offset, done, part| {
            window.read(offset, &mut into[done..done + part]);
        })
    }
    /// Copies as much as there is room for; returns how much.
    pub fn write_some(&self, address: u64, bytes: &[u8]) -> usize {
        self.each_page(address, bytes.len(), Intent::Write, |window, offset, done, part| {
            window.write(offset, &bytes[done..done + part]);
        })
    }
    /// The same from a part of a frame.
    pub fn write_from(&self, address: u64, source: &Frame, offset: usize, length: usize) -> usize {
        self.each_page(address, length, Intent::Write, |window, at, done, part| {
            window.copy_from(at, source.window(), offset + done, part);
        })
    }

    pub fn read(&self, address: u64, into: &mut [u8]) -> Result<()> {
        if self.read_some(address, into) == into.len() { Ok(()) } else { Err(Errno::EFAULT) }
    }
    pub fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
        if self.write_some(address, bytes) == bytes.len() { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// The same of a few bytes, which mostly lie in one page that was found before.
    #[inline]
    pub fn write_array<const N: usize>(&self, address: u64, bytes: [u8; N]) -> Result<()> {
        let offset = (address % PAGE) as usize;
        if offset + N <= PAGE as usize
            && address < USER_END
            && let Some(window) = self.window_present(address, Intent::Write)
        {
            window.write(offset, &bytes);
            return Ok(());
        }
        self.write(address, &bytes)
    }

    pub fn read_words<const N: usize>(&self, address: u64) -> Result<[u64; N]> {
        let mut bytes = [[0; 8]; N];
        self.read(address, bytes.as_flattened_mut())?;
        Ok(bytes.map(u64::from_le_bytes))
    }
    pub fn write_words(&self, address: u64, words: &[u64]) -> Result<()> {
        self.write(address, words.as_bytes())
    }
    pub fn read_u64(&self, address: u64) -> Result<u64> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
    pub fn write_u64(&self, address: u64, value: u64) -> Result<()> {
        self.write(address, &value.to_le_bytes())
    }
    pub fn read_u32(&self, address: u64) -> Result<u32> {
        let mut bytes = [0; 4];
        self.read(address, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }
    pub fn write_u32(&self, address: u64, value: u32) -> Result<()> {
        self.write(address, &value.to_le_bytes())
    }

    /// The bytes before the first zero, of which there must be fewer than `limit`: `too_long` otherwise.
    pub fn read_string(&self, address: u64, limit: usize, too_long: Errno) -> Result<Vec<u8>> {
        let mut string = Vec::with_capacity(SHORT_STRING);
        loop {
            let at = address.wrapping_add(string.len() as u64);
            if at >= USER_END {
                return Err(Errno::EFAULT);
            }
            // Up to the page's end, so that a string at the end of memory needs no page behind it.
            let ended = append_string(self.window(at, Intent::Read)?, (at % PAGE) as usize, &mut string);
            if string.len() >= limit {
                return Err(too_long);
            }
            if ended {
                return Ok(string);
            }
        }
    }

    /// Whether an empty string begins here, in memory that was found before. False too if that isn't known.
    #[inline]
    pub fn is_empty_string(&self, address: u64) -> bool {
        let mut byte = [1];
        if let Some(window) = self.window_present(address, Intent::Read) {
            window.read((address % PAGE) as usize, &mut byte);
        }
        byte == [0]
    }

    /// A path as system calls take it: `ENAMETOOLONG` from 4096 bytes on.
    pub fn read_path(&self, address: u64) -> Result<Vec<u8>> {
        self.read_string(address, chestnut_linux_files::vfs::PATH_MAX, Errno::ENAMETOOLONG)
    }

    /// An I/O vector of `count` entries.
    pub fn read_vector(&self, address: u64, count: u64) -> Result<Vec<Iovec>> {
        if count > MAX_VECTORS {
            return Err(Errno::EINVAL);
        }
        let mut bytes = vec![0; count as usize * 16];
        self.read(address, &mut bytes)?;
        let mut total = 0u64;
        let mut vector = Vec::with_capacity(count as usize);
        for entry in bytes.chunks_exact(16) {
            let (base, length) = entry.split_at(8);
            let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
            let (base, length) = (word(base), word(length));
            if length > i64::MAX as u64 {
                return Err(Errno::EINVAL);
            }
            let length = length.min(MAX_BYTES - total);
            total += length;
            vector.push(Iovec { base, length });
        }
        Ok(vector)
    }
}

/// Appends what lies before the first zero from `offset` on, or before the page's end; whether there was a zero. Each word is copied
/// once and then looked at, as the program may be changing it.
fn append_string(window: Window, mut offset: usize, string: &mut Vec<u8>) -> bool {
    const WORD: usize = size_of::<u64>();
    while offset + WORD <= PAGE as usize {
        let mut word = [0; WORD];
        window.read(offset, &mut word);
        let length = length_before_zero(u64::from_le_bytes(word));
        string.extend_from_slice(&word[..length]);
        if length < WORD {
            return true;
        }
        offset += WORD;
    }
    while offset < PAGE as usize {
        let mut byte = [0];
        window.read(offset, &mut byte);
        if byte == [0] {
            return true;
        }
        string.extend_from_slice(&byte);
        offset += 1;
    }
    false
}

/// How many bytes of a word, from the lowest, come before the first that is zero.
const fn length_before_zero(word: u64) -> usize {
    const LOW: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = LOW << 7;
    // The lowest bit that stays marks a zero; others may come from borrows.
    (word.wrapping_sub(LOW) & !word & HIGH).trailing_zeros() as usize / 8
}

/// One piece of a program's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iovec {
    pub base: u64,
    /// Bytes.
    pub length: u64,
}

impl Iovec {
    /// A single buffer, cut to what one call may move.
    pub fn one(base: u64, length: u64) -> Buffers {
        let first = if length > MAX_BYTES { Self::cut(base, length) } else { Self { base, length } };
        Buffers { first, others: Vec::new() }
    }
    /// What can't be memory is no longer memory when it is cut.
    #[cold]
    fn cut(base: u64, length: u64) -> Self {
        let whole = Self { base, length };
        Self { base: if whole.check().is_ok() { base } else { u64::MAX }, length: MAX_BYTES }
    }
    /// `EFAULT` if it is not all below the end of programs' memory.
    fn check(&self) -> Result<()> {
        self.base.checked_add(self.length).filter(|&end| end <= USER_END).map(drop).ok_or(Errno::EFAULT)
    }
}

/// The buffers that a call names: mostly one.
#[derive(Clone, Debug)]
pub struct Buffers {
    first: Iovec,
    others: Vec<Iovec>,
}

impl Buffers {
    /// Bytes.
    pub fn length(&self) -> u64 {
        self.others.iter().fold(self.first.length, |sum, piece| sum.saturating_add(piece.length))
    }
    /// The only one, if there aren't several.
    #[inline]
    pub fn only(&self) -> Option<Iovec> {
        if self.others.is_empty() { Some(self.first) } else { None }
    }
    /// No byte in them.
    pub fn is_empty(&self) -> bool {
        self.length() == 0
    }
    pub fn into_vec(self) -> Vec<Iovec> {
        let mut all = vec![self.first];
        all.extend(self.others);
        all
    }
}

impl From<Vec<Iovec>> for Buffers {
    fn from(others: Vec<Iovec>) -> Self {
        Self { first: Iovec { base: 0, length: 0 }, others }
    }
}

/// A position in a program's buffers.
struct Cursor {
    space: Rc<AddressSpace>,
    /// What is left of the one where it is.
    piece: Iovec,
    others: Vec<Iovec>,
    /// How many of them are used up, or `piece`.
    used: usize,
    remaining: usize,
    /// How many bytes there were in all.
    total: usize,
    /// How many have been moved, for whoever outlives the operation.
    told: Option<Rc<Cell<u64>>>,
}

impl Cursor {
    #[inline]
    fn new(space: &Rc<AddressSpace>, buffers: impl Into<Buffers>) -> Self {
        let Buffers { first, others } = buffers.into();
        let total = others.iter().fold(first.length, |sum, piece| sum.saturating_add(piece.length)) as usize;
        Self { space: space.clone(), piece: first, others, used: 0, remaining: total, total, told: None }
    }

    /// See [`Source::check`].
    fn check(&self) -> Result<()> {
        self.others.iter().try_for_each(Iovec::check)?;
        self.piece.check()
    }

    fn moved(&mut self) -> Rc<Cell<u64>> {
        let moved = (self.total - self.remaining) as u64;
        self.told.get_or_insert_with(|| Rc::new(Cell::new(moved))).clone()
    }
    #[inline]
    fn count(&mut self, moved: usize) {
        self.remaining -= moved;
        if let Some(told) = &self.told {
            told.set((self.total - self.remaining) as u64);
        }
    }

    /// Steps over the next bytes, at most `most`, that lie in one page of one buffer: its memory, where in it, how many. `None` behind the
    /// last, and where the memory behind a buffer isn't there.
    #[inline]
    fn next_part(&mut self, most: usize, intent: Intent) -> Option<(Window, usize, usize)> {
        while self.piece.length == 0 {
            self.piece = *self.others.get(self.used)?;
            self.used += 1;
        }
        let Iovec { base, length } = self.piece;
        let offset = (base % PAGE) as usize;
        let part = most.min(PAGE as usize - offset).min(length as usize);
        if base >= USER_END {
            return None;
        }
        let window = self.space.window(base, intent).ok()?;
        self.piece = Iovec { base: base + part as u64, length: length - part as u64 };
        self.count(part);
        Some((window, offset, part))
    }

    /// Calls `step` for each part of the next `length` bytes that lies in one page: its memory, the offset in it, the offset in those bytes,
    /// its length. Returns how many bytes were there; `EFAULT` if none, though some were asked for.
    #[inline]
    fn advance(
        &mut self,
        length: usize,
        intent: Intent,
        mut step: impl FnMut(Window, usize, usize, usize),
    ) -> Result<usize> {
        // Mostly all of them lie in one page, which was found before.
        let Iovec { base, length: left } = self.piece;
        let offset = (base % PAGE) as usize;
        if length != 0
            && length as u64 <= left
            && length <= PAGE as usize - offset
            && let Some(window) = self.space.window_present(base, intent)
        {
            self.piece = Iovec { base: base + length as u64, length: left - length as u64 };
            self.count(length);
            step(window, offset, 0, length);
            return Ok(length);
        }
        self.advance_by_parts(length, intent, &mut step)
    }

    #[inline(never)]
    fn advance_by_parts(
        &mut self,
        length: usize,
        intent: Intent,
        step: &mut dyn FnMut(Window, usize, usize, usize),
    ) -> Result<usize> {
        let length = length.min(self.remaining);
        let mut done = 0;
        while done < length {
            let Some((window, offset, part)) = self.next_part(length - done, intent) else { break };
            step(window, offset, done, part);
            done += part;
        }
        if done == 0 && length > 0 { Err(Errno::EFAULT) } else { Ok(done) }
    }
}

/// A program's buffers that are to be filled.
pub struct UserSink(Cursor);

impl UserSink {
    pub fn new(space: &Rc<AddressSpace>, buffers: impl Into<Buffers>) -> Self {
        Self(Cursor::new(space, buffers))
    }
    /// How many bytes have been put, also after this is gone.
    pub fn moved(&mut self) -> Rc<Cell<u64>> {
        self.0.moved()
    }
}

impl Sink for UserSink {
    fn remaining(&self) -> usize {
        self.0.remaining
    }
    fn check(&self) -> Result<()> {
        self.0.check()
    }
    fn put(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.advance(bytes.len(), Intent::Write, |window, at, done, part| window.write(at, &bytes[done..done + part]))
    }
    fn put_zeros(&mut self, length: usize) -> Result<usize> {
        self.0.advance(length, Intent::Write, |window, at, _, part| window.clear_part(at, part))
    }
    fn put_page(&mut self, page: &dyn Page, offset: usize, length: usize) -> Result<usize> {
        let source = FramePage::window_of(page).ok_or(Errno::EFAULT)?;
        self.0
            .advance(length, Intent::Write, |window, at, done, part| window.copy_from(at, source, offset + done, part))
    }
}

/// A program's buffers that are to be taken from.
pub struct UserSource(Cursor);

impl UserSource {
    pub fn new(space: &Rc<AddressSpace>, buffers: impl Into<Buffers>) -> Self {
        Self(Cursor::new(space, buffers))
    }
    /// How many bytes have been taken, also after this is gone.
    pub fn moved(&mut self) -> Rc<Cell<u64>> {
        self.0.moved()
    }
}

impl Source for UserSource {
    fn remaining(&self) -> usize {
        self.0.remaining
    }
    fn check(&self) -> Result<()> {
        self.0.check()
    }
    fn take(&mut self, into: &mut [u8]) -> Result<usize> {
        self.0.advance(into.len(), Intent::Read, |window, at, done, part| window.read(at, &mut into[done..done + part]))
    }
    fn append_to(&mut self, into: &mut Vec<u8>, length: usize) -> Result<usize> {
        self.0.advance(length, Intent::Read, |window, at, _, part| window.append_to(at, part, into))
    }
    fn take_page(&mut self, page: &dyn Page, offset: usize, length: usize) -> Result<usize> {
        let target = FramePage::window_of(page).ok_or(Errno::EFAULT)?;
        self.0.advance(length, Intent::Read, |window, at, done, part| target.copy_from(offset + done, window, at, part))
    }
}

/// The third argument of ioctl(2).
pub struct UserArgument {
    pub space: Rc<AddressSpace>,
    pub value: u64,
}

impl Argument for UserArgument {
    fn value(&self) -> u64 {
        self.value
    }
    fn read(&self, into: &mut [u8]) -> Result<()> {
        self.space.read(self.value, into)
    }
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.space.write(self.value, bytes)
    }
}
