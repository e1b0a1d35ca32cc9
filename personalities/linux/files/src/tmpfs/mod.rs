//! tmpfs: directories, files, links, devices and FIFOs in memory. Also what /dev is made of.

mod archive;
mod directory;
#[cfg(test)]
mod tests;

pub use archive::{ArchiveEntry, ArchiveKind, populate};

use alloc::boxed::Box;
use alloc::rc::Rc;

use directory::TmpDirectory;

use crate::clock::Clock;
use crate::inode::{Body, Filesystem, Inode};
use crate::page::PageStore;

/// `f_type` of statfs(2).
pub const MAGIC: u64 = 0x0102_1994;

/// A tmpfs; `device` is its `st_dev`.
pub fn filesystem(device: u64, clock: Rc<dyn Clock>, store: Rc<dyn PageStore>) -> Rc<Filesystem> {
    Filesystem::new("tmpfs", MAGIC, device, true, clock, store)
}

/// An empty root directory of user 0.
pub fn root(filesystem: &Rc<Filesystem>, permissions: u32) -> Rc<Inode> {
    Inode::new(filesystem, Body::Directory(Box::new(TmpDirectory::new(filesystem))), permissions, 0, 0)
}
