//! Locations that were found lately, kept alive so that the next lookup finds them by name in their parents.
//!
//! A location without a holder goes at once, and the next walk over the same directories would make each of them anew. So each file
//! system holds on to a few. A place here must not make anything live longer than its name: what loses its name leaves
//! ([`Location::forget`]), a file system with aliases or without a mount keeps nothing.

use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use super::Location;

const PLACES: usize = 32;

/// The locations of one file system that were found lately.
#[derive(Default)]
pub(crate) struct RecentLocations {
    places: RefCell<[Option<Rc<Location>>; PLACES]>,
    next: Cell<usize>,
    is_closed: Cell<bool>,
}

/// Where a location is among those, or nowhere.
#[derive(Default)]
pub(super) struct RecentPlace(Cell<Option<u8>>);

impl RecentLocations {
    /// Keeps a location in place of the one that has been here longest.
    pub(super) fn keep(&self, location: &Rc<Location>) {
        if self.is_closed.get() || location.recent.0.get().is_some() {
            return;
        }
        let place = self.next.get();
        self.next.set((place + 1) % PLACES);
        location.recent.0.set(Some(place as u8));
        let old = self.places.borrow_mut()[place].replace(location.clone());
        if let Some(old) = old {
            old.recent.0.set(None);
        }
    }

    /// Lets go of a location that has lost its name.
    pub(super) fn forget(&self, location: &Location) {
        if let Some(place) = location.recent.0.take() {
            let old = self.places.borrow_mut()[usize::from(place)].take();
            drop(old);
        }
    }

    /// Lets go of all.
    pub(super) fn clear(&self) {
        let all = self.places.take();
        all.iter().flatten().for_each(|location| location.recent.0.set(None));
    }

    /// The same, and keeps none from now on.
    pub(crate) fn close(&self) {
        self.is_closed.set(true);
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use alloc::rc::Rc;
    use alloc::vec::Vec;
    use std::format;

    use crate::open::OpenFlags;
    use crate::testing::World;
    use crate::vfs::UnmountFlags;
    use crate::{Errno, tmpfs};

    /// The same location as long as the name is there, though nobody holds it.
    #[test]
    fn what_was_found_is_found_again_until_it_loses_its_name() {
        let world = World::new();
        world.mkdir("/a");
        world.write("/a/f", "text");
        let (pages, inodes) = (world.store.used(), world.filesystem.inodes());
        let first = Rc::downgrade(&world.find("/a/f").unwrap());
        assert!(first.upgrade().is_some_and(|first| Rc::ptr_eq(&first, &world.find("/a/f").unwrap())));
        world.rename("/a/f", "/a/g").unwrap();
        assert_eq!(world.find("/a/f").err(), Some(Errno::ENOENT));
        assert_eq!(world.find("/a/g").unwrap().path(&world.vfs.root()), b"/a/g");
        world.write("/a/h", "more");
        world.find("/a/h").unwrap();
        world.rename("/a/g", "/a/h").unwrap();
        assert_eq!(world.read("/a/h").unwrap(), b"text");
        assert_eq!((world.store.used(), world.filesystem.inodes()), (pages, inodes));
        world.unlink("/a/h").unwrap();
        assert!(first.upgrade().is_none() && world.store.used() == pages - 1);
        world.rmdir("/a").unwrap();
        assert_eq!(world.filesystem.inodes(), inodes - 2);
    }

    #[test]
    fn an_unmounted_file_system_goes_whoever_looked_at_it() {
        let world = World::new();
        world.mkdir("/m");
        for flags in [UnmountFlags::empty(), UnmountFlags::DETACH] {
            let inner = tmpfs::filesystem(9, world.clock.clone(), world.store.clone());
            world.vfs.mount(&world.find("/m").unwrap(), tmpfs::root(&inner, 0o755)).unwrap();
            world.write("/m/f", "text");
            world.mkdir("/m/d");
            world.write("/m/d/g", "");
            let held = (!flags.is_empty()).then(|| world.find("/m/d").unwrap());
            let root = world.find("/m").unwrap();
            world.vfs.unmount(&world.caller, &root, flags).unwrap();
            drop(root);
            if let Some(held) = held {
                let at = crate::vfs::At::Location(held);
                assert!(world.vfs.lookup(&world.caller, at, b"g", crate::vfs::Follow::Yes).is_ok());
            }
            assert_eq!((Rc::strong_count(&inner), world.list("/m").len()), (1, 2));
        }
    }

    #[test]
    fn as_many_as_there_are_places() {
        let world = World::new();
        for number in 0..100 {
            world.write(&format!("/{number}"), "");
        }
        let find = |number| Rc::downgrade(&world.find(&format!("/{number}")).unwrap());
        let found: Vec<_> = (0..100).map(find).collect();
        assert_eq!(found.iter().filter(|location| location.strong_count() > 0).count(), super::PLACES);
        assert!(world.open("/99", OpenFlags::empty()).is_ok() && world.open("/0", OpenFlags::empty()).is_ok());
    }
}
