//! Making and removing names: mkdir(2), mknod(2), link(2), symlink(2), unlink(2), rmdir(2).

use alloc::rc::Rc;

use super::lookup::{Last, Walk};
use super::opening::template;
use super::{At, Location, PATH_MAX, Vfs};
use crate::caller::Caller;
use crate::inode::{Access, TemplateBody};
use crate::inotify::{self, Mask};
use crate::{Errno, Result};

/// What mknod(2) makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    Regular,
    Fifo,
    Socket,
    CharacterDevice(u64),
    BlockDevice(u64),
}

/// Names of one inode (EMLINK beyond).
const LINKS_MAX: u32 = 65_000;

impl Vfs {
    /// mkdirat(2).
    pub fn make_directory(&self, caller: &Caller, at: At, path: &[u8], mode: u32) -> Result<Rc<Location>> {
        let (directory, last) = new_name(caller, at, path)?;
        let made = self.make_in(caller, &directory, &last.name, TemplateBody::Directory, mode & 0o1777)?;
        directory.inode().set_links(directory.inode().links() + 1);
        Ok(made)
    }

    /// mknodat(2). Devices need privilege (`EPERM`).
    pub fn make_node(&self, caller: &Caller, at: At, path: &[u8], kind: NodeKind, mode: u32) -> Result<Rc<Location>> {
        let body = match kind {
            NodeKind::Regular => TemplateBody::Regular,
            NodeKind::Fifo => TemplateBody::Fifo,
            NodeKind::Socket => TemplateBody::Socket,
            NodeKind::CharacterDevice(number) => TemplateBody::Device { number, block: false },
            NodeKind::BlockDevice(number) => TemplateBody::Device { number, block: true },
        };
        if matches!(body, TemplateBody::Device { .. }) && !caller.credentials.privileged {
            return Err(Errno::EPERM);
        }
        let (directory, last) = new_name(caller, at, path)?;
        last.refuse_slash()?;
        self.make_in(caller, &directory, &last.name, body, mode)
    }

    /// symlinkat(2): `path` becomes a link to `target`.
    pub fn make_symlink(&self, caller: &Caller, target: &[u8], at: At, path: &[u8]) -> Result<Rc<Location>> {
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        if target.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let (directory, last) = new_name(caller, at, path)?;
        last.refuse_slash()?;
        self.make_in(caller, &directory, &last.name, TemplateBody::Symlink(target.into()), 0o777)
    }

    /// linkat(2): `new` becomes another name of what is at `old` (found by [`Vfs::lookup`], without following unless
    /// AT_SYMLINK_FOLLOW). `EPERM` for directories, `EXDEV` across mounts.
    pub fn link(&self, caller: &Caller, old: &Rc<Location>, at: At, new: &[u8]) -> Result<()> {
        let (directory, last) = new_name(caller, at, new)?;
        last.refuse_slash()?;
        let inode = old.inode();
        let same_mount = Rc::ptr_eq(&old.mount(), &directory.mount());
        if !Rc::ptr_eq(&inode.filesystem, &directory.inode().filesystem) || (!old.is_detached() && !same_mount) {
            return Err(Errno::EXDEV);
        }
        check_insert(caller, &directory)?;
        if inode.is_directory() {
            return Err(Errno::EPERM);
        }
        if !inode.is_linkable() {
            return Err(Errno::ENOENT);
        }
        if inode.links() >= LINKS_MAX {
            return Err(Errno::EMLINK);
        }
        directory.inode().directory()?.insert(&last.name, inode.clone())?;
        inode.set_links(inode.links() + 1);
        inode.set_linkable(false);
        inode.stamp_changed();
        directory.inode().stamp_modified();
        inotify::tell_self(inode, Mask::ATTRIBUTES);
        inotify::tell_name(directory.inode(), inode, &last.name, Mask::CREATE, 0);
        Ok(())
    }

    /// unlinkat(2) without AT_REMOVEDIR. `EISDIR` for a directory.
    pub fn unlink(&self, caller: &Caller, at: At, path: &[u8]) -> Result<()> {
        let mut walk = Walk::new(caller, at, path)?;
        let last = walk.reach_last()?;
        if !last.is_plain() {
            return Err(Errno::EISDIR);
        }
        walk.here.check_writable()?;
        let found = walk.step(&last.name)?;
        if last.slash {
            return Err(if found.inode().is_directory() { Errno::EISDIR } else { Errno::ENOTDIR });
        }
        walk.here.inode().check_remove(&caller.credentials, found.inode())?;
        if found.inode().is_directory() {
            return Err(Errno::EISDIR);
        }
        if found.is_mount_root() {
            return Err(Errno::EBUSY);
        }
        remove_name(&walk.here, &last.name)?;
        found.inode().set_links(found.inode().links().saturating_sub(1));
        found.inode().stamp_changed();
        inotify::tell_self(found.inode(), Mask::ATTRIBUTES);
        inotify::tell_removed(walk.here.inode(), found, &last.name);
        Ok(())
    }

    /// rmdir(2).
    pub fn remove_directory(&self, caller: &Caller, at: At, path: &[u8]) -> Result<()> {
        let mut walk = Walk::new(caller, at, path)?;
        let last = walk.reach_last()?;
        match &*last.name {
            b"" => return Err(Errno::EBUSY),
            b"." => return Err(Errno::EINVAL),
            b".." => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
        walk.here.check_writable()?;
        let found = walk.step(&last.name)?;
        walk.here.inode().check_remove(&caller.credentials, found.inode())?;
        let names = found.inode().directory()?;
        if found.is_mount_root() || Rc::ptr_eq(&found, &caller.root) {
            return Err(Errno::EBUSY);
        }
        if !names.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        remove_name(&walk.here, &last.name)?;
        found.inode().set_links(0);
        found.inode().stamp_changed();
        walk.here.inode().set_links(walk.here.inode().links().saturating_sub(1));
        inotify::tell_removed(walk.here.inode(), found, &last.name);
        Ok(())
    }

    /// Makes an inode under a name that is known to be free.
    pub(super) fn make_in(
        &self,
        caller: &Caller,
        directory: &Rc<Location>,
        name: &[u8],
        body: TemplateBody,
        mode: u32,
    ) -> Result<Rc<Location>> {
        check_insert(caller, directory)?;
        let names = directory.inode().directory()?;
        let inode = names.new_inode(template(caller, directory.inode(), body, mode))?;
        names.insert(name, inode.clone())?;
        directory.inode().stamp_modified();
        inotify::tell_name(directory.inode(), &inode, name, Mask::CREATE, 0);
        Ok(directory.adopt(name, inode))
    }
}

impl Last<'_> {
    /// Only directories may be made with a slash behind their name.
    fn refuse_slash(&self) -> Result<()> {
        if self.slash { Err(Errno::ENOENT) } else { Ok(()) }
    }
}

/// May a name be put into this directory? `ENOENT` if the directory itself has been removed.
pub(super) fn check_insert(caller: &Caller, directory: &Rc<Location>) -> Result<()> {
    directory.check_writable()?;
    directory.inode().check(&caller.credentials, Access::WRITE | Access::EXECUTE)?;
    if directory.is_removed() || directory.inode().links() == 0 { Err(Errno::ENOENT) } else { Ok(()) }
}

/// Takes a name out of a directory and of the tree.
pub(super) fn remove_name(directory: &Rc<Location>, name: &[u8]) -> Result<()> {
    directory.inode().directory()?.remove(name)?;
    directory.forget(name);
    directory.inode().stamp_modified();
    Ok(())
}

/// The directory and name that a path gives something new; `EEXIST` if there is something.
fn new_name<'a>(caller: &'a Caller, at: At, path: &'a [u8]) -> Result<(Rc<Location>, Last<'a>)> {
    let mut walk = Walk::new(caller, at, path)?;
    let last = walk.reach_last()?;
    if !last.is_plain() {
        return Err(Errno::EEXIST);
    }
    match walk.step(&last.name) {
        Ok(_) => Err(Errno::EEXIST),
        Err(Errno::ENOENT) => Ok((walk.here, last)),
        Err(error) => Err(error),
    }
}
