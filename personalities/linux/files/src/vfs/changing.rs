//! Attributes by location: access(2), chmod(2), chown(2), utimensat(2), truncate(2), readlink(2).
//!
//! They take a [`Location`] that the server has looked up (by path, or from a descriptor), so each exists once for its
//! path, `at` and descriptor forms.

use alloc::vec::Vec;

use super::{Location, Restrictions, Vfs};
use crate::caller::Caller;
use crate::inode::{Access, Attributes, Body, Kind, TimeUpdate, mode};
use crate::inotify::{self, Mask};
use crate::{Errno, Result};

impl Vfs {
    /// faccessat(2), with the ids in `caller` (the server puts the real ones there unless AT_EACCESS). No bits: existence only.
    pub fn check_access(&self, caller: &Caller, location: &Location, access: Access) -> Result<()> {
        if access.contains(Access::WRITE) {
            location.check_contents_writable()?;
        }
        let executes = access.contains(Access::EXECUTE) && location.inode().kind() == Kind::Regular;
        if executes && location.restrictions().contains(Restrictions::NO_EXECUTION) {
            return Err(Errno::EACCES);
        }
        location.inode().check(&caller.credentials, access)
    }

    /// readlinkat(2): `EINVAL` if it is no symbolic link.
    pub fn read_link(&self, caller: &Caller, location: &Location) -> Result<Vec<u8>> {
        let text = match &location.inode().body {
            Body::Symlink(text) => text.to_vec(),
            Body::Link(link) => link.text(caller)?,
            _ => return Err(Errno::EINVAL),
        };
        location.inode().stamp_accessed();
        Ok(text)
    }

    /// fchmodat(2). `EPERM` unless owner, `EOPNOTSUPP` for a symbolic link; the set-group-id bit is dropped silently for a
    /// group that one isn't in.
    pub fn change_mode(&self, caller: &Caller, location: &Location, mode: u32) -> Result<()> {
        let inode = location.inode();
        if inode.is_symlink() {
            return Err(Errno::EOPNOTSUPP);
        }
        location.check_writable()?;
        inode.check_owner(&caller.credentials)?;
        let mut permissions = mode & 0o7777;
        inode.check_execute_seal(permissions)?;
        if !caller.credentials.privileged && !caller.credentials.in_group(inode.group()) {
            permissions &= !mode::SET_GROUP;
        }
        inode.set_attributes(&Attributes { permissions: Some(permissions), ..Attributes::default() });
        inotify::tell(location, Mask::ATTRIBUTES);
        Ok(())
    }

    /// fchownat(2); `None` is −1. Only the privileged give files away; owners choose among their groups. Takes the set-id bits
    /// from what isn't a directory.
    pub fn change_owner(
        &self,
        caller: &Caller,
        location: &Location,
        user: Option<u32>,
        group: Option<u32>,
    ) -> Result<()> {
        let (inode, credentials) = (location.inode(), &caller.credentials);
        location.check_writable()?;
        if !credentials.privileged {
            let owns = credentials.user == inode.user();
            let gives_away = user.is_some_and(|user| user != inode.user());
            let foreign = group.is_some_and(|group| group != inode.group() && !credentials.in_group(group));
            if (user.is_some() || group.is_some()) && (!owns || gives_away || foreign) {
                return Err(Errno::EPERM);
            }
        }
        if user.is_none() && group.is_none() {
            return Ok(());
        }
        if inode.kind() != Kind::Directory {
            inode.drop_set_id();
        }
        inode.set_attributes(&Attributes { user, group, permissions: None });
        inotify::tell(location, Mask::ATTRIBUTES);
        Ok(())
    }

    /// utimensat(2). Setting both to now needs only write permission (`EACCES`), all else ownership (`EPERM`).
    pub fn change_times(
        &self,
        caller: &Caller,
        location: &Location,
        accessed: TimeUpdate,
        modified: TimeUpdate,
    ) -> Result<()> {
        let inode = location.inode();
        location.check_writable()?;
        match (accessed, modified) {
            (TimeUpdate::Keep, TimeUpdate::Keep) => return Ok(()),
            (TimeUpdate::Now, TimeUpdate::Now) => {
                if inode.check_owner(&caller.credentials).is_err() {
                    inode.check(&caller.credentials, Access::WRITE)?;
                }
            }
            _ => inode.check_owner(&caller.credentials)?,
        }
        inode.set_times(accessed, modified);
        inotify::tell(location, Mask::ATTRIBUTES);
        Ok(())
    }

    /// truncate(2).
    pub fn truncate(&self, caller: &Caller, location: &Location, size: u64) -> Result<()> {
        let inode = location.inode();
        if inode.is_directory() {
            return Err(Errno::EISDIR);
        }
        if inode.kind() != Kind::Regular {
            return Err(Errno::EINVAL);
        }
        inode.check(&caller.credentials, Access::WRITE)?;
        location.check_writable()?;
        if !caller.credentials.privileged {
            inode.drop_set_id();
        }
        inode.truncate(size)?;
        inotify::tell(location, Mask::MODIFY);
        Ok(())
    }

    /// chdir(2), chroot(2), fchdir(2): may `location` become a working or root directory?
    pub fn check_directory(&self, caller: &Caller, location: &Location) -> Result<()> {
        location.inode().directory()?;
        location.inode().check(&caller.credentials, Access::EXECUTE)
    }
}
