//! Areas: which ranges of an address space mean something, what they show and what may be done with them.
//!
//! This is the part of mmap(2), munmap(2) and mprotect(2) that is about ranges: cutting, joining, finding room. It knows no
//! page and no frame. Addresses and lengths are whole pages. Neighbours that differ in nothing are one area, as
//! /proc/PID/maps shows them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bitflags::bitflags;
use core::cell::Cell;
use core::ops::Range;

bitflags! {
    /// What a program may do with an area: PROT_READ, PROT_WRITE, PROT_EXEC.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Protection: u8 {
        const READ = 1;
        const WRITE = 2;
        const EXECUTE = 4;
    }

    /// How an area behaves.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Behaviour: u16 {
        /// Writes are seen by everybody who shows the same thing (MAP_SHARED).
        const SHARED = 1;
        /// An access just below makes it larger (the stack).
        const GROWS_DOWN = 2;
        /// The server's own: not to be protected otherwise, moved or joined; a child doesn't get it.
        const FIXED = 4;
        /// The break's.
        const HEAP = 8;
        /// Shows a file that was opened for reading only, and shares it: never to be written.
        const READ_ONLY_FILE = 16;
        /// Shows a file of a mount from which nothing may be executed.
        const NO_EXECUTION = 32;
        /// Its pages are to stay in memory (mlock), as all do: this counts against RLIMIT_MEMLOCK.
        const LOCKED = 64;
        /// A child doesn't get it (MADV_DONTFORK).
        const NOT_FORKED = 128;
        /// A child finds zeros in it (MADV_WIPEONFORK).
        const WIPED_BY_FORK = 256;
    }
}

/// What an area shows, from its start on.
pub trait Shown: Clone {
    /// The same, seen from `bytes` further on.
    fn advanced(&self, bytes: u64) -> Self;
    /// Whether this is what comes `bytes` after the start of `earlier`.
    fn continues(&self, earlier: &Self, bytes: u64) -> bool;
}

/// One area, without its start.
#[derive(Clone, Debug)]
pub struct Area<S> {
    pub end: u64,
    pub protection: Protection,
    pub behaviour: Behaviour,
    pub shown: S,
}

/// The areas of an address space, by start.
#[derive(Clone, Debug)]
pub struct Areas<S> {
    map: BTreeMap<u64, Area<S>>,
    /// Bytes in all.
    total: u64,
    searched: Cell<Searched>,
    /// The start of the area that was found last: the next address that is asked for mostly lies there, too.
    found: Cell<u64>,
}

/// What a search for room has found out, so that the next one doesn't look at all areas again: a program that has made as many as it
/// may would take the server's time with each further one.
#[derive(Clone, Copy, Debug, Default)]
struct Searched {
    /// Where the search began.
    from: u64,
    /// From there down to `top` no `length` bytes are free.
    top: u64,
    length: u64,
}

impl<S> Default for Areas<S> {
    fn default() -> Self {
        Self { map: BTreeMap::new(), total: 0, searched: Cell::default(), found: Cell::default() }
    }
}

impl<S: Shown> Areas<S> {
    /// The same areas, of those that are `kept`.
    pub fn clone_those(&self, kept: impl Fn(&Area<S>) -> bool) -> Self {
        let those = self.map.iter().filter(|(_, area)| kept(area));
        let map: BTreeMap<u64, Area<S>> = those.map(|(&start, area)| (start, area.clone())).collect();
        let total = map.iter().map(|(&start, area)| area.end - start).sum();
        Self { map, total, searched: Cell::default(), found: Cell::default() }
    }
    pub const fn total(&self) -> u64 {
        self.total
    }
    pub fn len(&self) -> usize {
        self.map.len()
    }
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// The area that an address lies in, with its start.
    pub fn find(&self, address: u64) -> Option<(u64, &Area<S>)> {
        let found = self.found.get();
        if found <= address
            && let Some(area) = self.map.get(&found)
            && address < area.end
        {
            return Some((found, area));
        }
        let (&start, area) = self.map.range(..=address).next_back()?;
        self.found.set(start);
        (address < area.end).then_some((start, area))
    }
    /// The first area that begins at or above an address.
    pub fn next_above(&self, address: u64) -> Option<(u64, &Area<S>)> {
        self.map.range(address..).next().map(|(&start, area)| (start, area))
    }
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Area<S>)> {
        self.map.iter().map(|(&start, area)| (start, area))
    }
    /// The areas that have a part in `range`, whole, in order.
    pub fn overlapping(&self, range: Range<u64>) -> impl Iterator<Item = (u64, &Area<S>)> {
        let first = self.find(range.start).map_or(range.start, |(start, _)| start);
        self.map.range(first..range.end.max(first)).map(|(&start, area)| (start, area))
    }
    /// Whether every address of `range` lies in an area.
    pub fn covers(&self, range: Range<u64>) -> bool {
        let mut at = range.start;
        while at < range.end {
            match self.find(at) {
                Some((_, area)) => at = area.end,
                None => return false,
            }
        }
        true
    }

    /// Adds an area where none is, joining it to neighbours that it continues.
    ///
    /// # Panics
    /// If something is there.
    pub fn insert(&mut self, start: u64, area: Area<S>) {
        assert!(start < area.end && self.overlapping(start..area.end).next().is_none(), "area at {start:#x} is taken");
        self.total += area.end - start;
        self.map.insert(start, area);
        self.join(start);
        if let Some((before, _)) = self.map.range(..start).next_back().map(|(&at, area)| (at, area.end)) {
            self.join(before);
        }
    }

    /// Joins the area at `start` with the one after it, if they differ in nothing.
    fn join(&mut self, start: u64) {
        let Some(area) = self.map.get(&start) else { return };
        let end = area.end;
        let Some(next) = self.map.get(&end) else { return };
        let alike = area.protection == next.protection
            && area.behaviour == next.behaviour
            && !area.behaviour.contains(Behaviour::FIXED)
            && next.shown.continues(&area.shown, end - start);
        if alike {
            let new_end = next.end;
            self.map.remove(&end);
            if let Some(area) = self.map.get_mut(&start) {
                area.end = new_end;
            }
        }
    }

    /// Cuts the area around `address` in two there, if there is one that doesn't begin there.
    fn cut(&mut self, address: u64) {
        let Some((start, area)) = self.find(address) else { return };
        if start == address {
            return;
        }
        let upper = Area { shown: area.shown.advanced(address - start), ..area.clone() };
        if let Some(lower) = self.map.get_mut(&start) {
            lower.end = address;
        }
        self.map.insert(address, upper);
    }

    /// Removes everything in `range` and returns it.
    pub fn remove(&mut self, range: Range<u64>) -> Vec<(u64, Area<S>)> {
        self.cut(range.start);
        self.cut(range.end);
        let starts: Vec<u64> = self.map.range(range).map(|(&start, _)| start).collect();
        let mut removed = Vec::with_capacity(starts.len());
        for start in starts {
            if let Some(area) = self.map.remove(&start) {
                self.total -= area.end - start;
                if area.end >= self.searched.get().top {
                    self.searched.set(Searched::default());
                }
                removed.push((start, area));
            }
        }
        removed
    }

    /// Changes every area in `range`.
    pub fn change(&mut self, range: Range<u64>, mut change: impl FnMut(&mut Area<S>)) {
        for (start, mut area) in self.remove(range) {
            change(&mut area);
            self.insert(start, area);
        }
    }

    /// Moves an area's start down to `start`, where there is room.
    pub fn grow_down(&mut self, old_start: u64, start: u64) {
        if let Some(area) = self.map.remove(&old_start) {
            self.total += old_start - start;
            self.map.insert(start, area);
        }
    }

    /// The highest start of `length` free bytes inside `within`.
    pub fn find_room(&self, length: u64, within: Range<u64>) -> Option<u64> {
        let Searched { from, top: known, length: least } = self.searched.get();
        let is_known = from == within.end && known > within.start && length >= least;
        let mut top = if is_known { known } else { within.end };
        for (&start, area) in self.map.range(..top).rev() {
            if area.end <= top && top - area.end >= length {
                break;
            }
            top = top.min(start);
            if top <= within.start {
                return None;
            }
        }
        // What is known of shorter pieces is worth more.
        if !is_known || length == least {
            self.searched.set(Searched { from: within.end, top, length });
        }
        let start = top.checked_sub(length)?;
        (start >= within.start).then_some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    /// Shows a file from an offset.
    #[derive(Clone, Debug, PartialEq)]
    struct Offset(u64);
    impl Shown for Offset {
        fn advanced(&self, bytes: u64) -> Self {
            Self(self.0 + bytes)
        }
        fn continues(&self, earlier: &Self, bytes: u64) -> bool {
            self.0 == earlier.0 + bytes
        }
    }

    fn area(end: u64, protection: Protection, offset: u64) -> Area<Offset> {
        Area { end, protection, behaviour: Behaviour::empty(), shown: Offset(offset) }
    }
    fn list(areas: &Areas<Offset>) -> Vec<(u64, u64, u64)> {
        areas.iter().map(|(start, area)| (start, area.end, area.shown.0)).collect()
    }

    #[test]
    fn neighbours_that_continue_each_other_join_in_either_order() {
        let mut areas = Areas::default();
        areas.insert(0x1000, area(0x2000, Protection::READ, 0));
        areas.insert(0x3000, area(0x4000, Protection::READ, 0x2000));
        areas.insert(0x2000, area(0x3000, Protection::READ, 0x1000));
        assert_eq!(list(&areas), vec![(0x1000, 0x4000, 0)]);
        areas.insert(0x4000, area(0x5000, Protection::WRITE, 0x3000));
        areas.insert(0x5000, area(0x6000, Protection::WRITE, 0));
        assert_eq!((areas.len(), areas.total()), (3, 0x5000));
    }

    #[test]
    fn removing_the_middle_leaves_both_ends_with_their_offsets() {
        let mut areas = Areas::default();
        areas.insert(0x1000, area(0x9000, Protection::READ, 0));
        let removed = areas.remove(0x3000..0x5000);
        assert_eq!(
            removed.iter().map(|(start, area)| (*start, area.end, area.shown.0)).collect::<Vec<_>>(),
            [(0x3000, 0x5000, 0x2000)]
        );
        assert_eq!(list(&areas), vec![(0x1000, 0x3000, 0), (0x5000, 0x9000, 0x4000)]);
        assert_eq!(areas.total(), 0x6000);
        assert!(areas.find(0x4fff).is_none() && areas.find(0x5000).is_some());
    }

    #[test]
    fn a_part_of_the_areas_counts_for_itself() {
        let mut areas = Areas::default();
        areas.insert(0x1000, area(0x3000, Protection::READ, 0));
        areas.insert(0x3000, area(0x8000, Protection::WRITE, 0));
        let part = areas.clone_those(|area| area.protection == Protection::WRITE);
        assert_eq!((list(&part), part.total()), (vec![(0x3000, 0x8000, 0)], 0x5000));
    }

    #[test]
    fn changing_protection_cuts_and_joins_again() {
        let mut areas = Areas::default();
        areas.insert(0x1000, area(0x9000, Protection::READ, 0));
        areas.change(0x2000..0x3000, |area| area.protection = Protection::WRITE);
        assert_eq!(areas.len(), 3);
        areas.change(0x1000..0x9000, |area| area.protection = Protection::READ);
        assert_eq!(list(&areas), vec![(0x1000, 0x9000, 0)]);
    }

    #[test]
    fn room_is_found_from_the_top() {
        let mut areas = Areas::default();
        areas.insert(0x8000, area(0x9000, Protection::READ, 0));
        areas.insert(0x5000, area(0x6000, Protection::READ, 0));
        let within = 0x1000..0xa000;
        assert_eq!(areas.find_room(0x1000, within.clone()), Some(0x9000));
        assert_eq!(areas.find_room(0x2000, within.clone()), Some(0x6000));
        assert_eq!(areas.find_room(0x4000, within.clone()), Some(0x1000));
        assert_eq!(areas.find_room(0x5000, within.clone()), None);
        areas.insert(0x9000, area(0xb000, Protection::WRITE, 0));
        assert_eq!(areas.find_room(0x1000, within), Some(0x7000));
        assert_eq!(Areas::<Offset>::default().find_room(0x1000, 0x1000..0x1800), None);
    }

    #[test]
    fn room_that_comes_back_is_found_although_it_was_searched_before() {
        let mut areas = Areas::default();
        let within = 0x1000..0x10000;
        for _ in 0..15 {
            let start = areas.find_room(0x1000, within.clone()).unwrap();
            let protection = if start & 0x1000 == 0 { Protection::READ } else { Protection::WRITE };
            areas.insert(start, area(start + 0x1000, protection, 0));
        }
        assert_eq!(areas.find_room(0x1000, within.clone()), None);
        areas.remove(0x5000..0x6000);
        assert_eq!(areas.find_room(0x2000, within.clone()), None);
        assert_eq!(areas.find_room(0x1000, within.clone()), Some(0x5000));
        areas.remove(0x6000..0x7000);
        assert_eq!(areas.find_room(0x2000, within.clone()), Some(0x5000));
        assert_eq!(areas.find_room(0x1000, within), Some(0x6000));
    }

    #[test]
    fn coverage_and_overlap() {
        let mut areas = Areas::default();
        areas.insert(0x1000, area(0x2000, Protection::READ, 0));
        areas.insert(0x2000, area(0x3000, Protection::WRITE, 0));
        assert!(areas.covers(0x1000..0x3000) && !areas.covers(0x1000..0x4000) && !areas.covers(0..0x2000));
        assert_eq!(areas.overlapping(0x1800..0x2800).count(), 2);
        assert_eq!(areas.overlapping(0x3000..0x5000).count(), 0);
        assert_eq!(areas.overlapping(0..0x1001).count(), 1);
    }

    #[test]
    #[should_panic(expected = "is taken")]
    fn areas_never_overlap() {
        let mut areas = Areas::default();
        areas.insert(0x1000, area(0x3000, Protection::READ, 0));
        areas.insert(0x2000, area(0x4000, Protection::READ, 0));
    }

    #[test]
    fn the_stack_grows_down() {
        let mut areas = Areas::default();
        areas.insert(0x8000, area(0x9000, Protection::READ, 0));
        areas.grow_down(0x8000, 0x6000);
        assert_eq!(list(&areas), vec![(0x6000, 0x9000, 0)]);
        assert_eq!(areas.total(), 0x3000);
    }
}
