//! Pipes and FIFOs (pipe(7), fifo(7)).
//!
//! A pipe is a FIFO whose inode has no name: both are a [`Pipe`] in an inode's body, opened by ends that count themselves in
//! and out.

mod end;
mod short;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicUsize, Ordering};

use end::End;

use crate::buffer::SliceSource;
use crate::inode::{Body, Filesystem, Inode};
use crate::open::{File, OpenFile, OpenFlags};
use crate::page::PAGE_SIZE;
use crate::ring::Ring;
use crate::vfs::Location;
use crate::wait::{Events, WaitQueue};
use crate::{Errno, Result};

/// Bytes that a new pipe holds.
pub const DEFAULT_CAPACITY: usize = 65536;
/// Bytes that a pipe may be made to hold without privilege (/proc/sys/fs/pipe-max-size).
pub const MAX_CAPACITY: usize = 1 << 20;
/// Writes up to so many bytes are atomic (PIPE_BUF).
pub const ATOMIC: usize = 4096;

/// Bytes that pipes may have room for in all, beyond which a pipe that is opened gets little (/proc/sys/fs/pipe-user-pages-soft, in bytes and for
/// all users together, since all take the same memory).
static SOFT_LIMIT: AtomicUsize = AtomicUsize::new(64 << 20);
/// The capacity that it gets then.
const LITTLE: usize = 2 * PAGE_SIZE;
/// Bytes that open pipes have room for.
static ALL: AtomicUsize = AtomicUsize::new(0);

/// Sets pipe-user-pages-soft, bytes.
pub fn set_soft_limit(bytes: usize) {
    SOFT_LIMIT.store(bytes, Ordering::Relaxed);
}
pub fn soft_limit() -> usize {
    SOFT_LIMIT.load(Ordering::Relaxed)
}

/// The buffer between the two ends, and how many of each are open.
pub struct Pipe {
    buffer: RefCell<Ring>,
    capacity: Cell<usize>,
    readers: Count,
    writers: Count,
    waiters: WaitQueue,
    /// Made by pipe(2): who opens it again (by /proc/PID/fd) waits for nobody.
    nameless: bool,
}

/// How many ends of one direction there are, and how many there have ever been.
#[derive(Default)]
struct Count {
    open: Cell<u32>,
    ever: Cell<u64>,
}

impl Count {
    fn add(&self) {
        self.open.set(self.open.get() + 1);
        self.ever.set(self.ever.get() + 1);
    }

    fn remove(&self) {
        self.open.set(self.open.get() - 1);
    }
}

impl Pipe {
    /// A FIFO's.
    pub fn new() -> Rc<Self> {
        Self::make(false)
    }

    fn make(nameless: bool) -> Rc<Self> {
        Rc::new(Pipe {
            buffer: RefCell::default(),
            capacity: Cell::new(DEFAULT_CAPACITY),
            readers: Count::default(),
            writers: Count::default(),
            waiters: WaitQueue::new(),
            nameless,
        })
    }

    /// Opens an end (or both, for O_RDWR) as fifo(7) says: `ENXIO` for writing only, non-blocking and without a reader.
    /// [`File::opened`] of the result waits for the other side.
    pub(crate) fn open(self: &Rc<Self>, flags: OpenFlags) -> Result<Rc<dyn File>> {
        let nonblocking = flags.contains(OpenFlags::NONBLOCKING);
        if self.nameless {
            return Ok(Rc::new(End::new(self.clone(), flags.readable(), flags.writable(), true)));
        }
        if flags.writable() && !flags.readable() && nonblocking && self.readers.open.get() == 0 {
            return Err(Errno::ENXIO);
        }
        Ok(Rc::new(End::new(self.clone(), flags.readable(), flags.writable(), nonblocking)))
    }

    /// F_GETPIPE_SZ, bytes.
    pub fn capacity(&self) -> usize {
        self.capacity.get()
    }

    /// F_SETPIPE_SZ: rounds up to a power of two of pages and returns what it became. `EBUSY` if more is in it now, `EPERM`
    /// beyond [`MAX_CAPACITY`] and for more when pipes have what they may have, without privilege.
    pub fn set_capacity(&self, bytes: usize, privileged: bool) -> Result<usize> {
        let capacity = bytes.max(PAGE_SIZE).checked_next_power_of_two().filter(|&size| size <= 1 << 31);
        let capacity = capacity.ok_or(Errno::EINVAL)?;
        let grows = capacity > self.capacity.get() && ALL.load(Ordering::Relaxed) + capacity > soft_limit();
        if (capacity > MAX_CAPACITY || grows) && !privileged {
            return Err(Errno::EPERM);
        }
        if capacity < self.buffer.borrow().len() {
            return Err(Errno::EBUSY);
        }
        let old = self.capacity.replace(capacity);
        if self.is_open() {
            ALL.fetch_sub(old, Ordering::Relaxed);
            ALL.fetch_add(capacity, Ordering::Relaxed);
        }
        self.waiters.wake(Events::WRITABLE);
        Ok(capacity)
    }

    fn is_open(&self) -> bool {
        self.readers.open.get() + self.writers.open.get() > 0
    }

    /// The first end is being opened.
    fn begin(&self) {
        if ALL.load(Ordering::Relaxed) + self.capacity.get() > soft_limit() {
            self.capacity.set(self.capacity.get().min(LITTLE));
        }
        ALL.fetch_add(self.capacity.get(), Ordering::Relaxed);
    }

    /// The last end has closed.
    fn end(&self) {
        // Nobody will read what is left: a FIFO begins anew.
        self.buffer.take();
        ALL.fetch_sub(self.capacity.get(), Ordering::Relaxed);
    }

    /// A write would take more memory than it has.
    pub fn grows(&self) -> bool {
        self.buffer.borrow().held() < self.capacity.get()
    }

    /// For splice(2): a copy of at most `most` bytes, which stay. `EAGAIN` if there are none but may come; empty at the end.
    pub(crate) fn peek(&self, most: usize) -> Result<Vec<u8>> {
        let buffer = self.buffer.borrow();
        if buffer.is_empty() && self.writers.open.get() > 0 { Err(Errno::EAGAIN) } else { buffer.peek(most) }
    }

    /// Takes bytes away that [`Pipe::peek`] has shown.
    pub(crate) fn consume(&self, count: usize) {
        self.buffer.borrow_mut().discard(count);
        self.waiters.wake(Events::WRITABLE);
    }

    /// How many bytes can be put in now: `EPIPE` without a reader, `EAGAIN` if none.
    pub(crate) fn check_room(&self) -> Result<usize> {
        match self.room() {
            _ if self.readers.open.get() == 0 => Err(Errno::EPIPE),
            0 => Err(Errno::EAGAIN),
            room => Ok(room),
        }
    }

    /// Puts bytes in that [`Pipe::check_room`] has found room for.
    pub(crate) fn append(&self, bytes: &[u8]) -> Result<usize> {
        let room = self.room();
        let count = self.buffer.borrow_mut().write(&mut SliceSource::new(bytes), room)?;
        self.waiters.wake(Events::READABLE);
        Ok(count)
    }

    fn room(&self) -> usize {
        self.capacity.get().saturating_sub(self.buffer.borrow().len())
    }
}

impl OpenFile {
    /// The pipe behind it, for F_GETPIPE_SZ, F_SETPIPE_SZ and splice(2).
    pub fn pipe(&self) -> Option<&Rc<Pipe>> {
        match &self.inode().body {
            Body::Fifo(pipe) if !self.is_path() => Some(pipe),
            _ => None,
        }
    }
}

/// pipe2(2): the reading and the writing end. `flags` may hold NONBLOCKING (the descriptor flag CLOSE_ON_EXEC is the
/// table's). `filesystem` numbers the inodes.
pub fn pipe(filesystem: &Rc<Filesystem>, user: u32, group: u32, flags: OpenFlags) -> Result<[Rc<OpenFile>; 2]> {
    let pipe = Pipe::make(true);
    let inode = Inode::new(filesystem, Body::Fifo(pipe.clone()), 0o600, user, group);
    let location = Location::detached(inode.clone(), format!("pipe:[{}]", inode.number).as_bytes());
    let flags = flags & OpenFlags::NONBLOCKING;
    let reader = Rc::new(End::new(pipe.clone(), true, false, true));
    let writer = Rc::new(End::new(pipe, false, true, true));
    Ok([OpenFile::new(reader, location.clone(), flags), OpenFile::new(writer, location, flags | OpenFlags::WRITE_ONLY)])
}
