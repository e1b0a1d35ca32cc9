//! What statfs(2) and /proc/mounts tell of file systems.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::{Location, NAME_MAX, Restrictions, Vfs};
use crate::page::PAGE_SIZE;

/// statfs(2)'s answer. The server encodes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    pub magic: u64,
    /// Bytes in a block; the counts below are in blocks.
    pub block_size: u64,
    pub blocks: u64,
    pub blocks_free: u64,
    pub inodes: u64,
    pub inodes_free: u64,
    pub name_length: u64,
    pub device: u64,
    pub restrictions: Restrictions,
}

/// One mount, for /proc/mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    pub filesystem: &'static str,
    pub device: u64,
    pub path: Vec<u8>,
    pub restrictions: Restrictions,
    /// The place in the list of the mount that it is in; its own for the root of all.
    pub inside: usize,
}

impl Vfs {
    /// statfs(2) and fstatfs(2).
    pub fn statistics(&self, location: &Location) -> Statistics {
        let filesystem = &location.inode().filesystem;
        let (total, free) = (filesystem.store.total(), filesystem.store.available());
        Statistics {
            magic: filesystem.magic,
            block_size: PAGE_SIZE as u64,
            blocks: total,
            blocks_free: free,
            inodes: total,
            inodes_free: total.saturating_sub(filesystem.inodes()),
            name_length: NAME_MAX as u64,
            device: filesystem.device,
            restrictions: location.restrictions(),
        }
    }

    /// All mounts in the order in which they were made.
    pub fn mounts(&self, root: &Rc<Location>) -> Vec<Mount> {
        let mounts = self.mounts.borrow();
        let place = |root: &Rc<Location>| mounts.iter().position(|mounted| Rc::ptr_eq(mounted, root));
        let describe = |(own, mounted): (usize, &Rc<Location>)| Mount {
            filesystem: mounted.inode().filesystem.name,
            device: mounted.inode().filesystem.device,
            path: mounted.path(root),
            restrictions: mounted.restrictions(),
            inside: mounted.parent().and_then(|parent| place(&parent.mount())).unwrap_or(own),
        };
        mounts.iter().enumerate().map(describe).collect()
    }
}
