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
    used: Rc<Cell<u64>>,
}

impl FrameStore {
    /// Files don't get the last frames: a process must be able to end tidily.
    const RESERVE: usize = 512;

    pub fn new(capabilities: &'static Capabilities) -> Self {
        Self { capabilities, used: Rc::default() }
    }

    /// Pages that files have.
    pub fn used(&self) -> u64 {
        self.used.get()
    }

    fn page(&self, charge: Option<Charge>) -> Result<PageRef> {
        if self.available() == 0 {
            return Err(Errno::ENOMEM);
        }
        let frame = self.capabilities.frames.allocate().map_err(|_| Errno::ENOMEM)?;
        Ok(Rc::new(FramePage { frame, charges: (Charge::new(&self.used), charge) }))
    }
}

impl PageStore for FrameStore {
    fn allocate(&self) -> Result<PageRef> {
        self.page(None)
    }
    /// Half of the machine's in all, since nobody's end gives back what files keep, and not the last ones.
    fn available(&self) -> u64 {
        let free = self.capabilities.frames.available().saturating_sub(Self::RESERVE) as u64;
        free.min(self.total().saturating_sub(self.used.get()))
    }
    fn total(&self) -> u64 {
        self.capabilities.frames.total() as u64 / 2
    }
    fn takes_names(&self) -> bool {
        Pressure::of(self.capabilities.headroom()) == Pressure::None
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
        if self.used.get() >= self.most {
            return Err(Errno::ENOMEM);
        }
        self.all.page(Some(Charge::new(&self.used)))
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
    #[expect(dead_code, reason = "it counts by being there")]
    charges: (Charge, Option<Charge>),
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
