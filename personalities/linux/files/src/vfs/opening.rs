//! open(2), creat(2), openat(2).

use alloc::rc::Rc;

use super::{At, Location, Vfs};
use crate::caller::Caller;
use crate::open::{OpenFile, OpenFlags};
use crate::{Errno, Result};

impl Vfs {
    /// Opens, and creates with O_CREAT or O_TMPFILE; `mode` is then the new file's, less the umask. Await
    /// [`OpenFile::opened`] before giving out the descriptor.
    pub fn open(&self, caller: &Caller, at: At, path: &[u8], flags: OpenFlags, mode: u32) -> Result<Rc<OpenFile>> {
        todo!()
    }

    /// Opens what is already found, with the checks of open(2); for execve(2), and for the server's own needs.
    pub fn open_location(&self, caller: &Caller, location: &Rc<Location>, flags: OpenFlags) -> Result<Rc<OpenFile>> {
        todo!()
    }
}
