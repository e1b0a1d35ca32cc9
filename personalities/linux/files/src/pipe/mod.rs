//! Pipes and FIFOs (pipe(7), fifo(7)).

use alloc::rc::Rc;

use crate::Result;
use crate::inode::Filesystem;
use crate::open::{OpenFile, OpenFlags};

/// Bytes that a new pipe holds.
pub const DEFAULT_CAPACITY: usize = 65536;
/// Writes up to so many bytes are atomic.
pub const ATOMIC: usize = 4096;

/// The buffer between the two ends, and how many of each are open.
pub struct Pipe {}

impl Pipe {
    pub fn new() -> Rc<Self> {
        todo!()
    }

    /// F_GETPIPE_SZ, bytes.
    pub fn capacity(&self) -> usize {
        todo!()
    }

    /// F_SETPIPE_SZ: rounds up to a power of two of pages and returns what it became. `EBUSY` if more is in it now, `EPERM`
    /// beyond 1 MiB without privilege.
    pub fn set_capacity(&self, bytes: usize, privileged: bool) -> Result<usize> {
        todo!()
    }
}

/// pipe2(2): the reading and the writing end. `flags` may hold NONBLOCKING (the descriptor flag CLOSE_ON_EXEC is the
/// table's). `filesystem` numbers the inodes.
pub fn pipe(filesystem: &Rc<Filesystem>, user: u32, group: u32, flags: OpenFlags) -> Result<[Rc<OpenFile>; 2]> {
    todo!()
}
