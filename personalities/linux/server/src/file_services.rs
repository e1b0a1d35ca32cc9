//! What the files of all processes have in common beyond the tree of names: the sockets' names and messages, who waits for whose
//! lock, the timers that follow the wall clock, and the device numbers of file systems that programs mount.

use crate::clock::SystemClock;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use chestnut_linux_files::inode::Filesystem;
use chestnut_linux_files::lock::Blocked;
use chestnut_linux_files::open::OpenFile;
use chestnut_linux_files::socket::SocketSpace;
use chestnut_linux_files::tmpfs;
use chestnut_linux_files::wait::Events;
use chestnut_linux_files::{Errno, Result};
use core::cell::{Cell, RefCell};

const MEMORY_DEVICE: u64 = 6;
/// Of the server's heap, messages which nobody has received may take one part in so many, of all sockets together.
const SOCKET_PART: usize = 8;
/// Minor numbers of major 0 from here on are those of file systems mounted later.
const FIRST_DEVICE: u64 = 16;
/// File systems that programs have mounted and nobody has let go.
const MOST_FILESYSTEMS: usize = 1024;

/// See the module.
pub struct FileServices {
    pub sockets: Rc<SocketSpace>,
    /// Where files without a name live (memfd_create(2)).
    pub memory: Rc<Filesystem>,
    /// Who waits for whose record locks, for EDEADLK.
    pub blocked: Rc<Blocked>,
    timers: RefCell<Vec<Weak<OpenFile>>>,
    mounted: RefCell<Vec<Weak<Filesystem>>>,
    next_device: Cell<u64>,
}

impl FileServices {
    /// `nameless` numbers the sockets' inodes; `heap` is what the server's heap may have, bytes.
    pub fn new(nameless: &Rc<Filesystem>, heap: usize) -> Self {
        let sockets = SocketSpace::new(nameless);
        sockets.limit_memory(heap / SOCKET_PART);
        Self {
            sockets,
            memory: tmpfs::filesystem(MEMORY_DEVICE, nameless.clock.clone(), nameless.store.clone()),
            blocked: Rc::default(),
            timers: RefCell::default(),
            mounted: RefCell::default(),
            next_device: Cell::new(FIRST_DEVICE),
        }
    }

    /// A timer that is to hear when the wall clock is set.
    pub fn add_timer(&self, timer: &Rc<OpenFile>) {
        let mut timers = self.timers.borrow_mut();
        timers.retain(|timer| timer.strong_count() > 0);
        timers.push(Rc::downgrade(timer));
    }

    /// Tells timers each time that the wall clock is set; for ever.
    pub async fn follow_clock(&self, clock: Rc<SystemClock>) {
        loop {
            clock.wall_was_set.wait(Events::all()).await;
            let timers: Vec<Rc<OpenFile>> = self.timers.borrow().iter().filter_map(Weak::upgrade).collect();
            for timer in timers {
                if let Ok(timer) = timer.timer() {
                    timer.clock_was_set();
                }
            }
        }
    }

    /// A device number (`st_dev`) for a new file system. `ENOSPC` if programs have mounted too many.
    pub fn new_device(&self) -> Result<u64> {
        let mut mounted = self.mounted.borrow_mut();
        mounted.retain(|filesystem| filesystem.strong_count() > 0);
        if mounted.len() >= MOST_FILESYSTEMS {
            return Err(Errno::ENOSPC);
        }
        Ok(self.next_device.replace(self.next_device.get() + 1))
    }
    /// Counts it among those.
    pub fn add_filesystem(&self, filesystem: &Rc<Filesystem>) {
        self.mounted.borrow_mut().push(Rc::downgrade(filesystem));
    }
}
