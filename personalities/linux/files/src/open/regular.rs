//! Regular files: in pages, or made up when opened.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::{Attempt, File, Whence};
use crate::buffer::{Sink, Source};
use crate::inode::Inode;
use crate::page::{Contents, SIZE_MAX};
use crate::{Errno, Result};

/// An open regular file of a file system in memory.
pub struct RegularFile {
    inode: Rc<Inode>,
}

impl RegularFile {
    /// `inode` must have [`Inode::contents`]; else every call answers `EINVAL`.
    pub fn new(inode: Rc<Inode>) -> Self {
        RegularFile { inode }
    }

    fn contents(&self) -> Result<&Contents> {
        self.inode.contents().ok_or(Errno::EINVAL)
    }
}

impl File for RegularFile {
    fn read(&self, _: &mut Attempt, offset: u64, sink: &mut dyn Sink) -> Result<usize> {
        self.contents()?.read(offset, sink)
    }

    fn write(&self, _: &mut Attempt, offset: u64, source: &mut dyn Source) -> Result<usize> {
        let contents = self.contents()?;
        let grows = offset.saturating_add(source.remaining() as u64) > contents.size();
        self.inode.check_seals(true, grows, false)?;
        contents.write(offset, source)
    }

    fn seek(&self, whence: Whence, offset: i64, current: u64) -> Result<u64> {
        let contents = self.contents()?;
        match whence {
            Whence::Data | Whence::Hole => seek_data_or_hole(contents, whence, offset),
            _ => whence.resolve(offset, current, contents.size()),
        }
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn seeks_plainly(&self) -> bool {
        self.inode.contents().is_some()
    }
}

/// SEEK_DATA and SEEK_HOLE.
#[cold]
fn seek_data_or_hole(contents: &Contents, whence: Whence, offset: i64) -> Result<u64> {
    let offset = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
    if whence == Whence::Data { contents.next_data(offset) } else { contents.next_hole(offset) }
}

/// A file whose bytes were made when it was opened (/proc/meminfo).
pub struct GeneratedFile {
    bytes: Vec<u8>,
}

impl GeneratedFile {
    pub fn new(bytes: Vec<u8>) -> Self {
        GeneratedFile { bytes }
    }
}

impl File for GeneratedFile {
    fn read(&self, _: &mut Attempt, offset: u64, sink: &mut dyn Sink) -> Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes.len());
        sink.put(&self.bytes[start..])
    }

    fn seek(&self, whence: Whence, offset: i64, current: u64) -> Result<u64> {
        match whence {
            // Its length is nobody's business: stat says 0.
            Whence::End | Whence::Data | Whence::Hole => Err(Errno::EINVAL),
            _ => whence.resolve(offset, current, 0),
        }
        .map(|target| target.min(SIZE_MAX))
    }

    fn is_seekable(&self) -> bool {
        true
    }
}
