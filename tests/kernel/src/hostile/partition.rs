//! The witness's partition: nothing in it can be named by anybody else.
//!
//! The initial thread copies this program, page by page, into frames of a private untyped and maps them at the same addresses in another address space. The
//! witness's CSpace is another CNode, in which slots have the numbers that they have in the root task's; all that boot gave the
//! root task moves there, too, from where hostile threads may be given copies.

use super::{fail, must, witness};
use crate::driver::console::{COM1, DEBUG_PORT, EXIT_PORT};
use crate::scene::fixed::{BLOCK_BYTES, BLOCKS, CONSOLE, DEBUG_CONSOLE, EXIT, SCHED_CONTROL, SLICE_US, STACK_PAGES};
use crate::scene::invoke::invoke;
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{BootInfo, CNodeCapData, CapRights, Label, ObjectType, UserContext};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

const ROOT: u64 = slot::INIT_CNODE;
/// Slots of a CNode, as a power of two: as many as the root task's has.
const NODE_BITS: u64 = 15;
const PLAIN: u64 = CNodeCapData::new(0, 64 - NODE_BITS).0;

/// The private untyped, its size, and what is made of it.
pub const PRIVATE: u64 = 0x6000;
const PRIVATE_BITS: u64 = 22;
const NODE: u64 = 0x6001;
const VSPACE: u64 = 0x6002;
const POOL_MEMORY: u64 = 0x6003;
const POOL: u64 = 0x6004;
const TABLES: u64 = 0x6005;
const TCB: u64 = 0x6010;
const CONTEXT: u64 = 0x6011;
/// Frames with the copy of this program.
pub const IMAGE: u64 = 0x6100;
const BLOCK_FRAMES: u64 = 0x6300;
const END: u64 = 0x6400;
/// The untyped that the private one is made of.
const SOURCE: u64 = 0x6401;
/// The untyped that hostile threads and their small objects are made of.
pub const LOOT: u64 = 0x6402;
pub const LOOT_BITS: u64 = 20;
/// The root task's CNode, for a while.
const INITIAL_NODE: u64 = 0x6403;
/// Where what boot gave to the root task is afterwards: its slot numbers from here on.
pub const ORIGINALS: u64 = 0x3000;

/// Where this program begins, and most pages of it.
pub const IMAGE_ADDRESS: u64 = 0x40_0000;
const IMAGE_PAGES: u64 = 0x180;
/// Where the root task sees a page that it fills: in the page table of its image, behind it.
const WINDOW: u64 = IMAGE_ADDRESS + 0x1f_0000;

/// The witness's priority when it has to run, and that of the threads that hostile ones may not disturb.
pub const HIGH: u64 = 254;
/// Most that any hostile thread can have.
pub const HOSTILE_MOST: u64 = 253;

/// What the witness wants to know of bootinfo: pages of the image, and the first and the last slot of untypeds and of the image's frames.
pub static PAGES: AtomicU64 = AtomicU64::new(0);
pub static UNTYPEDS: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
pub static IMAGE_FRAMES: AtomicU64 = AtomicU64::new(0);

fn make_object(kind: ObjectType, bits: u64, at: u64, count: u64) {
    must(PRIVATE, Label::UntypedRetype, &[kind as u64, bits, 0, 0, at, count], &[ROOT]);
}

fn move_to(at: u64, from: u64) -> bool {
    invoke(NODE, Label::CNodeMove, &[at, NODE_BITS, from, 64], &[ROOT]).label == 0
}

/// Makes the partition and lets the witness run in it. The initial thread doesn't go on.
pub fn make(info: &'static BootInfo) -> ! {
    for (first, last, at) in
        [(DEBUG_PORT, DEBUG_PORT, DEBUG_CONSOLE), (COM1, COM1 + 7, CONSOLE), (EXIT_PORT, EXIT_PORT, EXIT)]
    {
        must(slot::IO_PORT_CONTROL, Label::X86IoPortControlIssue, &[first.into(), last.into(), at, 64], &[ROOT]);
    }
    // No more ports for anybody.
    must(ROOT, Label::CNodeDelete, &[slot::IO_PORT_CONTROL, 64], &[]);
    let pages = info.user_image_frames.end - info.user_image_frames.start;
    if pages > IMAGE_PAGES {
        fail(format_args!("{pages} pages of program are too many"));
    }
    PAGES.store(pages, Relaxed);
    UNTYPEDS[0].store(info.untyped.start, Relaxed);
    UNTYPEDS[1].store(info.untyped.end, Relaxed);
    IMAGE_FRAMES.store(info.user_image_frames.start, Relaxed);

    let list = &info.untyped_list[..(info.untyped.end - info.untyped.start) as usize];
    let is_fit = |size: u8, device: u8| size as u64 > PRIVATE_BITS && device == 0;
    let fit = (0..list.len()).filter(|&index| is_fit(list[index].size_bits, list[index].is_device));
    let Some(place) = fit.min_by_key(|&index| list[index].size_bits) else { fail(format_args!("too little memory")) };
    let source = info.untyped.start + place as u64;
    let whole = ObjectType::Untyped as u64;
    must(source, Label::UntypedRetype, &[whole, PRIVATE_BITS, 0, 0, PRIVATE, 1], &[ROOT]);
    must(source, Label::UntypedRetype, &[whole, LOOT_BITS, 0, 0, LOOT, 1], &[ROOT]);

    address_space(pages);
    make_object(ObjectType::CapTable, NODE_BITS, NODE, 1);
    make_object(ObjectType::Tcb, 0, TCB, 1);
    make_object(ObjectType::SchedContext, 8, CONTEXT, 1);
    let control = info.sched_control.start;
    must(control, Label::SchedControlConfigureFlags, &[SLICE_US, SLICE_US, 0, 0, 0], &[CONTEXT]);
    must(TCB, Label::TcbConfigure, &[PLAIN, 0, BLOCKS], &[NODE, VSPACE, BLOCK_FRAMES + STACK_PAGES]);
    must(TCB, Label::TcbSetSchedParams, &[255, HIGH], &[slot::INIT_TCB, CONTEXT, 0]);

    // From here on the witness's copy of this program's variables is what it is: nothing below may change any.
    let context =
        UserContext { rip: witness::run as *const () as u64, rsp: BLOCKS + BLOCK_BYTES - 8, ..Default::default() };
    let mut words = [0; 22];
    words[1] = 20;
    words[2..].copy_from_slice(&context.to_words());
    must(TCB, Label::TcbWriteRegisters, &words, &[]);
    hand_over(source, control, info.empty.start);
    // Below everybody, it waits to be stopped.
    must(TCB, Label::TcbResume, &[], &[]);
    must(slot::INIT_TCB, Label::TcbSetMcpriority, &[HOSTILE_MOST], &[slot::INIT_TCB]);
    must(slot::INIT_TCB, Label::TcbSetPriority, &[1], &[slot::INIT_TCB]);
    loop {
        core::hint::spin_loop();
    }
}

/// An address space with a copy of every page of this program and a stack with an IPC buffer.
fn address_space(pages: u64) {
    make_object(ObjectType::X64Pml4, 0, VSPACE, 1);
    make_object(ObjectType::Untyped, 12, POOL_MEMORY, 1);
    must(slot::ASID_CONTROL, Label::X86AsidControlMakePool, &[POOL, 64], &[POOL_MEMORY, ROOT]);
    must(POOL, Label::X86AsidPoolAssign, &[], &[VSPACE]);
    map_tables(VSPACE, TABLES, &[IMAGE_ADDRESS, BLOCKS], make_object);
    make_object(ObjectType::X864K, 0, IMAGE, pages);
    make_object(ObjectType::X864K, 0, BLOCK_FRAMES, STACK_PAGES + 1);
    for page in 0..=STACK_PAGES {
        let address = if page == STACK_PAGES { BLOCKS } else { BLOCKS + BLOCK_BYTES - (page + 1) * 4096 };
        must(BLOCK_FRAMES + page, Label::X86PageMap, &[address, CapRights::READ_WRITE.0, 0], &[VSPACE]);
    }
    for page in 0..pages {
        let (frame, address) = (IMAGE + page, IMAGE_ADDRESS + page * 4096);
        must(frame, Label::X86PageMap, &[WINDOW, CapRights::READ_WRITE.0, 0], &[slot::INIT_VSPACE]);
        // SAFETY: a page of this program's image, and a fresh frame; both are mapped and no reference to either exists. What changes in
        // the image meanwhile is this thread's stack, which the witness doesn't use.
        unsafe { core::ptr::copy_nonoverlapping(address as *const u64, WINDOW as *mut u64, 512) };
        must(frame, Label::X86PageUnmap, &[], &[]);
        must(frame, Label::X86PageMap, &[address, CapRights::READ_WRITE.0, 0], &[VSPACE]);
    }
}

/// Makes and maps a PDPT, a page directory, and a page table for each of the addresses, all below 1 GiB, in slots from `at` on.
pub fn map_tables(vspace: u64, at: u64, addresses: &[u64], make_object: impl Fn(ObjectType, u64, u64, u64)) {
    make_object(ObjectType::X86Pdpt, 0, at, 1);
    must(at, Label::X86PdptMap, &[0, 0], &[vspace]);
    make_object(ObjectType::X86PageDirectory, 0, at + 1, 1);
    must(at + 1, Label::X86PageDirectoryMap, &[0, 0], &[vspace]);
    for (index, address) in (2..).zip(addresses) {
        make_object(ObjectType::X86PageTable, 0, at + index, 1);
        must(at + index, Label::X86PageTableMap, &[*address, 0], &[vspace]);
    }
}

/// Moves everything to the witness's CSpace but the two capabilities that the initial thread still needs.
fn hand_over(source: u64, control: u64, end: u64) {
    let needed = [
        move_to(CONSOLE, CONSOLE) && move_to(EXIT, EXIT) && move_to(DEBUG_CONSOLE, DEBUG_CONSOLE),
        move_to(SOURCE, source) && move_to(PRIVATE, PRIVATE) && move_to(LOOT, LOOT),
        move_to(slot::INIT_VSPACE, VSPACE) && move_to(slot::INIT_ASID_POOL, POOL),
        move_to(ORIGINALS + control, control),
        invoke(NODE, Label::CNodeMint, &[ROOT, NODE_BITS, NODE, 64, CapRights::ALL.0, PLAIN], &[ROOT]).label == 0,
        invoke(NODE, Label::CNodeCopy, &[slot::INIT_TCB, NODE_BITS, TCB, 64, CapRights::ALL.0], &[ROOT]).label == 0,
    ];
    if needed.contains(&false) {
        fail(format_args!("handing over {needed:?}"));
    }
    let copy = [SCHED_CONTROL, NODE_BITS, ORIGINALS + control, NODE_BITS, CapRights::ALL.0];
    must(NODE, Label::CNodeCopy, &copy, &[NODE]);
    // What is empty isn't moved, and the two that are still in use come last.
    for at in (TABLES..END).filter(|&at| at != TCB) {
        move_to(at, at);
    }
    for at in slot::INIT_VSPACE..end {
        move_to(ORIGINALS + at, at);
    }
    let copy = [INITIAL_NODE, NODE_BITS, ROOT, 64, CapRights::ALL.0];
    must(NODE, Label::CNodeCopy, &copy, &[ROOT]);
}

/// What the witness does first: the initial thread has nothing any more.
pub fn take_over() {
    let take = |at: u64| must(ROOT, Label::CNodeMove, &[ORIGINALS + at, 64, at, 64], &[INITIAL_NODE]);
    let drop = |at: u64| must(INITIAL_NODE, Label::CNodeDelete, &[at, 64], &[]);
    take(slot::INIT_TCB);
    must(ORIGINALS + slot::INIT_TCB, Label::TcbSuspend, &[], &[]);
    take(ROOT);
    drop(NODE);
    drop(TCB);
    // The handle is a copy; what others are given comes from the original.
    must(ROOT, Label::CNodeDelete, &[INITIAL_NODE, 64], &[]);
}
