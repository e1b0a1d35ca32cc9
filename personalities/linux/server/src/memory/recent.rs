//! Pages that the server found lately in an address space.
//!
//! A system call's arguments lie on the same few pages again and again, and looking a page up in the trees of areas and pages costs
//! more than what is done with it. So what was found is kept in a few places, and counts as long as the space's state hasn't been
//! changed since: [`Guarded`] numbers the changes, by counting whoever asks to make one. A frame that is found again like this is
//! held by the space, as whatever would give it up is such a change.

use super::space::Intent;
use crate::capability::{Frame, Holders, Window};
use core::cell::{Cell, Ref, RefCell, RefMut};

/// A value whose changes are numbered.
pub(super) struct Guarded<T> {
    value: RefCell<T>,
    version: Cell<u64>,
}

impl<T> Guarded<T> {
    pub const fn new(value: T) -> Self {
        Self { value: RefCell::new(value), version: Cell::new(1) }
    }
    pub fn borrow(&self) -> Ref<'_, T> {
        self.value.borrow()
    }
    /// For a change: what was seen before doesn't count any more.
    pub fn borrow_mut(&self) -> RefMut<'_, T> {
        self.version.set(self.version.get() + 1);
        self.value.borrow_mut()
    }
    /// How often it was borrowed for a change.
    #[inline]
    pub fn version(&self) -> u64 {
        self.version.get()
    }
}

/// Whether the server may write to a page for the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MayWrite {
    No,
    /// As long as nobody else holds its frame.
    Alone,
    Yes,
}

#[derive(Clone, Copy)]
struct Found {
    page: u64,
    version: u64,
    frame: u32,
    may_write: MayWrite,
    window: Window,
    /// It may be written to if this is one: the number of the frame's holders if that is what counts.
    writer: Holders,
}

/// Places, chosen by address: two for each page, so that two that meet don't drive each other out.
const PLACES: usize = 32;
/// How far a page's second place is from its first: further than a buffer's pages mostly are from each other.
const SECOND: usize = PLACES / 2;

/// The pages found lately.
pub(super) struct Recent {
    places: [Cell<Found>; PLACES],
}

/// A page that was found again.
#[derive(Clone, Copy)]
pub(super) struct Again {
    /// The index of its frame.
    pub frame: u32,
    /// It counts only if the space's is the only share in the frame.
    pub if_alone: bool,
}

impl Recent {
    /// Nothing was found yet; `frame` is any.
    pub fn new(frame: &Frame) -> Self {
        let (window, writer) = (frame.window(), frame.constant_count(false));
        // No version is 0.
        let nothing = Found { page: 0, version: 0, frame: 0, may_write: MayWrite::No, window, writer };
        Self { places: core::array::from_fn(|_| Cell::new(nothing)) }
    }

    const fn place(page: u64) -> usize {
        (page / super::PAGE) as usize % PLACES
    }

    /// A page's memory, if it is at its first place, was found since the last change, and nobody else holds it where that counts.
    #[inline(always)]
    pub fn window(&self, page: u64, intent: Intent, version: u64) -> Option<Window> {
        self.window_at(Self::place(page), page, intent, version)
    }
    /// The same of its second place, if it isn't at the first.
    pub fn window_at_second(&self, page: u64, intent: Intent, version: u64) -> Option<Window> {
        self.window_at(Self::place(page) ^ SECOND, page, intent, version)
    }
    #[inline(always)]
    fn window_at(&self, place: usize, page: u64, intent: Intent, version: u64) -> Option<Window> {
        let found = self.places[place].get();
        if found.page != page || found.version != version {
            return None;
        }
        let ready = match intent {
            Intent::Read => true,
            Intent::Write => found.writer.is_one(),
            Intent::Execute => false,
        };
        ready.then_some(found.window)
    }
    /// A page, if it was found since the last change.
    #[inline]
    pub fn find(&self, page: u64, intent: Intent, version: u64) -> Option<Again> {
        let first = Self::place(page);
        let is_it = |found: &Found| found.page == page && found.version == version;
        let found = [first, first ^ SECOND].map(|place| self.places[place].get()).into_iter().find(is_it)?;
        let if_alone = match (intent, found.may_write) {
            (Intent::Read, _) | (Intent::Write, MayWrite::Yes) => false,
            (Intent::Write, MayWrite::Alone) => true,
            (Intent::Write, MayWrite::No) | (Intent::Execute, _) => return None,
        };
        Some(Again { frame: found.frame, if_alone })
    }

    pub fn keep(&self, page: u64, version: u64, frame: &Frame, may_write: MayWrite) {
        let writer = match may_write {
            MayWrite::No => frame.constant_count(false),
            MayWrite::Alone => frame.holder_count(),
            MayWrite::Yes => frame.constant_count(true),
        };
        let (frame, window) = (frame.index(), frame.window());
        let first = Self::place(page);
        let before = self.places[first].replace(Found { page, version, frame, may_write, window, writer });
        if before.version == version && before.page != page {
            self.places[first ^ SECOND].set(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::{Capabilities, Kernel};
    use std::boxed::Box;

    fn frame() -> Frame {
        Box::leak(Box::new(Capabilities::new(Kernel::hosted(4)))).frames.allocate().unwrap()
    }

    #[test]
    fn what_was_found_counts_until_the_next_change() {
        let frame = frame();
        let (state, recent) = (Guarded::new(7), Recent::new(&frame));
        recent.keep(0x5000, state.version(), &frame, MayWrite::Alone);
        let find = |page, intent| {
            recent.find(page, intent, state.version()).map(|again| (again.frame == frame.index(), again.if_alone))
        };
        assert_eq!(*state.borrow(), 7);
        assert_eq!(find(0x5000, Intent::Read), Some((true, false)));
        assert_eq!(find(0x5000, Intent::Write), Some((true, true)));
        assert_eq!(find(0x5000, Intent::Execute), None);
        let window = |intent| recent.window(0x5000, intent, state.version()).is_some();
        assert_eq!([Intent::Read, Intent::Write, Intent::Execute].map(window), [true, true, false]);
        let shared = frame.clone();
        assert_eq!([Intent::Read, Intent::Write].map(window), [true, false]);
        drop(shared);
        assert!(window(Intent::Write));
        // Other pages of the same places: the latest two are found.
        let others = [1, 2].map(|round| 0x5000 + round * PLACES as u64 * super::super::PAGE);
        assert_eq!(others.map(|page| find(page, Intent::Read)), [None; 2]);
        recent.keep(others[0], state.version(), &frame, MayWrite::No);
        let both = [0x5000, others[0]].map(|page| find(page, Intent::Read));
        assert_eq!(both, [Some((true, false)); 2]);
        assert!(recent.window_at_second(0x5000, Intent::Write, state.version()).is_some());
        assert!(recent.window(others[0], Intent::Write, state.version()).is_none());
        recent.keep(others[1], state.version(), &frame, MayWrite::No);
        assert_eq!((find(0x5000, Intent::Read), find(others[0], Intent::Read)), (None, Some((true, false))));
        recent.keep(0x5000, state.version(), &frame, MayWrite::Alone);
        *state.borrow_mut() = 8;
        assert_eq!(find(0x5000, Intent::Read), None);
        assert!(recent.window(0x5000, Intent::Read, state.version()).is_none());
    }

    #[test]
    fn nothing_is_found_at_first() {
        let (state, recent) = (Guarded::new(()), Recent::new(&frame()));
        assert!(recent.find(0, Intent::Read, state.version()).is_none());
    }
}
