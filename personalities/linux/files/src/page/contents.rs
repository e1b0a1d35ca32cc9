//! The contents of a regular file: sparse pages over an optional slice of the boot image.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use super::{PAGE_SIZE, Page, PageRef, PageStore, zero};
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

    /// Page `index` now has a page of its own, where readers had been given zeros or bytes of the image (see
    /// [`Contents::page`]).
    fn replaced(&self, index: u64) {
        let _ = index;
    }
}

/// A file's bytes.
pub struct Contents {
    store: Rc<dyn PageStore>,
    image: Cell<&'static [u8]>,
    pages: RefCell<BTreeMap<u64, PageRef>>,
    size: Cell<u64>,
    observers: RefCell<alloc::vec::Vec<alloc::rc::Weak<dyn Observer>>>,
}

impl Contents {
    /// An empty file.
    pub fn new(store: Rc<dyn PageStore>) -> Self {
        Self::from_image(store, &[])
    }

    /// A file whose bytes are those of `image` until it is written. Reading copies straight from the image; a page is only
    /// made when it is mapped or written.
    pub fn from_image(store: Rc<dyn PageStore>, image: &'static [u8]) -> Self {
        todo!()
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size.get()
    }

    /// Pages that hold memory.
    pub fn resident_pages(&self) -> u64 {
        self.pages.borrow().len() as u64
    }

    /// The page at byte offset `index * PAGE_SIZE`, for a mapping or a page fault. It stays the file's page until a truncation or
    /// a hole: what is written into it is written to the file.
    ///
    /// `Ok(None)`: a hole, for which a reader (`for_write` false) may be given a shared page of zeros; it is told of by
    /// [`Observer::replaced`] when it is filled. `EFAULT` past the end of the file (SIGBUS); `ENOMEM`.
    pub fn page(&self, index: u64, for_write: bool) -> Result<Option<PageRef>> {
        todo!()
    }

    /// Has `observer` told of truncations while it lives.
    pub fn observe(&self, observer: &Rc<dyn Observer>) {
        self.observers.borrow_mut().push(Rc::downgrade(observer));
    }

    /// Copies from `offset` to the sink, up to the end of the file or of the sink.
    pub fn read(&self, offset: u64, sink: &mut dyn Sink) -> Result<usize> {
        todo!()
    }

    /// Copies from the source to `offset`, growing the file. `EFBIG` beyond 2⁶³ − 1, `ENOSPC` when pages are used up and nothing
    /// could be written.
    pub fn write(&self, offset: u64, source: &mut dyn Source) -> Result<usize> {
        todo!()
    }

    /// Cuts off or grows (with a hole) to `size` bytes.
    pub fn set_size(&self, size: u64) -> Result<()> {
        todo!()
    }
}
