//! tmpfs: directories, files, links, devices and FIFOs in memory. Also what /dev is made of.

use alloc::rc::Rc;

use crate::Result;
use crate::caller::Caller;
use crate::clock::{Clock, Timestamp};
use crate::inode::{Filesystem, Inode};
use crate::page::PageStore;
use crate::vfs::{NodeKind, Vfs};

/// `f_type` of statfs(2).
pub const MAGIC: u64 = 0x0102_1994;

/// A tmpfs; `device` is its `st_dev`.
pub fn filesystem(device: u64, clock: Rc<dyn Clock>, store: Rc<dyn PageStore>) -> Rc<Filesystem> {
    Filesystem::new("tmpfs", MAGIC, device, true, clock, store)
}

/// An empty root directory of user 0.
pub fn root(filesystem: &Rc<Filesystem>, permissions: u32) -> Rc<Inode> {
    todo!()
}

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

/// Puts an entry into the tree. Missing directories above it are made (mode 0755, user 0).
pub fn populate(vfs: &Vfs, caller: &Caller, entry: &ArchiveEntry<'_>) -> Result<()> {
    todo!()
}
