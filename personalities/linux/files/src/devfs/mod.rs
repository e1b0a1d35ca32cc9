//! /dev: a tmpfs with device nodes, and what opens those.

mod random;

pub use random::Generator;

use alloc::rc::Rc;

use crate::Result;
use crate::clock::Clock;
use crate::inode::{Filesystem, Inode};
use crate::page::PageStore;
use crate::terminal::Terminal;
use crate::vfs::Vfs;

/// A device number as in `st_rdev`.
pub const fn device_number(major: u32, minor: u32) -> u64 {
    ((major as u64 & 0xfffff000) << 32)
        | ((major as u64 & 0xfff) << 8)
        | ((minor as u64 & 0xffffff00) << 12)
        | (minor as u64 & 0xff)
}

/// Registers null, zero, full, random, urandom, tty, console and ttyS0 with `vfs` and mounts a tmpfs with their nodes at /dev
/// (made if missing), along with the links fd, stdin, stdout, stderr (into /proc/self/fd) and the directories shm and pts.
/// `console` is what /dev/console and /dev/ttyS0 open.
pub fn mount(
    vfs: &Vfs,
    device: u64,
    clock: Rc<dyn Clock>,
    store: Rc<dyn PageStore>,
    generator: Rc<Generator>,
    console: Rc<Terminal>,
) -> Result<Rc<Filesystem>> {
    todo!()
}
