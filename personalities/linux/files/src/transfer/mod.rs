//! Bytes that go from one open file to another without passing through a program: sendfile(2), splice(2), tee(2),
//! copy_file_range(2).
//!
//! They copy through a buffer of the server's, a piece at a time, and nothing is borrowed while either file works. Those that wait
//! take a [`Cell`] that counts what has been moved: dropped by a signal, that is how far they came.
//! A file offset that is given is not moved; add the count to it.

mod copy;
mod splice;
#[cfg(test)]
mod tests;

pub use copy::{copy_range, send_file};
pub use splice::{splice, tee};

use core::cell::Cell;
use core::time::Duration;

use crate::buffer::SliceSource;
use crate::open::{Attempt, OpenFile};
use crate::wait::{Events, retry};
use crate::{Errno, Result};

/// The most that one call moves, as read(2) has it.
const MOST: usize = 0x7fff_f000;
/// Bytes in one piece.
const PIECE: usize = 16384;

/// One end of a transfer.
#[derive(Clone, Copy)]
pub struct End<'a> {
    pub file: &'a OpenFile,
    /// Where in the file; `None`: at its current offset, which moves.
    pub offset: Option<u64>,
    /// The current offset follows, though the place is given.
    moves: bool,
    /// RLIMIT_FSIZE, bytes.
    size_limit: Option<u64>,
}

impl<'a> End<'a> {
    pub fn new(file: &'a OpenFile, offset: Option<u64>) -> Self {
        End { file, offset, moves: false, size_limit: None }
    }

    /// The same, written no further than that.
    pub fn limited(self, size_limit: Option<u64>) -> Self {
        End { size_limit, ..self }
    }

    /// Where it begins.
    fn place(&self) -> u64 {
        self.offset.unwrap_or(self.file.offset())
    }

    /// Moves the current offset if it is the place.
    fn advance(&self, count: usize) {
        if self.moves {
            self.file.advance(count);
        }
    }

    /// Reads at the place that is `moved` bytes further, now.
    fn read(&self, moved: usize, bytes: &mut [u8]) -> Result<usize> {
        let mut sink = crate::buffer::SliceSink::new(bytes);
        match self.offset {
            None => self.file.try_read(&mut Attempt::once(), &mut sink),
            Some(offset) => self.file.try_read_at(&mut Attempt::once(), offset + moved as u64, &mut sink),
        }
    }

    /// Writes there, now.
    fn write(&self, moved: usize, bytes: &[u8]) -> Result<usize> {
        let mut source = SliceSource::new(bytes);
        let mut attempt = Attempt { size_limit: self.size_limit, ..Attempt::once() };
        match self.offset {
            None => self.file.try_write(&mut attempt, &mut source),
            Some(offset) => self.file.try_write_at(&mut attempt, offset + moved as u64, &mut source),
        }
    }

    /// Writes, and waits until something can be written unless the file is non-blocking; says whether it has waited.
    async fn write_some(&self, moved: usize, bytes: &[u8]) -> Result<(usize, bool)> {
        let Some(queue) = self.file.waiters() else { return Ok((self.write(moved, bytes)?, false)) };
        let clock = self.file.inode().filesystem.clock.clone();
        let mut tries = 0;
        let attempt = || {
            tries += 1;
            self.write(moved, bytes)
        };
        let deadline = deadline(self.file.attempt().nonblocking);
        let written = retry(&[queue], Events::WRITABLE, &clock, deadline, attempt).await?;
        Ok((written, tries > 1))
    }

    fn check_readable(&self) -> Result<()> {
        if self.file.is_readable() { Ok(()) } else { Err(Errno::EBADF) }
    }

    fn check_writable(&self) -> Result<()> {
        if self.file.is_writable() { Ok(()) } else { Err(Errno::EBADF) }
    }
}

/// A moment in the past if nobody shall wait.
fn deadline(nonblocking: bool) -> Option<Duration> {
    nonblocking.then_some(Duration::ZERO)
}

/// An error after something was moved is a short count.
fn outcome(moved: &Cell<usize>, result: Result<()>) -> Result<usize> {
    match (moved.get(), result) {
        (0, Err(error)) => Err(error),
        (count, _) => Ok(count),
    }
}
