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
        let mut written = 0;
        let mut failure = None;
        self.list(&mut |listed| {
            let length = (HEADER + listed.name.len() + 1).next_multiple_of(8);
            let mut record = [0; (HEADER + crate::vfs::NAME_MAX + 1).next_multiple_of(8)];
            if length > sink.remaining() || length > record.len() {
                failure = Some(Errno::EINVAL);
                return false;
            }
            record[0..8].copy_from_slice(&listed.number.to_le_bytes());
            record[8..16].copy_from_slice(&listed.cookie.to_le_bytes());
            record[16..18].copy_from_slice(&(length as u16).to_le_bytes());
            record[18] = listed.kind.directory_entry_type();
            record[HEADER..HEADER + listed.name.len()].copy_from_slice(listed.name);
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
