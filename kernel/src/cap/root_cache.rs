//! A CSpace root decoded: of a root CNode that resolves a whole address at once, where its slots begin and how many there are.
//!
//! Invariant: a TCB holds such a cache only while its CSpace slot holds the CNode capability that it was decoded from; the one function
//! that empties slots drops it (`Cap::IN_TCB` tells it which capabilities are concerned).

use super::{Cap, CapRef, Kind, Slot};
use crate::mem::{Entry, Ref};
use chestnut_abi::object::SLOT_BITS;

#[derive(Clone, Copy, Default)]
pub struct RootCache {
    /// Where the kernel reaches slot 0.
    first: usize,
    /// Slots; 0 if nothing is cached.
    count: u64,
}

impl RootCache {
    /// Decodes a root. A guard that isn't 0, or bits that are left over, make it uncacheable.
    #[inline]
    pub fn of(entry: Entry, root: Cap) -> Self {
        let guard = root.guard();
        if root.kind() != Kind::CNode || guard.guard() != 0 || guard.guard_bits() + root.cnode_bits() != 64 {
            return Self::default();
        }
        Self { first: entry.address(root.address()), count: 1 << root.cnode_bits() }
    }

    /// The slot at a 64-bit address, if the cache knows it.
    #[inline(always)]
    pub fn slot<'k>(self, entry: Entry<'k>, address: u64) -> Option<CapRef<'k>> {
        if address >= self.count {
            return None;
        }
        let _ = entry;
        let place = self.first.wrapping_add((address << SLOT_BITS) as usize);
        // SAFETY: by the module's invariant the CNode lives and has so many slots.
        Some(Ref::from(unsafe { &*core::ptr::with_exposed_provenance::<Slot>(place) }))
    }
}
