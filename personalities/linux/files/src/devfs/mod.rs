//! /dev: a tmpfs with device nodes, and what opens those.

mod memory;
mod random;
#[cfg(test)]
mod tests;

pub use random::Generator;

use alloc::rc::Rc;

use memory::Memory;

use crate::caller::Caller;
use crate::clock::Clock;
use crate::inode::{Filesystem, OpenRequest, Openable};
use crate::open::File;
use crate::page::PageStore;
use crate::terminal::Terminal;
use crate::vfs::{At, Follow, NodeKind, Vfs};
use crate::{Errno, Result, tmpfs};

/// A device number as in `st_rdev`.
pub const fn device_number(major: u32, minor: u32) -> u64 {
    ((major as u64 & 0xffff_f000) << 32)
        | ((major as u64 & 0xfff) << 8)
        | ((minor as u64 & 0xffff_ff00) << 12)
        | (minor as u64 & 0xff)
}

/// The major and the minor of a device number.
pub const fn split_device_number(number: u64) -> (u32, u32) {
    let major = (number >> 32 & 0xffff_f000) | (number >> 8 & 0xfff);
    let minor = (number >> 12 & 0xffff_ff00) | (number & 0xff);
    (major as u32, minor as u32)
}

/// The serial line's node, /dev/ttyS0.
pub const SERIAL: u64 = device_number(4, 64);
/// /dev/console.
pub const CONSOLE: u64 = device_number(5, 1);
const CONTROLLING: u64 = device_number(5, 0);

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
    let filesystem = Filesystem::new("devtmpfs", tmpfs::MAGIC, device, true, clock, store);
    let caller = Caller { umask: 0, ..Caller::root(vfs.root()) };
    let place = match vfs.make_directory(&caller, At::WorkingDirectory, b"/dev", 0o755) {
        Err(Errno::EEXIST) => vfs.lookup(&caller, At::WorkingDirectory, b"/dev", Follow::Yes)?,
        made => made?,
    };
    vfs.mount(&place, tmpfs::root(&filesystem, 0o755))?;

    let memory: [(&[u8], u32, Memory); 5] = [
        (b"/dev/null", 3, Memory::Null),
        (b"/dev/zero", 5, Memory::Zero),
        (b"/dev/full", 7, Memory::Full),
        (b"/dev/random", 8, Memory::Random(generator.clone())),
        (b"/dev/urandom", 9, Memory::Random(generator)),
    ];
    let console: Rc<dyn Openable> = Rc::new(Console(console));
    let terminals: [(&[u8], u64, u32, _); 3] = [
        (b"/dev/tty", CONTROLLING, 0o666, Rc::new(ControllingTerminal) as Rc<dyn Openable>),
        (b"/dev/console", CONSOLE, 0o600, console.clone()),
        (b"/dev/ttyS0", SERIAL, 0o600, console),
    ];
    let node = |path: &[u8], number: u64, permissions: u32, opens: Rc<dyn Openable>| {
        vfs.register_device(false, number, opens);
        vfs.make_node(&caller, At::WorkingDirectory, path, NodeKind::CharacterDevice(number), permissions).map(drop)
    };
    for (path, minor, opens) in memory {
        node(path, device_number(1, minor), 0o666, Rc::new(opens))?;
    }
    for (path, number, permissions, opens) in terminals {
        node(path, number, permissions, opens)?;
    }
    let links: [(&[u8], &[u8]); 4] = [
        (b"/dev/fd", b"/proc/self/fd"),
        (b"/dev/stdin", b"/proc/self/fd/0"),
        (b"/dev/stdout", b"/proc/self/fd/1"),
        (b"/dev/stderr", b"/proc/self/fd/2"),
    ];
    for (path, target) in links {
        vfs.make_symlink(&caller, target, At::WorkingDirectory, path)?;
    }
    vfs.make_directory(&caller, At::WorkingDirectory, b"/dev/shm", 0o1777)?;
    vfs.make_directory(&caller, At::WorkingDirectory, b"/dev/pts", 0o755)?;
    Ok(filesystem)
}

/// /dev/tty: whatever terminal controls the process that opens it (tty(4)); `ENXIO` if none does.
struct ControllingTerminal;

impl Openable for ControllingTerminal {
    fn open(&self, request: &OpenRequest<'_>) -> Result<Rc<dyn File>> {
        request.caller.controlling_terminal.as_ref().map(Terminal::open).ok_or(Errno::ENXIO)
    }
}

struct Console(Rc<Terminal>);

impl Openable for Console {
    fn open(&self, _: &OpenRequest<'_>) -> Result<Rc<dyn File>> {
        Ok(self.0.open())
    }
}
