//! User memory as this crate sees it: a place that takes bytes, and a place that gives them.
//!
//! The server implements both over a process's pages (checked, by its own mapping, possibly scattered over an iovec); a file
//! never sees an address. A transfer may stop early at a page that the process doesn't have: then a *short count* is
//! returned, and `EFAULT` only if nothing at all was moved, as read(2) and write(2) do.

use alloc::vec::Vec;

use crate::page::Page;
use crate::{Errno, Result};

/// Where a read puts its bytes.
pub trait Sink {
    /// How many bytes still fit.
    fn remaining(&self) -> usize;

    /// For who doesn't touch them: `EFAULT` if they can't be any program's memory.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Takes a prefix of `bytes` and says how long it was: less than `min(bytes.len(), remaining())` means that the memory
    /// behind it ended. `EFAULT` if it ended before the first byte.
    fn put(&mut self, bytes: &[u8]) -> Result<usize>;

    /// The same with `length` bytes of a page from `offset`. A server that can see the page's memory overrides this, so that
    /// the bytes are copied once.
    fn put_page(&mut self, page: &dyn Page, offset: usize, length: usize) -> Result<usize> {
        let mut moved = 0;
        let mut chunk = [0; CHUNK];
        while moved < length {
            let part = (length - moved).min(CHUNK);
            page.read(offset + moved, &mut chunk[..part]);
            let stored = partial(moved, self.put(&chunk[..part]))?;
            moved += stored;
            if stored < part {
                break;
            }
        }
        Ok(moved)
    }

    /// Takes `length` zero bytes.
    fn put_zeros(&mut self, length: usize) -> Result<usize> {
        let mut moved = 0;
        while moved < length {
            let part = (length - moved).min(CHUNK);
            let stored = partial(moved, self.put(&[0; CHUNK][..part]))?;
            moved += stored;
            if stored < part {
                break;
            }
        }
        Ok(moved)
    }
}

/// Where a write takes its bytes from.
pub trait Source {
    /// How many bytes are left.
    fn remaining(&self) -> usize;

    /// For who doesn't look at them: `EFAULT` if they can't be any program's memory.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Fills a prefix of `into` and says how long it was; short counts and `EFAULT` as for [`Sink::put`].
    fn take(&mut self, into: &mut [u8]) -> Result<usize>;

    /// The same to the end of `into`, at most `length` bytes, for which the caller has reserved memory. A server that can see the source's
    /// memory overrides this, so that nothing is filled with zeros first.
    fn append_to(&mut self, into: &mut Vec<u8>, length: usize) -> Result<usize> {
        let start = into.len();
        into.resize(start + length, 0);
        let taken = self.take(&mut into[start..]);
        into.truncate(start + taken.unwrap_or(0));
        taken
    }

    /// The same into a page, from `offset`.
    fn take_page(&mut self, page: &dyn Page, offset: usize, length: usize) -> Result<usize> {
        let mut moved = 0;
        let mut chunk = [0; CHUNK];
        while moved < length {
            let part = (length - moved).min(CHUNK);
            let taken = partial(moved, self.take(&mut chunk[..part]))?;
            page.write(offset + moved, &chunk[..taken]);
            moved += taken;
            if taken < part {
                break;
            }
        }
        Ok(moved)
    }
}

/// Bytes on the stack between two memories that can't see each other.
const CHUNK: usize = 512;

/// A failure after some bytes were moved is a short transfer, not an error.
pub(crate) fn partial(moved: usize, step: Result<usize>) -> Result<usize> {
    match step {
        Err(_) if moved > 0 => Ok(0),
        other => other,
    }
}

/// A sink over a slice.
pub struct SliceSink<'a> {
    bytes: &'a mut [u8],
    filled: usize,
}

impl<'a> SliceSink<'a> {
    pub fn new(bytes: &'a mut [u8]) -> Self {
        SliceSink { bytes, filled: 0 }
    }

    /// What has been put so far.
    pub fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Sink for SliceSink<'_> {
    fn remaining(&self) -> usize {
        self.bytes.len() - self.filled
    }

    fn put(&mut self, bytes: &[u8]) -> Result<usize> {
        let length = bytes.len().min(self.remaining());
        self.bytes[self.filled..self.filled + length].copy_from_slice(&bytes[..length]);
        self.filled += length;
        Ok(length)
    }

    fn put_page(&mut self, page: &dyn Page, offset: usize, length: usize) -> Result<usize> {
        let length = length.min(self.remaining());
        page.read(offset, &mut self.bytes[self.filled..self.filled + length]);
        self.filled += length;
        Ok(length)
    }
}

/// A source over a slice.
pub struct SliceSource<'a> {
    bytes: &'a [u8],
}

impl<'a> SliceSource<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        SliceSource { bytes }
    }
}

impl Source for SliceSource<'_> {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn take(&mut self, into: &mut [u8]) -> Result<usize> {
        let length = into.len().min(self.bytes.len());
        let (now, later) = self.bytes.split_at(length);
        into[..length].copy_from_slice(now);
        self.bytes = later;
        Ok(length)
    }

    fn take_page(&mut self, page: &dyn Page, offset: usize, length: usize) -> Result<usize> {
        let (now, later) = self.bytes.split_at(length.min(self.bytes.len()));
        page.write(offset, now);
        self.bytes = later;
        Ok(now.len())
    }
}

/// The first bytes of a source.
pub(crate) struct Limited<'a> {
    inner: &'a mut dyn Source,
    left: usize,
}

impl<'a> Limited<'a> {
    pub(crate) fn new(inner: &'a mut dyn Source, most: u64) -> Self {
        Limited { inner, left: usize::try_from(most).unwrap_or(usize::MAX) }
    }
}

impl Source for Limited<'_> {
    fn remaining(&self) -> usize {
        self.inner.remaining().min(self.left)
    }

    fn take(&mut self, into: &mut [u8]) -> Result<usize> {
        let most = into.len().min(self.left);
        let taken = self.inner.take(&mut into[..most])?;
        self.left -= taken;
        Ok(taken)
    }

    fn take_page(&mut self, page: &dyn Page, offset: usize, length: usize) -> Result<usize> {
        let taken = self.inner.take_page(page, offset, length.min(self.left))?;
        self.left -= taken;
        Ok(taken)
    }
}

/// The argument of an `ioctl`: a word, which some requests take as the address of a structure.
pub trait Argument {
    /// The word itself.
    fn value(&self) -> u64;
    /// Fills `into` from the memory that the word points at; `EFAULT` unless all of it is there.
    fn read(&self, into: &mut [u8]) -> Result<()>;
    /// Stores `bytes` there.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
}

/// An argument that is only a word: memory behind it is never there.
pub struct Word(pub u64);

impl Argument for Word {
    fn value(&self) -> u64 {
        self.0
    }

    fn read(&self, _: &mut [u8]) -> Result<()> {
        Err(Errno::EFAULT)
    }

    fn write(&mut self, _: &[u8]) -> Result<()> {
        Err(Errno::EFAULT)
    }
}

/// An argument whose structure lies in a slice.
pub struct Structure<'a>(pub &'a mut [u8]);

impl Argument for Structure<'_> {
    fn value(&self) -> u64 {
        1
    }

    fn read(&self, into: &mut [u8]) -> Result<()> {
        into.copy_from_slice(self.0.get(..into.len()).ok_or(Errno::EFAULT)?);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.get_mut(..bytes.len()).ok_or(Errno::EFAULT)?.copy_from_slice(bytes);
        Ok(())
    }
}
