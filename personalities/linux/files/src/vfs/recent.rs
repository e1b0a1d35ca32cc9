//! Locations that were found lately, kept alive so that the next lookup finds them at once.
//!
//! A location without a holder goes at once, and the next walk over the same directories would make each of them anew. So each file
//! system holds on to a few, each in one of four places that directory and name choose, where a lookup finds it without searching its directory. A
//! place here must not make anything live longer than its name: what loses its name leaves ([`Location::forget`]), a file system with
//! aliases or without a mount keeps nothing. What has moved stays where it is until it is kept again, and isn't found by its old name.

use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use super::Location;

/// Sets of places, and places in each. Names that meet in a set have room until five of them are wanted at a time.
const SETS: usize = 16;
const WAYS: usize = 4;

/// A set, the latest first.
type Set = [Option<Rc<Location>>; WAYS];

const NOBODY: [Set; SETS] = [const { [const { None }; WAYS] }; SETS];

/// The locations of one file system that were found lately.
pub(crate) struct RecentLocations {
    sets: RefCell<[Set; SETS]>,
    is_closed: Cell<bool>,
}

/// Where a location is among those, or nowhere: its set, and its place in that.
#[derive(Default)]
pub(super) struct RecentPlace(Cell<Option<(u8, u8)>>);

impl Default for RecentLocations {
    fn default() -> Self {
        RecentLocations { sets: RefCell::new(NOBODY), is_closed: Cell::default() }
    }
}

/// The set that a name is in.
#[inline]
fn set_of(directory: &Location, name: &[u8]) -> usize {
    // Spreads well enough; who makes five names meet has them looked up as if there were no places.
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut sum = core::ptr::from_ref(directory).addr() as u64;
    let mut words = name.chunks_exact(8);
    for word in &mut words {
        sum = (sum ^ word_of(word)).wrapping_mul(MIX).rotate_left(23);
    }
    sum = (sum ^ word_of(words.remainder())).wrapping_mul(MIX);
    (sum >> (u64::BITS - SETS.ilog2())) as usize
}

/// Up to eight bytes.
#[inline]
fn word_of(bytes: &[u8]) -> u64 {
    let half = |at: usize| u64::from(u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
    match bytes.len() {
        0 => 0,
        1..4 => {
            let [first, middle, last] = [0, bytes.len() / 2, bytes.len() - 1].map(|at| u64::from(bytes[at]));
            first | middle << 8 | last << 16
        }
        length => half(0) | half(length - 4) << 32,
    }
}

/// Whether two names are the same; compares words, as names are short.
#[inline]
pub(super) fn is_same_name(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let (mut words, mut others) = (one.chunks_exact(8), other.chunks_exact(8));
    (&mut words).zip(&mut others).all(|(word, other)| word_of(word) == word_of(other))
        && word_of(words.remainder()) == word_of(others.remainder())
}

impl RecentLocations {
    /// The location of a name in a directory, if it is kept.
    #[inline]
    pub(super) fn find(&self, directory: &Rc<Location>, name: &[u8]) -> Option<Rc<Location>> {
        let set = &self.sets.borrow()[set_of(directory, name)];
        set.iter().flatten().find(|kept| kept.is_named(directory, name)).cloned()
    }

    /// Keeps a location, which has this name in this directory.
    pub(super) fn keep(&self, directory: &Rc<Location>, name: &[u8], location: &Rc<Location>) {
        if self.is_closed.get() {
            return;
        }
        self.forget(location);
        let number = set_of(directory, name);
        let mut moving = Some(location.clone());
        let mut sets = self.sets.borrow_mut();
        for (index, place) in sets[number].iter_mut().enumerate() {
            let Some(comes) = moving else { break };
            comes.recent.0.set(Some((number as u8, index as u8)));
            moving = place.replace(comes);
        }
        drop(sets);
        // The oldest one, which may be gone with this: nothing is borrowed.
        if let Some(oldest) = moving {
            oldest.recent.0.set(None);
        }
    }

    /// Lets go of a location that has lost its name.
    pub(super) fn forget(&self, location: &Location) {
        if let Some((set, place)) = location.recent.0.take() {
            let old = self.sets.borrow_mut()[usize::from(set)][usize::from(place)].take();
            drop(old);
        }
    }

    /// Lets go of all.
    pub(super) fn clear(&self) {
        let all = self.sets.replace(NOBODY);
        all.iter().flatten().flatten().for_each(|location| location.recent.0.set(None));
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
    use alloc::vec;
    use alloc::vec::Vec;
    use std::format;

    use super::is_same_name;
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
    fn names_are_the_same_if_all_their_bytes_are() {
        let name = b"abcdefghijklmnopqrstu";
        for length in 0..name.len() {
            assert!(is_same_name(&name[..length], &name[..length]));
            assert!(!is_same_name(&name[..length], &name[..length + 1]));
            for changed in 0..length {
                let mut other = *name;
                other[changed] ^= 0x80;
                assert!(!is_same_name(&name[..length], &other[..length]), "{length} {changed}");
            }
        }
    }

    /// However names spread: the last four of a set are there, whoever else comes.
    #[test]
    fn the_latest_of_a_set_are_kept() {
        let world = World::new();
        let root = world.vfs.root();
        let name = |number: u32| format!("{number}");
        let of_one_set = |number: &u32| super::set_of(&root, name(*number).as_bytes()) == 5;
        let numbers: Vec<u32> = (0..).filter(of_one_set).take(6).collect();
        numbers.iter().for_each(|&number| world.write(&format!("/{number}"), ""));
        let found: Vec<_> =
            numbers.iter().map(|&number| Rc::downgrade(&world.find(&format!("/{number}")).unwrap())).collect();
        let kept = |found: &[alloc::rc::Weak<crate::vfs::Location>]| -> Vec<bool> {
            found.iter().map(|location| location.strong_count() > 0).collect()
        };
        assert_eq!(kept(&found), [false, false, true, true, true, true]);
        // Found again, they don't drive each other out; what loses its name leaves room.
        (0..10).for_each(|round| drop(world.find(&format!("/{}", numbers[2 + round % 4])).unwrap()));
        world.unlink(&format!("/{}", numbers[3])).unwrap();
        let back = Rc::downgrade(&world.find(&format!("/{}", numbers[0])).unwrap());
        assert_eq!((kept(&found[2..]), back.strong_count()), (vec![true, false, true, true], 1));
    }

    #[test]
    fn as_many_as_there_are_places() {
        let world = World::new();
        for number in 0..1000 {
            world.write(&format!("/{number}"), "");
        }
        let find = |number| Rc::downgrade(&world.find(&format!("/{number}")).unwrap());
        let found: Vec<_> = (0..1000).map(find).collect();
        let kept = found.iter().filter(|location| location.strong_count() > 0).count();
        // A name chooses its place: nearly all places are taken by now.
        const PLACES: usize = super::SETS * super::WAYS;
        assert!((PLACES * 3 / 4..=PLACES).contains(&kept), "{kept}");
        assert!(world.open("/99", OpenFlags::empty()).is_ok() && world.open("/0", OpenFlags::empty()).is_ok());
    }
}
