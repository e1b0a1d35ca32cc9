//! The page cache: pages of files are frames, so that reading, writing and mapping a file see the same memory.
//!
//! Three stores give the same frames. Files with names get half of the machine's at most (tmpfs's default `size=50%`), since nobody's
//! end gives back what they keep. A file system that was mounted with a size has that limit, too. What has no name (memfds, shared anonymous memory)
//! goes with those who have it open or mapped, so no allowance counts it, but the one that looks for somebody to end does. Pages that
//! only show what the boot image has are counted by no allowance either: or a full file system would keep programs from running.

use crate::capability::{Capabilities, Frame, Window};
use crate::pressure::Pressure;
use alloc::rc::Rc;
use chestnut_linux_files::page::{PAGE_SIZE, Page, PageRef, PageStore};
use chestnut_linux_files::{Errno, Result};
use core::any::Any;
use core::cell::Cell;
use core::ops::Range;

/// Gives the file systems pages, as long as enough frames stay for programs.
pub struct FrameStore {
    capabilities: &'static Capabilities,
    /// Pages of all files.
    used: Rc<Cell<u64>>,
    /// Those of files with names.
    named: Rc<Cell<u64>>,
    /// Those that show what the boot image has.
    imaged: Rc<Cell<u64>>,
}

impl FrameStore {
    /// Files don't get the last frames: a process must be able to end tidily.
    const RESERVE: usize = 512;

    pub fn new(capabilities: &'static Capabilities) -> Self {
        Self { capabilities, used: Rc::default(), named: Rc::default(), imaged: Rc::default() }
    }

    /// Pages of all files.
    pub fn used(&self) -> u64 {
        self.used.get()
    }

    /// Frames that files may have now, whatever their allowance.
    fn frames(&self) -> u64 {
        self.capabilities.frames.available().saturating_sub(Self::RESERVE) as u64
    }
    /// Pages that files with names may have.
    fn allowance(&self) -> u64 {
        self.capabilities.frames.total() as u64 / 2
    }
    fn left(&self) -> u64 {
        self.allowance().saturating_sub(self.named.get())
    }

    /// A page that these count, with whatever was in it before.
    fn page(&self, charges: [Option<Charge>; 2]) -> Result<Rc<FramePage>> {
        if self.frames() == 0 {
            return Err(Errno::ENOMEM);
        }
        let frame = self.capabilities.frames.allocate_dirty().map_err(|_| Errno::ENOMEM)?;
        let window = frame.window();
        Ok(Rc::new(FramePage { frame, window, charges: (Charge::new(&self.used), charges) }))
    }
    fn named_page(&self, charge: Option<Charge>) -> Result<Rc<FramePage>> {
        if self.left() == 0 {
            return Err(Errno::ENOSPC);
        }
        self.page([Some(Charge::new(&self.named)), charge])
    }
}

impl PageStore for FrameStore {
    fn allocate(&self) -> Result<PageRef> {
        Ok(self.named_page(None)?.cleared())
    }
    fn allocate_dirty(&self) -> Result<PageRef> {
        Ok(self.named_page(None)?)
    }
    fn allocate_for_image(&self) -> Result<PageRef> {
        Ok(self.page([Some(Charge::new(&self.imaged)), None])?.cleared())
    }
    fn available(&self) -> u64 {
        self.frames().min(self.left())
    }
    /// What df(1) shows: the pages of the boot image are in use, and come on top of the allowance.
    fn total(&self) -> u64 {
        self.allowance() + self.imaged.get()
    }
    fn takes_names(&self) -> bool {
        Pressure::of_heap(self.capabilities) < Pressure::Names
    }
}

/// The pages of a file system that may have only so many (tmpfs's `size`).
pub struct SizedStore {
    all: Rc<FrameStore>,
    most: u64,
    used: Rc<Cell<u64>>,
}

impl SizedStore {
    /// At most `most` pages of those that `all` has.
    pub fn new(all: &Rc<FrameStore>, most: u64) -> Self {
        Self { all: all.clone(), most, used: Rc::default() }
    }
}

impl SizedStore {
    fn page(&self) -> Result<Rc<FramePage>> {
        if self.used.get() >= self.most {
            return Err(Errno::ENOSPC);
        }
        self.all.named_page(Some(Charge::new(&self.used)))
    }
}

impl PageStore for SizedStore {
    fn allocate(&self) -> Result<PageRef> {
        Ok(self.page()?.cleared())
    }
    fn allocate_dirty(&self) -> Result<PageRef> {
        Ok(self.page()?)
    }
    fn available(&self) -> u64 {
        self.all.available().min(self.most.saturating_sub(self.used.get()))
    }
    fn total(&self) -> u64 {
        self.most
    }
    fn takes_names(&self) -> bool {
        self.all.takes_names()
    }
}

/// The pages of files without names.
pub struct NamelessStore(pub Rc<FrameStore>);

impl PageStore for NamelessStore {
    fn allocate(&self) -> Result<PageRef> {
        Ok(self.0.page([None, None])?.cleared())
    }
    fn allocate_dirty(&self) -> Result<PageRef> {
        Ok(self.0.page([None, None])?)
    }
    fn available(&self) -> u64 {
        self.0.frames()
    }
    fn total(&self) -> u64 {
        self.0.capabilities.frames.total() as u64
    }
    fn takes_names(&self) -> bool {
        self.0.takes_names()
    }
}

/// One page that counts for a store.
struct Charge(Rc<Cell<u64>>);

impl Charge {
    fn new(used: &Rc<Cell<u64>>) -> Self {
        used.set(used.get() + 1);
        Self(used.clone())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// A file's page.
pub struct FramePage {
    frame: Frame,
    /// Its memory: good as long as the page is.
    window: Window,
    #[expect(dead_code, reason = "they count by being there")]
    charges: (Charge, [Option<Charge>; 2]),
}

impl FramePage {
    /// The frame of a page that came from this store.
    pub fn frame_of(page: &dyn Page) -> Option<&Frame> {
        (page as &dyn Any).downcast_ref::<Self>().map(|page| &page.frame)
    }
    /// The memory of such a page, for a look at it now.
    #[inline]
    pub fn window_of(page: &dyn Page) -> Option<Window> {
        (page as &dyn Any).downcast_ref::<Self>().map(|page| page.window)
    }
    /// Full of zeros.
    fn cleared(self: Rc<Self>) -> PageRef {
        self.window.clear_part(0, PAGE_SIZE);
        self
    }
}

impl Page for FramePage {
    fn id(&self) -> u64 {
        self.frame.index().into()
    }
    fn read(&self, offset: usize, into: &mut [u8]) {
        self.window.read(offset, into);
    }
    fn write(&self, offset: usize, bytes: &[u8]) {
        self.window.write(offset, bytes);
    }
    fn clear(&self, range: Range<usize>) {
        self.window.clear_part(range.start, range.len());
    }
}
