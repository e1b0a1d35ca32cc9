//! Resolving a capability address: a walk through CNodes, each of which takes its guard and its index from the address's bits,
//! from the top.

use super::{Cap, CapRef, Kind};
use crate::mem::{Entry, Ref};
use chestnut_abi::LookupFailure;

/// Where a lookup ended.
#[derive(Clone, Copy)]
pub struct Found<'k> {
    pub slot: CapRef<'k>,
    /// Address bits that are left over. A system call takes what it finds; an operation on slots wants 0.
    pub bits_left: u64,
}

/// Resolves the lowest `depth` bits of `address` (at most 64), beginning at the CNode that `root` names.
pub fn lookup<'k>(entry: Entry<'k>, root: Cap, address: u64, depth: u64) -> Result<Found<'k>, LookupFailure> {
    let mut bits_left = depth;
    let mut cnode = root;
    if cnode.kind() != Kind::CNode {
        return Err(LookupFailure::InvalidRoot);
    }
    loop {
        let (guard, size_bits) = (cnode.guard(), cnode.cnode_bits());
        let level_bits = guard.guard_bits() + size_bits;
        // What the CNode resolves, and what is left behind it.
        let rest = bits_left.wrapping_sub(level_bits);
        let here = address.checked_shr(rest as u32).unwrap_or(0);
        let found = low_bits(here >> (size_bits & 63), guard.guard_bits());
        if level_bits > bits_left || found != guard.guard() {
            return Err(mismatch(cnode, address, bits_left));
        }
        bits_left = rest;
        let index = low_bits(here, size_bits);
        // SAFETY: the CNode has 2^size_bits slots and the index is below that.
        let slot = unsafe { slot_at(entry, cnode, index) };
        if bits_left == 0 {
            return Ok(Found { slot, bits_left });
        }
        cnode = slot.cap();
        if cnode.kind() != Kind::CNode {
            return Ok(Found { slot, bits_left });
        }
        // A CNode without guard and with one slot resolves nothing; following it could go on for ever.
        if level_bits == 0 {
            return Err(LookupFailure::DepthMismatch { bits_left, bits_found: 0 });
        }
    }
}

/// Why a CNode doesn't resolve the lowest `bits_left` bits of an address: its guard is compared before its size.
#[cold]
fn mismatch(cnode: Cap, address: u64, bits_left: u64) -> LookupFailure {
    let (guard, guard_bits) = (cnode.guard().guard(), cnode.guard().guard_bits());
    let found = low_bits(address.checked_shr(bits_left.wrapping_sub(guard_bits) as u32).unwrap_or(0), guard_bits);
    if guard_bits > bits_left || found != guard {
        return LookupFailure::GuardMismatch { bits_left, guard, guard_bits };
    }
    LookupFailure::DepthMismatch { bits_left, bits_found: guard_bits + cnode.cnode_bits() }
}

/// The same in the commonest case by far: a root without guard bits that are set resolves all of `depth` at once.
#[inline(always)]
pub fn direct_slot<'k>(entry: Entry<'k>, root: Cap, address: u64, depth: u64) -> Option<CapRef<'k>> {
    slot_behind_zeroes::<true>(entry, root, address, depth)
}

/// The same for any depth, or for one of 1 to 63.
#[inline(always)]
pub(super) fn slot_behind_zeroes<'k, const ANY: bool>(
    entry: Entry<'k>,
    root: Cap,
    address: u64,
    depth: u64,
) -> Option<CapRef<'k>> {
    // As a word a guard without set bits is its size, any other one more than 63; a CNode has two slots at least and, with its guard, resolves
    // no more than 64 bits. So a depth that isn't one matches nothing, nor does one of 1 to 63 match another guard, as the sum would be 0.
    let (zeroes, bits) = (root.guard().0, root.bits_if_cnode()?);
    if ANY && zeroes > 63 || zeroes.wrapping_add(bits) != depth || address >> bits != 0 {
        return None;
    }
    // SAFETY: the CNode has 2^bits slots and the address is below that.
    Some(unsafe { slot_at(entry, root, address) })
}

/// The slot that an operation on slots names: `depth` (1 to 64) must be resolved exactly.
pub fn lookup_slot_at<'k>(entry: Entry<'k>, root: Cap, address: u64, depth: u64) -> Result<CapRef<'k>, LookupFailure> {
    let found = lookup(entry, root, address, depth)?;
    match found.bits_left {
        0 => Ok(found.slot),
        bits_left => Err(LookupFailure::MissingCapability { bits_left }),
    }
}

/// Up to `count` slots of a CNode from `first` on: none beyond its end.
pub fn slots<'k>(entry: Entry<'k>, cnode: Cap, first: u64, count: u64) -> impl Iterator<Item = CapRef<'k>> {
    let size = if cnode.kind() == Kind::CNode { 1 << cnode.cnode_bits() } else { 0 };
    // SAFETY: a CNode capability, and no index reaches its number of slots.
    (first..first.saturating_add(count).min(size)).map(move |index| unsafe { slot_at(entry, cnode, index) })
}

/// # Safety
/// `cnode` is a CNode capability and `index` is below its number of slots.
unsafe fn slot_at<'k>(entry: Entry<'k>, cnode: Cap, index: u64) -> CapRef<'k> {
    // SAFETY: the CNode's memory holds slots, cleared by Retype.
    unsafe { Ref::reached(entry, cnode.place() + (index << chestnut_abi::object::SLOT_BITS)) }
}

/// The lowest `bits` (at most 63) bits.
const fn low_bits(value: u64, bits: u64) -> u64 {
    value & !(u64::MAX << (bits & 63))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cap::{RootCache, Slot};
    use chestnut_abi::CNodeCapData;
    use std::boxed::Box;

    fn cnode(bits: u64, guard: u64, guard_bits: u64) -> (Cap, Entry<'static>) {
        let slots: Box<[Slot]> = (0..1 << bits).map(|_| Slot::EMPTY).collect();
        let address = Box::leak(slots).as_ptr().expose_provenance();
        // SAFETY: host memory at distance 0; capabilities hold 48-bit addresses, which host addresses are.
        let entry = unsafe { Entry::new(0) };
        (Cap::cnode(address as u64, bits, CNodeCapData::new(guard, guard_bits)), entry)
    }

    #[test]
    fn one_level_resolves_index_behind_guard() {
        let (root, entry) = cnode(4, 0, 60);
        let found = lookup(entry, root, 5, 64).ok().unwrap();
        assert_eq!(found.bits_left, 0);
        assert_eq!(found.slot.address(), entry.address(root.address()) + 5 * 32);
    }

    #[test]
    fn guard_must_match() {
        let (root, entry) = cnode(4, 1, 60);
        let failure = LookupFailure::GuardMismatch { bits_left: 64, guard: 1, guard_bits: 60 };
        assert_eq!(lookup(entry, root, 5, 64).err(), Some(failure));
        assert!(lookup(entry, root, 0x15, 64).is_ok());
    }

    #[test]
    fn too_few_bits_are_a_depth_mismatch() {
        let (root, entry) = cnode(4, 0, 2);
        assert_eq!(lookup(entry, root, 0, 5).err(), Some(LookupFailure::DepthMismatch { bits_left: 5, bits_found: 6 }));
    }

    #[test]
    fn two_levels_and_leftover_bits() {
        let (inner, entry) = cnode(3, 0, 0);
        let (root, _) = cnode(2, 0, 0);
        let slot = lookup(entry, root, 0b10, 2).ok().unwrap().slot;
        slot.fill_root(inner);
        let found = lookup(entry, root, 0b10_110, 5).ok().unwrap();
        assert_eq!(found.slot.address(), entry.address(inner.address()) + 6 * 32);
        // Slot 6 of the inner one is empty: the walk stops there with bits to spare.
        assert_eq!(lookup(entry, root, 0b10_1101, 6).ok().unwrap().bits_left, 1);
        assert!(matches!(
            lookup_slot_at(entry, root, 0b10_1101, 6),
            Err(LookupFailure::MissingCapability { bits_left: 1 })
        ));
    }

    #[test]
    fn the_short_ways_find_what_the_walk_finds() {
        const ONES: u64 = (1 << 58) - 1;
        let roots = [(2, 0, 59), (2, 0, 58), (2, 1, 59), (5, 0, 59), (4, 0, 60), (4, ONES, 60), (1, 1, 1), (1, 0, 0)];
        let inners = [(3, 0, 0), (2, 0, 1), (2, 1, 1), (5, 3, 58), (4, ONES, 60), (1, ONES, 62), (1, ONES, 63)];
        let (mut directly, mut below) = (0, 0);
        for ((bits, guard, guard_bits), inner) in roots.iter().flat_map(|&root| inners.map(|inner| (root, inner))) {
            let (inner, entry) = cnode(inner.0, inner.1, inner.2);
            let (root, _) = cnode(bits, guard, guard_bits);
            lookup(entry, root, guard << bits, bits + guard_bits).ok().unwrap().slot.fill_root(inner);
            let cache = RootCache::of(entry, root);
            for address in [0, 1, 3, 5, 7, 8, 9, 16, 24, 1 << 40, u64::MAX, u64::MAX << 4] {
                for depth in 0..=255 {
                    let found = lookup_slot_at(entry, root, address, depth);
                    let direct = direct_slot(entry, root, address, depth).map(Ref::address);
                    let right = (1..=64).contains(&depth) && found.is_ok_and(|slot| Some(slot.address()) == direct);
                    assert!(direct.is_none() || right, "{root:?} {address:#x} {depth}");
                    directly += u32::from(right);
                }
                let cached = cache.slot(entry, address).or_else(|| cache.slot_below(entry, address));
                let found = lookup(entry, root, address, 64).ok().map(|found| found.slot.address());
                assert!(cached.is_none() || cached.map(Ref::address) == found, "{root:?} {address:#x}");
                below += u32::from(cached.is_some());
            }
        }
        assert!(directly > 20 && below > 15, "{directly} {below}");
    }

    #[test]
    fn anything_but_a_cnode_is_an_invalid_root() {
        let (_, entry) = cnode(1, 0, 0);
        assert_eq!(lookup(entry, Cap::tcb(0x1000), 0, 64).err(), Some(LookupFailure::InvalidRoot));
    }
}
