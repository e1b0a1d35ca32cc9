//! Shared memory: a segment is a file without a name, and attaching it is mapping that file.
//!
//! How often a segment is attached is how many areas hold its file, which counts itself: whatever ends an area, that is right.

use super::{Object, Permissions, Table};
use alloc::rc::{Rc, Weak};
use chestnut_linux_files::vfs::Location;
use core::cell::{Cell, RefCell};

/// Segments in all (SHMMNI).
pub const MOST: usize = 4096;
/// A mode bit: it goes when nobody has it attached any more (SHM_DEST).
pub const DOOMED: u32 = 0o1000;
/// A mode bit: SHM_LOCK.
pub const LOCKED: u32 = 0o2000;

/// One segment.
#[derive(Clone)]
pub struct Segment(Rc<Inner>);

struct Inner {
    permissions: Cell<Permissions>,
    /// Bytes, as they were asked for.
    size: u64,
    file: RefCell<File>,
    moments: Cell<Moments>,
}

/// While it is doomed, those who have it attached alone keep it.
enum File {
    Kept(Rc<Location>),
    Doomed(Weak<Location>),
}

/// When, in seconds, and by whom it was last attached, detached and changed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moments {
    pub attached: u64,
    pub detached: u64,
    pub changed: u64,
    pub creator: u32,
    pub last: u32,
}

impl Object for Segment {
    fn permissions(&self) -> Permissions {
        self.0.permissions.get()
    }
}

impl Segment {
    pub fn new(permissions: Permissions, size: u64, file: Rc<Location>, moments: Moments) -> Self {
        let (permissions, moments) = (Cell::new(permissions), Cell::new(moments));
        Self(Rc::new(Inner { permissions, size, file: RefCell::new(File::Kept(file)), moments }))
    }
    pub fn size(&self) -> u64 {
        self.0.size
    }
    pub fn set_permissions(&self, permissions: Permissions) {
        self.0.permissions.set(permissions);
    }
    pub fn moments(&self) -> Moments {
        self.0.moments.get()
    }
    pub fn set_moments(&self, change: impl FnOnce(&mut Moments)) {
        let mut moments = self.0.moments.get();
        change(&mut moments);
        self.0.moments.set(moments);
    }

    /// What is mapped; `None` once it has gone.
    pub fn file(&self) -> Option<Rc<Location>> {
        match &*self.0.file.borrow() {
            File::Kept(file) => Some(file.clone()),
            File::Doomed(file) => file.upgrade(),
        }
    }
    /// Areas that show it.
    pub fn attachments(&self) -> usize {
        match &*self.0.file.borrow() {
            File::Kept(file) => Rc::strong_count(file) - 1,
            File::Doomed(file) => file.strong_count(),
        }
    }
    /// From now on no key leads to it, and it goes with the last area.
    fn doom(&self) {
        let mut permissions = self.permissions();
        permissions.mode |= DOOMED;
        permissions.key = super::PRIVATE;
        self.set_permissions(permissions);
        let doomed = self.file().map_or_else(Weak::new, |file| Rc::downgrade(&file));
        self.0.file.replace(File::Doomed(doomed));
    }
}

/// All segments.
#[derive(Default)]
pub struct Segments {
    pub table: Table<Segment>,
}

impl Segments {
    /// Forgets doomed segments that nobody has attached.
    pub fn sweep(&mut self) {
        let gone = |segment: &Segment| segment.permissions().mode & DOOMED != 0 && segment.attachments() == 0;
        let gone: alloc::vec::Vec<u32> =
            self.table.iter().filter(|(_, segment)| gone(segment)).map(|(id, _)| id).collect();
        gone.into_iter().for_each(|id| self.table.remove(id));
    }
    /// IPC_RMID.
    pub fn doom(&mut self, segment: &Segment) {
        segment.doom();
        self.sweep();
    }
    /// Pages of all segments.
    pub fn pages(&self) -> u64 {
        self.table.iter().map(|(_, segment)| segment.size().div_ceil(crate::memory::PAGE)).sum()
    }
}
