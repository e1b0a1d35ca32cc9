//! Attributes by location: access(2), chmod(2), chown(2), utimensat(2), truncate(2), readlink(2), fallocate(2).
//!
//! They take a [`Location`] that the server has looked up (by path, or from a descriptor), so each exists once for its
//! path, `at` and descriptor forms.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::{Location, Vfs};
use crate::caller::Caller;
use crate::inode::{Access, TimeUpdate};
use crate::{Errno, Result};

impl Vfs {
    /// faccessat(2), with the ids in `caller` (the server puts the real ones there unless AT_EACCESS). No bits: existence only.
    pub fn check_access(&self, caller: &Caller, location: &Location, access: Access) -> Result<()> {
        todo!()
    }

    /// readlinkat(2): `EINVAL` if it is no symbolic link.
    pub fn read_link(&self, caller: &Caller, location: &Location) -> Result<Vec<u8>> {
        todo!()
    }

    /// fchmodat(2). `EPERM` unless owner; the set-group bit is dropped silently for groups that one isn't in.
    pub fn change_mode(&self, caller: &Caller, location: &Location, mode: u32) -> Result<()> {
        todo!()
    }

    /// fchownat(2); `None` is −1.
    pub fn change_owner(
        &self,
        caller: &Caller,
        location: &Location,
        user: Option<u32>,
        group: Option<u32>,
    ) -> Result<()> {
        todo!()
    }

    /// utimensat(2).
    pub fn change_times(
        &self,
        caller: &Caller,
        location: &Location,
        accessed: TimeUpdate,
        modified: TimeUpdate,
    ) -> Result<()> {
        todo!()
    }

    /// truncate(2).
    pub fn truncate(&self, caller: &Caller, location: &Location, size: u64) -> Result<()> {
        todo!()
    }

    /// chdir(2), chroot(2), fchdir(2): may `location` become a working or root directory?
    pub fn check_directory(&self, caller: &Caller, location: &Location) -> Result<()> {
        todo!()
    }
}
