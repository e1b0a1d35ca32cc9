//! Open directories: getdents64(2).
use super::{Attempt, File, OpenFile, Whence};
use crate::buffer::Sink;
use crate::inode::Listed;
use crate::{Errno, Result};

pub(crate) struct DirectoryFile;

impl File for DirectoryFile {}

impl OpenFile {
    /// Calls `emit` for each entry from the current offset on, `.` and `..` first, until it returns false; the offset then is
    /// before the entry that wasn't wanted. `ENOTDIR`, `EBADF`.
    pub fn list(&self, emit: &mut dyn FnMut(&Listed<'_>) -> bool) -> Result<()> {
        todo!()
    }

    /// getdents64(2): fills `sink` with `linux_dirent64` structures. 0 at the end, `EINVAL` if not even one fits.
    pub fn list_encoded(&self, sink: &mut dyn Sink) -> Result<usize> {
        todo!()
    }
}
