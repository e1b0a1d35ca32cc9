//! mount(2) and umount2(2), as far as they make and dissolve mounts: file systems themselves are the server's to make.

use alloc::rc::Rc;
use alloc::vec::Vec;

use bitflags::bitflags;

use super::{Location, Vfs};
use crate::caller::Caller;
use crate::{Errno, Result};

bitflags! {
    /// The flags of umount2(2). UMOUNT_NOFOLLOW is the lookup's.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct UnmountFlags: u32 {
        /// Nothing here can hang, so it changes nothing.
        const FORCE = 1;
        /// Takes the mount, and those in it, out of the tree now; who is in it stays there.
        const DETACH = 2;
        const NO_FOLLOW = 8;
    }
}

impl UnmountFlags {
    /// `EINVAL` for unknown flags, and for MNT_EXPIRE, which needs to know when a mount was last used.
    pub fn from_argument(flags: u32) -> Result<Self> {
        Self::from_bits(flags).ok_or(Errno::EINVAL)
    }
}

/// Who refers to the root of an unused mount: the list of mounts, what it covers, and who asks to unmount it.
const UNUSED_REFERENCES: usize = 3;

impl Vfs {
    /// MS_BIND: `place` (the topmost there) shows what `source` is, in a mount of its own; with `recursive` (MS_REC) also what is mounted
    /// below `source`. `EPERM` without privilege, `ENOTDIR` unless both or neither are directories, `ENOENT` for a source that has
    /// been removed, `EINVAL` for what isn't in the tree. Returns the new mount's root.
    pub fn bind(
        &self,
        caller: &Caller,
        source: &Rc<Location>,
        place: &Rc<Location>,
        recursive: bool,
    ) -> Result<Rc<Location>> {
        check_privilege(caller)?;
        if source.is_detached() || place.is_detached() {
            return Err(Errno::EINVAL);
        }
        if source.inode().is_directory() != place.inode().is_directory() {
            return Err(Errno::ENOTDIR);
        }
        if source.is_removed() || place.is_removed() {
            return Err(Errno::ENOENT);
        }
        // Looked for before the tree changes: the place may lie below the source.
        let inner = if recursive { self.mounts_below(source) } else { Vec::new() };
        let root = self.attach(place, source);
        for mounted in inner {
            let Some(place) = same_place(&mounted, source, &root) else { continue };
            self.attach(&place, &mounted);
        }
        Ok(root)
    }

    /// What restricts the mount that `source` is in restricts the new one, too.
    fn attach(&self, place: &Rc<Location>, source: &Rc<Location>) -> Rc<Location> {
        let inode = source.inode().clone();
        inode.filesystem.has_aliases.set(true);
        // Names may change behind their backs now.
        inode.filesystem.recent.close();
        let mounted = Location::mounted(inode, Some(place.clone()));
        mounted.set_restrictions(source.restrictions());
        place.cover(Some(mounted.clone()));
        self.mounts.borrow_mut().push(mounted.clone());
        mounted
    }

    /// MS_MOVE: the mount whose root is `source` covers `place` (the topmost there) instead. `EPERM`, `EINVAL` if it is no root of a
    /// mount or the root of all, `ENOTDIR` unless both or neither are directories, `ELOOP` for a place in the mount itself.
    pub fn move_mount(&self, caller: &Caller, source: &Rc<Location>, place: &Rc<Location>) -> Result<()> {
        check_privilege(caller)?;
        if !source.is_mount_root() || Rc::ptr_eq(source, &self.root.borrow()) || place.is_detached() {
            return Err(Errno::EINVAL);
        }
        if source.inode().is_directory() != place.inode().is_directory() {
            return Err(Errno::ENOTDIR);
        }
        if place.is_within(source) {
            return Err(Errno::ELOOP);
        }
        source.uncover();
        source.cover_place(place);
        Ok(())
    }

    /// pivot_root(2): `new` becomes the root of all, and what was that covers `put_old`. Returns the old root; who is there is the
    /// server's to move. `EPERM`, `EINVAL` unless `new` is the root of a mount and `put_old` in it, `EBUSY` if either is the
    /// old root.
    pub fn pivot(&self, caller: &Caller, new: &Rc<Location>, put_old: &Rc<Location>) -> Result<Rc<Location>> {
        check_privilege(caller)?;
        let old = self.root();
        if Rc::ptr_eq(new, &old) || Rc::ptr_eq(put_old, &old) {
            return Err(Errno::EBUSY);
        }
        if !Rc::ptr_eq(&caller.root, &old) || !new.is_mount_root() || !put_old.is_within(new) {
            return Err(Errno::EINVAL);
        }
        new.uncover();
        old.cover_place(put_old);
        *self.root.borrow_mut() = new.clone();
        Ok(old)
    }

    /// umount2(2). `EPERM` without privilege, `EINVAL` if nothing is mounted there, `EBUSY` if it is in use (and never with
    /// MNT_DETACH, except for the root of all).
    pub fn unmount(&self, caller: &Caller, location: &Rc<Location>, flags: UnmountFlags) -> Result<()> {
        check_privilege(caller)?;
        if !location.is_mount_root() {
            return Err(Errno::EINVAL);
        }
        if Rc::ptr_eq(location, &self.root.borrow()) {
            return Err(Errno::EBUSY);
        }
        location.inode().filesystem.recent.clear();
        let inner = self.mounts_below(location);
        let used = !inner.is_empty() || location.is_covered() || Rc::strong_count(location) > UNUSED_REFERENCES;
        if used && !flags.contains(UnmountFlags::DETACH) {
            return Err(Errno::EBUSY);
        }
        for gone in inner.iter().chain([location]) {
            self.mounts.borrow_mut().retain(|mounted| !Rc::ptr_eq(mounted, gone));
            gone.uncover();
            let filesystem = &gone.inode().filesystem;
            let elsewhere = self.mounts.borrow().iter().any(|other| Rc::ptr_eq(&other.inode().filesystem, filesystem));
            if !elsewhere {
                filesystem.unmounted();
            }
        }
        Ok(())
    }

    /// Roots of mounts below a place, outer ones first.
    fn mounts_below(&self, place: &Rc<Location>) -> Vec<Rc<Location>> {
        let mounts = self.mounts.borrow();
        mounts.iter().filter(|mounted| !Rc::ptr_eq(mounted, place) && mounted.is_within(place)).cloned().collect()
    }
}

fn check_privilege(caller: &Caller) -> Result<()> {
    if caller.credentials.privileged { Ok(()) } else { Err(Errno::EPERM) }
}

/// The place under `copy` that has the names of `location` under `original`.
fn same_place(location: &Rc<Location>, original: &Rc<Location>, copy: &Rc<Location>) -> Option<Rc<Location>> {
    let mut names = Vec::new();
    let mut here = location.clone();
    while !Rc::ptr_eq(&here, original) {
        names.push(here.name()?);
        here = here.parent()?;
    }
    let mut here = copy.clone();
    while let Some(name) = names.pop() {
        let inode = here.inode().directory().ok()?.lookup(&name).ok()?;
        here = here.adopt(&name, inode).top();
    }
    Some(here)
}
