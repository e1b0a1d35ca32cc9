//! Slots and the derivation tree.
//!
//! The tree is kept as one doubly linked list in depth-first order: behind a slot come first what was derived from it, then
//! its siblings. Two marks make the shape readable from the order alone. An *original* capability (fresh from Retype, freshly
//! badged, or issued by a control capability) can have descendants: what follows it and is covered by it. A copy can't; it is
//! its original's child. A *first-badged* endpoint or notification capability begins a new family of its badge, so that
//! two families with the same badge don't run into each other.
//!
//! `unsafe`: a slot finds its neighbours by address. Invariant: `next` and `prev` of a filled slot name filled slots (or
//! nothing) and agree with each other; a slot leaves the list before its memory is given back ([`Slot::clear`]).

use super::{Cap, Kind};
use crate::mem::{Entry, Ref};
use core::cell::Cell;

/// A place for one capability: 32 bytes, in a CNode, a TCB or the kernel's state. All zeroes is empty.
#[repr(C, align(32))]
pub struct Slot {
    word0: Cell<u64>,
    word1: Cell<u64>,
    prev: Cell<usize>,
    /// Address of the next slot in the tree's order; its low bits hold the marks.
    next: Cell<usize>,
}

const ORIGINAL: usize = 1;
const FIRST_BADGED: usize = 2;
const MARKS: usize = 31;

const _: () = assert!(size_of::<Slot>() == 1 << chestnut_abi::object::SLOT_BITS);

/// A slot during one kernel entry.
pub type CapRef<'k> = Ref<'k, Slot>;

impl Slot {
    pub const EMPTY: Self = Self { word0: Cell::new(0), word1: Cell::new(0), prev: Cell::new(0), next: Cell::new(0) };

    #[inline(always)]
    pub fn cap(&self) -> Cap {
        Cap { word0: self.word0.get(), word1: self.word1.get() }
    }

    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.word0.get() == 0
    }

    /// Replaces the capability where it stands in the tree: the same object, seen differently (a mapping, a guard, a zombie).
    pub fn update(&self, cap: Cap) {
        self.word0.set(cap.word0);
        self.word1.set(cap.word1);
    }

    /// Whether the capability can have descendants.
    pub fn is_original(&self) -> bool {
        self.next.get() & ORIGINAL != 0
    }
    /// Whether the capability begins a family of its badge.
    pub fn is_first_badged(&self) -> bool {
        self.next.get() & FIRST_BADGED != 0
    }
}

impl<'k> Ref<'k, Slot> {
    /// The neighbour that a link word names.
    fn neighbour(word: usize) -> Option<Self> {
        let slot = core::ptr::with_exposed_provenance::<Slot>(word & !MARKS);
        // SAFETY: by the module's invariant a link names a slot in use or nothing; it is used only within this entry.
        unsafe { slot.as_ref::<'k>() }.map(Ref::from)
    }

    /// The next slot in the tree's order.
    pub fn next(self) -> Option<Self> {
        Self::neighbour(self.next.get())
    }
    /// The slot before in the tree's order.
    pub fn prev(self) -> Option<Self> {
        Self::neighbour(self.prev.get())
    }

    fn link_next(self, next: Option<Self>) {
        self.next.set(next.map_or(0, Ref::address) | self.next.get() & MARKS);
    }
    fn link_prev(self, prev: Option<Self>) {
        self.prev.set(prev.map_or(0, Ref::address));
    }

    /// Fills an empty slot with the root of a tree of its own: what boot hands out.
    pub fn fill_root(self, cap: Cap) {
        self.update(cap);
        self.prev.set(0);
        self.next.set(ORIGINAL | FIRST_BADGED);
    }

    /// Fills an empty slot with an original capability derived from `parent`: what Retype makes and control capabilities issue.
    pub fn fill_original(self, cap: Cap, parent: Self) {
        self.insert_after(cap, parent, ORIGINAL | FIRST_BADGED);
    }

    /// Fills an empty slot with a capability derived from the one in `source`, which Copy or Mint made `cap` of.
    pub fn fill_derived(self, cap: Cap, source: Self) {
        let from = source.cap();
        let original = match cap.kind() {
            Kind::Untyped => {
                // The copy goes on from the free offset. What is made from it is unknown to the source, which therefore counts as wholly
                // used: when the copy is gone, the source's next Retype clears everything.
                source.update(from.with_untyped_free(1 << from.untyped_bits()));
                true
            }
            Kind::Endpoint | Kind::Notification => cap.badge() != from.badge(),
            _ => false,
        };
        self.insert_after(cap, source, if original { ORIGINAL | FIRST_BADGED } else { 0 });
    }

    fn insert_after(self, cap: Cap, before: Self, marks: usize) {
        let after = before.next();
        self.update(cap);
        self.link_prev(Some(before));
        self.next.set(after.map_or(0, Ref::address) | marks);
        before.link_next(Some(self));
        if let Some(after) = after {
            after.link_prev(Some(self));
        }
    }

    /// Moves the capability, as `cap`, to the empty slot `to`; its place in the tree goes with it.
    pub fn move_to(self, to: Self, cap: Cap) {
        let (prev, next, marks) = (self.prev(), self.next(), self.next.get() & MARKS);
        to.update(cap);
        to.next.set(marks);
        to.link_prev(prev);
        to.link_next(next);
        if let Some(prev) = prev {
            prev.link_next(Some(to));
        }
        if let Some(next) = next {
            next.link_prev(Some(to));
        }
        self.erase();
    }

    /// Exchanges two filled slots, giving `self` what `other` held as `cap_here` and `other` what `self` held as `cap_there`.
    pub fn swap(self, other: Self, cap_here: Cap, cap_there: Cap) {
        let aside = Slot::EMPTY;
        let aside = Ref::from(&aside);
        // The slot on the stack is in the list only between these moves.
        Ref::<Slot>::move_to(self.shorten(), aside, cap_there);
        Ref::<Slot>::move_to(other.shorten(), self.shorten(), cap_here);
        aside.move_to(other.shorten(), cap_there);
    }

    /// The same slot for a shorter time, so that it can be used together with one on the stack.
    fn shorten<'s>(self) -> Ref<'s, Slot>
    where
        'k: 's,
    {
        Ref::from(self.get())
    }

    /// Takes the capability out of the tree and empties the slot. Nothing is done to its object.
    pub fn clear(self) {
        if self.is_empty() {
            return;
        }
        let (prev, next) = (self.prev(), self.next());
        if let Some(prev) = prev {
            prev.link_next(next);
        }
        if let Some(next) = next {
            next.link_prev(prev);
            // What began a family of its badge hands that on, lest the family join the one before it.
            next.next.set(next.next.get() | self.next.get() & FIRST_BADGED);
        }
        self.erase();
    }

    fn erase(self) {
        self.update(Cap::NULL);
        self.prev.set(0);
        self.next.set(0);
    }

    /// Whether `child`, which comes somewhere behind `self` in the order, was derived from it.
    fn is_ancestor_of(self, child: Self) -> bool {
        let (mine, its) = (self.cap(), child.cap());
        self.is_original()
            && mine.covers(its)
            && match mine.kind() {
                Kind::Endpoint | Kind::Notification => {
                    mine.badge() == 0 || mine.badge() == its.badge() && !child.is_first_badged()
                }
                _ => true,
            }
    }

    /// The first capability derived from this one, if there is any.
    pub fn first_descendant(self) -> Option<Self> {
        self.next().filter(|&next| self.is_ancestor_of(next))
    }

    /// Whether this is the last capability to its object. Capabilities to one object stand side by side in the order.
    pub fn is_final(self) -> bool {
        let cap = self.cap();
        !self.prev().is_some_and(|slot| slot.cap().same_object(cap))
            && !self.next().is_some_and(|slot| slot.cap().same_object(cap))
    }

    /// The slot `index` behind this one in memory.
    ///
    /// # Safety
    /// Both belong to one CNode or one TCB.
    pub unsafe fn sibling(self, entry: Entry<'k>, index: u64) -> Self {
        // SAFETY: the caller says that a slot is there.
        unsafe { Ref::at(entry, self.physical(entry) + index * size_of::<Slot>() as u64) }
    }
}
