//! Making and removing names: mkdir(2), mknod(2), link(2), symlink(2), unlink(2), rmdir(2), rename(2).

use alloc::rc::Rc;

use bitflags::bitflags;

use super::{At, Follow, Location, Vfs};
use crate::caller::Caller;
use crate::{Errno, Result};

bitflags! {
    /// RENAME_… of renameat2(2).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct RenameFlags: u32 {
        const NO_REPLACE = 1;
        const EXCHANGE = 2;
    }
}

/// What mknod(2) makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    Regular,
    Fifo,
    Socket,
    CharacterDevice(u64),
    BlockDevice(u64),
}

impl Vfs {
    /// mkdirat(2).
    pub fn make_directory(&self, caller: &Caller, at: At, path: &[u8], mode: u32) -> Result<Rc<Location>> {
        todo!()
    }

    /// mknodat(2). Devices need privilege (`EPERM`).
    pub fn make_node(&self, caller: &Caller, at: At, path: &[u8], kind: NodeKind, mode: u32) -> Result<Rc<Location>> {
        todo!()
    }

    /// symlinkat(2): `path` becomes a link to `target`.
    pub fn make_symlink(&self, caller: &Caller, target: &[u8], at: At, path: &[u8]) -> Result<Rc<Location>> {
        todo!()
    }

    /// linkat(2): `new` becomes another name of what is at `old` (found by [`Vfs::lookup`], without following unless
    /// AT_SYMLINK_FOLLOW). `EPERM` for directories, `EXDEV` across mounts.
    pub fn link(&self, caller: &Caller, old: &Rc<Location>, at: At, new: &[u8]) -> Result<()> {
        todo!()
    }

    /// unlinkat(2) without AT_REMOVEDIR. `EISDIR` for a directory.
    pub fn unlink(&self, caller: &Caller, at: At, path: &[u8]) -> Result<()> {
        todo!()
    }

    /// rmdir(2).
    pub fn remove_directory(&self, caller: &Caller, at: At, path: &[u8]) -> Result<()> {
        todo!()
    }

    /// renameat2(2).
    pub fn rename(
        &self,
        caller: &Caller,
        old_at: At,
        old: &[u8],
        new_at: At,
        new: &[u8],
        flags: RenameFlags,
    ) -> Result<()> {
        todo!()
    }
}
