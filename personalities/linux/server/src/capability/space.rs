//! Address spaces: which frame is mapped where, and the paging structures that this takes.
//!
//! A dropped [`Space`] must have no mappings left (its user keeps the [`Mapping`]s and gives each back). Its paging
//! structures stay for the next process, which needs nearly the same ones.

use super::kernel::Kernel;
use super::{Access, Count, Frame, Level, OutOfMemory, Slot};
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::ops::Range;

/// A kept space with more paging structures than this gives them up.
const STRUCTURES_KEPT: usize = 24;

/// Address spaces and paging structures that are not in use.
pub struct Spaces {
    kernel: &'static Kernel,
    idle: RefCell<Vec<Parts>>,
    idle_structures: RefCell<[Vec<Slot>; 3]>,
    mapped: Cell<usize>,
    /// Of spaces that nobody is in, and so are not in use: how many, the pages that they show, their structures.
    aside: Cell<[usize; 3]>,
    made: Cell<usize>,
    structures_made: Cell<usize>,
}

struct Parts {
    root: Slot,
    structures: BTreeMap<(Level, u64), Slot>,
}

impl Spaces {
    pub fn new(kernel: &'static Kernel) -> Self {
        Self {
            kernel,
            idle: RefCell::new(Vec::new()),
            idle_structures: RefCell::new([const { Vec::new() }; 3]),
            mapped: Cell::new(0),
            aside: Cell::default(),
            made: Cell::new(0),
            structures_made: Cell::new(0),
        }
    }

    /// An empty address space.
    pub fn allocate(&'static self) -> Result<Space, OutOfMemory> {
        let idle = self.idle.borrow_mut().pop();
        let parts = match idle {
            Some(parts) => parts,
            None => {
                let root = self.kernel.make_space()?;
                self.made.set(self.made.get() + 1);
                Parts { root, structures: BTreeMap::new() }
            }
        };
        Ok(Space {
            spaces: self,
            root: parts.root,
            structures: RefCell::new(parts.structures),
            prepared: Cell::default(),
        })
    }

    fn structure(&self, level: Level) -> Result<Slot, OutOfMemory> {
        let idle = self.idle_structures.borrow_mut()[level as usize].pop();
        match idle {
            Some(slot) => Ok(slot),
            None => match self.kernel.make_structure(level) {
                Ok(slot) => {
                    self.structures_made.set(self.structures_made.get() + 1);
                    Ok(slot)
                }
                Err(_) => self.reclaim(level),
            },
        }
    }

    /// Pages that are shown to somebody.
    pub(super) fn mappings(&self) -> usize {
        self.mapped.get() - self.mapped_aside()
    }

    /// Pages that spaces show which nobody is in.
    pub(super) const fn mapped_aside(&self) -> usize {
        self.aside.get()[1]
    }

    /// Spaces, and paging structures in spaces that are in use.
    pub(super) fn counts(&self) -> (Count, Count) {
        let idle = self.idle.borrow();
        let made = self.made.get();
        let kept: usize = idle.iter().map(|parts| parts.structures.len()).sum();
        let unused: usize = self.idle_structures.borrow().iter().map(Vec::len).sum();
        let structures = self.structures_made.get();
        let [spaces, _, of_theirs] = self.aside.get();
        (
            Count { made, used: made - idle.len() - spaces },
            Count { made: structures, used: structures - kept - unused - of_theirs },
        )
    }

    /// A structure that an unused space has kept.
    fn reclaim(&self, level: Level) -> Result<Slot, OutOfMemory> {
        for parts in self.idle.borrow_mut().iter_mut() {
            self.strip(&mut parts.structures);
        }
        self.idle_structures.borrow_mut()[level as usize].pop().ok_or(OutOfMemory)
    }

    fn strip(&self, structures: &mut BTreeMap<(Level, u64), Slot>) {
        self.strip_unless(structures, |_| false);
    }
    /// Gives up the structures whose addresses aren't `needed`.
    fn strip_unless(&self, structures: &mut BTreeMap<(Level, u64), Slot>, needed: impl Fn(Range<u64>) -> bool) {
        let is_unused = |level: Level, index: u64| !needed(index << level.shift()..(index + 1) << level.shift());
        // The order of the keys is from the page tables up, as unmapping needs it.
        for ((level, _), slot) in structures.extract_if(.., |(level, index), _| is_unused(*level, *index)) {
            self.kernel.unmap_structure(level, slot);
            self.idle_structures.borrow_mut()[level as usize].push(slot);
        }
    }
}

/// One address space.
pub struct Space {
    spaces: &'static Spaces,
    root: Slot,
    structures: RefCell<BTreeMap<(Level, u64), Slot>>,
    /// An address whose paging structures are there.
    prepared: Cell<Option<u64>>,
}

/// One page of a space that shows a frame: the copied capability that is mapped there.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a mapping that is dropped can't be taken away again"]
pub struct Mapping(Slot);

impl Space {
    /// The PML4's capability.
    pub(super) const fn root(&self) -> Slot {
        self.root
    }

    /// What is mapped, by address.
    #[cfg(test)]
    pub fn mappings(&self) -> BTreeMap<u64, Access> {
        self.spaces.kernel.mappings(self.root)
    }

    /// Shows `frame` at `address`, where nothing is mapped now.
    pub fn map(&self, frame: &Frame, address: u64, access: Access) -> Result<Mapping, OutOfMemory> {
        self.prepare(address)?;
        let copy = frame.take_copy()?;
        self.spaces.kernel.map_page(copy, self.root, address, access);
        self.spaces.mapped.set(self.spaces.mapped.get() + 1);
        Ok(Mapping(copy))
    }

    /// Nobody is in the space for now, and so many pages stay mapped in it.
    pub fn set_aside(&self, mappings: usize) {
        let [spaces, mapped, structures] = self.spaces.aside.get();
        self.spaces.aside.set([spaces + 1, mapped + mappings, structures + self.structures.borrow().len()]);
    }
    /// Undoes [`Space::set_aside`].
    pub fn take_back(&self, mappings: usize) {
        let [spaces, mapped, structures] = self.spaces.aside.get();
        self.spaces.aside.set([spaces - 1, mapped - mappings, structures - self.structures.borrow().len()]);
    }
    /// It has more paging structures than are kept for the next program.
    pub fn is_large(&self) -> bool {
        self.structures.borrow().len() > STRUCTURES_KEPT
    }

    /// Gives up the paging structures of all addresses but those that are `needed`: nothing is mapped there.
    pub fn forget_structures(&self, needed: impl Fn(Range<u64>) -> bool) {
        self.prepared.set(None);
        self.spaces.strip_unless(&mut self.structures.borrow_mut(), needed);
    }

    /// Changes what the mapping at `address` allows.
    pub fn protect(&self, mapping: &Mapping, address: u64, access: Access) {
        self.spaces.kernel.map_page(mapping.0, self.root, address, access);
    }

    /// Takes a mapping of `frame` away.
    pub fn unmap(&self, frame: &Frame, mapping: Mapping) {
        self.spaces.kernel.unmap_page(mapping.0);
        frame.give_copy(mapping.0);
        self.spaces.mapped.set(self.spaces.mapped.get() - 1);
    }

    /// Makes sure of the paging structures above `address`.
    #[inline]
    fn prepare(&self, address: u64) -> Result<(), OutOfMemory> {
        let table = |address: u64| address >> Level::PageTable.shift();
        if self.prepared.get().is_none_or(|prepared| table(prepared) != table(address)) {
            self.add_structures(address)?;
            self.prepared.set(Some(address));
        }
        Ok(())
    }
    fn add_structures(&self, address: u64) -> Result<(), OutOfMemory> {
        let mut structures = self.structures.borrow_mut();
        if structures.contains_key(&(Level::PageTable, address >> Level::PageTable.shift())) {
            return Ok(());
        }
        for level in Level::ALL {
            if let Entry::Vacant(place) = structures.entry((level, address >> level.shift())) {
                let slot = self.spaces.structure(level)?;
                self.spaces.kernel.map_structure(level, slot, self.root, address);
                place.insert(slot);
            }
        }
        Ok(())
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let mut structures = self.structures.take();
        if structures.len() > STRUCTURES_KEPT {
            self.spaces.strip(&mut structures);
        }
        self.spaces.idle.borrow_mut().push(Parts { root: self.root, structures });
    }
}
