//! An address space: its areas, the pages it has, and what happens on a fault.
//!
//! A page is *present* when the space holds a frame for it, and *shown* when that frame is mapped for the program. The two
//! differ after a fork (the child's pages are present and shown on demand) and where the server used a page before the
//! program did. A private page may be written in place only while nobody else holds its frame; else it is copied first.
//!
//! The state is never borrowed while a file is asked for a page, because files report changes of their pages back to us.

use super::area::{Area, Areas, Behaviour, Protection};
use super::foresight::Foresight;
use super::kept::KeptArea;
use super::locked::FutureLocks;
use super::pages::Pages;
use super::recent::{Guarded, Recent};
use super::{FramePage, Memory, PAGE};
use crate::capability::{Access, Frame, Mapping, Space};
use alloc::collections::BTreeMap;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use chestnut_linux_files::Errno;
use chestnut_linux_files::inode::Inode;
use chestnut_linux_files::memfd::WritableMapping;
use chestnut_linux_files::page::Observer;
use chestnut_linux_files::vfs::Location;
use core::cell::{Cell, OnceCell};

/// Pages that one call lets a program do more with, at most: some 400 instructions each.
const GIVEN_AT_ONCE: usize = 4096;

/// What an area shows.
#[derive(Clone)]
pub enum Shown {
    /// Memory that begins as zeros.
    Zeros,
    /// A file from a byte offset on; `writes` says that its bytes may be written through here, which seals look at.
    File { location: Rc<Location>, offset: u64, writes: Option<WritableMapping> },
    /// Pages of the server's own (trampoline, vDSO, thread pages), from page `first` of `frames` on.
    Pages { label: &'static str, frames: Rc<[Frame]>, first: usize },
}

impl super::area::Shown for Shown {
    fn advanced(&self, bytes: u64) -> Self {
        match self {
            Self::Zeros => Self::Zeros,
            Self::File { location, offset, writes } => {
                Self::File { location: location.clone(), offset: offset + bytes, writes: writes.clone() }
            }
            Self::Pages { label, frames, first } => {
                Self::Pages { label, frames: frames.clone(), first: first + (bytes / PAGE) as usize }
            }
        }
    }
    fn continues(&self, earlier: &Self, bytes: u64) -> bool {
        match (earlier, self) {
            (Self::Zeros, Self::Zeros) => true,
            (Self::File { location, offset, writes }, Self::File { location: other, offset: next, writes: too }) => {
                Rc::ptr_eq(location, other) && offset + bytes == *next && writes.is_some() == too.is_some()
            }
            _ => false,
        }
    }
}

/// What somebody wants to do at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    Read,
    Write,
    Execute,
}

/// Why it can't be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No area: SIGSEGV, SEGV_MAPERR.
    Unmapped,
    /// SIGSEGV, SEGV_ACCERR.
    Forbidden,
    /// Past the end of a file: SIGBUS, BUS_ADRERR.
    PastEnd,
    OutOfMemory,
}

impl From<Fault> for Errno {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::OutOfMemory => Self::ENOMEM,
            _ => Self::EFAULT,
        }
    }
}

/// A present page.
pub(super) struct Page {
    pub frame: Frame,
    pub shown: Option<(Mapping, Access)>,
    /// A shared page that its file knows may be written.
    pub may_write: bool,
    /// A private page that is its file's own: nobody has written to it here.
    pub of_file: bool,
}

/// Everything about a space that changes.
pub(super) struct State {
    pub areas: Areas<Shown>,
    pub pages: Pages,
    pub break_start: u64,
    pub break_end: u64,
    pub watchers: BTreeMap<usize, Rc<Watcher>>,
    /// What the space still shows of the last program, until this one has its areas: the pages are among `pages` already.
    pub kept: Vec<KeptArea>,
}

/// The memory of one process, or of several that share it.
pub struct AddressSpace {
    pub(super) memory: Rc<Memory>,
    pub(super) space: Rc<Space>,
    pub(super) state: Guarded<State>,
    pub(super) recent: Recent,
    /// Where areas without an address are put: below here.
    pub map_top: Cell<u64>,
    /// RLIMIT_STACK, RLIMIT_AS and RLIMIT_DATA in bytes, as set by the process.
    pub stack_limit: Cell<u64>,
    pub size_limit: Cell<u64>,
    pub data_limit: Cell<u64>,
    /// membarrier(2): expedited barriers were asked for.
    pub expects_barriers: Cell<bool>,
    /// mlockall(2)'s MCL_FUTURE.
    pub future_locks: Cell<FutureLocks>,
    /// It began as a copy of another one.
    pub(super) is_forked: Cell<bool>,
    /// Of which one, and what its own children will write to.
    pub(super) parent: OnceCell<Weak<AddressSpace>>,
    pub(super) foresight: Foresight,
    pub minor_faults: Cell<u64>,
    /// What /proc/PID/stat and prctl tell.
    pub marks: Cell<Marks>,
    pub(super) this: Weak<AddressSpace>,
}

/// Addresses inside a program that others ask for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Marks {
    pub code: (u64, u64),
    pub data: (u64, u64),
    pub stack_start: u64,
    pub arguments: (u64, u64),
    pub environment: (u64, u64),
    pub auxiliary: (u64, u64),
}

impl AddressSpace {
    /// An empty space.
    pub fn new(memory: &Rc<Memory>) -> Result<Rc<Self>, Errno> {
        Self::for_program(memory, None)
    }

    /// A space without areas for a program of this file. What an ended program has left in it goes at the latest when it is
    /// settled ([`AddressSpace::settle`]), which must be before a thread enters.
    pub fn for_program(memory: &Rc<Memory>, file: Option<&Rc<Inode>>) -> Result<Rc<Self>, Errno> {
        let (space, kept, pages) = Self::find_space(memory, file).map_err(|_| Errno::ENOMEM)?;
        let state =
            State { areas: Areas::default(), pages, break_start: 0, break_end: 0, watchers: BTreeMap::new(), kept };
        Ok(Rc::new_cyclic(|this| Self {
            memory: memory.clone(),
            space,
            state: Guarded::new(state),
            recent: Recent::new(&memory.zero),
            map_top: Cell::new(super::USER_END),
            stack_limit: Cell::new(8 << 20),
            size_limit: Cell::new(u64::MAX),
            data_limit: Cell::new(u64::MAX),
            expects_barriers: Cell::default(),
            future_locks: Cell::default(),
            is_forked: Cell::new(false),
            parent: OnceCell::new(),
            foresight: Foresight::default(),
            minor_faults: Cell::new(0),
            marks: Cell::default(),
            this: this.clone(),
        }))
    }

    /// The space as threads enter it.
    pub fn capability(&self) -> &Space {
        &self.space
    }
    pub fn memory(&self) -> &Rc<Memory> {
        &self.memory
    }
    /// Pages that are present.
    pub fn resident(&self) -> usize {
        self.state.borrow().pages.len()
    }
    pub fn area_count(&self) -> usize {
        self.state.borrow().areas.len()
    }
    /// Bytes in areas.
    pub fn size(&self) -> u64 {
        self.state.borrow().areas.total()
    }

    /// What belongs at `offset` bytes of what an area shows.
    pub(super) fn fetch(&self, shown: &Shown, offset: u64, intent: Intent, private: bool) -> Result<Page, Fault> {
        let found = |frame, may_write| Page { frame, shown: None, may_write, of_file: false };
        let write = intent == Intent::Write;
        match shown {
            Shown::Zeros if write => Ok(found(self.clean()?, true)),
            Shown::Zeros => Ok(found(self.memory.zero.clone(), false)),
            Shown::Pages { frames, first, .. } => {
                let frame = frames.get(first + (offset / PAGE) as usize).ok_or(Fault::PastEnd)?;
                Ok(found(frame.clone(), true))
            }
            Shown::File { location, offset: from, .. } => {
                let contents = location.inode().contents().ok_or(Fault::PastEnd)?;
                let index = (from + offset) / PAGE;
                let page = contents.page(index, write && !private).map_err(|error| match error {
                    Errno::ENOMEM => Fault::OutOfMemory,
                    // A file system that is full is SIGBUS, as the end of a file is.
                    _ => Fault::PastEnd,
                })?;
                match page {
                    Some(page) => {
                        let frame = FramePage::frame_of(&*page).ok_or(Fault::PastEnd)?;
                        if write && private {
                            return Ok(found(self.copy_of(frame)?, true));
                        }
                        Ok(Page { of_file: private, ..found(frame.clone(), write) })
                    }
                    None if write => Ok(found(self.clean()?, true)),
                    None => Ok(found(self.memory.zero.clone(), false)),
                }
            }
        }
    }

    pub(super) fn clean(&self) -> Result<Frame, Fault> {
        self.memory.capabilities.frames.allocate().map_err(|_| Fault::OutOfMemory)
    }
    pub(super) fn copy_of(&self, frame: &Frame) -> Result<Frame, Fault> {
        if *frame == self.memory.zero {
            return self.clean();
        }
        let copy = self.memory.capabilities.frames.allocate_dirty().map_err(|_| Fault::OutOfMemory)?;
        copy.copy_from(0, frame, 0, PAGE as usize);
        Ok(copy)
    }

    /// Puts another frame in a page's place.
    pub(super) fn replace(&self, page: &mut Page, frame: Frame) {
        self.hide(page);
        page.frame = frame;
        page.of_file = false;
    }
    pub(super) fn hide(&self, page: &mut Page) {
        if let Some((mapping, _)) = page.shown.take() {
            self.space.unmap(&page.frame, mapping);
        }
    }

    /// What the program may do with a page as it is now.
    pub(super) fn access(area: &Area<Shown>, page: &Page) -> Access {
        let in_place = if area.behaviour.intersects(Behaviour::SHARED.union(Behaviour::FIXED)) {
            page.may_write
        } else {
            page.frame.holders() == 1
        };
        Access {
            write: area.protection.contains(Protection::WRITE) && in_place,
            execute: area.protection.contains(Protection::EXECUTE),
        }
    }

    /// Gives up the pages of a range, whatever areas are there.
    pub(super) fn drop_pages(&self, state: &mut State, range: core::ops::Range<u64>) {
        state.pages.take(range, |_, mut page| self.hide(&mut page));
    }

    /// Shows every present page of a range as its area says now. What may be done with it beside what could be done already waits for its
    /// next fault, after so many that nobody else should have to wait longer.
    pub(super) fn refresh(&self, state: &mut State, range: core::ops::Range<u64>) {
        let State { areas, pages, .. } = state;
        let mut given = 0;
        for (start, area) in areas.overlapping(range.clone()) {
            pages.each_mut(start.max(range.start)..area.end.min(range.end), |address, page| {
                if area.protection.is_empty() {
                    return self.hide(page);
                }
                let access = Self::access(area, page);
                if let Some((mapping, now)) = &mut page.shown
                    && *now != access
                {
                    let takes = now.write && !access.write || now.execute && !access.execute;
                    given += usize::from(!takes);
                    if !takes && given > GIVEN_AT_ONCE {
                        return;
                    }
                    self.space.protect(mapping, address, access);
                    *now = access;
                }
            });
        }
    }

    /// Hears from now on when pages of this file go away.
    pub(super) fn watch(&self, inode: &Rc<Inode>) {
        let Some(contents) = inode.contents() else { return };
        let key = Rc::as_ptr(inode) as usize;
        let mut state = self.state.borrow_mut();
        state.watchers.entry(key).or_insert_with(|| {
            let watcher = Rc::new(Watcher { space: self.this.clone(), inode: key });
            let observer: Rc<dyn Observer> = watcher.clone();
            contents.observe(&observer);
            watcher
        });
    }

    /// Gives up all pages of file pages `from..to`.
    fn forget_file_pages(&self, inode: usize, from: u64, to: u64) {
        let mut state = self.state.borrow_mut();
        let mut ranges = Vec::new();
        for (start, area) in state.areas.iter() {
            let Shown::File { location, offset, .. } = &area.shown else { continue };
            if Rc::as_ptr(location.inode()) as usize != inode {
                continue;
            }
            let first = offset / PAGE;
            let last = first + (area.end - start) / PAGE;
            let (low, high) = (from.clamp(first, last), to.clamp(first, last));
            if low < high {
                ranges.push(start + (low - first) * PAGE..start + (high - first) * PAGE);
            }
        }
        for range in ranges {
            self.drop_pages(&mut state, range);
        }
    }
}

impl Drop for AddressSpace {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Hears of changes to one file that a space has mapped.
pub(super) struct Watcher {
    space: Weak<AddressSpace>,
    inode: usize,
}

impl Observer for Watcher {
    fn truncated(&self, size: u64) {
        if let Some(space) = self.space.upgrade() {
            space.forget_file_pages(self.inode, size.div_ceil(PAGE), u64::MAX);
        }
    }
    fn punched(&self, first: u64, count: u64) {
        if let Some(space) = self.space.upgrade() {
            space.forget_file_pages(self.inode, first, first.saturating_add(count));
        }
    }
    fn replaced(&self, index: u64) {
        if let Some(space) = self.space.upgrade() {
            // Private copies stay what they are: only pages of zeros are shown in place of a hole.
            space.forget_zeros(self.inode, index);
        }
    }
}

impl AddressSpace {
    fn forget_zeros(&self, inode: usize, index: u64) {
        let mut state = self.state.borrow_mut();
        let State { areas, pages, .. } = &mut *state;
        for (start, area) in areas.iter() {
            let Shown::File { location, offset, .. } = &area.shown else { continue };
            let Some(page) = index.checked_sub(offset / PAGE) else { continue };
            let address = start + page * PAGE;
            if Rc::as_ptr(location.inode()) as usize == inode
                && address < area.end
                && let Some(present) = pages.get_mut(address)
                && present.frame == self.memory.zero
            {
                self.hide(present);
                pages.remove(address);
            }
        }
    }
}
