//! Pages that the server found lately in an address space.
//!
//! A system call's arguments lie on the same few pages again and again, and looking a page up in the trees of areas and pages costs
//! more than what is done with it. So what was found is kept in a few places, and counts as long as the space's state hasn't been
//! changed since: [`Guarded`] numbers the changes, by counting whoever asks to make one. A frame that is found again like this is
//! held by the space, as whatever would give it up is such a change.

use super::space::Intent;
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
}

impl Found {
    /// No version is 0.
    const NOTHING: Self = Self { page: 0, version: 0, frame: 0, may_write: MayWrite::No };
}

/// Places, chosen by address.
const PLACES: usize = 32;

/// The pages found lately.
pub(super) struct Recent {
    places: [Cell<Found>; PLACES],
}

impl Recent {
    pub const fn new() -> Self {
        Self { places: [const { Cell::new(Found::NOTHING) }; PLACES] }
    }

    const fn place(page: u64) -> usize {
        (page / super::PAGE) as usize % PLACES
    }

    /// The index of a page's frame, and whether that must be the only share in it, if it was found since the last change.
    #[inline]
    pub fn find(&self, page: u64, intent: Intent, version: u64) -> Option<(u32, bool)> {
        let found = self.places[Self::place(page)].get();
        if found.page != page || found.version != version {
            return None;
        }
        match (intent, found.may_write) {
            (Intent::Read, _) | (Intent::Write, MayWrite::Yes) => Some((found.frame, false)),
            (Intent::Write, MayWrite::Alone) => Some((found.frame, true)),
            (Intent::Write, MayWrite::No) | (Intent::Execute, _) => None,
        }
    }

    pub fn keep(&self, page: u64, version: u64, frame: u32, may_write: MayWrite) {
        self.places[Self::place(page)].set(Found { page, version, frame, may_write });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_counts_until_the_next_change() {
        let (state, recent) = (Guarded::new(7), Recent::new());
        recent.keep(0x5000, state.version(), 3, MayWrite::Alone);
        let find = |page, intent| recent.find(page, intent, state.version());
        assert_eq!(*state.borrow(), 7);
        assert_eq!(find(0x5000, Intent::Read), Some((3, false)));
        assert_eq!(find(0x5000, Intent::Write), Some((3, true)));
        assert_eq!(find(0x5000, Intent::Execute), None);
        // Another page of the same place.
        assert_eq!(find(0x5000 + PLACES as u64 * super::super::PAGE, Intent::Read), None);
        *state.borrow_mut() = 8;
        assert_eq!(find(0x5000, Intent::Read), None);
    }

    #[test]
    fn nothing_is_found_at_first() {
        let (state, recent) = (Guarded::new(()), Recent::new());
        assert_eq!(recent.find(0, Intent::Read, state.version()), None);
    }
}
