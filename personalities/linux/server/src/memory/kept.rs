//! What an ended program leaves behind for the next one: its address space, which goes on showing the pages of the files that it ran.
//!
//! A program that is started again at the same addresses, or a child that is forked again, needs the same pages of the same files,
//! and showing one takes an invocation, as does taking it away. So a space whose program has ended keeps what it showed of private
//! file areas and nobody had written to, until somebody else begins who shows the same there.
//!
//! Isolation rests on this: whoever gets such a space names its areas first, and takes over (`adopt`) only what it would be shown
//! there anyway — the same page of the same file, not changed since, with the same right to execute and none to write — and all else is
//! taken away (`settle`) before a thread enters. A kept page is always its file's own, never anybody's private copy.
//! What is kept holds no file: once a file is gone or cut, its pages are given up by the next program that ends. Nothing of it
//! counts as being in use.

use super::area::{Area, Behaviour, Protection};
use super::pages::Pages;
use super::space::{AddressSpace, Page, Shown, State};
use crate::capability::Space;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use chestnut_linux_files::inode::Inode;
use core::cell::RefCell;
use core::ops::Range;

/// Most spaces that are kept, and most pages in one.
const SPACES: usize = 6;
const PAGES: usize = 1024;
/// Below here are programs that are always at the same place. Above, places are chosen by chance and don't come again.
const FIXED_END: u64 = 1 << 32;

/// An area of an ended program that showed a file, of which pages are still shown.
pub(super) struct KeptArea {
    range: Range<u64>,
    inode: Weak<Inode>,
    /// Of the file's contents, when the pages were shown.
    version: u64,
    /// Where in the file the range begins, bytes.
    offset: u64,
    execute: bool,
}

impl KeptArea {
    /// Whether the pages are still what the file has there.
    fn is_current(&self) -> bool {
        let inode = self.inode.upgrade();
        inode.is_some_and(|inode| inode.contents().is_some_and(|contents| contents.version() == self.version))
    }

    /// Whether an area that begins at `start` would show just these pages here.
    fn fits(&self, start: u64, area: &Area<Shown>) -> bool {
        let Shown::File { location, offset, .. } = &area.shown else { return false };
        start <= self.range.start
            && self.range.end <= area.end
            && offset + (self.range.start - start) == self.offset
            && core::ptr::eq(Rc::as_ptr(location.inode()), self.inode.as_ptr())
            && !area.behaviour.intersects(Behaviour::SHARED.union(Behaviour::FIXED))
            && !area.protection.is_empty()
            && area.protection.contains(Protection::EXECUTE) == self.execute
            && self.is_current()
    }
}

/// A space without a program.
struct Kept {
    space: Rc<Space>,
    areas: Vec<KeptArea>,
    /// Of all areas; each is shown.
    pages: Pages,
}

impl Kept {
    fn new(space: Rc<Space>, areas: Vec<KeptArea>, pages: Pages) -> Self {
        space.set_aside(pages.len());
        Self { space, areas, pages }
    }
    fn into_parts(mut self) -> (Rc<Space>, Vec<KeptArea>, Pages) {
        self.space.take_back(self.pages.len());
        (self.space.clone(), core::mem::take(&mut self.areas), core::mem::take(&mut self.pages))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.areas.is_empty() {
            return;
        }
        self.space.take_back(self.pages.len());
        self.pages.take(0..u64::MAX, |_, mut page| {
            if let Some((mapping, _)) = page.shown.take() {
                self.space.unmap(&page.frame, mapping);
            }
        });
    }
}

/// The spaces that are kept, the latest last.
#[derive(Default)]
pub struct KeptSpaces(RefCell<Vec<Kept>>);

impl KeptSpaces {
    /// Gives all of them up; false if there were none.
    pub fn forget(&self) -> bool {
        let all = self.0.take();
        !all.is_empty()
    }

    /// The latest of a program whose first file was this one.
    fn take(&self, main: &Rc<Inode>) -> Option<Kept> {
        let mut all = self.0.borrow_mut();
        let is_same =
            |kept: &Kept| kept.areas.first().is_some_and(|area| core::ptr::eq(area.inode.as_ptr(), Rc::as_ptr(main)));
        let found = all.iter().rposition(is_same)?;
        Some(all.remove(found))
    }

    fn put(&self, kept: Kept) {
        let mut all = self.0.borrow_mut();
        let gone: Vec<Kept> = all.extract_if(.., |kept| !kept.areas.iter().all(KeptArea::is_current)).collect();
        let oldest = (all.len() >= SPACES).then(|| all.remove(0));
        all.push(kept);
        drop(all);
        drop((gone, oldest));
    }
}

impl AddressSpace {
    /// A space and what it still shows: one that a program of this file has left, if there is one.
    pub(super) fn find_space(
        memory: &super::Memory,
        main: Option<&Rc<Inode>>,
    ) -> Result<(Rc<Space>, Vec<KeptArea>, Pages), crate::capability::OutOfMemory> {
        if let Some(kept) = main.and_then(|main| memory.kept.take(main)) {
            return Ok(kept.into_parts());
        }
        let new = || memory.capabilities.spaces.allocate().map(|space| (Rc::new(space), Vec::new(), Pages::default()));
        new().or_else(|error| if memory.kept.forget() { new() } else { Err(error) })
    }

    /// The file of the first private area that shows one: the program's.
    pub(super) fn main_file(state: &State) -> Option<Rc<Inode>> {
        let private = |area: &Area<Shown>| !area.behaviour.intersects(Behaviour::SHARED.union(Behaviour::FIXED));
        state.areas.iter().find_map(|(_, area)| match &area.shown {
            Shown::File { location, .. } if private(area) => Some(location.inode().clone()),
            _ => None,
        })
    }

    /// Before an area is there: what the space still shows in its place is the area's from now on, or goes.
    pub(super) fn adopt(&self, state: &mut State, start: u64, area: &Area<Shown>) {
        if state.kept.is_empty() {
            return;
        }
        let State { kept, pages, .. } = state;
        for old in kept.extract_if(.., |old| old.range.start < area.end && start < old.range.end) {
            if !old.fits(start, area) {
                pages.take(old.range, |_, mut page| self.hide(&mut page));
            }
        }
    }

    /// The areas are all there: nothing else is shown from now on.
    pub fn settle(&self) {
        let mut state = self.state.borrow_mut();
        let State { kept, pages, .. } = &mut *state;
        self.give_up(kept, pages);
    }
    /// What the last program has left and nobody has taken over goes.
    pub(super) fn give_up(&self, kept: &mut Vec<KeptArea>, pages: &mut Pages) {
        for old in core::mem::take(kept) {
            pages.take(old.range, |_, mut page| self.hide(&mut page));
        }
    }

    /// The program has ended: gives up its pages, except those that are kept.
    pub(super) fn leave(&self) {
        let mut state = self.state.borrow_mut();
        let State { areas, pages, kept, .. } = &mut *state;
        let mut left = core::mem::take(kept);
        for (start, area) in areas.iter() {
            left.extend(self.leave_area(pages, start, area));
        }
        left.sort_unstable_by_key(|area| area.range.start);
        let mut behind = 0;
        for area in &left {
            pages.take(behind..area.range.start, |_, mut page| self.hide(&mut page));
            behind = area.range.end;
        }
        pages.take(behind..u64::MAX, |_, mut page| self.hide(&mut page));
        if self.space.is_large() {
            // Places that are chosen by chance leave their structures behind, each time others.
            let is_left = |range: Range<u64>| {
                left.iter().any(|area| area.range.start < range.end && range.start < area.range.end)
            };
            self.space.forget_structures(is_left);
        }
        if left.is_empty() {
            return;
        }
        let kept = Kept::new(self.space.clone(), left, core::mem::take(pages));
        if !self.space.is_large() && kept.pages.len() <= PAGES {
            self.memory.kept.put(kept);
        }
    }

    fn leave_area(&self, pages: &mut Pages, start: u64, area: &Area<Shown>) -> Option<KeptArea> {
        let Shown::File { location, offset, .. } = &area.shown else { return None };
        let private = !area.behaviour.intersects(Behaviour::SHARED.union(Behaviour::FIXED));
        if !private || !(start < FIXED_END || self.is_forked.get()) {
            return None;
        }
        let range = start..area.end;
        let is_plain = |page: &Page| page.of_file && page.shown.as_ref().is_some_and(|(_, access)| !access.write);
        if !pages.take_unless_plain(range.clone(), is_plain, |_, mut page| self.hide(&mut page)) {
            return None;
        }
        let inode = location.inode();
        Some(KeptArea {
            range,
            inode: Rc::downgrade(inode),
            version: inode.contents()?.version(),
            offset: *offset,
            execute: area.protection.contains(Protection::EXECUTE),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{byte, file, in_use, memory};
    use super::super::{Intent, MapRequest, Memory, PAGE, Place};
    use super::*;
    use chestnut_linux_files::vfs::Location;
    use std::vec;

    const AT: u64 = 0x40_0000;

    fn protection(execute: bool) -> Protection {
        if execute { Protection::READ | Protection::EXECUTE } else { Protection::READ | Protection::WRITE }
    }
    fn area(location: &Rc<Location>, start: u64, pages: u64, offset: u64, execute: bool) -> MapRequest {
        MapRequest {
            place: Place::Exactly(start),
            length: pages * PAGE,
            protection: protection(execute),
            behaviour: Behaviour::empty(),
            shown: Shown::File { location: location.clone(), offset, writes: None },
        }
    }
    /// A program of four pages of text and four of data, settled.
    fn program(memory: &Rc<Memory>, location: &Rc<Location>) -> Rc<AddressSpace> {
        let space = AddressSpace::for_program(memory, Some(location.inode())).unwrap();
        space.map(area(location, AT, 4, 0, true)).unwrap();
        space.map(area(location, AT + 0x10_0000, 4, 4 * PAGE, false)).unwrap();
        space.settle();
        space
    }
    fn shown(space: &AddressSpace) -> usize {
        space.capability().mappings().len()
    }
    /// Runs the program: all its text and data is shown, and one page of data written to.
    fn run(space: &AddressSpace) {
        space.fault(AT, Intent::Execute).unwrap();
        space.fault(AT + 0x10_0000, Intent::Read).unwrap();
        space.fault(AT + 0x10_1000, Intent::Write).unwrap();
        space.write(AT + 0x10_1000, b"secret").unwrap();
        assert_eq!(shown(space), 8);
    }

    #[test]
    fn the_next_run_finds_what_the_last_one_was_shown_and_nothing_that_it_wrote() {
        let memory = memory(1000);
        let location = file(&memory, &[7; 8 * 4096]);
        let before = (in_use(&memory), memory.capabilities.holdings().mappings);
        let first = program(&memory, &location);
        assert_eq!(shown(&first), 0);
        run(&first);
        drop(first);
        assert_eq!(memory.capabilities.holdings().spaces.used, 0);
        let again = program(&memory, &location);
        let found = again.capability().mappings();
        assert_eq!(found.len(), 7, "{found:?}");
        assert!(found.values().all(|access| !access.write) && !found.contains_key(&(AT + 0x10_1000)));
        assert!(found.iter().all(|(address, access)| access.execute == (*address < AT + 0x10_0000)));
        assert_eq!((again.resident(), byte(&again, AT + 0x10_1000)), (7, 7));
        again.write(AT + 0x10_0000, b"w").unwrap();
        assert_eq!((byte(&again, AT + 0x10_0000), byte(&again, AT + 0x10_0001)), (b'w', 7));
        drop(again);
        assert_eq!((in_use(&memory), memory.capabilities.holdings().mappings), before);
        assert!(memory.kept.forget() && !memory.kept.forget());
    }

    #[test]
    fn another_program_at_the_same_place_is_shown_nothing_of_it() {
        let memory = memory(1000);
        let location = file(&memory, &[7; 8 * 4096]);
        run(&program(&memory, &location));
        // The same file, but other parts of it, not to be executed, shared, and not at all.
        let space = AddressSpace::for_program(&memory, Some(location.inode())).unwrap();
        assert_eq!(shown(&space), 7);
        space.map(area(&location, AT, 4, 4 * PAGE, true)).unwrap();
        assert_eq!(shown(&space), 3);
        space.settle();
        assert_eq!((shown(&space), space.resident()), (0, 0));
        drop(space);
        let changes: [fn(&mut MapRequest); 3] = [
            |request| request.protection = Protection::READ,
            |request| request.behaviour = Behaviour::SHARED,
            |request| request.shown = Shown::Zeros,
        ];
        for change in changes {
            run(&program(&memory, &location));
            let space = AddressSpace::for_program(&memory, Some(location.inode())).unwrap();
            let mut request = area(&location, AT, 4, 0, true);
            change(&mut request);
            space.map(request).unwrap();
            space.settle();
            assert_eq!(shown(&space), 0);
        }
        let other = file(&memory, &[8; 8 * 4096]);
        let space = program(&memory, &other);
        assert_eq!((shown(&space), byte(&space, AT)), (0, 8));
    }

    #[test]
    fn a_file_that_was_cut_or_is_gone_is_not_shown_again() {
        let memory = memory(1000);
        let location = file(&memory, &[7; 8 * 4096]);
        run(&program(&memory, &location));
        location.inode().truncate(4 * PAGE).unwrap();
        location.inode().truncate(8 * PAGE).unwrap();
        let space = program(&memory, &location);
        assert_eq!((shown(&space), byte(&space, AT + 0x10_2000)), (0, 0));
        drop(space);
        run(&program(&memory, &location));
        let other = file(&memory, &[8; 4096]);
        drop(location);
        // Its pages are there as long as no other program has ended.
        let space = AddressSpace::for_program(&memory, Some(other.inode())).unwrap();
        space.map(area(&other, AT, 1, 0, true)).unwrap();
        space.fault(AT, Intent::Read).unwrap();
        drop(space);
        // The page of zeros and the other file's.
        assert_eq!(in_use(&memory), 2);
    }

    #[test]
    fn a_forked_child_finds_the_pages_of_the_last_child_but_its_parents_writes() {
        let memory = memory(1000);
        let location = file(&memory, &[7; 8 * 4096]);
        let parent = program(&memory, &location);
        run(&parent);
        let first = parent.fork().unwrap();
        first.fault(AT, Intent::Execute).unwrap();
        first.fault(AT + 0x10_0000, Intent::Read).unwrap();
        drop(first);
        // What the first child still showed of the file, the parent has written to since.
        parent.write(AT + 0x10_3000, b"mine").unwrap();
        let second = parent.fork().unwrap();
        let found = second.capability().mappings();
        assert!(found.len() >= 6 && !found.contains_key(&(AT + 0x10_3000)), "{found:?}");
        assert_eq!((byte(&second, AT + 0x10_3000), byte(&second, AT + 0x10_1000)), (b'm', b's'));
        assert_eq!((byte(&second, AT + 0x10_2000), byte(&second, AT)), (7, 7));
    }

    #[test]
    fn places_chosen_by_chance_are_forgotten_and_the_rest_is_kept() {
        let memory = memory(1000);
        let location = file(&memory, &[7; 8 * 4096]);
        let structures = || memory.capabilities.holdings().structures.used;
        let mut most = 0;
        for round in 1..10 {
            let space = program(&memory, &location);
            assert_eq!(shown(&space), if round == 1 { 0 } else { 7 }, "round {round}");
            most = most.max(structures());
            run(&space);
            for place in 0..4 {
                let mut request = area(&location, (4 * round + place) << 30, 1, 0, false);
                request.shown = Shown::Zeros;
                space.map(request).unwrap();
                space.write((4 * round + place) << 30, b"by chance").unwrap();
                space.fault((4 * round + place) << 30, Intent::Write).unwrap();
            }
            assert_eq!(shown(&space), 12);
        }
        // What one round leaves is found by the next, but not what all of them have left.
        assert!(most <= 24, "{most} paging structures in a space that has just begun");
    }

    #[test]
    fn a_stack_that_grows_before_all_areas_are_there_begins_as_zeros() {
        let memory = memory(1000);
        let location = file(&memory, &[7; 8 * 4096]);
        run(&program(&memory, &location));
        let space = AddressSpace::for_program(&memory, Some(location.inode())).unwrap();
        let mut stack = area(&location, AT + 0x20_0000, 1, 0, false);
        (stack.shown, stack.behaviour) = (Shown::Zeros, Behaviour::GROWS_DOWN);
        space.map(stack).unwrap();
        space.write(AT + 0x10_2000, b"w").unwrap();
        assert_eq!((byte(&space, AT + 0x10_2000), byte(&space, AT + 0x10_2001), shown(&space)), (b'w', 0, 0));
        space.settle();
        assert_eq!(byte(&space, AT + 0x10_2000), b'w');
    }

    #[test]
    fn only_so_many_are_kept() {
        let memory = memory(1000);
        let files: vec::Vec<_> = (0..SPACES + 3).map(|_| file(&memory, &[7; 8 * 4096])).collect();
        files.iter().for_each(|location| run(&program(&memory, location)));
        let shown: vec::Vec<_> = files.iter().map(|location| shown(&program(&memory, location))).collect();
        assert_eq!(shown, [vec![0; 3], vec![7; SPACES]].concat());
        assert_eq!(memory.capabilities.holdings().spaces.used, 0);
    }
}
