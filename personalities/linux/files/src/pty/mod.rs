//! Pseudo-terminals (pty(7), pts(4)): a terminal whose line is a program.
//!
//! Opening /dev/ptmx makes a pair: the file that is returned is the *master*, the other end is a [`Terminal`] with a node in /dev/pts,
//! locked until unlockpt(3). The node is gone when the master closes, which hangs the terminal up; when the last
//! file of the terminal closes, the master reads what is left and then fails with `EIO`, until it is opened again.

mod directory;
mod line;
mod master;
mod slave;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::{Rc, Weak};
use core::cell::{Cell, RefCell};

use directory::Names;
use line::MasterLine;
use master::Master;
use slave::Slave;

use crate::caller::Caller;
use crate::clock::Clock;
use crate::devfs::device_number;
use crate::inode::{Body, Filesystem, Inode, OpenRequest, Openable};
use crate::open::{File, OpenFile, OpenFlags};
use crate::page::PageStore;
use crate::terminal::{JobControl, Terminal};
use crate::vfs::{At, Follow, Location, NodeKind, Vfs};
use crate::{Errno, Result};

/// Pairs that there may be (/proc/sys/kernel/pty/max); `ENOSPC` beyond.
pub const PAIRS_MAX: u32 = 256;
/// `f_type` of statfs(2).
pub const MAGIC: u64 = 0x1cd1;
/// The group of the nodes in /dev/pts, Debian's "tty", which may write to them (write(1)).
const GROUP: u32 = 5;
const PERMISSIONS: u32 = 0o620;

const MULTIPLEXER: u64 = device_number(5, 2);
const SLAVES: u32 = 136;

/// All pairs.
pub struct PseudoTerminals {
    filesystem: Rc<Filesystem>,
    jobs: Rc<dyn JobControl>,
    /// By number, as long as either end is open.
    pairs: RefCell<BTreeMap<u32, Weak<Pair>>>,
    multiplexer: RefCell<Option<Rc<Inode>>>,
    /// /dev/pts, for what TIOCGPTPEER opens.
    root: RefCell<Weak<Location>>,
}

/// A master and its terminal.
struct Pair {
    number: u32,
    terminal: Rc<Terminal>,
    line: Rc<MasterLine>,
    inode: Rc<Inode>,
    locked: Cell<bool>,
    /// Open files of the terminal.
    slaves: Cell<u32>,
    /// The terminal has been opened before.
    opened: Cell<bool>,
    all: Rc<PseudoTerminals>,
}

/// Mounts a devpts at /dev/pts and makes /dev/ptmx. Call it after [`crate::devfs::mount`]. `device` is the file system's `st_dev`.
pub fn mount(
    vfs: &Vfs,
    device: u64,
    clock: Rc<dyn Clock>,
    store: Rc<dyn PageStore>,
    jobs: Rc<dyn JobControl>,
) -> Result<Rc<PseudoTerminals>> {
    let filesystem = Filesystem::new("devpts", MAGIC, device, false, clock, store);
    let all = Rc::new(PseudoTerminals {
        filesystem: filesystem.clone(),
        jobs,
        pairs: RefCell::default(),
        multiplexer: RefCell::default(),
        root: RefCell::default(),
    });
    let multiplexer = Body::Device { number: MULTIPLEXER, block: false };
    *all.multiplexer.borrow_mut() = Some(Inode::new(&filesystem, multiplexer, 0, 0, 0));
    let caller = Caller { umask: 0, ..Caller::root(vfs.root()) };
    let place = vfs.lookup(&caller, At::WorkingDirectory, b"/dev/pts", Follow::Yes)?;
    let names = Body::Directory(alloc::boxed::Box::new(Names(Rc::downgrade(&all))));
    vfs.mount(&place, Inode::new(&filesystem, names, 0o755, 0, 0))?;
    *all.root.borrow_mut() = Rc::downgrade(&vfs.lookup(&caller, At::WorkingDirectory, b"/dev/pts", Follow::Yes)?);
    vfs.register_device(false, MULTIPLEXER, Rc::new(Multiplexer(all.clone())));
    vfs.register_driver(SLAVES, Rc::new(Driver(all.clone())));
    vfs.make_node(&caller, At::WorkingDirectory, b"/dev/ptmx", NodeKind::CharacterDevice(MULTIPLEXER), 0o666)?;
    Ok(all)
}

impl PseudoTerminals {
    /// A new pair with the lowest free number.
    fn make(self: &Rc<Self>, caller: &Caller) -> Result<Rc<Pair>> {
        let number = (0..PAIRS_MAX).find(|number| !self.pairs.borrow().contains_key(number)).ok_or(Errno::ENOSPC)?;
        let device = device_number(SLAVES, number);
        let line = MasterLine::new();
        let clock = self.filesystem.clock.clone();
        let terminal = Terminal::new(device, line.clone(), self.jobs.clone(), clock);
        line.connect(&terminal);
        let body = Body::Device { number: device, block: false };
        let inode = Inode::new(&self.filesystem, body, PERMISSIONS, caller.credentials.user, GROUP);
        let pair = Rc::new(Pair {
            number,
            terminal,
            line,
            inode,
            locked: Cell::new(true),
            slaves: Cell::default(),
            opened: Cell::default(),
            all: self.clone(),
        });
        self.pairs.borrow_mut().insert(number, Rc::downgrade(&pair));
        Ok(pair)
    }

    /// A pair whose master is open.
    fn find(&self, number: u32) -> Option<Rc<Pair>> {
        let pair = self.pairs.borrow().get(&number)?.upgrade();
        pair.filter(|pair| !pair.line.is_closed())
    }
}

impl Pair {
    /// Opens the terminal; `EIO` while it is locked or after the master has closed.
    fn open_slave(self: &Rc<Self>) -> Result<Rc<dyn File>> {
        if self.locked.get() || self.line.is_closed() {
            return Err(Errno::EIO);
        }
        Ok(Rc::new(Slave::new(self.clone())))
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.all.pairs.borrow_mut().remove(&self.number);
    }
}

impl OpenFile {
    /// TIOCGPTPEER: opens the terminal of a master, whatever /dev/pts is by now. The server intercepts this ioctl (its argument is
    /// `flags`), puts the file into the table and calls [`Terminal::opened_by`] as after an open. `ENOTTY` if it is no
    /// master, `EIO` while the terminal is locked.
    pub fn pseudo_terminal_peer(&self, flags: OpenFlags) -> Result<Rc<OpenFile>> {
        let master = self.file().as_any().and_then(|any| any.downcast_ref::<Master>()).ok_or(Errno::ENOTTY)?;
        let pair = &master.0;
        let file = pair.open_slave()?;
        let name = format!("{}", pair.number);
        let root = pair.all.root.borrow().upgrade();
        let location = match root {
            Some(root) => root.adopt(name.as_bytes(), pair.inode.clone()),
            None => Location::detached(pair.inode.clone(), format!("/dev/pts/{name}").as_bytes()),
        };
        Ok(OpenFile::new(file, location, flags))
    }
}

/// /dev/ptmx.
struct Multiplexer(Rc<PseudoTerminals>);

impl Openable for Multiplexer {
    fn open(&self, request: &OpenRequest<'_>) -> Result<Rc<dyn File>> {
        Ok(Rc::new(Master(self.0.make(request.caller)?)))
    }
}

/// What opens the nodes in /dev/pts.
struct Driver(Rc<PseudoTerminals>);

impl Openable for Driver {
    fn open(&self, request: &OpenRequest<'_>) -> Result<Rc<dyn File>> {
        let (_, number) = crate::devfs::split_device_number(request.location.inode().metadata().represents);
        self.0.find(number).ok_or(Errno::EIO)?.open_slave()
    }
}
