//! Reading and writing in pages that are there, and in new ones at the end: what nearly all reads and writes of files come to.
//!
//! The caller copies from page to page, and must be able to do that at once: it doesn't come back to the file, as the pages are borrowed
//! meanwhile. Whatever is less simple — a hole, a part of an image, a buffer that isn't there, no memory — is refused, and the caller takes the
//! long way from the start ([`Contents::read`], [`Contents::write`]), which does all of it over again.

use super::contents::{Contents, SIZE_MAX, split};
use super::{PAGE_SIZE, Page};

/// One step of such a transfer: bytes of one page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where in the page.
    pub within: usize,
    /// How many bytes were moved before.
    pub done: usize,
    /// Bytes.
    pub length: usize,
}

impl Part {
    /// The next one of a transfer of `length` bytes from `offset` on, and the index of its page.
    #[inline]
    fn next(offset: u64, done: usize, length: usize) -> (u64, Self) {
        let (index, within) = split(offset + done as u64);
        (index, Self { within, done, length: (PAGE_SIZE - within).min(length - done) })
    }
}

impl Contents {
    /// Has `copy` take at most `length` bytes from `offset` on, up to the file's end. `None` if it couldn't, or if there is something else than
    /// pages.
    #[inline(always)]
    pub fn read_pages(
        &self,
        offset: u64,
        length: usize,
        mut copy: impl FnMut(&dyn Page, Part) -> bool,
    ) -> Option<usize> {
        let available = self.size().checked_sub(offset)?;
        let length = length.min(usize::try_from(available).unwrap_or(usize::MAX));
        let pages = self.pages.borrow();
        let mut done = 0;
        while done < length {
            let (index, part) = Part::next(offset, done, length);
            if !copy(&**pages.get(index)?, part) {
                return None;
            }
            done += part.length;
        }
        Some(length)
    }

    /// Has `copy` put `length` bytes at `offset`; the file grows. `None` if it couldn't. What was written then counts, and is written again by
    /// the long way.
    #[inline(always)]
    pub fn write_pages(
        &self,
        offset: u64,
        length: usize,
        mut copy: impl FnMut(&dyn Page, Part) -> bool,
    ) -> Option<usize> {
        let end = offset.checked_add(length as u64).filter(|&end| end <= SIZE_MAX)?;
        if end > self.size() {
            self.zero_shown_tail();
        }
        let mut done = 0;
        while done < length {
            let (index, part) = Part::next(offset, done, length);
            let present = self.pages.borrow().get(index).map(|page| copy(&**page, part));
            if !present.unwrap_or_else(|| self.write_new_page(index, part, &mut copy)) {
                return None;
            }
            done += part.length;
            self.size.set(self.size().max(offset + done as u64));
        }
        Some(length)
    }

    /// A page is the file's only when it has been filled, so nobody sees what was in its memory before.
    #[inline(never)]
    fn write_new_page(&self, index: u64, part: Part, copy: &mut dyn FnMut(&dyn Page, Part) -> bool) -> bool {
        if !self.image_of(index).is_empty() {
            return false;
        }
        let page = if part.length == PAGE_SIZE { self.store.allocate_dirty() } else { self.store.allocate() };
        let Ok(page) = page else { return false };
        if !copy(&*page, part) {
            return false;
        }
        self.pages.borrow_mut().insert(index, page);
        self.tell(|observer| observer.replaced(index));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::{SliceSink, SliceSource};
    use crate::page::{PageRef, PageStore};
    use crate::testing::TestStore;
    use alloc::rc::Rc;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// Gives pages of garbage where it may.
    struct Dirty(Rc<TestStore>);

    impl PageStore for Dirty {
        fn allocate(&self) -> crate::Result<PageRef> {
            self.0.allocate()
        }
        fn allocate_dirty(&self) -> crate::Result<PageRef> {
            let page = self.0.allocate()?;
            page.write(0, &[0xdd; PAGE_SIZE]);
            Ok(page)
        }
        fn available(&self) -> u64 {
            self.0.available()
        }
        fn total(&self) -> u64 {
            self.0.total()
        }
    }

    fn read(contents: &Contents, offset: u64, length: usize, there: usize) -> Vec<u8> {
        let mut bytes = vec![0xee; length];
        let direct = contents.read_pages(offset, length, |page, part| {
            let fits = part.done + part.length <= there;
            if fits {
                page.read(part.within, &mut bytes[part.done..part.done + part.length]);
            }
            fits
        });
        let count = direct.unwrap_or_else(|| contents.read(offset, &mut SliceSink::new(&mut bytes)).unwrap());
        bytes.truncate(count);
        bytes
    }
    /// `there`: so many bytes of the buffer are found at once.
    fn write(contents: &Contents, offset: u64, bytes: &[u8], there: usize) -> crate::Result<usize> {
        let direct = contents.write_pages(offset, bytes.len(), |page, part| {
            let fits = part.done + part.length <= there;
            if fits {
                page.write(part.within, &bytes[part.done..part.done + part.length]);
            }
            fits
        });
        direct.map_or_else(|| contents.write(offset, &mut SliceSource::new(bytes)), Ok)
    }

    const SPAN: usize = 6 * PAGE_SIZE;
    static IMAGE: [u8; 5000] = [7; 5000];

    /// An offset: mostly near a page's edge.
    fn place() -> impl Strategy<Value = usize> {
        (0..5usize, prop_oneof![Just(0), Just(1), Just(PAGE_SIZE - 1), 0..PAGE_SIZE])
            .prop_map(|(page, within)| page * PAGE_SIZE + within)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
        /// Two open files of one inode, mappings that write behind the end, cuts, holes, pages that are allocated, an image, too little
        /// memory: a file is its bytes.
        #[test]
        fn a_file_is_its_bytes(
            imaged: bool,
            most in prop_oneof![Just(100u64), 1..4u64],
            acts in proptest::collection::vec((0..10u8, place(), place(), 1..=255u8, any::<bool>()), 1..30),
        ) {
            let image: &'static [u8] = if imaged { &IMAGE } else { &[] };
            let contents = Contents::from_image(Rc::new(Dirty(TestStore::new(most))), image);
            let mut model = image.to_vec();
            for (act, at, length, byte, all) in acts {
                let there = if all { usize::MAX } else { PAGE_SIZE };
                match act {
                    0..5 => {
                        let length = length % (2 * PAGE_SIZE);
                        let written = write(&contents, at as u64, &vec![byte; length], there).unwrap_or(0);
                        prop_assert!(written == length || most < 100);
                        if written > 0 {
                            model.resize(model.len().max(at + written), 0);
                            model[at..at + written].fill(byte);
                        }
                    }
                    5 => {
                        contents.set_size(at as u64).unwrap();
                        model.resize(at, 0);
                    }
                    6 => if contents.punch(at as u64, 1 + length as u64).is_ok() {
                        let end = model.len().min(at + 1 + length);
                        model[at.min(end)..end].fill(0);
                    } else {
                        // A part may have been punched.
                        return Ok(());
                    },
                    7 => {
                        // A mapping writes to a page, to its end.
                        let (index, within) = split(at as u64);
                        if let Ok(Some(page)) = contents.page(index, true) {
                            page.write(within, &vec![byte; PAGE_SIZE - within]);
                            let end = model.len().min((index + 1) as usize * PAGE_SIZE);
                            model[at.min(end)..end].fill(byte);
                        }
                    }
                    8 => {
                        let allocated = contents.allocate(at as u64, 1 + length as u64, all).is_ok();
                        if allocated && !all {
                            model.resize(model.len().max(at + 1 + length), 0);
                        }
                    }
                    _ => {}
                }
                prop_assert_eq!(contents.size(), model.len() as u64);
                let expected = &model[at.min(model.len())..model.len().min(at + length)];
                prop_assert!(read(&contents, at as u64, length, there) == expected);
            }
            prop_assert!(read(&contents, 0, 2 * SPAN, usize::MAX) == model);
        }
    }
}
