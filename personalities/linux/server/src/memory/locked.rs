//! mlock(2) and its relatives, as far as an address space knows of them: which areas are locked, and whether new ones will be.
//!
//! No page ever leaves memory, so a lock moves nothing. What it does is bring pages in beforehand, and count against
//! RLIMIT_MEMLOCK. Also here: the two kinds of advice that a fork heeds.

use super::area::{Area, Behaviour, Protection};
use super::space::{AddressSpace, Shown, State};
use super::{PAGE, map::user_range};
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::vfs::Location;
use chestnut_linux_files::{Errno, Result};
use core::ops::Range;

/// What becomes of areas that are made later (mlockall(2), MCL_FUTURE).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FutureLocks {
    #[default]
    None,
    /// They are locked, and their pages brought in.
    Present,
    /// They are locked, and pages come when they are touched (MCL_ONFAULT).
    OnFault,
}

/// The server's own areas are nobody's to lock, nor to advise about.
fn is_own(area: &Area<Shown>) -> bool {
    area.behaviour.contains(Behaviour::FIXED)
}

impl AddressSpace {
    /// Locks or unlocks all areas in a range of whole pages.
    pub fn set_locked(&self, range: Range<u64>, locked: bool) {
        self.state.borrow_mut().areas.change(range, |area| {
            let own = is_own(area);
            area.behaviour.set(Behaviour::LOCKED, locked && !own);
        });
    }
    /// The same for every area that there is.
    pub fn set_all_locked(&self, locked: bool) {
        self.set_locked(0..super::USER_END, locked);
    }

    /// Bytes in locked areas.
    pub fn locked(&self) -> u64 {
        self.locked_in(0..super::USER_END)
    }
    pub fn locked_in(&self, range: Range<u64>) -> u64 {
        let state = self.state.borrow();
        let locked =
            state.areas.overlapping(range.clone()).filter(|(_, area)| area.behaviour.contains(Behaviour::LOCKED));
        locked.map(|(start, area)| area.end.min(range.end) - start.max(range.start)).sum()
    }
    /// The ranges of all locked areas.
    pub fn locked_ranges(&self) -> Vec<Range<u64>> {
        let state = self.state.borrow();
        let locked = state.areas.iter().filter(|(_, area)| area.behaviour.contains(Behaviour::LOCKED));
        locked.map(|(start, area)| start..area.end).collect()
    }

    /// Sets what a child of fork gets of a range: `flag` is one of those two behaviours. `EINVAL` for what shows a file if its contents
    /// would be wiped, and for the server's own.
    pub fn set_fork_advice(&self, address: u64, length: u64, flag: Behaviour, on: bool) -> Result<()> {
        let range = user_range(address, length, Errno::ENOMEM)?;
        let mut state = self.state.borrow_mut();
        let fits = |area: &Area<Shown>| match flag {
            _ if is_own(area) => false,
            Behaviour::WIPED_BY_FORK if on => {
                matches!(area.shown, Shown::Zeros) && !area.behaviour.contains(Behaviour::SHARED)
            }
            _ => true,
        };
        if !state.areas.overlapping(range.clone()).all(|(_, area)| fits(area)) {
            return Err(Errno::EINVAL);
        }
        state.areas.change(range.clone(), |area| area.behaviour.set(flag, on));
        if state.areas.covers(range) { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// The parts of files that a range shares and may write (MADV_REMOVE): `EINVAL` for memory without a file and what is locked,
    /// `EACCES` for what isn't shared and writable.
    pub fn shared_parts(&self, address: u64, length: u64) -> Result<Vec<(Rc<Location>, Range<u64>)>> {
        let range = user_range(address, length, Errno::ENOMEM)?;
        let state = self.state.borrow();
        let mut parts = Vec::new();
        for (start, area) in state.areas.overlapping(range.clone()) {
            let Shown::File { location, offset, .. } = &area.shown else { return Err(Errno::EINVAL) };
            if area.behaviour.contains(Behaviour::LOCKED) {
                return Err(Errno::EINVAL);
            }
            if !area.behaviour.contains(Behaviour::SHARED) || !area.protection.contains(Protection::WRITE) {
                return Err(Errno::EACCES);
            }
            let part = range.start.max(start) - start..range.end.min(area.end) - start;
            parts.push((location.clone(), offset + part.start..offset + part.end));
        }
        if state.areas.covers(range) { Ok(parts) } else { Err(Errno::ENOMEM) }
    }

    /// `EINVAL` if something in a range is locked: its pages can't be given up (MADV_DONTNEED).
    pub fn check_unlocked(&self, address: u64, length: u64) -> Result<()> {
        let range = user_range(address, length, Errno::ENOMEM)?;
        if self.locked_in(range) > 0 { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// RLIMIT_DATA allows so many bytes more of private memory that can be written. Counted only while there is a limit.
    pub(super) fn allows_data(&self, state: &State, more: u64) -> bool {
        let limit = self.data_limit.get();
        limit == u64::MAX || {
            let is_data = |area: &Area<Shown>| {
                area.protection.contains(Protection::WRITE)
                    && !area.behaviour.intersects(Behaviour::SHARED.union(Behaviour::GROWS_DOWN))
            };
            let data: u64 =
                state.areas.iter().filter(|(_, area)| is_data(area)).map(|(start, area)| area.end - start).sum();
            data.saturating_add(more) <= limit
        }
    }
}

/// A child inherits no locks.
pub(super) fn without_lock(area: &mut Area<Shown>) {
    area.behaviour.remove(Behaviour::LOCKED);
}

/// Pages as /proc counts them.
pub const fn kilobytes(bytes: u64) -> u64 {
    bytes / PAGE * (PAGE / 1024)
}
