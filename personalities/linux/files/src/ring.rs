//! A ring of bytes that takes memory as it fills, up to the capacity that its owner names at each write.
//!
//! Bytes go straight between user memory and the ring, without a buffer in between.

use alloc::vec::Vec;

use crate::buffer::{Sink, Source, partial};
use crate::{Errno, Result};

/// Least memory taken, bytes.
const SMALLEST: usize = 4096;

#[derive(Default)]
pub(crate) struct Ring {
    /// All of it initialised; its length is a power of two, or zero before the first byte.
    bytes: Vec<u8>,
    start: usize,
    length: usize,
}

impl Ring {
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Memory taken, bytes.
    pub(crate) fn held(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Moves bytes out, as many as the sink takes.
    pub(crate) fn read(&mut self, sink: &mut dyn Sink) -> Result<usize> {
        let mut moved = 0;
        while self.length > 0 && sink.remaining() > 0 {
            let run = self.length.min(self.bytes.len() - self.start).min(sink.remaining());
            let stored = partial(moved, sink.put(&self.bytes[self.start..self.start + run]))?;
            self.start = (self.start + stored) & (self.bytes.len() - 1);
            self.length -= stored;
            moved += stored;
            if stored < run {
                break;
            }
        }
        Ok(moved)
    }

    /// Moves at most `most` bytes in. The owner has made sure that they fit its capacity. `ENOMEM` if there is no memory for them.
    pub(crate) fn write(&mut self, source: &mut dyn Source, most: usize) -> Result<usize> {
        let wanted = source.remaining().min(most);
        self.reserve(self.length + wanted)?;
        let mut moved = 0;
        while moved < wanted {
            let end = (self.start + self.length) & (self.bytes.len() - 1);
            let run = (wanted - moved).min(self.bytes.len() - end);
            let taken = partial(moved, source.take(&mut self.bytes[end..end + run]))?;
            self.length += taken;
            moved += taken;
            if taken < run {
                break;
            }
        }
        Ok(moved)
    }

    /// Puts `length` bytes in that `fill` writes, if there is memory for them already and they don't wrap around in it.
    #[inline]
    pub(crate) fn put_run(&mut self, length: usize, fill: impl FnOnce(&mut [u8])) -> bool {
        if self.length == 0 {
            self.start = 0;
        }
        if length > self.bytes.len() - self.length {
            return false;
        }
        let end = (self.start + self.length) & (self.bytes.len() - 1);
        let Some(run) = self.bytes.get_mut(end..end + length) else { return false };
        fill(run);
        self.length += length;
        true
    }

    /// Shows the first bytes to `take`, at most `most`, if they don't wrap around. They go if it says so.
    #[inline]
    pub(crate) fn take_run(&mut self, most: usize, take: impl FnOnce(&[u8]) -> bool) -> Option<usize> {
        let count = self.length.min(most);
        let run = self.bytes.get(self.start..self.start + count)?;
        if count == 0 || !take(run) {
            return None;
        }
        self.discard(count);
        Some(count)
    }

    /// A copy of the first bytes, at most `most`. `ENOMEM`.
    pub(crate) fn peek(&self, most: usize) -> Result<Vec<u8>> {
        let length = self.length.min(most);
        let mut copy = Vec::new();
        copy.try_reserve_exact(length).map_err(|_| Errno::ENOMEM)?;
        let first = length.min(self.bytes.len() - self.start);
        copy.extend_from_slice(&self.bytes[self.start..self.start + first]);
        copy.extend_from_slice(&self.bytes[..length - first]);
        Ok(copy)
    }

    /// Forgets the first bytes.
    pub(crate) fn discard(&mut self, count: usize) {
        let count = count.min(self.length);
        if count > 0 {
            self.start = (self.start + count) & (self.bytes.len() - 1);
            self.length -= count;
        }
    }

    fn reserve(&mut self, length: usize) -> Result<()> {
        if length <= self.bytes.len() {
            return Ok(());
        }
        let size = length.next_power_of_two().max(SMALLEST);
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
        let first = self.length.min(self.bytes.len() - self.start);
        bytes.extend_from_slice(&self.bytes[self.start..self.start + first]);
        bytes.extend_from_slice(&self.bytes[..self.length - first]);
        bytes.resize(size, 0);
        self.bytes = bytes;
        self.start = 0;
        Ok(())
    }
}
