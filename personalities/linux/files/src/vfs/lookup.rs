//! Path lookup (path_resolution(7)).

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::{Location, NAME_MAX, PATH_MAX, Vfs};
use crate::caller::Caller;
use crate::inode::{Access, Body, Inode, Target};
use crate::open::Descriptors;
use crate::{Errno, Result};

/// Where a relative path begins.
#[derive(Clone)]
pub enum At {
    /// AT_FDCWD, and all calls without a descriptor.
    WorkingDirectory,
    /// What a directory descriptor leads to.
    Location(Rc<Location>),
}

impl At {
    /// From a `dirfd` argument: `EBADF` if it is neither AT_FDCWD nor open. Give it only with a relative or empty path: for
    /// an absolute one `dirfd` isn't looked at.
    pub fn descriptor(descriptors: &Descriptors, number: i32) -> Result<At> {
        if number == linux_raw_sys::general::AT_FDCWD {
            return Ok(At::WorkingDirectory);
        }
        Ok(At::Location(descriptors.get(number)?.location().clone()))
    }

    /// The same for a given path: an absolute one doesn't look at `number`.
    pub fn for_path(descriptors: &Descriptors, number: i32, path: &[u8]) -> Result<At> {
        if path.starts_with(b"/") { Ok(At::WorkingDirectory) } else { Self::descriptor(descriptors, number) }
    }
}

/// What happens to a symbolic link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    Yes,
    /// AT_SYMLINK_NOFOLLOW, O_NOFOLLOW, lstat(2).
    No,
}

impl Vfs {
    /// What `path` leads to. `ENOENT` (also for an empty path: AT_EMPTY_PATH is [`Vfs::lookup_or_self`]), `ENOTDIR`, `EACCES`,
    /// `ELOOP` after 40 symbolic links, `ENAMETOOLONG`.
    pub fn lookup(&self, caller: &Caller, at: At, path: &[u8], follow: Follow) -> Result<Rc<Location>> {
        todo!()
    }

    /// The same, but an empty path means `at` itself (AT_EMPTY_PATH).
    pub fn lookup_or_self(&self, caller: &Caller, at: At, path: &[u8], follow: Follow) -> Result<Rc<Location>> {
        todo!()
    }
}
