//! flock(2): locks of whole files, by open file description.

use linux_raw_sys::general as linux;

use super::{LockKind, Locks};
use crate::open::OpenFile;
use crate::wait::{Events, retry};
use crate::{Errno, Result};

impl OpenFile {
    /// flock(2), now: `EAGAIN` (EWOULDBLOCK) if another description's lock is in the way, whether LOCK_NB is given or not. A lock
    /// that it has is given up first, so a failed conversion loses it. `EINVAL` for an unknown operation.
    pub fn try_flock(&self, operation: u32) -> Result<()> {
        let kind = match operation & !linux::LOCK_NB {
            linux::LOCK_SH => LockKind::Shared,
            linux::LOCK_EX => LockKind::Exclusive,
            linux::LOCK_UN => {
                self.locks()?.release_whole(self.key());
                return Ok(());
            }
            _ => return Err(Errno::EINVAL),
        };
        let (locks, key) = (self.locks()?, self.key());
        let known = locks.whole.borrow().iter().find(|(owner, _)| *owner == key).map(|(_, kind)| *kind);
        if known == Some(kind) {
            return Ok(());
        }
        if known.is_some() {
            locks.release_whole(key);
        }
        let mut whole = locks.whole.borrow_mut();
        let exclusive = |held: LockKind| held == LockKind::Exclusive || kind == LockKind::Exclusive;
        if whole.iter().any(|(_, held)| exclusive(*held)) {
            return Err(Errno::EAGAIN);
        }
        whole.push((key, kind));
        Ok(())
    }

    /// flock(2): waits unless LOCK_NB is given.
    pub async fn flock(&self, operation: u32) -> Result<()> {
        if operation & linux::LOCK_NB != 0 {
            return self.try_flock(operation);
        }
        let (locks, clock) = (self.locks()?, self.inode().filesystem.clock.clone());
        retry(&[&locks.waiters], Events::all(), &clock, None, || self.try_flock(operation)).await
    }
}

impl Locks {
    pub(super) fn release_whole(&self, description: usize) {
        let mut whole = self.whole.borrow_mut();
        let before = whole.len();
        whole.retain(|(owner, _)| *owner != description);
        let fewer = whole.len() < before;
        drop(whole);
        if fewer {
            self.waiters.wake(Events::all());
        }
    }
}
