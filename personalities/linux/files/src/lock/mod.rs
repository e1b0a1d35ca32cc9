//! File locks: flock(2), and record locks by fcntl(2), of processes and of open file descriptions.
//!
//! All are advisory: they exclude only each other, and flock's kind doesn't see the others. Locks hang on the inode. Those of a
//! description go with it; those of a process go when it closes *any* descriptor of the file, which the server tells by
//! [`OpenFile::closed_by`] (at close, dup2, exec and exit). A child has another process id, and so inherits none.
//!
//! ```text
//! file.flock(operation).await?;                                            // flock(2)
//! let request = LockRequest::decode(&bytes, &file)?;                       // struct flock
//! file.set_lock(Owner::Process(pid), request)?;                            // F_SETLK; F_OFD_SETLK: file.own_locks()
//! file.wait_for_lock(&blocked, Owner::Process(pid), request).await?;       // F_SETLKW; `blocked`: one for all processes
//! let bytes = file.conflicting_lock(owner, request)?.encode();             // F_GETLK
//! ```

mod deadlock;
mod range;
mod records;
mod request;
#[cfg(test)]
mod tests;
mod whole;

pub use deadlock::Blocked;
pub use request::{FoundLock, LockRequest};

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use range::Range;

use crate::open::OpenFile;
use crate::wait::WaitQueue;
use crate::{Errno, Result};

/// Whose a lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A process, by its id.
    Process(u32),
    /// An open file description, by [`OpenFile::own_locks`].
    Description(usize),
}

/// What a lock lets others do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// Others may have such a lock too (F_RDLCK, LOCK_SH).
    Shared,
    /// Nobody else may have any (F_WRLCK, LOCK_EX).
    Exclusive,
}

/// Locked ranges of one file; `ENOLCK` beyond.
pub const RECORDS_MAX: usize = 4096;
/// Locked ranges of all files of one file system; likewise.
pub const ALL_RECORDS_MAX: usize = 16384;

/// The locks of one inode.
pub(crate) struct Locks {
    records: RefCell<Vec<Record>>,
    /// How many ranges all inodes of the file system have.
    all: Rc<Cell<usize>>,
    /// flock(2): by description.
    whole: RefCell<Vec<(usize, LockKind)>>,
    /// Who waits for a lock to go.
    waiters: WaitQueue,
}

/// A locked range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    owner: Owner,
    kind: LockKind,
    range: Range,
}

impl OpenFile {
    /// The owner of this description's own locks (F_OFD_SETLK).
    pub fn own_locks(&self) -> Owner {
        Owner::Description(self.key())
    }

    /// `process` has closed a descriptor of this file: its record locks on it go, whatever description they were made through.
    pub fn closed_by(&self, process: u32) {
        if let Some(locks) = self.known_locks() {
            locks.release(Owner::Process(process));
        }
    }

    /// Somebody has or had locks on it.
    #[inline]
    pub(crate) fn may_be_locked(&self) -> bool {
        self.inode().locks.borrow().is_some()
    }

    /// The description dies.
    pub(crate) fn drop_own_locks(&self) {
        if let Some(locks) = self.known_locks() {
            locks.release(self.own_locks());
            locks.release_whole(self.key());
        }
    }

    fn known_locks(&self) -> Option<Rc<Locks>> {
        self.inode().locks.borrow().clone()
    }

    fn locks(&self) -> Result<Rc<Locks>> {
        if self.is_path() {
            return Err(Errno::EBADF);
        }
        let make = || Rc::new(Locks::new(&self.inode().filesystem.lock_records));
        Ok(self.inode().locks.borrow_mut().get_or_insert_with(make).clone())
    }
}

impl Locks {
    fn new(all: &Rc<Cell<usize>>) -> Self {
        Locks { records: RefCell::default(), all: all.clone(), whole: RefCell::default(), waiters: WaitQueue::new() }
    }

    /// Accounts for a change of the records, of which there were `before`.
    fn recount(&self, before: usize) {
        self.all.set(self.all.get() + self.records.borrow().len() - before);
    }
}

impl Drop for Locks {
    fn drop(&mut self) {
        self.all.set(self.all.get() - self.records.borrow().len());
    }
}
