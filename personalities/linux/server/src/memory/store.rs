//! The page cache: pages of files are frames, so that reading, writing and mapping a file see the same memory.

use crate::capability::{Capabilities, Frame};
use crate::pressure::Pressure;
use alloc::rc::Rc;
use chestnut_linux_files::page::{Page, PageRef, PageStore};
use chestnut_linux_files::{Errno, Result};
use core::any::Any;
use core::cell::Cell;

/// Gives the file systems pages, as long as enough frames stay for programs.
pub struct FrameStore {
    capabilities: &'static Capabilities,
    /// Pages that files have.
    used: Rc<Cell<usize>>,
}

impl FrameStore {
    /// Files don't get the last frames: a process must be able to end tidily.
    const RESERVE: usize = 512;

    pub fn new(capabilities: &'static Capabilities) -> Self {
        Self { capabilities, used: Rc::default() }
    }

    /// Pages that files have.
    pub fn used(&self) -> usize {
        self.used.get()
    }

    /// Frames that files may still have: half of the machine's in all, since nobody's end gives back what files keep.
    fn left(&self) -> usize {
        let frames = self.capabilities.frames;
        let allowance = (frames.total() / 2).saturating_sub(self.used.get());
        allowance.min(frames.available().saturating_sub(Self::RESERVE))
    }
}

impl PageStore for FrameStore {
    fn allocate(&self) -> Result<PageRef> {
        if self.left() == 0 {
            return Err(Errno::ENOMEM);
        }
        let frame = self.capabilities.frames.allocate().map_err(|_| Errno::ENOMEM)?;
        self.used.set(self.used.get() + 1);
        Ok(Rc::new(FramePage { frame, used: self.used.clone() }))
    }
    fn available(&self) -> u64 {
        self.left() as u64
    }
    fn total(&self) -> u64 {
        self.capabilities.frames.total() as u64 / 2
    }
    fn takes_names(&self) -> bool {
        Pressure::of(self.capabilities.headroom()) == Pressure::None
    }
}

/// A file's page.
pub struct FramePage {
    frame: Frame,
    used: Rc<Cell<usize>>,
}

impl Drop for FramePage {
    fn drop(&mut self) {
        self.used.set(self.used.get() - 1);
    }
}

impl FramePage {
    /// The frame of a page that came from this store.
    pub fn frame_of(page: &dyn Page) -> Option<&Frame> {
        (page as &dyn Any).downcast_ref::<Self>().map(|page| &page.frame)
    }
}

impl Page for FramePage {
    fn id(&self) -> u64 {
        self.frame.index().into()
    }
    fn read(&self, offset: usize, into: &mut [u8]) {
        self.frame.read(offset, into);
    }
    fn write(&self, offset: usize, bytes: &[u8]) {
        self.frame.write(offset, bytes);
    }
}
