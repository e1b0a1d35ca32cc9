//! Which untyped memory is free, in pieces of powers of two.
//!
//! [`UntypedAllocator::allocate`] returns an untyped of exactly the size asked for, splitting the smallest larger one in halves
//! until it fits; [`UntypedAllocator::release`] takes back a piece from which everything was revoked, for the next
//! request of that size. Pieces are not joined again: a program that needs large ones takes them first.
//!
//! A parent that was split is never used again, so its children's memory has exactly one owner: the caller who holds
//! the piece. How a split is made is a trait, [`Split`], so that the books are tested without a kernel.

use crate::{
    cap::{CNode, Untyped},
    message::InvocationError,
    slots::SlotAllocator,
};
use alloc::vec::Vec;
use chestnut_abi::{
    ObjectType,
    object::{MAX_UNTYPED_BITS, MIN_UNTYPED_BITS},
};
use core::fmt;

/// Makes two halves of an untyped.
pub trait Split {
    /// Retypes `parent` into two untypeds of 2^`half_bits` bytes in the slots `first_slot` and the next.
    fn split(&mut self, parent: Untyped, half_bits: u64, first_slot: u64) -> Result<(), InvocationError>;
}

/// Splits by the kernel, into slots of the running program's own CSpace.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByKernel;

impl Split for ByKernel {
    fn split(&mut self, parent: Untyped, half_bits: u64, first_slot: u64) -> Result<(), InvocationError> {
        parent.retype(ObjectType::Untyped, half_bits, CNode::OWN, first_slot, 2)
    }
}

/// Why there is no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllocateError {
    /// No free piece is that large.
    NoMemory { size_bits: u64 },
    /// A split needs two neighbouring slots.
    NoSlots,
    /// The kernel refused a split.
    Refused(InvocationError),
}

impl fmt::Display for AllocateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMemory { size_bits } => write!(f, "no untyped of 2^{size_bits} bytes or more is left"),
            Self::NoSlots => write!(f, "no slots are left for the halves of an untyped"),
            Self::Refused(error) => write!(f, "splitting an untyped: {error}"),
        }
    }
}

/// A free untyped and where its memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub untyped: Untyped,
    pub paddr: u64,
    pub size_bits: u64,
}

const SIZES: usize = (MAX_UNTYPED_BITS + 1) as usize;

/// The free untypeds of RAM.
#[derive(Debug)]
pub struct UntypedAllocator<S = ByKernel> {
    free: [Vec<Piece>; SIZES],
    split: S,
}

impl<S: Split> UntypedAllocator<S> {
    pub fn new(split: S) -> Self {
        Self { free: [const { Vec::new() }; SIZES], split }
    }

    /// Adds an untyped that nothing was made of, or of which everything was revoked.
    pub fn release(&mut self, piece: Piece) {
        debug_assert!((MIN_UNTYPED_BITS..=MAX_UNTYPED_BITS).contains(&piece.size_bits));
        self.free[piece.size_bits as usize].push(piece);
    }

    /// Takes an untyped of 2^`size_bits` bytes.
    pub fn allocate(&mut self, size_bits: u64, slots: &mut SlotAllocator) -> Result<Piece, AllocateError> {
        let size_bits = size_bits.max(MIN_UNTYPED_BITS);
        let from = (size_bits..=MAX_UNTYPED_BITS)
            .find(|&bits| !self.free[bits as usize].is_empty())
            .ok_or(AllocateError::NoMemory { size_bits })?;
        for parent_bits in (size_bits + 1..=from).rev() {
            self.halve(parent_bits, slots)?;
        }
        self.free[size_bits as usize].pop().ok_or(AllocateError::NoMemory { size_bits })
    }

    /// Takes the largest piece.
    pub fn take_largest(&mut self) -> Option<Piece> {
        self.free.iter_mut().rev().find_map(Vec::pop)
    }

    /// Bytes that are free, in pieces of any size.
    pub fn free_bytes(&self) -> u64 {
        self.free.iter().flatten().map(|piece| 1 << piece.size_bits).sum()
    }

    /// Splits one free piece of 2^`bits` bytes; on an error it stays free.
    fn halve(&mut self, bits: u64, slots: &mut SlotAllocator) -> Result<(), AllocateError> {
        let parent = self.free[bits as usize].pop().ok_or(AllocateError::NoMemory { size_bits: bits })?;
        let half = bits - 1;
        let made = slots.allocate_run(2).ok_or(AllocateError::NoSlots).and_then(|first| {
            self.split.split(parent.untyped, half, first).map(|()| first).map_err(|error| {
                slots.release_run(first, 2);
                AllocateError::Refused(error)
            })
        });
        match made {
            Ok(first) => {
                // The upper half is put in first, so that memory is used from below.
                for (slot, paddr) in [(first + 1, parent.paddr + (1 << half)), (first, parent.paddr)] {
                    self.release(Piece { untyped: Untyped(slot), paddr, size_bits: half });
                }
                Ok(())
            }
            Err(error) => {
                self.release(parent);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Checks that nothing is split twice, and knows each untyped's size.
    #[derive(Default)]
    struct Model {
        sizes: BTreeMap<u64, u64>,
    }

    impl Split for Model {
        fn split(&mut self, parent: Untyped, half_bits: u64, first_slot: u64) -> Result<(), InvocationError> {
            assert_eq!(self.sizes.remove(&parent.0), Some(half_bits + 1), "split twice or by a wrong size");
            for slot in [first_slot, first_slot + 1] {
                assert_eq!(self.sizes.insert(slot, half_bits), None, "slot {slot} was in use");
            }
            Ok(())
        }
    }

    fn allocator(pieces: &[(u64, u64, u64)]) -> UntypedAllocator<Model> {
        let mut allocator = UntypedAllocator::new(Model::default());
        for &(cptr, paddr, size_bits) in pieces {
            allocator.split.sizes.insert(cptr, size_bits);
            allocator.release(Piece { untyped: Untyped(cptr), paddr, size_bits });
        }
        allocator
    }

    #[test]
    fn splits_the_smallest_that_fits_from_below() {
        let mut slots = SlotAllocator::new(100..200);
        let mut memory = allocator(&[(1, 0x100_0000, 24), (2, 0x10_0000, 16)]);
        let piece = memory.allocate(12, &mut slots).unwrap();
        assert_eq!((piece.paddr, piece.size_bits), (0x10_0000, 12));
        assert_eq!(memory.free_bytes(), (1 << 24) + (1 << 16) - (1 << 12));
        assert_eq!(slots.free_slots(), 100 - 2 * 4);
    }

    #[test]
    fn recycles_by_size_without_another_split() {
        let mut slots = SlotAllocator::new(100..200);
        let mut memory = allocator(&[(1, 0, 20)]);
        let piece = memory.allocate(14, &mut slots).unwrap();
        let before = slots.free_slots();
        memory.release(piece);
        assert_eq!(memory.allocate(14, &mut slots), Ok(piece));
        assert_eq!(slots.free_slots(), before);
    }

    #[test]
    fn says_what_is_missing_and_loses_nothing() {
        let mut memory = allocator(&[(1, 0, 20)]);
        let mut none = SlotAllocator::new(0..0);
        assert_eq!(memory.allocate(12, &mut none), Err(AllocateError::NoSlots));
        assert_eq!(memory.free_bytes(), 1 << 20);
        assert_eq!(memory.allocate(21, &mut none), Err(AllocateError::NoMemory { size_bits: 21 }));
        assert_eq!(memory.allocate(20, &mut none).unwrap().untyped, Untyped(1));
    }

    proptest! {
        #[test]
        fn pieces_in_use_never_overlap(steps in prop::collection::vec((4u64..20, any::<bool>()), 1..150)) {
            let mut slots = SlotAllocator::new(100..2000);
            let mut memory = allocator(&[(1, 1 << 22, 22), (2, 1 << 21, 21), (3, 1 << 20, 18)]);
            let total = memory.free_bytes();
            let mut held: Vec<Piece> = Vec::new();
            for (bits, give_back) in steps {
                if give_back && !held.is_empty() {
                    memory.release(held.swap_remove(bits as usize % held.len()));
                } else if let Ok(piece) = memory.allocate(bits, &mut slots) {
                    prop_assert_eq!(piece.size_bits, bits);
                    prop_assert_eq!(piece.paddr % (1 << bits), 0);
                    for other in &held {
                        let apart = piece.paddr + (1 << piece.size_bits) <= other.paddr
                            || other.paddr + (1 << other.size_bits) <= piece.paddr;
                        prop_assert!(apart, "{:?} and {:?}", piece, other);
                    }
                    held.push(piece);
                }
                let in_use: u64 = held.iter().map(|piece| 1u64 << piece.size_bits).sum();
                prop_assert_eq!(memory.free_bytes() + in_use, total);
            }
        }
    }
}
