//! The pages of a file by their place in it.
//!
//! Most files are short and are written from their beginning, so the first pages stand in a row and are found by their index alone. All
//! others, behind a hole or further on than a row should be long, are in a tree.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;

use super::PageRef;

/// Most pages in the row: it is moved as it grows, which somebody waits for.
const ROW: usize = 512;

/// Pages by their index in the file.
#[derive(Default)]
pub(super) struct PageMap {
    /// Those below its length; the last one is there.
    row: Vec<Option<PageRef>>,
    /// How many of them are there.
    in_row: usize,
    /// Those behind the row.
    others: BTreeMap<u64, PageRef>,
}

impl PageMap {
    pub fn len(&self) -> usize {
        self.in_row + self.others.len()
    }

    #[inline]
    pub fn get(&self, index: u64) -> Option<&PageRef> {
        // A file has less than 2^52 pages: the whole index is in the word.
        match self.row.get(index as usize) {
            Some(place) => place.as_ref(),
            None => self.get_other(index),
        }
    }
    fn get_other(&self, index: u64) -> Option<&PageRef> {
        if self.others.is_empty() { None } else { self.others.get(&index) }
    }
    pub fn contains(&self, index: u64) -> bool {
        self.get(index).is_some()
    }

    /// Puts a page in its place, and gives back what was there.
    pub fn insert(&mut self, index: u64, page: PageRef) -> Option<PageRef> {
        if let Some(place) = self.row.get_mut(index as usize) {
            let old = place.replace(page);
            self.in_row += usize::from(old.is_none());
            return old;
        }
        if index != self.row.len() as u64 || self.row.len() >= ROW {
            return self.others.insert(index, page);
        }
        let old = self.others.remove(&index);
        self.push(page);
        // What was behind a hole until now continues the row.
        while self.row.len() < ROW
            && let Some(next) = self.others.first_entry()
            && *next.key() == self.row.len() as u64
        {
            let page = next.remove();
            self.push(page);
        }
        old
    }
    fn push(&mut self, page: PageRef) {
        self.row.push(Some(page));
        self.in_row += 1;
    }

    pub fn remove(&mut self, index: u64) -> Option<PageRef> {
        let Some(place) = self.row.get_mut(index as usize) else { return self.others.remove(&index) };
        let old = place.take()?;
        self.in_row -= 1;
        self.shorten();
        Some(old)
    }
    /// The row ends with a page.
    fn shorten(&mut self) {
        while self.row.last().is_some_and(Option::is_none) {
            self.row.pop();
        }
    }

    /// Takes out the pages from `index` on, for the caller to drop.
    pub fn cut(&mut self, index: u64) -> (Vec<Option<PageRef>>, BTreeMap<u64, PageRef>) {
        let from = self.row.len().min(usize::try_from(index).unwrap_or(usize::MAX));
        let row = self.row.split_off(from);
        if !row.is_empty() {
            self.in_row -= row.iter().flatten().count();
            self.shorten();
            self.row.shrink_to_fit();
        }
        (row, self.others.split_off(&index))
    }

    /// The pages of a range, in order.
    pub fn range(&self, range: Range<u64>) -> impl Iterator<Item = (u64, &PageRef)> {
        let length = self.row.len() as u64;
        let (first, behind) = (range.start.min(length), range.end.min(length));
        let in_row = self.row.get(first as usize..behind as usize).unwrap_or_default();
        let in_row = (first..).zip(in_row).filter_map(|(index, page)| Some((index, page.as_ref()?)));
        // No page behind the row has an index below its length.
        let others = range.start.max(length)..range.end.max(range.start).max(length);
        in_row.chain(self.others.range(others).map(|(&index, page)| (index, page)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::PageStore;
    use crate::testing::TestStore;
    use proptest::prelude::*;
    use std::collections::BTreeMap as Model;

    fn list(pages: &PageMap, range: Range<u64>) -> Vec<(u64, u64)> {
        pages.range(range).map(|(index, page)| (index, page.id())).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]
        /// The same as a tree, whatever is done to both, around the row's beginning and its end.
        #[test]
        fn rows_behave_like_a_tree(
            filled in prop_oneof![Just(0), ROW as u64 - 20..ROW as u64 + 20],
            acts in proptest::collection::vec((0..7u8, 0..40u64, 0..20u64), 1..60),
        ) {
            let store = TestStore::new(4096);
            let (mut pages, mut model) = (PageMap::default(), Model::new());
            for index in 0..filled {
                let page = store.allocate().unwrap();
                model.insert(index, page.id());
                pages.insert(index, page);
            }
            let base = filled.saturating_sub(20);
            for (act, at, length) in acts {
                let (at, behind) = (base + at, base + at + length);
                match act {
                    0..4 => {
                        let page = store.allocate().unwrap();
                        let expected = model.insert(at, page.id());
                        prop_assert_eq!(pages.insert(at, page).map(|page| page.id()), expected);
                    }
                    4 => prop_assert_eq!(pages.remove(at).map(|page| page.id()), model.remove(&at)),
                    5 => {
                        let (row, others) = pages.cut(behind);
                        let expected = model.split_off(&behind);
                        prop_assert_eq!(row.iter().flatten().count() + others.len(), expected.len());
                    }
                    _ => prop_assert_eq!(
                        list(&pages, at..behind),
                        model.range(at..behind).map(|(&index, &id)| (index, id)).collect::<Vec<_>>()
                    ),
                }
                prop_assert_eq!(pages.get(at).map(|page| page.id()), model.get(&at).copied());
                prop_assert_eq!(pages.contains(behind), model.contains_key(&behind));
                prop_assert_eq!(pages.len(), model.len());
            }
            prop_assert_eq!(list(&pages, 0..u64::MAX), model.into_iter().collect::<Vec<_>>());
        }
    }
}
