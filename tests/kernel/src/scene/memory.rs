//! Frames and where they are mapped in the root task's VSpace.

use super::Scene;
use super::fixed::{ARENA, WINDOW};
use super::invoke::must;
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{CapRights, Label, ObjectType};

impl Scene {
    /// A 4 KiB frame, not mapped.
    #[track_caller]
    pub fn frame(&self) -> u64 {
        self.make(ObjectType::X864K)
    }

    /// Maps a page table at [`WINDOW`], so that frames can be mapped in the 2 MiB from there.
    #[track_caller]
    pub fn open_window(&self) -> u64 {
        let table = self.make(ObjectType::X86PageTable);
        must(table, Label::X86PageTableMap, &[WINDOW, 0], &[slot::INIT_VSPACE]);
        table
    }

    /// A frame mapped at `WINDOW + page * 4096`, which [`Self::open_window`] made mappable, with these rights and attributes.
    #[track_caller]
    pub fn mapped_frame(&self, page: u64, rights: CapRights, attributes: u64) -> (u64, u64) {
        let (frame, address) = (self.frame(), WINDOW + page * 4096);
        must(frame, Label::X86PageMap, &[address, rights.0, attributes], &[slot::INIT_VSPACE]);
        (frame, address)
    }

    /// A fresh VSpace with an ASID, and nothing mapped in it.
    #[track_caller]
    pub fn vspace(&self) -> u64 {
        let root = self.make(ObjectType::X64Pml4);
        must(slot::INIT_ASID_POOL, Label::X86AsidPoolAssign, &[], &[root]);
        root
    }

    /// The physical address of a frame.
    #[track_caller]
    pub fn physical(&self, frame: u64) -> u64 {
        must(frame, Label::X86PageGetAddress, &[], &[]).words[0]
    }

    /// Whether the test's untyped has no children and how much of it is free: asks for more than can be there.
    pub fn free_bytes(&self) -> u64 {
        let words = [ObjectType::Untyped as u64, super::fixed::ARENA_BITS, 0, 0, super::fixed::NOTHING, 2];
        super::invoke::invoke(ARENA, Label::UntypedRetype, &words, &[slot::INIT_CNODE]).words[0]
    }
}

/// Reads the word at an address that the test mapped.
pub fn read(address: u64) -> u64 {
    // SAFETY: the tests read only what they mapped themselves or expect to fault; nothing else is there.
    unsafe { (address as *const u64).read_volatile() }
}

/// Writes the word at an address that the test mapped.
pub fn write(address: u64, value: u64) {
    // SAFETY: as above.
    unsafe { (address as *mut u64).write_volatile(value) }
}
