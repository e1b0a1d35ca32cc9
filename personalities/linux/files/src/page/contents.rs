//! The contents of a regular file: sparse pages over an optional slice of the boot image.

use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::ops::Range;

use super::map::PageMap;
use super::{PAGE_SIZE, Page, PageRef, PageStore};
use crate::buffer::{Sink, Source, partial};
use crate::{Errno, Result};

/// Hears what happens to a file's pages behind the back of those who have them mapped.
pub trait Observer {
    /// The file now ends at `size` bytes: pages wholly behind that are no longer the file's, accesses to them are SIGBUS.
    /// Called before the pages are given up.
    fn truncated(&self, size: u64);

    /// Pages `first..first + count` have been punched out: mappings must ask for them again.
    fn punched(&self, first: u64, count: u64) {
        let _ = (first, count);
    }

    /// Page `index` now has memory, where readers had been given zeros (see [`Contents::page`]).
    fn replaced(&self, index: u64) {
        let _ = index;
    }
}

/// A file's bytes.
///
/// A page is in one of three states: its own memory (in `pages`), a part of the image (below `image.len()`), or a hole. Bytes
/// behind `size` in the last page may be written through a mapping, so they are zeroed whenever the file grows over them.
pub struct Contents {
    pub(super) store: Rc<dyn PageStore>,
    /// What the file began as; cut off by truncation, covered by pages.
    image: Cell<&'static [u8]>,
    pub(super) pages: RefCell<PageMap>,
    /// How many of `pages` cover parts of the image.
    copied: Cell<u64>,
    pub(super) size: Cell<u64>,
    /// Somebody may have had a page to write to that isn't wholly before the end.
    shown: Cell<bool>,
    observers: RefCell<Vec<Weak<dyn Observer>>>,
    version: Cell<u64>,
}

/// The greatest size of a file, bytes.
pub const SIZE_MAX: u64 = i64::MAX as u64;

pub(super) const PAGE: u64 = PAGE_SIZE as u64;

impl Contents {
    /// An empty file.
    pub fn new(store: Rc<dyn PageStore>) -> Self {
        Self::from_image(store, &[])
    }

    /// A file whose bytes are those of `image` until it is written. Reading copies straight from the image; a page is only
    /// made when it is mapped or written.
    pub fn from_image(store: Rc<dyn PageStore>, image: &'static [u8]) -> Self {
        Contents {
            store,
            image: Cell::new(image),
            pages: RefCell::default(),
            copied: Cell::new(0),
            size: Cell::new(image.len() as u64),
            shown: Cell::new(false),
            observers: RefCell::default(),
            version: Cell::new(0),
        }
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size.get()
    }

    /// Pages that hold data, in memory of their own or in the image.
    pub fn resident_pages(&self) -> u64 {
        self.pages.borrow().len() as u64 + self.imaged_pages() - self.copied.get()
    }

    /// Pages in memory of their own.
    pub fn own_pages(&self) -> u64 {
        self.pages.borrow().len() as u64
    }

    /// Changes whenever a page that was the file's isn't any more.
    pub fn version(&self) -> u64 {
        self.version.get()
    }

    /// The page at byte offset `index * PAGE_SIZE`, for a mapping or a page fault. It stays the file's page until a truncation or
    /// a hole: what is written into it is written to the file.
    ///
    /// `Ok(None)`: a hole, for which a reader (`for_write` false) may be given a shared page of zeros; it is told of by
    /// [`Observer::replaced`] when it is filled. `EFAULT` past the end of the file and `ENOSPC` (SIGBUS both); `ENOMEM`.
    pub fn page(&self, index: u64, for_write: bool) -> Result<Option<PageRef>> {
        if index >= self.size.get().div_ceil(PAGE) {
            return Err(Errno::EFAULT);
        }
        // Also who wants to read may write later (mprotect).
        self.shown.set(true);
        if let Some(page) = self.pages.borrow().get(index) {
            return Ok(Some(page.clone()));
        }
        if !for_write && self.image_of(index).is_empty() {
            return Ok(None);
        }
        self.make_page(index).map(Some)
    }

    /// Shows the pages of a range that the file has, in memory or in its image, in order. Of those of the image that have no memory yet, it
    /// gives memory to as many as there is some for.
    pub fn each_page(&self, range: Range<u64>, mut see: impl FnMut(u64, &dyn Page)) {
        let end = range.end.min(self.size.get().div_ceil(PAGE));
        self.shown.set(true);
        let imaged = range.start..end.min(self.imaged_pages());
        let present = |range: &Range<u64>| self.pages.borrow().range(range.clone()).count() as u64;
        if !imaged.is_empty() && present(&imaged) < imaged.end - imaged.start {
            imaged.for_each(|index| drop(self.own_page(index)));
        }
        if range.start < end {
            self.pages.borrow().range(range.start..end).for_each(|(index, page)| see(index, &**page));
        }
    }

    /// Whether the file has nothing at a page before its end.
    pub fn has_hole(&self, index: u64) -> bool {
        index < self.size.get().div_ceil(PAGE) && self.is_hole(index)
    }

    /// Has `observer` told of truncations while it lives.
    pub fn observe(&self, observer: &Rc<dyn Observer>) {
        let mut observers = self.observers.borrow_mut();
        observers.retain(|known| known.strong_count() > 0);
        observers.push(Rc::downgrade(observer));
    }

    /// Copies from `offset` to the sink, up to the end of the file or of the sink.
    pub fn read(&self, offset: u64, sink: &mut dyn Sink) -> Result<usize> {
        let available = self.size.get().saturating_sub(offset);
        let wanted = sink.remaining().min(usize::try_from(available).unwrap_or(usize::MAX));
        let mut moved = 0;
        while moved < wanted {
            let (index, within) = split(offset + moved as u64);
            let part = (PAGE_SIZE - within).min(wanted - moved);
            let stored = partial(moved, self.read_page(index, within, part, sink))?;
            moved += stored;
            if stored < part {
                break;
            }
        }
        Ok(moved)
    }

    fn read_page(&self, index: u64, within: usize, length: usize, sink: &mut dyn Sink) -> Result<usize> {
        // The handle is cloned so that nothing is borrowed while the server copies.
        let page = self.pages.borrow().get(index).cloned();
        if let Some(page) = page {
            return sink.put_page(&*page, within, length);
        }
        let imaged = self.image_of(index);
        let from_image = imaged.len().saturating_sub(within).min(length);
        let stored = if from_image > 0 { sink.put(&imaged[within..within + from_image])? } else { 0 };
        if stored < from_image || stored == length {
            return Ok(stored);
        }
        Ok(stored + partial(stored, sink.put_zeros(length - stored))?)
    }

    /// Copies from the source to `offset`, growing the file. `EFBIG` beyond 2⁶³ − 1, `ENOSPC` when pages are used up and nothing
    /// could be written.
    pub fn write(&self, offset: u64, source: &mut dyn Source) -> Result<usize> {
        if source.remaining() == 0 {
            return Ok(0);
        }
        if offset >= SIZE_MAX {
            return Err(Errno::EFBIG);
        }
        let wanted = source.remaining().min((SIZE_MAX - offset) as usize);
        if offset + wanted as u64 > self.size.get() {
            self.zero_shown_tail();
        }
        let mut moved = 0;
        while moved < wanted {
            let (index, within) = split(offset + moved as u64);
            let part = (PAGE_SIZE - within).min(wanted - moved);
            let stored = partial(moved, self.write_page(index, within, part, source))?;
            moved += stored;
            self.size.set(self.size.get().max(offset + moved as u64));
            if stored < part {
                break;
            }
        }
        Ok(moved)
    }

    fn write_page(&self, index: u64, within: usize, length: usize, source: &mut dyn Source) -> Result<usize> {
        let page = self.own_page(index).map_err(|_| Errno::ENOSPC)?;
        let taken = source.take_page(&*page, within, length);
        if !matches!(taken, Ok(1..)) && index >= self.size.get().div_ceil(PAGE) {
            self.pages.borrow_mut().remove(index);
        }
        taken
    }

    /// Cuts off or grows (with a hole) to `size` bytes. `EFBIG` beyond 2⁶³ − 1.
    pub fn set_size(&self, size: u64) -> Result<()> {
        if size > SIZE_MAX {
            return Err(Errno::EFBIG);
        }
        if size >= self.size.get() {
            self.zero_shown_tail();
            self.size.set(size);
            return Ok(());
        }
        self.size.set(size);
        let image = self.image.get();
        self.image.set(&image[..image.len().min(size as usize)]);
        self.version.set(self.version.get() + 1);
        self.tell(|observer| observer.truncated(size));
        let cut = self.pages.borrow_mut().cut(size.div_ceil(PAGE));
        drop(cut);
        self.copied.set(self.pages.borrow().range(0..self.imaged_pages()).count() as u64);
        self.zero_tail();
        Ok(())
    }

    /// fallocate(2) with mode 0 or FALLOC_FL_KEEP_SIZE: gives every page of the range memory. `ENOSPC` changes nothing.
    pub fn allocate(&self, offset: u64, length: u64, keep_size: bool) -> Result<()> {
        let end = range_end(offset, length)?;
        let (first, behind) = (offset / PAGE, end.div_ceil(PAGE));
        let present = self.pages.borrow().range(first..behind).count() as u64 + self.imaged_pages();
        if behind - first > self.store.available() + present {
            return Err(Errno::ENOSPC);
        }
        let mut made = Vec::new();
        for index in first..behind {
            let missing = self.is_hole(index);
            let page = if missing { self.own_page(index) } else { continue };
            if page.is_err() {
                let mut pages = self.pages.borrow_mut();
                made.iter().for_each(|&index| drop(pages.remove(index)));
                return Err(Errno::ENOSPC);
            }
            made.push(index);
        }
        if !keep_size && end > self.size.get() {
            self.zero_shown_tail();
            self.size.set(end);
        }
        Ok(())
    }

    /// fallocate(2) with FALLOC_FL_PUNCH_HOLE or, what reads the same, FALLOC_FL_ZERO_RANGE: the range becomes zeros, whole pages
    /// of it give their memory back. The size stays.
    pub fn punch(&self, offset: u64, length: u64) -> Result<()> {
        let end = range_end(offset, length)?;
        // Only what is there is visited: a sparse file may have more holes than there is time.
        let (first, behind) = (offset / PAGE, end.div_ceil(PAGE));
        let imaged = first..behind.min(self.imaged_pages());
        let resident: Vec<u64> = self.pages.borrow().range(first.max(imaged.end)..behind).map(|(at, _)| at).collect();
        for index in imaged.chain(resident) {
            let start = offset.saturating_sub(index * PAGE) as usize;
            let stop = (end - index * PAGE).min(PAGE) as usize;
            if stop - start == PAGE_SIZE && self.image_of(index).is_empty() {
                self.version.set(self.version.get() + 1);
                self.tell(|observer| observer.punched(index, 1));
                self.pages.borrow_mut().remove(index);
            } else {
                let page = self.own_page(index).map_err(|_| Errno::ENOSPC)?;
                page.clear(start..stop);
            }
        }
        Ok(())
    }

    /// SEEK_DATA: the first byte of data at or after `offset`; `ENXIO` if there is none.
    pub fn next_data(&self, offset: u64) -> Result<u64> {
        let size = self.size.get();
        if offset >= size {
            return Err(Errno::ENXIO);
        }
        if offset < self.image.get().len() as u64 {
            return Ok(offset);
        }
        let (index, _) = split(offset);
        let next = self.pages.borrow().range(index..u64::MAX).next().map(|(index, _)| index * PAGE);
        next.map(|start| start.max(offset)).filter(|&start| start < size).ok_or(Errno::ENXIO)
    }

    /// SEEK_HOLE: the first hole at or after `offset`, the end of the file being one; `ENXIO` behind that.
    pub fn next_hole(&self, offset: u64) -> Result<u64> {
        let size = self.size.get();
        if offset >= size {
            return Err(Errno::ENXIO);
        }
        let mut index = offset / PAGE;
        while index * PAGE < size && !self.is_hole(index) {
            index += 1;
        }
        Ok((index * PAGE).max(offset).min(size))
    }

    /// Pages that have bytes of the image, from the first on.
    fn imaged_pages(&self) -> u64 {
        (self.image.get().len() as u64).div_ceil(PAGE)
    }

    /// The image's bytes in a page.
    pub(super) fn image_of(&self, index: u64) -> &'static [u8] {
        let image = self.image.get();
        let start = usize::try_from(index * PAGE).unwrap_or(usize::MAX).min(image.len());
        &image[start..image.len().min(start + PAGE_SIZE)]
    }

    fn is_hole(&self, index: u64) -> bool {
        self.image_of(index).is_empty() && !self.pages.borrow().contains(index)
    }

    /// The page with memory of its own, made if need be.
    fn own_page(&self, index: u64) -> Result<PageRef> {
        if let Some(page) = self.pages.borrow().get(index) {
            return Ok(page.clone());
        }
        self.make_page(index)
    }

    fn make_page(&self, index: u64) -> Result<PageRef> {
        let imaged = !self.image_of(index).is_empty();
        let page = if imaged { self.store.allocate_for_image() } else { self.store.allocate() }?;
        page.write(0, self.image_of(index));
        self.pages.borrow_mut().insert(index, page.clone());
        if imaged {
            self.copied.set(self.copied.get() + 1);
        } else {
            self.tell(|observer| observer.replaced(index));
        }
        Ok(page)
    }

    /// Before the file grows over them: zeroes the bytes behind the end that a mapping may have written. Where none was, they are zeros
    /// already.
    pub(super) fn zero_shown_tail(&self) {
        if self.shown.get() {
            self.zero_tail();
        }
    }

    /// Zeroes what lies behind the end in the last page.
    fn zero_tail(&self) {
        let (index, within) = split(self.size.get());
        if within == 0 {
            return;
        }
        let page = self.pages.borrow().get(index).cloned();
        if let Some(page) = page {
            page.clear(within..PAGE_SIZE);
        }
    }

    pub(super) fn tell(&self, what: impl Fn(&dyn Observer)) {
        if self.observers.borrow().is_empty() {
            return;
        }
        let observers: Vec<_> = self.observers.borrow().iter().filter_map(Weak::upgrade).collect();
        observers.iter().for_each(|observer| what(&**observer));
    }
}

/// Page index, and offset in the page.
#[inline]
pub(super) fn split(offset: u64) -> (u64, usize) {
    (offset / PAGE, (offset % PAGE) as usize)
}

fn range_end(offset: u64, length: u64) -> Result<u64> {
    if length == 0 {
        return Err(Errno::EINVAL);
    }
    offset.checked_add(length).filter(|&end| end <= SIZE_MAX).ok_or(Errno::EFBIG)
}
