//! Filling a tmpfs from the boot archive. Files keep their bytes in the archive until they are written or mapped.

use alloc::rc::Rc;

use crate::caller::Caller;
use crate::clock::Timestamp;
use crate::inode::{Attributes, Body, Inode, TimeUpdate};
use crate::page::Contents;
use crate::vfs::{At, Follow, Location, NodeKind, Vfs};
use crate::{Errno, Result};

/// One entry of the boot archive.
pub struct ArchiveEntry<'a> {
    /// Relative to the root, with or without "./" or "/" in front.
    pub path: &'a [u8],
    pub kind: ArchiveKind<'a>,
    pub permissions: u32,
    pub user: u32,
    pub group: u32,
    pub modified: Timestamp,
}

/// What it is.
pub enum ArchiveKind<'a> {
    Regular(&'static [u8]),
    Directory,
    Symlink(&'a [u8]),
    /// A further name of an earlier entry.
    HardLink(&'a [u8]),
    Node(NodeKind),
}

/// Puts an entry into the tree at the caller's root (which should be user 0's). Missing directories above it are made (mode
/// 0755); an entry for a directory that is there already only changes its attributes; another file of the same name is
/// replaced.
pub fn populate(vfs: &Vfs, caller: &Caller, entry: &ArchiveEntry<'_>) -> Result<()> {
    let path = trimmed(entry.path);
    let root = || At::Location(caller.root.clone());
    if path.is_empty() {
        decorate(&caller.root, entry);
        return Ok(());
    }
    let (directory, name) = match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (make_directories(vfs, caller, &path[..slash])?, &path[slash + 1..]),
        None => (caller.root.clone(), path),
    };
    let at = || At::Location(directory.clone());
    if !matches!(entry.kind, ArchiveKind::Directory) {
        match vfs.unlink(caller, at(), name) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(error) => return Err(error),
        }
    }
    let made = match &entry.kind {
        ArchiveKind::Directory => make_directories(vfs, caller, path)?,
        ArchiveKind::Regular(image) => insert_image(&directory, name, image)?,
        ArchiveKind::Symlink(target) => vfs.make_symlink(caller, target, at(), name)?,
        ArchiveKind::HardLink(target) => {
            let target = vfs.lookup(caller, root(), trimmed(target), Follow::No)?;
            return vfs.link(caller, &target, at(), name);
        }
        ArchiveKind::Node(kind) => vfs.make_node(caller, at(), name, *kind, 0)?,
    };
    decorate(&made, entry);
    Ok(())
}

fn insert_image(directory: &Rc<Location>, name: &[u8], image: &'static [u8]) -> Result<Rc<Location>> {
    let filesystem = &directory.inode().filesystem;
    let body = Body::Regular(Contents::from_image(filesystem.store.clone(), image));
    let inode = Inode::new(filesystem, body, 0, 0, 0);
    directory.inode().directory()?.insert(name, inode.clone())?;
    Ok(directory.adopt(name, inode))
}

fn decorate(location: &Rc<Location>, entry: &ArchiveEntry<'_>) {
    let inode = location.inode();
    let permissions = if inode.is_symlink() { 0o777 } else { entry.permissions };
    inode.set_attributes(&Attributes {
        permissions: Some(permissions),
        user: Some(entry.user),
        group: Some(entry.group),
    });
    inode.set_times(TimeUpdate::To(entry.modified), TimeUpdate::To(entry.modified));
}

fn make_directories(vfs: &Vfs, caller: &Caller, path: &[u8]) -> Result<Rc<Location>> {
    let caller = Caller { umask: 0, ..caller.clone() };
    let mut here = caller.root.clone();
    for name in path.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b".")) {
        let at = At::Location(here.clone());
        here = match vfs.lookup(&caller, at.clone(), name, Follow::Yes) {
            Err(Errno::ENOENT) => vfs.make_directory(&caller, at, name, 0o755)?,
            found => found?,
        };
    }
    here.inode().directory()?;
    Ok(here)
}

/// Without "./" and "/" in front and "/" behind.
fn trimmed(mut path: &[u8]) -> &[u8] {
    loop {
        path = match path {
            [b'.'] => &[],
            [b'.', b'/', rest @ ..] | [b'/', rest @ ..] | [rest @ .., b'/'] => rest,
            _ => return path,
        };
    }
}
