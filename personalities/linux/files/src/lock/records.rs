//! Record locks (fcntl(2), "advisory record locking" and "open file description locks").

use alloc::rc::Rc;

use super::deadlock::Blocked;
use super::range::Range;
use super::{ALL_RECORDS_MAX, FoundLock, LockKind, LockRequest, Locks, Owner, RECORDS_MAX, Record};
use crate::open::OpenFile;
use crate::wait::{Events, retry};
use crate::{Errno, Result};

impl OpenFile {
    /// F_SETLK and F_OFD_SETLK. `EAGAIN` if another's lock is in the way, `EBADF` if the file isn't open for what the lock is for
    /// (reading: shared, writing: exclusive), `ENOLCK` beyond [`RECORDS_MAX`].
    pub fn set_lock(&self, owner: Owner, request: LockRequest) -> Result<()> {
        self.check_mode(request.kind)?;
        match request.kind {
            None => self.known_locks().map_or(Ok(()), |locks| locks.unlock(owner, request.range)),
            Some(kind) => self.locks()?.lock(Record { owner, kind, range: request.range }),
        }
    }

    /// F_SETLKW and F_OFD_SETLKW: waits for what is in the way. `EDEADLK` if that waits, by way of others or not, for this
    /// process; only locks of processes are looked through, as Linux does.
    pub async fn wait_for_lock(&self, blocked: &Rc<Blocked>, owner: Owner, request: LockRequest) -> Result<()> {
        match self.set_lock(owner, request) {
            Err(Errno::EAGAIN) => {}
            result => return result,
        }
        let (Some(kind), locks) = (request.kind, self.locks()?) else { return Ok(()) };
        let wanted = Record { owner, kind, range: request.range };
        let clock = self.inode().filesystem.clock.clone();
        let mut waiting = None;
        let attempt = || match locks.lock(wanted) {
            Err(Errno::EAGAIN) => {
                // Looked at each time: new holders may have come in between.
                waiting = None;
                waiting = Some(blocked.enter(&locks, wanted)?);
                Err(Errno::EAGAIN)
            }
            result => result,
        };
        retry(&[&locks.waiters], Events::all(), &clock, None, attempt).await
    }

    /// F_GETLK and F_OFD_GETLK: a lock that is in the way of the request, if there is any. `EINVAL` for F_UNLCK.
    pub fn conflicting_lock(&self, owner: Owner, request: LockRequest) -> Result<FoundLock> {
        let kind = request.kind.ok_or(Errno::EINVAL)?;
        if self.is_path() {
            return Err(Errno::EBADF);
        }
        let wanted = Record { owner, kind, range: request.range };
        let conflict = self.known_locks().and_then(|locks| locks.conflicts(&wanted).next());
        Ok(FoundLock { conflict: conflict.map(|record| (record.owner, record.kind, record.range)) })
    }

    fn check_mode(&self, kind: Option<LockKind>) -> Result<()> {
        let allowed = match kind {
            None => !self.is_path(),
            Some(LockKind::Shared) => self.is_readable(),
            Some(LockKind::Exclusive) => self.is_writable(),
        };
        if allowed { Ok(()) } else { Err(Errno::EBADF) }
    }
}

impl Record {
    fn excludes(&self, other: &Record) -> bool {
        let exclusive = self.kind == LockKind::Exclusive || other.kind == LockKind::Exclusive;
        exclusive && self.owner != other.owner && self.range.overlaps(&other.range)
    }
}

impl Locks {
    /// Locks in the way of another, in the order of their ranges.
    pub(super) fn conflicts(&self, wanted: &Record) -> impl Iterator<Item = Record> {
        let records = self.records.borrow();
        let found: alloc::vec::Vec<Record> = records.iter().filter(|known| known.excludes(wanted)).copied().collect();
        found.into_iter()
    }

    /// Takes a lock, in place of what the owner had there.
    fn lock(&self, wanted: Record) -> Result<()> {
        if self.conflicts(&wanted).next().is_some() {
            return Err(Errno::EAGAIN);
        }
        let mut loosened = false;
        let mut records = self.records.borrow_mut();
        let before = records.len();
        if before + 2 > RECORDS_MAX || self.all.get() + 2 > ALL_RECORDS_MAX {
            return Err(Errno::ENOLCK);
        }
        let mut joined = wanted.range;
        let mut kept = alloc::vec::Vec::new();
        for known in records.drain(..) {
            if known.owner != wanted.owner {
                kept.push(known);
            } else if known.kind == wanted.kind && known.range.touches(&wanted.range) {
                joined = joined.join(&known.range);
            } else {
                loosened |= known.kind == LockKind::Exclusive && known.range.overlaps(&wanted.range);
                kept.extend(known.cut(&wanted.range));
            }
        }
        kept.push(Record { range: joined, ..wanted });
        kept.sort_by_key(|record| record.range.first);
        *records = kept;
        drop(records);
        self.recount(before);
        if loosened {
            self.waiters.wake(Events::all());
        }
        Ok(())
    }

    /// Gives a range back. `ENOLCK` if that would leave more ranges than may be.
    fn unlock(&self, owner: Owner, range: Range) -> Result<()> {
        let mut records = self.records.borrow_mut();
        let before = records.len();
        if before + 1 > RECORDS_MAX {
            return Err(Errno::ENOLCK);
        }
        let old = core::mem::take(&mut *records);
        for known in old {
            if known.owner == owner { records.extend(known.cut(&range)) } else { records.push(known) }
        }
        records.sort_by_key(|record| record.range.first);
        drop(records);
        self.recount(before);
        self.waiters.wake(Events::all());
        Ok(())
    }

    /// Gives all locks of an owner back.
    pub(super) fn release(&self, owner: Owner) {
        let mut records = self.records.borrow_mut();
        let before = records.len();
        records.retain(|record| record.owner != owner);
        let fewer = records.len() < before;
        drop(records);
        self.recount(before);
        if fewer {
            self.waiters.wake(Events::all());
        }
    }
}

impl Record {
    /// What of it lies outside of `range`.
    fn cut(self, range: &Range) -> impl Iterator<Item = Record> {
        let parts = if self.range.overlaps(range) { self.range.without(range) } else { [Some(self.range), None] };
        parts.into_iter().flatten().map(move |range| Record { range, ..self })
    }
}
