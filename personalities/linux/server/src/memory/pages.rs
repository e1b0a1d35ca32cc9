//! The pages that an address space has, by address.
//!
//! Neighbours lie together in groups, so that a run of pages is visited and counted without looking each of them up, and
//! a program's pages are a tree of few nodes.

use super::PAGE;
use super::space::Page;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::ops::Range;

/// Pages in a group: those whose addresses differ in the lower bits only.
const GROUP: usize = 16;
const GROUP_BYTES: u64 = GROUP as u64 * PAGE;

/// Heap bytes that a group takes, with its place in the tree.
pub(super) const GROUP_RECORD: usize = size_of::<Group>() + 64;

/// Pages by their first address.
#[derive(Default)]
pub(super) struct Pages {
    groups: BTreeMap<u64, Box<Group>>,
    count: usize,
}

#[derive(Default)]
struct Group {
    /// A bit for each page that is there.
    present: u16,
    /// A bit for each page that was found to be plain and that nobody could have changed since.
    plain: u16,
    pages: [Option<Page>; GROUP],
}

const fn place(address: u64) -> (u64, usize) {
    (address / GROUP_BYTES, (address / PAGE) as usize % GROUP)
}

/// A bit for each page of group `number` that lies in `range`.
const fn bits_in(number: u64, range: &Range<u64>) -> u16 {
    let base = number * GROUP_BYTES;
    let first = range.start.saturating_sub(base) / PAGE;
    let behind = range.end.saturating_sub(base).div_ceil(PAGE);
    if first >= GROUP as u64 || behind <= first {
        return 0;
    }
    let from_first = u16::MAX << first;
    if behind >= GROUP as u64 { from_first } else { from_first & !(u16::MAX << behind) }
}

/// The numbers of the groups that a range has a part in.
fn numbers(range: &Range<u64>) -> Range<u64> {
    let behind = range.end.div_ceil(GROUP_BYTES);
    range.start / GROUP_BYTES..behind.max(range.start / GROUP_BYTES)
}

/// The indices of set bits, from the lowest.
struct Ones(u16);

impl Iterator for Ones {
    type Item = usize;
    #[inline]
    fn next(&mut self) -> Option<usize> {
        let index = self.0.trailing_zeros();
        self.0 &= self.0.wrapping_sub(1);
        (index < GROUP as u32).then_some(index as usize)
    }
}

impl Pages {
    pub const fn len(&self) -> usize {
        self.count
    }
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    pub fn get(&self, address: u64) -> Option<&Page> {
        let (number, index) = place(address);
        self.groups.get(&number)?.pages[index].as_ref()
    }
    pub fn get_mut(&mut self, address: u64) -> Option<&mut Page> {
        let (number, index) = place(address);
        let group = self.groups.get_mut(&number)?;
        group.plain &= !(1 << index);
        group.pages[index].as_mut()
    }
    pub fn contains(&self, address: u64) -> bool {
        self.get(address).is_some()
    }

    /// Puts a page somewhere and returns what was there.
    pub fn insert(&mut self, address: u64, page: Page) -> Option<Page> {
        let (number, index) = place(address);
        let group = self.groups.entry(number).or_default();
        group.present |= 1 << index;
        group.plain &= !(1 << index);
        let old = group.pages[index].replace(page);
        self.count += usize::from(old.is_none());
        old
    }

    /// Puts pages of one group where none are: the first one's address and, for it and each that follows, the page if there is one.
    pub fn fill(&mut self, first: u64, pages: impl Iterator<Item = Option<Page>>) {
        let (number, index) = place(first);
        let group = self.groups.entry(number).or_default();
        for (index, page) in (index..GROUP).zip(pages) {
            if let (Some(page), None) = (page, &group.pages[index]) {
                group.pages[index] = Some(page);
                group.present |= 1 << index;
                self.count += 1;
            }
        }
        if group.present == 0 {
            self.groups.remove(&number);
        }
    }

    pub fn remove(&mut self, address: u64) -> Option<Page> {
        let (number, index) = place(address);
        let group = self.groups.get_mut(&number)?;
        let old = group.pages[index].take()?;
        group.present &= !(1 << index);
        group.plain &= !(1 << index);
        if group.present == 0 {
            self.groups.remove(&number);
        }
        self.count -= 1;
        Some(old)
    }

    /// How many pages lie in a range.
    pub fn count_in(&self, range: Range<u64>) -> usize {
        let groups = self.groups.range(numbers(&range));
        groups.map(|(&number, group)| (group.present & bits_in(number, &range)).count_ones() as usize).sum()
    }

    /// Which of the first 64 pages of a range are there: a bit for each, the first one's being the lowest.
    pub fn present_in(&self, range: Range<u64>) -> u64 {
        let mut bits = 0;
        for (&number, group) in self.groups.range(numbers(&range)) {
            let inside = u64::from(group.present & bits_in(number, &range));
            let base = number * GROUP_BYTES;
            bits |= match base.checked_sub(range.start) {
                Some(above) if above >= 64 * PAGE => 0,
                Some(above) => inside << (above / PAGE),
                None => inside >> ((range.start - base) / PAGE),
            };
        }
        bits
    }

    /// How many pages in a row are there just below an address, as far as `most`.
    pub fn run_before(&self, address: u64, most: usize) -> usize {
        let (mut number, mut index) = place(address);
        let mut run = 0;
        while run < most {
            if index == 0 {
                let Some(below) = number.checked_sub(1) else { break };
                (number, index) = (below, GROUP);
            }
            let Some(group) = self.groups.get(&number) else { break };
            let ones = (u32::from(group.present) << (32 - index)).leading_ones() as usize;
            run += ones;
            if ones < index {
                break;
            }
            index = 0;
        }
        run.min(most)
    }

    /// Visits the pages of a range in order.
    pub fn each(&self, range: Range<u64>, mut see: impl FnMut(u64, &Page)) {
        for (&number, group) in self.groups.range(numbers(&range)) {
            for index in Ones(group.present & bits_in(number, &range)) {
                if let Some(page) = &group.pages[index] {
                    see(number * GROUP_BYTES + index as u64 * PAGE, page);
                }
            }
        }
    }
    pub fn each_mut(&mut self, range: Range<u64>, see: impl FnMut(u64, &mut Page)) {
        self.each_of(
            range,
            |group, inside| {
                group.plain &= !inside;
                inside
            },
            see,
        );
    }
    /// The same without those that are known to be plain.
    pub fn each_unusual_mut(&mut self, range: Range<u64>, see: impl FnMut(u64, &mut Page)) {
        self.each_of(range, |group, inside| inside & !group.plain, see);
    }
    #[inline]
    fn each_of(
        &mut self,
        range: Range<u64>,
        which: impl Fn(&mut Group, u16) -> u16,
        mut see: impl FnMut(u64, &mut Page),
    ) {
        for (&number, group) in self.groups.range_mut(numbers(&range)) {
            let inside = group.present & bits_in(number, &range);
            for index in Ones(which(group, inside)) {
                if let Some(page) = &mut group.pages[index] {
                    see(number * GROUP_BYTES + index as u64 * PAGE, page);
                }
            }
        }
    }

    /// Takes all pages of a range out.
    pub fn take(&mut self, range: Range<u64>, taken: impl FnMut(u64, Page)) {
        self.take_those(range, |_, inside| inside, taken);
    }
    /// Takes the pages of a range out but those that are plain, which is looked at only if it isn't known from the last time. Whether there are any.
    pub fn take_unless_plain(
        &mut self,
        range: Range<u64>,
        is_plain: impl Fn(&Page) -> bool,
        taken: impl FnMut(u64, Page),
    ) -> bool {
        let mut left = false;
        let those = |group: &mut Group, inside: u16| {
            for index in Ones(inside & !group.plain) {
                if group.pages[index].as_ref().is_some_and(&is_plain) {
                    group.plain |= 1 << index;
                }
            }
            left |= inside & group.plain != 0;
            inside & !group.plain
        };
        self.take_those(range, those, taken);
        left
    }
    /// Takes out, of the pages of each group that lie in a range, those that `which` names.
    #[inline]
    fn take_those(
        &mut self,
        range: Range<u64>,
        mut which: impl FnMut(&mut Group, u16) -> u16,
        mut taken: impl FnMut(u64, Page),
    ) {
        let mut count = 0;
        let emptied = self.groups.extract_if(numbers(&range), |&number, group| {
            let inside = group.present & bits_in(number, &range);
            let those = which(group, inside);
            group.present &= !those;
            group.plain &= !those;
            for index in Ones(those) {
                if let Some(page) = group.pages[index].take() {
                    count += 1;
                    taken(number * GROUP_BYTES + index as u64 * PAGE, page);
                }
            }
            group.present == 0
        });
        emptied.for_each(drop);
        self.count -= count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::{Capabilities, Kernel};
    use alloc::vec::Vec;
    use proptest::prelude::*;
    use std::collections::BTreeMap as Model;

    fn page(capabilities: &'static Capabilities) -> Page {
        Page { frame: capabilities.frames.allocate_dirty().unwrap(), shown: None, may_write: false, of_file: false }
    }
    fn capabilities() -> &'static Capabilities {
        Box::leak(Box::new(Capabilities::new(Kernel::hosted(4096))))
    }
    fn list(pages: &Pages) -> Vec<(u64, u32)> {
        let mut list = Vec::new();
        pages.each(0..u64::MAX, |address, page| list.push((address / PAGE, page.frame.index())));
        list
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
        /// The same as a tree of single pages, whatever is done to both.
        #[test]
        fn groups_behave_like_a_tree(acts in proptest::collection::vec((0..9u8, 0..90u64, 0..40u64), 1..80)) {
            let capabilities = capabilities();
            let (mut pages, mut model) = (Pages::default(), Model::new());
            for (act, at, length) in acts {
                let (address, range) = (at * PAGE, at * PAGE..(at + length) * PAGE);
                match act {
                    0..3 => {
                        let page = page(capabilities);
                        let index = page.frame.index();
                        let old = pages.insert(address, page).map(|page| page.frame.index());
                        prop_assert_eq!(old, model.insert(at, index));
                    }
                    3 => prop_assert_eq!(pages.remove(address).map(|page| page.frame.index()), model.remove(&at)),
                    4 => {
                        let mut taken = Vec::new();
                        let even = |page: &Page| page.frame.index().is_multiple_of(2);
                        let left = pages.take_unless_plain(range, even, |at, page| taken.push((at / PAGE, page.frame.index())));
                        let expected: Vec<_> = model.extract_if(at..at + length, |_, index| *index % 2 == 1).collect();
                        prop_assert_eq!((taken, left), (expected, model.range(at..at + length).next().is_some()));
                        let mut unusual = 0;
                        pages.each_unusual_mut(at * PAGE..(at + length) * PAGE, |_, _| unusual += 1);
                        prop_assert_eq!(unusual, 0);
                    }
                    7 => {
                        let mut taken = Vec::new();
                        pages.take(range, |at, page| taken.push((at / PAGE, page.frame.index())));
                        prop_assert_eq!(taken, model.extract_if(at..at + length, |_, _| true).collect::<Vec<_>>());
                    }
                    8 => {
                        // Whoever may have changed a page makes it unusual: its frame is another one now.
                        let fresh = page(capabilities);
                        if let Some(page) = pages.get_mut(address) {
                            model.insert(at, fresh.frame.index());
                            *page = fresh;
                        }
                        pages.each_mut(range, |at, page| {
                            *page = self::page(capabilities);
                            model.insert(at / PAGE, page.frame.index());
                        });
                    }
                    5 => {
                        prop_assert_eq!(pages.count_in(range.clone()), model.range(at..at + length).count());
                        let bits = model.range(at..at + length).fold(0, |bits, (page, _)| bits | 1u64 << (page - at));
                        prop_assert_eq!(pages.present_in(range), bits);
                    }
                    _ => {
                        let run = (0..at).rev().take(length as usize).take_while(|page| model.contains_key(page)).count();
                        prop_assert_eq!(pages.run_before(address, length as usize), run);
                        prop_assert_eq!(pages.get(address).map(|page| page.frame.index()), model.get(&at).copied());
                    }
                }
                prop_assert_eq!(list(&pages), model.iter().map(|(&at, &index)| (at, index)).collect::<Vec<_>>());
                prop_assert_eq!(pages.len(), model.len());
            }
        }
    }

    #[test]
    fn the_highest_pages_have_a_group_too() {
        let mut pages = Pages::default();
        let last = !(PAGE - 1);
        pages.insert(last, page(capabilities()));
        assert_eq!((pages.count_in(0..u64::MAX), pages.get(last).is_some(), pages.len()), (1, true, 1));
        pages.take(0..u64::MAX, |address, _| assert_eq!(address, last));
        assert_eq!((pages.len(), pages.groups()), (0, 0));
    }
}
