//! Open directories: getdents64(2).
//!
//! Offsets are cookies: 0 is before `.`, 1 before `..`, 2 before the first name; a name's own cookie is after it. They are
//! the directory's, so reading goes on correctly whatever is made and removed in between.

use super::{Attempt, File, OpenFile, Whence};
use crate::buffer::Sink;
use crate::inode::{Kind, Listed};
use crate::inotify::{self, Mask};
use crate::{Errno, Result};

pub(crate) struct DirectoryFile;

impl File for DirectoryFile {
    fn read(&self, _: &mut Attempt, _: u64, _: &mut dyn Sink) -> Result<usize> {
        Err(Errno::EISDIR)
    }

    fn seek(&self, whence: Whence, offset: i64, current: u64) -> Result<u64> {
        match whence {
            Whence::Start | Whence::Current => whence.resolve(offset, current, 0),
            _ => Err(Errno::EINVAL),
        }
    }

    fn is_seekable(&self) -> bool {
        true
    }
}

/// Bytes of a `linux_dirent64` before the name: inode, offset, length, type.
const HEADER: usize = 8 + 8 + 2 + 1;
/// Bytes of the longest record, old or new.
const RECORD: usize = (HEADER + crate::vfs::NAME_MAX + 1).next_multiple_of(8);

impl OpenFile {
    /// Calls `emit` for each entry from the current offset on, `.` and `..` first, until it returns false; the offset then is
    /// before the entry that wasn't wanted. `ENOTDIR`, `EBADF`, `ENOENT` if the directory has been removed.
    pub fn list(&self, emit: &mut dyn FnMut(&Listed<'_>) -> bool) -> Result<()> {
        if self.is_path() {
            return Err(Errno::EBADF);
        }
        let directory = self.inode().directory()?;
        if self.location().is_removed() {
            return Err(Errno::ENOENT);
        }
        let own = self.inode().number;
        let above = self.location().parent().map_or(own, |parent| parent.inode().number);
        for (name, number, cookie) in [(&b"."[..], own, 1), (b"..", above, 2)] {
            if self.offset.get() < cookie {
                if !emit(&Listed { name, number, kind: Kind::Directory, cookie }) {
                    return Ok(());
                }
                self.offset.set(cookie);
            }
        }
        directory.list(self.offset.get(), &mut |listed| {
            let wanted = emit(listed);
            if wanted {
                self.offset.set(listed.cookie);
            }
            wanted
        })?;
        self.inode().stamp_accessed();
        inotify::tell(self.location(), Mask::ACCESS);
        Ok(())
    }

    /// getdents64(2): fills `sink` with `linux_dirent64` structures. 0 at the end, `EINVAL` if not even one fits.
    pub fn list_encoded(&self, sink: &mut dyn Sink) -> Result<usize> {
        self.list_records(sink, |record, listed| {
            let length = (HEADER + listed.name.len() + 1).next_multiple_of(8);
            record[18] = listed.kind.directory_entry_type();
            record[HEADER..HEADER + listed.name.len()].copy_from_slice(listed.name);
            length
        })
    }

    /// getdents(2), of old: `linux_dirent` structures, whose type is their last byte, behind the name.
    pub fn list_encoded_old(&self, sink: &mut dyn Sink) -> Result<usize> {
        const NAME: usize = HEADER - 1;
        self.list_records(sink, |record, listed| {
            let length = (NAME + listed.name.len() + 2).next_multiple_of(8);
            record[NAME..NAME + listed.name.len()].copy_from_slice(listed.name);
            record[length - 1] = listed.kind.directory_entry_type();
            length
        })
    }

    /// Fills `sink` with records: number, cookie and length are in both formats' first 18 bytes; `encode` writes the rest into a cleared
    /// record and returns its length.
    fn list_records(&self, sink: &mut dyn Sink, encode: impl Fn(&mut [u8; RECORD], &Listed) -> usize) -> Result<usize> {
        let mut written = 0;
        let mut failure = None;
        self.list(&mut |listed| {
            let mut record = [0; RECORD];
            if listed.name.len() > crate::vfs::NAME_MAX {
                failure = Some(Errno::EINVAL);
                return false;
            }
            let length = encode(&mut record, listed);
            if length > sink.remaining() {
                failure = Some(Errno::EINVAL);
                return false;
            }
            record[0..8].copy_from_slice(&listed.number.to_le_bytes());
            record[8..16].copy_from_slice(&listed.cookie.to_le_bytes());
            record[16..18].copy_from_slice(&(length as u16).to_le_bytes());
            match sink.put(&record[..length]) {
                Ok(stored) if stored == length => {
                    written += length;
                    true
                }
                _ => {
                    failure = Some(Errno::EFAULT);
                    false
                }
            }
        })?;
        match failure {
            Some(error) if written == 0 => Err(error),
            _ => Ok(written),
        }
    }
}
