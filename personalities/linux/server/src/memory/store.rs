//! The page cache: pages of files are frames, so that reading, writing and mapping a file see the same memory.

use crate::capability::{Frame, Frames};
use alloc::rc::Rc;
use chestnut_linux_files::page::{Page, PageRef, PageStore};
use chestnut_linux_files::{Errno, Result};
use core::any::Any;

/// Gives the file systems pages, as long as enough frames stay for programs.
pub struct FrameStore {
    frames: &'static Frames,
}

impl FrameStore {
    /// Files don't get the last frames: a process must be able to end tidily.
    const RESERVE: usize = 512;

    pub const fn new(frames: &'static Frames) -> Self {
        Self { frames }
    }
}

impl PageStore for FrameStore {
    fn allocate(&self) -> Result<PageRef> {
        if self.frames.available() <= Self::RESERVE {
            return Err(Errno::ENOMEM);
        }
        let frame = self.frames.allocate().map_err(|_| Errno::ENOMEM)?;
        Ok(Rc::new(FramePage(frame)))
    }
    fn available(&self) -> u64 {
        self.frames.available().saturating_sub(Self::RESERVE) as u64
    }
    fn total(&self) -> u64 {
        self.frames.total() as u64
    }
}

/// A file's page.
pub struct FramePage(pub Frame);

impl FramePage {
    /// The frame of a page that came from this store.
    pub fn frame_of(page: &dyn Page) -> Option<&Frame> {
        (page as &dyn Any).downcast_ref::<Self>().map(|page| &page.0)
    }
}

impl Page for FramePage {
    fn id(&self) -> u64 {
        self.0.index().into()
    }
    fn read(&self, offset: usize, into: &mut [u8]) {
        self.0.read(offset, into);
    }
    fn write(&self, offset: usize, bytes: &[u8]) {
        self.0.write(offset, bytes);
    }
}
