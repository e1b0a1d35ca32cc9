//! Device memory by physical address.
//!
//! The kernel describes what is not RAM by a few large device untypeds. To reach one page of a device, the untyped around
//! it is halved until a page is left; all other halves stay for later. Pages once made are kept: a device untyped can't
//! be taken back while a part of it is used.

use crate::failure::{Cause, Doing, Result, wrong};
use alloc::collections::BTreeMap;
use chestnut_runtime::{
    CNode,
    abi::{ObjectType, object::PAGE_BITS},
    cap::{Frame, Untyped},
    slots::SlotAllocator,
    untyped::{Piece, Split},
};

/// The device untypeds, by address.
#[derive(Debug)]
pub struct DeviceMemory<S> {
    pieces: BTreeMap<u64, Piece>,
    frames: BTreeMap<u64, Frame>,
    split: S,
}

impl<S: Split> DeviceMemory<S> {
    pub fn new(pieces: impl IntoIterator<Item = Piece>, split: S) -> Self {
        let pieces = pieces.into_iter().map(|piece| (piece.paddr, piece)).collect();
        Self { pieces, frames: BTreeMap::new(), split }
    }

    /// The frame of the page at `paddr`, a multiple of the page size.
    pub fn frame(&mut self, paddr: u64, slots: &mut SlotAllocator) -> Result<Frame> {
        if let Some(&frame) = self.frames.get(&paddr) {
            return Ok(frame);
        }
        let page = self.page(paddr, slots)?;
        let slot = slots.allocate().ok_or(Cause::NoSlots)?;
        page.retype(ObjectType::X864K, 0, CNode::OWN, slot, 1)
            .doing(format_args!("making a frame of device memory at {paddr:#x}"))?;
        self.frames.insert(paddr, Frame(slot));
        Ok(Frame(slot))
    }

    /// An untyped of one page at `paddr`.
    fn page(&mut self, paddr: u64, slots: &mut SlotAllocator) -> Result<Untyped> {
        let around = self.pieces.range(..=paddr).next_back().map(|(_, piece)| *piece);
        let mut piece = around
            .filter(|piece| paddr - piece.paddr < 1 << piece.size_bits && piece.size_bits >= PAGE_BITS)
            .ok_or_else(|| wrong(format_args!("no device memory at {paddr:#x}")))?;
        while piece.size_bits > PAGE_BITS {
            let half = piece.size_bits - 1;
            let first = slots.allocate_run(2).ok_or(Cause::NoSlots)?;
            self.split
                .split(piece.untyped, half, first)
                .doing(format_args!("halving device memory at {:#x}", piece.paddr))?;
            let lower = Piece { untyped: Untyped(first), paddr: piece.paddr, size_bits: half };
            let upper = Piece { untyped: Untyped(first + 1), paddr: piece.paddr + (1 << half), size_bits: half };
            self.pieces.insert(lower.paddr, lower);
            self.pieces.insert(upper.paddr, upper);
            piece = if paddr < upper.paddr { lower } else { upper };
        }
        self.pieces.remove(&piece.paddr);
        Ok(piece.untyped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chestnut_runtime::InvocationError;
    use std::{collections::BTreeSet, vec::Vec};

    /// Checks that no untyped is split twice.
    #[derive(Default)]
    struct Model(BTreeSet<u64>);

    impl Split for Model {
        fn split(&mut self, parent: Untyped, _: u64, _: u64) -> Result<(), InvocationError> {
            assert!(self.0.insert(parent.0), "split twice");
            Ok(())
        }
    }

    fn memory() -> DeviceMemory<Model> {
        let piece = |cptr, paddr, size_bits| Piece { untyped: Untyped(cptr), paddr, size_bits };
        DeviceMemory::new([piece(1, 0, 20), piece(2, 0xfe00_0000, 24), piece(3, 0x1ffe_0000, 12)], Model::default())
    }

    #[test]
    fn finds_each_page_once() {
        let mut slots = SlotAllocator::new(100..1000);
        let mut memory = memory();
        let pages = [0xfed0_0000, 0xfed0_1000, 0xe_0000, 0, 0xf_f000, 0x1ffe_0000];
        let found: Vec<_> = pages.iter().map(|&paddr| memory.page(paddr, &mut slots).unwrap()).collect();
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), pages.len());
        assert_eq!(found[5], Untyped(3), "an untyped of one page is not split");
        // 2^24 to 2^12 takes 12 halvings, of which the neighbour is a by-product; then 2^20, 2^19 and 2^16 to 2^12.
        assert_eq!(memory.split.0.len(), 12 + 8 + 7 + 4);
    }

    #[test]
    fn what_is_not_device_memory_is_not_found() {
        let mut slots = SlotAllocator::new(100..1000);
        for paddr in [0x10_0000, 0x1ffe_1000, 0xff00_0000, 0xfdff_f000] {
            assert!(memory().page(paddr, &mut slots).is_err(), "{paddr:#x}");
        }
    }

    #[test]
    fn a_page_that_was_taken_is_not_found_again() {
        let mut slots = SlotAllocator::new(100..1000);
        let mut memory = memory();
        memory.page(0xe_0000, &mut slots).unwrap();
        assert!(memory.page(0xe_0000, &mut slots).is_err());
    }
}
