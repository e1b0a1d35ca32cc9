//! What hostile threads hold, and how it is made anew.
//!
//! Three threads share an address space and a CSpace. In the address space are pages of this program, read-only, and for each thread an IPC buffer whose
//! end is the end of what is mapped, and a few pages for its stack and its count; the witness alone has the capabilities to these. Everything else
//! is made of one untyped and is theirs. If they hold everything, they have copies, too, of all that boot gave to the root task; the control of
//! interrupts, of which there is no copy, is theirs until they lose it.

use super::attack::{self, Hammer};
use super::partition::{
    HOSTILE_MOST, IMAGE, IMAGE_ADDRESS, IMAGE_FRAMES, LOOT, ORIGINALS, PAGES, PRIVATE, UNTYPEDS, map_tables,
};
use super::{holds_everything, must, seed};
use crate::scene::fixed::{BLOCKS, SCHED_CONTROL};
use crate::scene::invoke::invoke;
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{CNodeCapData, CapRights, Label, ObjectType, UserContext};
use core::sync::atomic::Ordering::Relaxed;

const ROOT: u64 = slot::INIT_CNODE;
/// Hostile threads.
pub const THREADS: u64 = 3;
/// Slots of their CNode, and as a power of two.
pub const SLOT_BITS: u64 = 8;
pub const SLOTS: u64 = 1 << SLOT_BITS;
const PLAIN: u64 = CNodeCapData::new(0, 64 - SLOT_BITS).0;

/// Where the kinds of objects are in their CNode: name, first slot, count. The last of TCBs, CNodes and VSpaces is the root task's own, if
/// they hold it.
pub const KINDS: [(&str, u64, u64); 17] = [
    ("TCB", 1, 5),
    ("CNode", 6, 4),
    ("VSpace", 10, 3),
    ("SchedContext", 13, 5),
    ("Endpoint", 18, 3),
    ("Notification", 21, 2),
    ("Reply", 23, 3),
    ("Page", 26, 8),
    ("PDPT", 34, 1),
    ("PageDirectory", 35, 1),
    ("PageTable", 36, 1),
    ("IRQControl", 37, 1),
    ("ASIDControl", 38, 1),
    ("ASIDPool", 39, 1),
    ("DomainSet", 40, 1),
    ("SchedControl", 41, 1),
    ("Untyped", UNTYPED, 5),
];
const UNTYPED: u64 = 42;
/// Most untypeds that they get of the root task's.
const MOST_UNTYPEDS: u64 = 60;
/// Behind the last slot that is filled for them.
pub const END: u64 = UNTYPED + 3 + MOST_UNTYPEDS;
/// Endpoints, notifications and reply objects: what messages go to and come from.
pub const PARTNERS: (u64, u64) = (18, 8);

/// What they are made of, in the witness's CSpace. Only what is in `OBJECTS` goes when they are made anew.
const VSPACE: u64 = 0x6500;
const TABLES: u64 = 0x6501;
const BUFFERS: u64 = 0x6510;
const STACKS: u64 = 0x6520;
const VIEWS: u64 = 0x6530;
const IMAGE_COPIES: u64 = 0x6600;
const OBJECTS: u64 = 0x6800;

/// Pages of a thread's memory, counted from its beginning: a buffer, nothing, stack.
const THREAD_BYTES: u64 = 0x8000;
const STACK_PAGE: u64 = 2;
const STACK_PAGES: u64 = 3;
const MEMORY: u64 = 0x1000_0000;
/// An IPC buffer's offset in its page.
const BUFFER_OFFSET: u64 = 0xc00;
/// Where the witness sees the first page of each stack, with the counts.
const SEEN_AT: u64 = BLOCKS + 0x1f_0000;
/// Where nothing is mapped in their address space, nor a page table there: 4 MiB of it.
pub const FREE_ADDRESS: u64 = 0x3000_0000;

pub fn hammer(thread: u64) -> &'static Hammer {
    // SAFETY: mapped by `prepare` for as long as the witness runs, zeroed, and only ever accessed as atomic words.
    unsafe { &*((SEEN_AT + thread * 4096) as *const Hammer) }
}

/// System calls made by all of them.
pub fn calls() -> u64 {
    (0..THREADS).map(|thread| hammer(thread).count.load(Relaxed)).sum()
}

/// How often the invocation in a row of `abi`'s table succeeded.
pub fn successes(row: usize) -> u64 {
    (0..THREADS).map(|thread| u64::from(hammer(thread).successes[row].load(Relaxed))).sum()
}

fn make_private(kind: ObjectType, bits: u64, at: u64, count: u64) {
    must(PRIVATE, Label::UntypedRetype, &[kind as u64, bits, 0, 0, at, count], &[ROOT]);
}

/// Once: their address space and the memory of each.
pub fn prepare() {
    make_private(ObjectType::X64Pml4, 0, VSPACE, 1);
    must(slot::INIT_ASID_POOL, Label::X86AsidPoolAssign, &[], &[VSPACE]);
    map_tables(VSPACE, TABLES, &[IMAGE_ADDRESS, MEMORY], make_private);
    let map = |frame: u64, address: u64, rights: CapRights, vspace: u64| {
        must(frame, Label::X86PageMap, &[address, rights.0, 0], &[vspace]);
    };
    for page in 0..PAGES.load(Relaxed) {
        let at = IMAGE_COPIES + page;
        must(ROOT, Label::CNodeCopy, &[at, 64, IMAGE + page, 64, CapRights::ALL.0], &[ROOT]);
        map(at, IMAGE_ADDRESS + page * 4096, CapRights::READ, VSPACE);
    }
    for thread in 0..THREADS {
        let memory = MEMORY + thread * THREAD_BYTES;
        make_private(ObjectType::X864K, 0, BUFFERS + thread, 1);
        map(BUFFERS + thread, memory, CapRights::READ_WRITE, VSPACE);
        let stack = STACKS + thread * STACK_PAGES;
        make_private(ObjectType::X864K, 0, stack, STACK_PAGES);
        for page in 0..STACK_PAGES {
            map(stack + page, memory + (STACK_PAGE + page) * 4096, CapRights::READ_WRITE, VSPACE);
        }
        let view = VIEWS + thread;
        must(ROOT, Label::CNodeCopy, &[view, 64, stack, 64, CapRights::ALL.0], &[ROOT]);
        map(view, SEEN_AT + thread * 4096, CapRights::READ_WRITE, slot::INIT_VSPACE);
        hammer(thread).random.store(seed().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (thread + 1) << 32 | 1, Relaxed);
    }
}

/// Where the object of a kind with this number is in their CNode.
fn place(kind: &str, number: u64) -> u64 {
    let found = KINDS.iter().find(|(name, ..)| *name == kind);
    found.map_or(UNTYPED, |(_, first, _)| *first) + number
}

/// Makes all they hold anew, and destroys what was before. The threads don't run yet.
pub fn make() {
    if holds_everything() {
        take_back();
    }
    must(ROOT, Label::CNodeRevoke, &[LOOT, 64], &[]);
    let mut next = OBJECTS;
    let mut make = |kind: ObjectType, bits: u64, count: u64| {
        must(LOOT, Label::UntypedRetype, &[kind as u64, bits, 0, 0, next, count], &[ROOT]);
        next += count;
        next - count
    };
    let node = make(ObjectType::CapTable, SLOT_BITS, 1);
    let give = |to: u64, from: u64, badge: u64| {
        invoke(node, Label::CNodeMint, &[to, SLOT_BITS, from, 64, CapRights::ALL.0, badge], &[ROOT]).label == 0
    };
    let give_all = |kind: &str, first: u64, count: u64| {
        (0..count).for_each(|index| _ = give(place(kind, index), first + index, 0));
    };
    let tcbs = make(ObjectType::Tcb, 0, THREADS + 1);
    give_all("TCB", tcbs, THREADS + 1);
    give(place("CNode", 0), node, PLAIN);
    let inner = make(ObjectType::CapTable, 4, 1);
    give(place("CNode", 1), node, PLAIN);
    give(place("CNode", 2), inner, CNodeCapData::new(0, 60).0);
    give(place("VSpace", 0), VSPACE, 0);
    let contexts = make(ObjectType::SchedContext, 8, THREADS + 1);
    give_all("SchedContext", contexts, THREADS + 1);
    let endpoints = make(ObjectType::Endpoint, 0, 2);
    give_all("Endpoint", endpoints, 2);
    give(place("Endpoint", 2), endpoints, 0x77);
    let notification = make(ObjectType::Notification, 0, 1);
    give(place("Notification", 0), notification, 0);
    give(place("Notification", 1), notification, 0x10);
    give_all("Reply", make(ObjectType::Reply, 0, 3), 3);
    give_all("Page", make(ObjectType::X864K, 0, 4), 4);
    // What can't be copied before it is mapped is moved.
    let hand = |to: u64, from: u64| {
        must(node, Label::CNodeMove, &[to, SLOT_BITS, from, 64], &[ROOT]);
    };
    hand(place("VSpace", 1), make(ObjectType::X64Pml4, 0, 1));
    hand(place("PDPT", 0), make(ObjectType::X86Pdpt, 0, 1));
    hand(place("PageDirectory", 0), make(ObjectType::X86PageDirectory, 0, 1));
    hand(place("PageTable", 0), make(ObjectType::X86PageTable, 0, 1));
    for (index, bits) in [14, 13, 12].into_iter().enumerate() {
        hand(UNTYPED + index as u64, make(ObjectType::Untyped, bits, 1));
    }
    if holds_everything() {
        give_everything(&give);
        invoke(
            node,
            Label::CNodeMove,
            &[place("IRQControl", 0), SLOT_BITS, ORIGINALS + slot::IRQ_CONTROL, 64],
            &[ROOT],
        );
    }
    for thread in 0..THREADS {
        let (tcb, context) = (tcbs + thread, contexts + thread);
        let buffer = MEMORY + thread * THREAD_BYTES + BUFFER_OFFSET;
        must(tcb, Label::TcbConfigure, &[PLAIN, 0, buffer], &[node, VSPACE, BUFFERS + thread]);
        must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &[2_000 + thread, 2_000 + thread, 0, 0, 0], &[context]);
        let most = if holds_everything() { HOSTILE_MOST } else { PRIORITY };
        must(tcb, Label::TcbSetSchedParams, &[most, PRIORITY], &[slot::INIT_TCB, context, endpoints + thread % 2]);
    }
    // The slots of the first of each are what `start` needs.
    debug_assert!(tcbs == FIRST_TCB);
}

/// Priority of hostile threads: above the witness when it only watches.
pub const PRIORITY: u64 = 100;
/// Where `make` puts the first TCB: behind the CNode.
const FIRST_TCB: u64 = OBJECTS + 1;

/// Copies of all that boot gave to the root task.
fn give_everything(give: &impl Fn(u64, u64, u64) -> bool) {
    let original = |at: u64| ORIGINALS + at;
    give(place("TCB", THREADS + 1), original(slot::INIT_TCB), 0);
    give(place("CNode", 3), original(slot::INIT_CNODE), CNodeCapData::new(0, 64 - 15).0);
    give(place("VSpace", 2), original(slot::INIT_VSPACE), 0);
    give(place("SchedContext", THREADS + 1), original(slot::INIT_SCHED_CONTEXT), 0);
    give(place("Page", 4), original(slot::INIT_IPC_BUFFER), 0);
    for index in 0..3 {
        give(place("Page", 5 + index), original(IMAGE_FRAMES.load(Relaxed) + index), 0);
    }
    give(place("ASIDControl", 0), original(slot::ASID_CONTROL), 0);
    give(place("ASIDPool", 0), original(slot::INIT_ASID_POOL), 0);
    give(place("DomainSet", 0), original(slot::DOMAIN), 0);
    give(place("SchedControl", 0), SCHED_CONTROL, 0);
    for (to, from) in (UNTYPED + 3..END).zip(untypeds()) {
        give(to, original(from), 0);
    }
}

fn untypeds() -> impl Iterator<Item = u64> {
    UNTYPEDS[0].load(Relaxed)..UNTYPEDS[1].load(Relaxed)
}

/// Takes back what is where it was given, so that it isn't lost with the rest, and revokes the copies of everything else.
fn take_back() {
    // They may have set the root task's thread going, which outlives them and comes before those that are made anew.
    must(ORIGINALS + slot::INIT_TCB, Label::TcbSuspend, &[], &[]);
    let node = OBJECTS;
    invoke(ROOT, Label::CNodeMove, &[ORIGINALS + slot::IRQ_CONTROL, 64, place("IRQControl", 0), SLOT_BITS], &[node]);
    for at in (1..slot::FIRST_FREE).chain(untypeds()).chain((0..3).map(|index| IMAGE_FRAMES.load(Relaxed) + index)) {
        invoke(ROOT, Label::CNodeRevoke, &[ORIGINALS + at, 64], &[]);
    }
}

/// Sets a thread going at its beginning.
pub fn start(thread: u64) {
    let memory = MEMORY + thread * THREAD_BYTES;
    let context = UserContext {
        rip: attack::run as *const () as u64,
        rsp: memory + (STACK_PAGE + STACK_PAGES) * 4096 - 8,
        rdi: memory + STACK_PAGE * 4096,
        rsi: memory + BUFFER_OFFSET,
        ..Default::default()
    };
    let mut words = [0; 22];
    (words[0], words[1]) = (1, 20);
    words[2..].copy_from_slice(&context.to_words());
    invoke(FIRST_TCB + thread, Label::TcbWriteRegisters, &words, &[]);
}
