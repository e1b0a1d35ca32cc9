//! inotify(7): hearing of what happens to files and in directories.
//!
//! A watch hangs on an inode; the calls of [`crate::vfs`] and [`crate::open::OpenFile`] tell what they do, to the inode's own watches
//! and, with the name, to those of its directory. Where nothing of a file system is watched, telling costs one look.
//!
//! ```text
//! let file = inotify::create(&filesystem, flags)?;                        // inotify_init1(2)
//! let place = vfs.lookup(&caller, at, path, follow)?;                     // IN_DONT_FOLLOW: Follow::No
//! let number = file.inotify()?.add(&caller, &place, mask)?;               // inotify_add_watch(2)
//! file.inotify()?.remove(number)?;                                        // inotify_rm_watch(2)
//! ```
//! Mappings and exec don't tell; an open for exec does as any other.

mod directory;
mod queue;
#[cfg(test)]
mod tests;
mod watch;

pub use directory::DirectoryNotice;
pub use queue::EVENTS_MAX;
pub(crate) use watch::{Watches, tell, tell_name, tell_removed, tell_self};

use alloc::collections::BTreeMap;
use alloc::rc::{Rc, Weak};
use core::cell::{Cell, RefCell};

use bitflags::bitflags;

use queue::Queue;
use watch::Watch;

use crate::buffer::{Argument, Sink};
use crate::caller::Caller;
use crate::inode::{Access, Filesystem};
use crate::open::{Attempt, File, OpenFile, OpenFlags};
use crate::vfs::Location;
use crate::wait::{Events, WaitQueue};
use crate::{Errno, Result};

bitflags! {
    /// IN_… of inotify(7).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Mask: u32 {
        const ACCESS = 0x1;
        const MODIFY = 0x2;
        const ATTRIBUTES = 0x4;
        const CLOSE_WRITE = 0x8;
        const CLOSE_NO_WRITE = 0x10;
        const OPEN = 0x20;
        const MOVED_FROM = 0x40;
        const MOVED_TO = 0x80;
        const CREATE = 0x100;
        const DELETE = 0x200;
        const DELETE_SELF = 0x400;
        const MOVE_SELF = 0x800;
        const UNMOUNT = 0x2000;
        const OVERFLOW = 0x4000;
        const IGNORED = 0x8000;
        const ONLY_DIRECTORY = 0x0100_0000;
        const DO_NOT_FOLLOW = 0x0200_0000;
        const EXCLUDE_UNLINKED = 0x0400_0000;
        const CREATE_WATCH = 0x1000_0000;
        const ADD_TO_MASK = 0x2000_0000;
        const IS_DIRECTORY = 0x4000_0000;
        const ONE_SHOT = 0x8000_0000;
    }
}

impl Mask {
    /// Told unasked.
    const ALWAYS: Mask = Mask::UNMOUNT.union(Mask::OVERFLOW).union(Mask::IGNORED);
}

/// Watches of all instances (/proc/sys/fs/inotify/max_user_watches counts by user); `ENOSPC` beyond.
pub const WATCHES_MAX: usize = 1 << 14;

/// Instances in all (/proc/sys/fs/inotify/max_user_instances counts by user); `EMFILE` beyond.
pub const INSTANCES_MAX: usize = 128;

/// Bytes that a watch takes, about.
const WATCH_COST: usize = 256;

/// What all instances keep.
#[derive(Default)]
pub(crate) struct Load {
    instances: Cell<usize>,
    watches: Cell<usize>,
    events: Cell<usize>,
}

/// An inotify instance.
pub struct Inotify {
    itself: Weak<Inotify>,
    watches: RefCell<BTreeMap<i32, Rc<Watch>>>,
    next: Cell<i32>,
    queue: RefCell<Queue>,
    waiters: WaitQueue,
    load: Rc<Load>,
}

struct InotifyFile(Rc<Inotify>);

/// inotify_init1(2): `flags` may hold IN_NONBLOCK; IN_CLOEXEC is the descriptor table's. `EINVAL` for others.
pub fn create(filesystem: &Rc<Filesystem>, flags: u32) -> Result<Rc<OpenFile>> {
    let known = OpenFlags::NONBLOCKING | OpenFlags::CLOSE_ON_EXEC;
    let flags = OpenFlags::from_bits(flags).filter(|&flags| known.contains(flags)).ok_or(Errno::EINVAL)?;
    Ok(OpenFile::anonymous(filesystem, Rc::new(InotifyFile(instance(filesystem)?)), b"anon_inode:inotify", flags))
}

/// `EMFILE` if there are too many.
fn instance(filesystem: &Rc<Filesystem>) -> Result<Rc<Inotify>> {
    let instances = &filesystem.inotify_load.instances;
    if instances.get() >= INSTANCES_MAX {
        return Err(Errno::EMFILE);
    }
    instances.set(instances.get() + 1);
    Ok(Rc::new_cyclic(|itself| Inotify {
        itself: itself.clone(),
        watches: RefCell::default(),
        next: Cell::new(1),
        queue: RefCell::new(Queue::new(&filesystem.inotify_load)),
        waiters: WaitQueue::new(),
        load: filesystem.inotify_load.clone(),
    }))
}

impl Drop for Inotify {
    fn drop(&mut self) {
        self.load.instances.set(self.load.instances.get() - 1);
    }
}

impl OpenFile {
    /// The inotify instance behind a descriptor; `EINVAL` if it is something else.
    pub fn inotify(&self) -> Result<&Inotify> {
        let any = self.file().as_any().and_then(|any| any.downcast_ref::<InotifyFile>());
        any.map(|file| &*file.0).ok_or(Errno::EINVAL)
    }
}

impl Inotify {
    /// inotify_add_watch(2): the watch descriptor; an inode has one at most, whose mask is replaced (or added to with
    /// IN_MASK_ADD). `EINVAL` for a mask that asks for nothing or contradicts itself, `ENOTDIR` for IN_ONLYDIR, `EEXIST` for
    /// IN_MASK_CREATE, `EACCES` without read permission, `ENOSPC`.
    pub fn add(&self, caller: &Caller, location: &Location, mask: u32) -> Result<i32> {
        let mask = Mask::from_bits_truncate(mask) - Mask::ALWAYS - Mask::IS_DIRECTORY;
        if mask.is_empty() || mask.contains(Mask::CREATE_WATCH | Mask::ADD_TO_MASK) {
            return Err(Errno::EINVAL);
        }
        let inode = location.inode();
        if mask.contains(Mask::ONLY_DIRECTORY) && !inode.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        inode.check(&caller.credentials, Access::READ)?;
        let known = inode.watches.of(&self.itself);
        if let Some(known) = known {
            if mask.contains(Mask::CREATE_WATCH) {
                return Err(Errno::EEXIST);
            }
            known.change(mask);
            return Ok(known.number);
        }
        if self.load.watches.get() >= WATCHES_MAX {
            return Err(Errno::ENOSPC);
        }
        let number = self.next.get();
        self.next.set(number.checked_add(1).ok_or(Errno::ENOSPC)?);
        self.watches.borrow_mut().insert(number, Watch::new(&self.itself, &self.load, number, inode, mask));
        Ok(number)
    }

    /// inotify_rm_watch(2): IN_IGNORED follows. `EINVAL` if there is no such watch.
    pub fn remove(&self, number: i32) -> Result<()> {
        let watch = self.watches.borrow_mut().remove(&number).ok_or(Errno::EINVAL)?;
        watch.detach();
        self.put(number, Mask::IGNORED, 0, b"");
        Ok(())
    }

    /// An event for the queue.
    fn put(&self, number: i32, mask: Mask, cookie: u32, name: &[u8]) {
        self.queue.borrow_mut().put(number, mask, cookie, name);
        self.waiters.wake(Events::READABLE);
    }
}

impl File for InotifyFile {
    /// As many whole events as fit; `EINVAL` if not even the first does.
    fn read(&self, _: &mut Attempt, _: u64, sink: &mut dyn Sink) -> Result<usize> {
        let mut moved = 0;
        loop {
            let next = self.0.queue.borrow().front_encoded();
            let Some(next) = next else { break };
            if next.len() > sink.remaining() {
                return if moved == 0 { Err(Errno::EINVAL) } else { Ok(moved) };
            }
            match sink.put(&next) {
                Ok(count) if count == next.len() => moved += count,
                _ if moved > 0 => return Ok(moved),
                Ok(_) => return Err(Errno::EFAULT),
                Err(error) => return Err(error),
            }
            self.0.queue.borrow_mut().pop();
        }
        if moved == 0 { Err(Errno::EAGAIN) } else { Ok(moved) }
    }

    fn ioctl(&self, _: &mut Attempt, _: &Caller, request: u32, argument: &mut dyn Argument) -> Result<i64> {
        if request != linux_raw_sys::ioctl::FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let count = self.0.queue.borrow().bytes() as i32;
        argument.write(&count.to_le_bytes())?;
        Ok(0)
    }

    fn readiness(&self) -> Events {
        if self.0.queue.borrow().is_empty() { Events::empty() } else { Events::READABLE }
    }

    fn held(&self) -> usize {
        self.0.watches.borrow().len() * WATCH_COST + self.0.queue.borrow().held()
    }

    fn waiters(&self) -> Option<&WaitQueue> {
        Some(&self.0.waiters)
    }

    fn gives_notice(&self) -> bool {
        true
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}
