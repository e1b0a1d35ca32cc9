//! Other places for threads: an address space that maps what the root task's does, a CSpace of two levels.

use chestnut_abi::bootinfo::slot;
use chestnut_abi::{CNodeCapData, CapRights, Label, ObjectType};
use chestnut_kernel_tests::driver::boot_info;
use chestnut_kernel_tests::scene::Scene;
use chestnut_kernel_tests::scene::fixed::{BLOCK_BYTES, BLOCKS, FAULTS, STACK_PAGES};
use chestnut_kernel_tests::scene::invoke::must;
use chestnut_kernel_tests::scene::thread::Thread;

/// Where the program is linked; both it and the threads' blocks lie in the first GiB.
const IMAGE: u64 = 0x40_0000;
const READ_WRITE: u64 = 3;

/// An address space in which the program's own image is mapped where it is in the root task's.
pub fn other_space(t: &Scene) -> u64 {
    let vspace = t.vspace();
    for (kind, map, address) in [
        (ObjectType::X86Pdpt, Label::X86PdptMap, IMAGE),
        (ObjectType::X86PageDirectory, Label::X86PageDirectoryMap, IMAGE),
        (ObjectType::X86PageTable, Label::X86PageTableMap, IMAGE),
        (ObjectType::X86PageTable, Label::X86PageTableMap, BLOCKS),
    ] {
        must(t.make(kind), map, &[address, 0], &[vspace]);
    }
    let frames = boot_info().user_image_frames;
    for (page, frame) in (frames.start..frames.end).enumerate() {
        map_copy(t, frame, IMAGE + page as u64 * 4096, vspace);
    }
    vspace
}

fn map_copy(t: &Scene, frame: u64, address: u64, vspace: u64) {
    must(t.copy_with(frame, CapRights::ALL), Label::X86PageMap, &[address, READ_WRITE, 0], &[vspace]);
}

/// Lets a thread that hasn't started live in `vspace`: its stack and buffer are mapped there, where they were.
pub fn move_to(t: &Scene, thread: Thread, vspace: u64) {
    // The scene makes a thread's frames right behind its TCB: the stack from the top, then the buffer.
    for page in 0..=STACK_PAGES {
        let address = if page == STACK_PAGES { thread.block } else { thread.block + BLOCK_BYTES - (page + 1) * 4096 };
        map_copy(t, thread.tcb + 1 + page, address, vspace);
    }
    must(thread.tcb, Label::TcbSetSpace, &[0, 0], &[FAULTS, slot::INIT_CNODE, vspace]);
}

/// A CSpace of two levels in which the same numbers name the same capabilities.
pub fn two_levels(t: &Scene) -> u64 {
    let bits = boot_info().init_cnode_size_bits;
    let root = t.cnode(1);
    let place = [0, 1, slot::INIT_CNODE, 64, CapRights::ALL.0, CNodeCapData::new(0, 0).0];
    must(root, Label::CNodeMint, &place, &[slot::INIT_CNODE]);
    t.mint(root, CNodeCapData::new(0, 63 - bits).0)
}

/// Gives a thread another CSpace.
pub fn set_cspace(thread: u64, cspace: u64, vspace: u64) {
    must(thread, Label::TcbSetSpace, &[0, 0], &[FAULTS, cspace, vspace]);
}
