//! The page cache: pages of files are frames, so that reading, writing and mapping a file see the same memory.

use crate::capability::{Frame, Frames};
use alloc::rc::Rc;
use chestnut_linux_files::page::{Page, PageRef, PageStore};
use chestnut_linux_files::{Errno, Result};
use core::any::Any;
use core::cell::Cell;

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
        Ok(Rc::new(FramePage { frame, charge: None }))
    }
    fn available(&self) -> u64 {
        self.frames.available().saturating_sub(Self::RESERVE) as u64
    }
    fn total(&self) -> u64 {
        self.frames.total() as u64
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

impl PageStore for SizedStore {
    fn allocate(&self) -> Result<PageRef> {
        if self.used.get() >= self.most || self.all.available() == 0 {
            return Err(Errno::ENOMEM);
        }
        let frame = self.all.frames.allocate().map_err(|_| Errno::ENOMEM)?;
        Ok(Rc::new(FramePage { frame, charge: Some(Charge::new(&self.used)) }))
    }
    fn available(&self) -> u64 {
        self.all.available().min(self.most.saturating_sub(self.used.get()))
    }
    fn total(&self) -> u64 {
        self.most
    }
}

/// One page that counts for a [`SizedStore`].
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
    #[expect(dead_code, reason = "it counts by being there")]
    charge: Option<Charge>,
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
