//! The calls that change areas: mmap(2), munmap(2), mprotect(2), mremap(2), madvise(2), brk(2), mincore(2).

use super::area::{Area, Behaviour, Protection};
use super::locked::FutureLocks;
use super::space::{AddressSpace, Intent, Shown, State};
use super::{PAGE, USER_END, USER_START, page_up};
use crate::capability::Frame;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::{Errno, Result};
use core::ops::Range;

/// Most areas in one space (vm.max_map_count).
const MAX_AREAS: usize = 65530;

/// Where a new area goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the hint if it is free, else where there is room; 0 is no hint.
    Hint(u64),
    /// There, in place of what is there (MAP_FIXED).
    Exactly(u64),
    /// There, or `EEXIST` (MAP_FIXED_NOREPLACE).
    IfFree(u64),
    /// Below 2 GiB (MAP_32BIT).
    Low,
}

/// What mmap(2) asks for.
pub struct MapRequest {
    pub place: Place,
    /// Bytes, not 0; rounded up to pages here.
    pub length: u64,
    pub protection: Protection,
    pub behaviour: Behaviour,
    pub shown: Shown,
}

/// Flags of mremap(2), decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remap {
    InPlace,
    MayMove,
    To(u64),
}

/// A range of whole user pages from an address and a length as programs give them: `error` if it isn't one.
pub fn user_range(address: u64, length: u64, error: Errno) -> Result<Range<u64>> {
    if !address.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let length = page_up(length).ok_or(error)?;
    let end = address.checked_add(length).filter(|&end| end <= USER_END).ok_or(error)?;
    Ok(address..end)
}

impl AddressSpace {
    /// mmap(2); returns the area's start.
    pub fn map(&self, request: MapRequest) -> Result<u64> {
        let length = page_up(request.length).filter(|&length| length <= USER_END).ok_or(Errno::ENOMEM)?;
        if length == 0 {
            return Err(Errno::EINVAL);
        }
        let file = match &request.shown {
            Shown::File { location, .. } => Some(location.inode().clone()),
            _ => None,
        };
        let start = {
            let mut state = self.state.borrow_mut();
            let range = self.place(&state, request.place, length)?;
            let replaced: u64 = state
                .areas
                .overlapping(range.clone())
                .map(|(start, area)| area.end.min(range.end) - start.max(range.start))
                .sum();
            if state.areas.total() - replaced + length > self.size_limit.get() || state.areas.len() >= MAX_AREAS {
                return Err(Errno::ENOMEM);
            }
            let is_data = request.protection.contains(Protection::WRITE)
                && !request.behaviour.intersects(Behaviour::SHARED.union(Behaviour::GROWS_DOWN));
            if is_data && !self.allows_data(&state, length) {
                return Err(Errno::ENOMEM);
            }
            self.clear_range(&mut state, range.clone())?;
            let Range { start, end } = range;
            let MapRequest { protection, behaviour, shown, .. } = request;
            let area = Area { end, protection, behaviour, shown };
            self.adopt(&mut state, start, &area);
            state.areas.insert(start, area);
            start
        };
        if let Some(inode) = file {
            self.watch(&inode);
        }
        Ok(start)
    }

    fn place(&self, state: &State, place: Place, length: u64) -> Result<Range<u64>> {
        let free = |range: &Range<u64>| state.areas.overlapping(range.clone()).next().is_none();
        let exactly = |address| user_range(address, length, Errno::ENOMEM);
        match place {
            Place::Exactly(address) => exactly(address).and_then(|range| {
                // mmap_min_addr: only the unprivileged are refused by Linux; here page 0 is nobody's.
                if range.start < USER_START { Err(Errno::EPERM) } else { Ok(range) }
            }),
            Place::IfFree(address) => {
                let range = exactly(address)?;
                match range.start {
                    0..USER_START => Err(Errno::EPERM),
                    _ if free(&range) => Ok(range),
                    _ => Err(Errno::EEXIST),
                }
            }
            Place::Low => {
                let within = 0x4000_0000..0x8000_0000;
                let start = state.areas.find_room(length, within).ok_or(Errno::ENOMEM)?;
                Ok(start..start + length)
            }
            Place::Hint(hint) => {
                let hinted = super::page_down(hint);
                if hinted >= USER_START
                    && let Ok(range) = user_range(hinted, length, Errno::ENOMEM)
                    && free(&range)
                {
                    return Ok(range);
                }
                let below = state.areas.find_room(length, USER_START..self.map_top.get());
                let start = below.or_else(|| state.areas.find_room(length, self.map_top.get()..USER_END));
                let start = start.ok_or(Errno::ENOMEM)?;
                Ok(start..start + length)
            }
        }
    }

    /// Removes areas and pages of a range. The server's own pages may go too: the process then faults where it needs them.
    fn clear_range(&self, state: &mut State, range: Range<u64>) -> Result<()> {
        if state.areas.overlapping(range.clone()).next().is_some() {
            self.drop_pages(state, range.clone());
            state.areas.remove(range);
        }
        Ok(())
    }

    /// Puts pages of the server's own at an address, for reading, and as `protection` says besides.
    pub fn map_pages(
        &self,
        place: Place,
        label: &'static str,
        frames: Rc<[Frame]>,
        protection: Protection,
    ) -> Result<u64> {
        self.map(MapRequest {
            place,
            length: frames.len() as u64 * PAGE,
            protection,
            behaviour: Behaviour::SHARED | Behaviour::FIXED,
            shown: Shown::Pages { label, frames, first: 0 },
        })
    }

    /// The highest start of `length` free bytes in a range.
    pub fn room_in(&self, within: Range<u64>, length: u64) -> Option<u64> {
        self.state.borrow().areas.find_room(length, within)
    }

    /// munmap(2).
    pub fn unmap(&self, address: u64, length: u64) -> Result<()> {
        let range = user_range(address, length, Errno::EINVAL)?;
        if range.is_empty() {
            return Err(Errno::EINVAL);
        }
        self.clear_range(&mut self.state.borrow_mut(), range)
    }

    /// mprotect(2). Areas before a gap are changed all the same, as on Linux.
    pub fn protect(&self, address: u64, length: u64, protection: Protection) -> Result<()> {
        let range = user_range(address, length, Errno::ENOMEM)?;
        let mut state = self.state.borrow_mut();
        let mut end = range.start;
        for (start, area) in state.areas.overlapping(range.clone()) {
            if start.max(range.start) != end {
                break;
            }
            if area.behaviour.contains(Behaviour::FIXED) || !may_protect(area, protection) {
                return Err(Errno::EACCES);
            }
            end = area.end.min(range.end);
        }
        let changed = range.start..end;
        state.areas.change(changed.clone(), |area| area.protection = protection);
        self.refresh(&mut state, changed);
        if end == range.end { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// mremap(2) with lengths in bytes; returns where the area is now.
    pub fn remap(&self, old: u64, old_length: u64, new_length: u64, remap: Remap) -> Result<u64> {
        let old_range = user_range(old, old_length, Errno::EINVAL)?;
        let new_length =
            page_up(new_length).filter(|&length| length != 0 && length <= USER_END).ok_or(Errno::EINVAL)?;
        let old_length = old_range.end - old_range.start;
        let area = {
            let state = self.state.borrow();
            let (start, area) = state.areas.find(old).ok_or(Errno::EFAULT)?;
            if old_range.end > area.end {
                return Err(Errno::EFAULT);
            }
            if area.behaviour.contains(Behaviour::FIXED) || old_length == 0 {
                return Err(Errno::EINVAL);
            }
            let shown = super::area::Shown::advanced(&area.shown, old - start);
            let grown = new_length.saturating_sub(old_length);
            let grows = grown > 0 && !area.behaviour.contains(Behaviour::SHARED);
            if state.areas.total() + grown > self.size_limit.get() || grows && !self.allows_data(&state, grown) {
                return Err(Errno::ENOMEM);
            }
            Area { shown, ..area.clone() }
        };
        if let Remap::To(target) = remap {
            let target = user_range(target, new_length, Errno::EINVAL)?;
            if target.start < old_range.end && old_range.start < target.end {
                return Err(Errno::EINVAL);
            }
            self.clear_range(&mut self.state.borrow_mut(), target.clone())?;
            return self.move_area(area, old_range, target);
        }
        if new_length <= old_length {
            if new_length < old_length {
                self.clear_range(&mut self.state.borrow_mut(), old + new_length..old_range.end)?;
            }
            return Ok(old);
        }
        let mut state = self.state.borrow_mut();
        let extension = old_range.end..old + new_length;
        let at_end = state.areas.find(old).is_some_and(|(_, area)| area.end == old_range.end);
        if at_end && extension.end <= USER_END && state.areas.overlapping(extension.clone()).next().is_none() {
            let shown = super::area::Shown::advanced(&area.shown, old_length);
            state.areas.insert(extension.start, Area { end: extension.end, shown, ..area });
            return Ok(old);
        }
        if remap == Remap::InPlace {
            return Err(Errno::ENOMEM);
        }
        let target = self.place(&state, Place::Hint(0), new_length)?;
        drop(state);
        self.move_area(area, old_range, target)
    }

    fn move_area(&self, area: Area<Shown>, old: Range<u64>, target: Range<u64>) -> Result<u64> {
        let mut state = self.state.borrow_mut();
        let moved = (target.end - target.start).min(old.end - old.start);
        let mut pages = Vec::with_capacity(state.pages.count_in(old.start..old.start + moved));
        state.pages.take(old.start..old.start + moved, |address, page| pages.push((address, page)));
        for (address, mut page) in pages {
            self.hide(&mut page);
            state.pages.insert(target.start + (address - old.start), page);
        }
        self.clear_range(&mut state, old)?;
        state.areas.insert(target.start, Area { end: target.end, ..area });
        Ok(target.start)
    }

    /// madvise(MADV_DONTNEED): private pages are what they were at first, shared ones are asked for again.
    pub fn forget(&self, address: u64, length: u64) -> Result<()> {
        let range = user_range(address, length, Errno::ENOMEM)?;
        let mut state = self.state.borrow_mut();
        let fixed = |area: &Area<Shown>| area.behaviour.contains(Behaviour::FIXED);
        if state.areas.overlapping(range.clone()).any(|(_, area)| fixed(area)) {
            return Err(Errno::EINVAL);
        }
        self.drop_pages(&mut state, range.clone());
        if state.areas.covers(range) { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// `ENOMEM` unless areas cover the whole range (msync, mlock, madvise).
    pub fn check_covered(&self, address: u64, length: u64) -> Result<Range<u64>> {
        let range = user_range(address, length, Errno::ENOMEM)?;
        if self.state.borrow().areas.covers(range.clone()) { Ok(range) } else { Err(Errno::ENOMEM) }
    }

    /// Makes every page of a range present (MAP_POPULATE, mlock). Pages that can't be had are left.
    pub fn populate(&self, range: Range<u64>) -> bool {
        for page in range.step_by(PAGE as usize) {
            let writable = {
                let state = self.state.borrow();
                state.areas.find(page).is_some_and(|(_, area)| area.protection.contains(Protection::WRITE))
            };
            if self.frame(page, if writable { Intent::Write } else { Intent::Read }).is_err() {
                return false;
            }
        }
        true
    }

    /// mincore(2): whether a page is present.
    pub fn is_present(&self, page: u64) -> bool {
        self.state.borrow().pages.contains(page)
    }

    /// Where the break begins, for a new program.
    pub fn set_break_start(&self, start: u64) {
        let mut state = self.state.borrow_mut();
        state.break_start = start;
        state.break_end = start;
    }

    pub fn break_start(&self) -> u64 {
        self.state.borrow().break_start
    }
    /// brk(2): moves the break if that is possible, and returns where it is.
    pub fn set_break(&self, wanted: u64) -> u64 {
        let mut state = self.state.borrow_mut();
        let (start, now) = (state.break_start, state.break_end);
        let Some(new_end) = page_up(wanted).filter(|&end| wanted >= start && end <= USER_END) else { return now };
        let old_end = now.next_multiple_of(PAGE);
        if new_end > old_end {
            let grown = new_end - old_end;
            let free = state.areas.overlapping(old_end..new_end).next().is_none();
            let limits =
                wanted - start <= self.data_limit.get() && state.areas.total() + grown <= self.size_limit.get();
            if !free || !limits {
                return now;
            }
            let protection = Protection::READ | Protection::WRITE;
            let mut behaviour = Behaviour::HEAP;
            behaviour.set(Behaviour::LOCKED, self.future_locks.get() != FutureLocks::None);
            let area = Area { end: new_end, protection, behaviour, shown: Shown::Zeros };
            state.areas.insert(old_end, area);
        } else if new_end < old_end && self.clear_range(&mut state, new_end..old_end).is_err() {
            return now;
        }
        state.break_end = wanted;
        wanted
    }

    /// Calls `see` for each area in order: start, end, protection, behaviour, what it shows, and how many pages are present.
    pub fn each_area(&self, mut see: impl FnMut(Range<u64>, &Area<Shown>, usize)) {
        let state = self.state.borrow();
        for (start, area) in state.areas.iter() {
            see(start..area.end, area, state.pages.count_in(start..area.end));
        }
    }
}

/// A shared mapping of a file that wasn't opened for writing never becomes writable, nor one executable that must not be.
fn may_protect(area: &Area<Shown>, protection: Protection) -> bool {
    let forbids = |flag, wanted| area.behaviour.contains(flag) && protection.contains(wanted);
    let writes = forbids(Behaviour::READ_ONLY_FILE, Protection::WRITE);
    let executes = forbids(Behaviour::NO_EXECUTION, Protection::EXECUTE);
    !writes && !executes
}
