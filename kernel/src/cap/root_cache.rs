//! A CSpace root decoded: where the slots of a root CNode begin and how many there are, and whether it resolves a whole address at once or leaves
//! bits of it to CNodes below.
//!
//! Invariant: a TCB holds such a cache only while its CSpace slot holds the CNode capability that it was decoded from; the one function
//! that empties slots drops it (`Cap::IN_TCB` tells it which capabilities are concerned).

use super::{Cap, CapRef, Kind, Slot, lookup::slot_behind_zeroes};
use crate::mem::{Entry, Ref};
use chestnut_abi::object::SLOT_BITS;

#[derive(Clone, Copy, Default)]
pub struct RootCache {
    /// Where the kernel reaches slot 0.
    first: usize,
    /// Slots, if the root resolves a whole address; else 0.
    count: u64,
    /// Slots, if CNodes below resolve the lowest `bits_below` bits, which are fewer than 64; else 0.
    count_above: u64,
    bits_below: u64,
    /// These bits.
    mask_below: u64,
}

impl RootCache {
    /// Decodes a root. A guard that isn't 0 makes it uncacheable.
    pub fn of(entry: Entry, root: Cap) -> Self {
        let (guard, bits) = (root.guard(), root.cnode_bits());
        let level_bits = guard.guard_bits() + bits;
        if root.kind() != Kind::CNode || guard.guard() != 0 || !(1..=64).contains(&level_bits) {
            return Self::default();
        }
        let (first, slots) = (entry.address(root.address()), 1 << bits);
        let (count, count_above) = if level_bits == 64 { (slots, 0) } else { (0, slots) };
        let bits_below = (64 - level_bits) & 63;
        Self { first, count, count_above, bits_below, mask_below: !(u64::MAX << bits_below) }
    }

    /// The slot at a 64-bit address, if the cache knows it.
    #[inline(always)]
    pub fn slot<'k>(self, entry: Entry<'k>, address: u64) -> Option<CapRef<'k>> {
        if address >= self.count {
            return None;
        }
        let _ = entry;
        // SAFETY: the root has more slots than this.
        Some(unsafe { self.root_slot(address) })
    }

    /// The slot at a 64-bit address, if the cache knows it and one more CNode, whose guard is 0, resolves the rest.
    #[inline(always)]
    pub fn slot_below<'k>(self, entry: Entry<'k>, address: u64) -> Option<CapRef<'k>> {
        let index = address >> (self.bits_below & 63);
        if index >= self.count_above {
            return None;
        }
        // SAFETY: the root has more slots than this.
        let node: CapRef<'k> = unsafe { self.root_slot(index) };
        slot_behind_zeroes::<false>(entry, node.cap(), address & self.mask_below, self.bits_below)
    }

    /// # Safety
    /// A root is cached that has more slots than `index`.
    #[inline(always)]
    unsafe fn root_slot<'k>(self, index: u64) -> CapRef<'k> {
        let place = self.first.wrapping_add((index << SLOT_BITS) as usize);
        // SAFETY: by the module's invariant the CNode lives, so its slots are not at address 0, and it has this one, as the caller says.
        unsafe {
            core::hint::assert_unchecked(place != 0);
            Ref::from(&*core::ptr::with_exposed_provenance::<Slot>(place))
        }
    }
}
