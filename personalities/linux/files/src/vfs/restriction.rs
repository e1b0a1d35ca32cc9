//! What a mount doesn't let through (mount(2): MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC).
//!
//! The flags belong to a mount, which is known by its root. They are looked at wherever something is opened, made, changed or taken
//! away by a location; a file system of which no mount is restricted costs one look.

use alloc::rc::Rc;

use bitflags::bitflags;
use linux_raw_sys::general as linux;

use super::{Location, Vfs};
use crate::inode::Kind;
use crate::{Errno, Result};

bitflags! {
    /// MS_… of mount(2), which statfs(2) tells by the same bits.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Restrictions: u32 {
        const READ_ONLY = linux::MS_RDONLY;
        const NO_SET_ID = linux::MS_NOSUID;
        const NO_DEVICES = linux::MS_NODEV;
        const NO_EXECUTION = linux::MS_NOEXEC;
    }
}

impl Restrictions {
    /// As /proc/mounts lists them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let others = [
            (Restrictions::NO_SET_ID, "nosuid"),
            (Restrictions::NO_DEVICES, "nodev"),
            (Restrictions::NO_EXECUTION, "noexec"),
        ];
        let first = if self.contains(Restrictions::READ_ONLY) { "ro" } else { "rw" };
        [first]
            .into_iter()
            .chain(others.into_iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| name))
    }
}

impl Location {
    /// What the mount that it is in doesn't let through.
    #[inline]
    pub fn restrictions(&self) -> Restrictions {
        if self.inode().filesystem.restricted.get() { self.look_up_restrictions() } else { Restrictions::empty() }
    }

    /// Says what a mount lets through from now on. `EINVAL` unless it is the root of one.
    pub fn restrict(&self, restrictions: Restrictions) -> Result<()> {
        if !self.is_mount_root() {
            return Err(Errno::EINVAL);
        }
        if !restrictions.is_empty() {
            self.inode().filesystem.restricted.set(true);
        }
        self.set_restrictions(restrictions);
        Ok(())
    }

    /// `EROFS` if what is here may not be changed. Devices, pipes and sockets are used, not changed.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.restrictions().contains(Restrictions::READ_ONLY) { Err(Errno::EROFS) } else { Ok(()) }
    }

    /// `EROFS` if it is a file, directory or link that may not be changed.
    pub(crate) fn check_contents_writable(&self) -> Result<()> {
        match self.inode().kind() {
            Kind::Regular | Kind::Directory | Kind::Symlink => self.check_writable(),
            _ => Ok(()),
        }
    }

    /// `EACCES` for a device where none may be used.
    pub(crate) fn check_device(&self) -> Result<()> {
        let is_device = matches!(self.inode().kind(), Kind::CharacterDevice | Kind::BlockDevice);
        if is_device && self.restrictions().contains(Restrictions::NO_DEVICES) { Err(Errno::EACCES) } else { Ok(()) }
    }
}

impl Vfs {
    /// All mounts of the file system that a place is in, for what concerns all of them (MS_REMOUNT without MS_BIND).
    pub fn mounts_of(&self, place: &Location) -> impl Iterator<Item = Rc<Location>> {
        let mut mounts = alloc::vec![self.root()];
        mounts.extend(self.mounts.borrow().iter().cloned());
        mounts.dedup_by(|one, other| Rc::ptr_eq(one, other));
        let filesystem = place.inode().filesystem.clone();
        mounts.into_iter().filter(move |mounted| Rc::ptr_eq(&mounted.inode().filesystem, &filesystem))
    }
}
