//! What an access needs: the page is brought in, made this space's own if it is to be written, and shown.
//!
//! Programs' faults and the server's own accesses to programs' memory end here, so this is among the most frequent things that
//! the server does: one look at the areas and one at the pages is enough for a page that is there.

use super::area::{Area, Behaviour, Protection};
use super::recent::MayWrite;
use super::space::{AddressSpace, Fault, Intent, Page, Shown, State};
use super::{FramePage, PAGE, USER_START, page_down};
use crate::capability::{Frame, Window};
use chestnut_linux_files::vfs::Location;
use core::ops::Range;

/// Pages around a faulting one that are shown along with it, if they are there: a power of two.
const AROUND: u64 = 8;
/// Most pages of zeros that are brought in before a program asks for them.
const AHEAD: u64 = 8;
/// Frames that have to be left for that.
const ENOUGH: usize = 2048;
/// Bytes that a growing stack keeps free below itself.
const STACK_GAP: u64 = 256 * PAGE;

#[inline]
const fn in_one_page(address: u64, length: usize) -> bool {
    length <= (PAGE - address % PAGE) as usize
}

impl AddressSpace {
    /// A program's access faulted: makes it possible, or says why not.
    pub fn fault(&self, address: u64, intent: Intent) -> Result<(), Fault> {
        self.minor_faults.set(self.minor_faults.get() + 1);
        let page = page_down(address);
        if intent != Intent::Write && self.bring_around(page, intent) {
            return self.show_window(page);
        }
        if intent == Intent::Write
            && let Some(is_new) = self.write_alone(page)?
        {
            if is_new {
                self.bring_ahead(page);
            }
            return Ok(());
        }
        // Whoever holds the frame besides would keep the page from being written.
        let (frame, is_new) = self.bring(page, intent)?;
        drop(frame);
        if intent == Intent::Write {
            if is_new {
                self.bring_ahead(page);
            }
            // What is written here is often written nearby, and a page shown for reading would have to be shown anew then.
            return self.show_alone(page);
        }
        self.show_window(page)
    }

    /// What most faults are, by one look at the areas and one at the pages: a write to a private page that is there, or to zeros that aren't there
    /// yet, which `true` says. `None`: something else.
    fn write_alone(&self, page: u64) -> Result<Option<bool>, Fault> {
        let mut state = self.state.borrow_mut();
        let State { areas, pages, .. } = &mut *state;
        let Some((_, area)) = areas.find(page) else { return Ok(None) };
        let not_alone = Behaviour::SHARED.union(Behaviour::FIXED);
        if !area.protection.contains(Protection::WRITE) || area.behaviour.intersects(not_alone) {
            return Ok(None);
        }
        if let Some(present) = pages.get_mut(page) {
            if present.frame.holders() != 1 {
                self.foresee(page, present);
                let copy = self.copy_of(&present.frame)?;
                self.replace(present, copy);
            }
            self.show(area, page, present)?;
            return Ok(Some(false));
        }
        let Shown::Zeros = area.shown else { return Ok(None) };
        let mut present = Page { frame: self.clean()?, shown: None, may_write: true, of_file: false };
        let shown = self.show(area, page, &mut present);
        pages.insert(page, present);
        shown.map(|()| Some(true))
    }

    fn show_alone(&self, page: u64) -> Result<(), Fault> {
        let mut state = self.state.borrow_mut();
        let State { areas, pages, .. } = &mut *state;
        match (areas.find(page), pages.get_mut(page)) {
            (Some((_, area)), Some(present)) => self.show(area, page, present),
            _ => Ok(()),
        }
    }

    /// A program that writes to one page after the other, of zeros or of a file that it shares, gets the next ones before it asks, half as
    /// many as it has written to before: the longer the run, the fewer the faults.
    fn bring_ahead(&self, page: u64) {
        let (range, file) = {
            let state = self.state.borrow();
            let run = state.pages.run_before(page, 2 * AHEAD as usize) as u64;
            if run < 2 || self.memory.capabilities.frames.available() < ENOUGH {
                return;
            }
            let Some((start, area)) = state.areas.find(page) else { return };
            let range = page + PAGE..(page + (1 + run / 2) * PAGE).min(area.end);
            let file = match &area.shown {
                Shown::Zeros if !area.behaviour.contains(Behaviour::SHARED) => None,
                Shown::File { location, offset, .. } if area.behaviour.contains(Behaviour::SHARED) => {
                    Some((location.clone(), (offset + (range.start - start)) / PAGE))
                }
                _ => return,
            };
            (range, file)
        };
        let mut frames: [Option<Frame>; AHEAD as usize] = Default::default();
        if let Some((location, first)) = &file {
            // Holes stay holes until they are written to.
            file_frames(location, *first, count(&range), &mut frames);
        }
        let mut state = self.state.borrow_mut();
        let State { areas, pages, .. } = &mut *state;
        let Some((_, area)) = areas.find(page) else { return };
        for (next, frame) in range.step_by(PAGE as usize).zip(frames) {
            if pages.contains(next) {
                continue;
            }
            let frame = match frame {
                Some(frame) => frame,
                None if file.is_some() => continue,
                None => match self.clean() {
                    Ok(frame) => frame,
                    Err(_) => return,
                },
            };
            let mut present = Page { frame, shown: None, may_write: true, of_file: false };
            // A page that can't be shown now will be when it is asked for.
            let _ = self.show(area, next, &mut present);
            pages.insert(next, present);
        }
    }

    /// Makes pages present and shown at once.
    pub fn show_all(&self, range: Range<u64>) -> Result<(), Fault> {
        for page in range.step_by(PAGE as usize) {
            drop(self.bring(page, Intent::Read)?.0);
            self.show_alone(page)?;
        }
        Ok(())
    }

    /// The frame behind an address, for the server's own access: the page is there then and, for a write, is this space's to
    /// write. A later write by somebody else is seen by the program.
    #[inline]
    pub fn frame(&self, address: u64, intent: Intent) -> Result<Frame, Fault> {
        let page = page_down(address);
        let found = self.recent.find(page, intent, self.state.version());
        let frames = &self.memory.capabilities.frames;
        match found.and_then(|again| frames.hold(again.frame, again.if_alone)) {
            Some(frame) => Ok(frame),
            None => self.find_frame(page, intent),
        }
    }

    /// The same for a look at its memory now, before anything of this space changes: nothing is held.
    pub fn window(&self, address: u64, intent: Intent) -> Result<Window, Fault> {
        match self.window_present(address, intent) {
            Some(window) => Ok(window),
            // The space holds the frame that it finds.
            None => self.bring(page_down(address), intent).map(|(frame, _)| frame.window()),
        }
    }

    /// The same for whoever can't wait for anything to be brought in: `None` unless it is there already.
    #[inline(always)]
    pub fn window_present(&self, address: u64, intent: Intent) -> Option<Window> {
        let page = page_down(address);
        match self.recent.window(page, intent, self.state.version()) {
            Some(window) => Some(window),
            None => self.seek_window(page, intent),
        }
    }

    #[inline(never)]
    fn seek_window(&self, page: u64, intent: Intent) -> Option<Window> {
        let found = self.recent.window_at_second(page, intent, self.state.version());
        found.or_else(|| self.find_present(page, intent).map(|frame| frame.window()))
    }

    /// The window on the page that so many bytes from `address` lie in, all of them, if it is there.
    #[inline]
    pub fn window_to_read(&self, address: u64, length: usize) -> Option<Window> {
        if in_one_page(address, length) { self.window_present(address, Intent::Read) } else { None }
    }
    /// The same for a write.
    #[inline]
    pub fn window_to_write(&self, address: u64, length: usize) -> Option<Window> {
        if in_one_page(address, length) { self.window_present(address, Intent::Write) } else { None }
    }

    /// The same for a page that wasn't found lately; it is found from now on.
    fn find_frame(&self, page: u64, intent: Intent) -> Result<Frame, Fault> {
        match self.find_present(page, intent) {
            Some(frame) => Ok(frame),
            None => Ok(self.bring(page, intent)?.0),
        }
    }

    /// A page that is there and ready for this access.
    #[inline(never)]
    fn find_present(&self, page: u64, intent: Intent) -> Option<Frame> {
        let state = self.state.borrow();
        let (_, area) = state.areas.find(page)?;
        if !area.protection.intersects(needed(intent)) {
            return None;
        }
        let present = state.pages.get(page)?;
        let may_write = may_write(area, present);
        self.recent.keep(page, self.state.version(), &present.frame, may_write);
        let ready = match (intent, may_write) {
            (Intent::Read | Intent::Execute, _) | (Intent::Write, MayWrite::Yes) => true,
            (Intent::Write, MayWrite::Alone) => present.frame.holders() == 1,
            (Intent::Write, MayWrite::No) => false,
        };
        ready.then(|| present.frame.clone())
    }

    /// Brings a page in and, for a write, makes it this space's own. Says also whether it wasn't there.
    fn bring(&self, page: u64, intent: Intent) -> Result<(Frame, bool), Fault> {
        let (shown, private, start) = {
            let mut state = self.state.borrow_mut();
            let State { areas, pages, kept, .. } = &mut *state;
            let (start, area) = match areas.find(page) {
                Some(found) => found,
                None => {
                    // Nothing that is left of another program may lie where this one's stack grows.
                    self.give_up(kept, pages);
                    self.grow_stack(areas, page)?;
                    areas.find(page).ok_or(Fault::Unmapped)?
                }
            };
            if !area.protection.intersects(needed(intent)) {
                return Err(Fault::Forbidden);
            }
            let private = !area.behaviour.contains(Behaviour::SHARED);
            if let Some(present) = pages.get_mut(page) {
                let ready = intent != Intent::Write
                    || match may_write(area, present) {
                        MayWrite::Yes => true,
                        MayWrite::Alone => present.frame.holders() == 1,
                        MayWrite::No => false,
                    };
                if !ready && private {
                    self.foresee(page, present);
                    let copy = self.copy_of(&present.frame)?;
                    self.replace(present, copy);
                }
                if ready || private {
                    return Ok((present.frame.clone(), false));
                }
            } else if let Shown::Zeros = area.shown {
                let may_write = intent == Intent::Write;
                let frame = if may_write { self.clean()? } else { self.memory.zero.clone() };
                pages.insert(page, Page { frame: frame.clone(), shown: None, may_write, of_file: false });
                return Ok((frame, true));
            }
            (area.shown.clone(), private, start)
        };
        let fetched = self.fetch(&shown, page - start, intent, private)?;
        let frame = fetched.frame.clone();
        let mut state = self.state.borrow_mut();
        match state.pages.get_mut(page) {
            Some(present) => {
                if present.frame != frame {
                    self.replace(present, frame.clone());
                }
                present.may_write |= fetched.may_write;
            }
            None => {
                state.pages.insert(page, fetched);
                return Ok((frame, true));
            }
        }
        Ok((frame, false))
    }

    fn grow_stack(&self, areas: &mut super::area::Areas<Shown>, page: u64) -> Result<(), Fault> {
        let (start, area) = areas.next_above(page).ok_or(Fault::Unmapped)?;
        let low = area.end.saturating_sub(self.stack_limit.get());
        let below = page.saturating_sub(STACK_GAP);
        if !area.behaviour.contains(Behaviour::GROWS_DOWN) || page < low || page < USER_START {
            return Err(Fault::Unmapped);
        }
        if areas.overlapping(below..page).next().is_some() {
            return Err(Fault::Unmapped);
        }
        areas.grow_down(start, page);
        Ok(())
    }

    /// Maps a present page, or changes how it is mapped.
    pub(super) fn show(&self, area: &Area<Shown>, page: u64, present: &mut Page) -> Result<(), Fault> {
        let access = Self::access(area, present);
        match &mut present.shown {
            Some((_, now)) if *now == access => {}
            Some((mapping, now)) => {
                self.space.protect(mapping, page, access);
                *now = access;
            }
            None => {
                let mapping = self.space.map(&present.frame, page, access).map_err(|_| Fault::OutOfMemory)?;
                present.shown = Some((mapping, access));
            }
        }
        Ok(())
    }

    /// The pages around one that the program will probably want along with it, in its area.
    fn window_around(page: u64, area: Range<u64>) -> Range<u64> {
        let first = page & !(AROUND * PAGE - 1);
        first.max(area.start)..(first + AROUND * PAGE).min(area.end)
    }

    /// Brings in, for an access that doesn't write, a page of a file and its neighbours: what the file has in memory or image, and zeros
    /// for holes. False unless it is there then: whoever brings it in alone finds out why not.
    fn bring_around(&self, page: u64, intent: Intent) -> bool {
        let (range, first, location, private, present) = {
            let state = self.state.borrow();
            let Some((start, area)) = state.areas.find(page) else { return false };
            let Shown::File { location, offset, .. } = &area.shown else { return false };
            if !area.protection.intersects(needed(intent)) {
                return false;
            }
            let range = Self::window_around(page, start..area.end);
            let first = (offset + (range.start - start)) / PAGE;
            let present = state.pages.present_in(range.clone());
            (range, first, location.clone(), !area.behaviour.contains(Behaviour::SHARED), present)
        };
        if present.count_ones() as u64 == count(&range) {
            return true;
        }
        let mut frames: [Option<Frame>; AROUND as usize] = Default::default();
        file_frames(&location, first, count(&range), &mut frames);
        self.fill_holes(&location, first, count(&range), &mut frames);
        let is_there = |frame: &Option<Frame>| frame.is_some();
        let index = ((page - range.start) / PAGE) as usize;
        let brought = present >> index & 1 != 0 || frames.get(index).is_some_and(is_there);
        if frames.iter().any(is_there) {
            let present = |frame: Frame| {
                let of_file = private && frame != self.memory.zero;
                Page { frame, shown: None, may_write: false, of_file }
            };
            let pages = frames.into_iter().map(|frame| frame.map(present));
            self.state.borrow_mut().pages.fill(range.start, pages);
        }
        brought
    }

    /// The page of zeros for each of `count` pages of a file that is a hole.
    fn fill_holes(&self, location: &Location, first: u64, count: u64, frames: &mut [Option<Frame>]) {
        let Some(contents) = location.inode().contents() else { return };
        for (index, frame) in (first..first + count).zip(frames) {
            if frame.is_none() && contents.has_hole(index) {
                *frame = Some(self.memory.zero.clone());
            }
        }
    }

    /// Shows a present page, and those around it that are present too. Their failures are nobody's: the program will fault there if it
    /// must.
    fn show_window(&self, page: u64) -> Result<(), Fault> {
        let mut state = self.state.borrow_mut();
        let State { areas, pages, .. } = &mut *state;
        let Some((start, area)) = areas.find(page) else { return Ok(()) };
        let mut outcome = Ok(());
        pages.each_mut(Self::window_around(page, start..area.end), |at, present| {
            if at == page {
                outcome = self.show(area, at, present);
            } else if present.shown.is_none() {
                let _ = self.show(area, at, present);
            }
        });
        outcome
    }
}

/// Pages in a range.
const fn count(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start) / PAGE
}

/// The frames of `count` pages of a file from page `first` on that it has in memory or image, each in its place.
fn file_frames(location: &Location, first: u64, count: u64, frames: &mut [Option<Frame>]) {
    let Some(contents) = location.inode().contents() else { return };
    contents.each_page(first..first + count.min(frames.len() as u64), |index, page| {
        frames[(index - first) as usize] = FramePage::frame_of(page).cloned();
    });
}

/// Whether the server may write to a page where it is.
fn may_write(area: &Area<Shown>, present: &Page) -> MayWrite {
    if !area.protection.contains(Protection::WRITE) {
        MayWrite::No
    } else if area.behaviour.contains(Behaviour::FIXED) {
        MayWrite::Yes
    } else if !area.behaviour.contains(Behaviour::SHARED) {
        MayWrite::Alone
    } else if present.may_write {
        MayWrite::Yes
    } else {
        MayWrite::No
    }
}

/// Protections of which one is enough.
const fn needed(intent: Intent) -> Protection {
    match intent {
        // The processor has no way to allow writing or executing without reading.
        Intent::Read => Protection::all(),
        Intent::Write => Protection::WRITE,
        Intent::Execute => Protection::EXECUTE,
    }
}
