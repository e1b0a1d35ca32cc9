//! The thread that sets hostile ones going and says in the end what became of the others.
//!
//! It runs below the hostile threads, so that it does whenever none of them can: then it starts them again, and makes everything anew if
//! that didn't help, or after some time. Two threads run above everybody every 10 ms. The *watch* lets the witness run when nothing has happened
//! since the last time, and at the end. The *victim* does a little work in its budget and counts its turns; a page of memory and its turns are what must stay as they were.

use super::partition::{HIGH, take_over};
use super::{calls_wanted, fail, holds_everything, loot, must, partition, say, seed};
use crate::driver::console;
use crate::scene::fixed::{BLOCK_BYTES, BLOCKS, SCHED_CONTROL, STACK_PAGES};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::invocation::INVOCATIONS;
use chestnut_abi::{CapRights, Label, ObjectType, UserContext};
use chestnut_runtime::sys;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

const ROOT: u64 = slot::INIT_CNODE;
const LOW: u64 = 10;
const PERIOD_US: u64 = 10_000;
const BUDGET_US: u64 = 1_000;
/// Starts after which everything is made anew, even if all goes well.
const STARTS: u64 = 500;
/// How much a start has to bring about.
const FEW_CALLS: u64 = 4;
/// A page in which every word must stay as it is.
const PAGE_WORDS: usize = 512;
static PAGE: [AtomicU64; PAGE_WORDS] = [const { AtomicU64::new(0) }; PAGE_WORDS];
/// Objects of the two threads above everybody.
const OBJECTS: u64 = 0x6700;

static TICKS: AtomicU64 = AtomicU64::new(0);
static TURNS: AtomicU64 = AtomicU64::new(0);
static IS_OVER: AtomicBool = AtomicBool::new(false);

fn set_priority(priority: u64) {
    must(slot::INIT_TCB, Label::TcbSetPriority, &[priority], &[slot::INIT_TCB]);
}

fn pattern(index: usize) -> u64 {
    0x5afe_0000_0000_0000 | (index as u64).wrapping_mul(0x1_0001)
}

/// Another thread of this partition, above everybody, once in a period.
fn periodic(number: u64, code: extern "C" fn() -> !) -> u64 {
    let (at, block) = (OBJECTS + number * 16, BLOCKS + number * BLOCK_BYTES);
    let make = |kind: ObjectType, bits: u64, at: u64, count: u64| {
        must(partition::PRIVATE, Label::UntypedRetype, &[kind as u64, bits, 0, 0, at, count], &[ROOT]);
    };
    make(ObjectType::Tcb, 0, at, 1);
    make(ObjectType::SchedContext, 8, at + 1, 1);
    make(ObjectType::X864K, 0, at + 2, STACK_PAGES + 1);
    for page in 0..=STACK_PAGES {
        let address = if page == STACK_PAGES { block } else { block + BLOCK_BYTES - (page + 1) * 4096 };
        must(at + 2 + page, Label::X86PageMap, &[address, CapRights::READ_WRITE.0, 0], &[slot::INIT_VSPACE]);
    }
    must(at, Label::TcbConfigure, &[0, 0, block], &[ROOT, slot::INIT_VSPACE, at + 2 + STACK_PAGES]);
    must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &[BUDGET_US, PERIOD_US, 0, 0, 0], &[at + 1]);
    must(at, Label::TcbSetSchedParams, &[HIGH, HIGH], &[slot::INIT_TCB, at + 1, 0]);
    let context = UserContext { rip: code as *const () as u64, rsp: block + BLOCK_BYTES - 8, ..Default::default() };
    let mut words = [0; 22];
    (words[0], words[1]) = (1, 20);
    words[2..].copy_from_slice(&context.to_words());
    must(at, Label::TcbWriteRegisters, &words, &[]);
    at
}

extern "C" fn watch() -> ! {
    let mut last = 0;
    loop {
        sys::yield_now();
        TICKS.fetch_add(1, Relaxed);
        let calls = loot::calls();
        IS_OVER.store(calls >= calls_wanted(), Relaxed);
        if calls == last || IS_OVER.load(Relaxed) {
            set_priority(HIGH);
        }
        last = calls;
    }
}

extern "C" fn victim() -> ! {
    loop {
        let mut sum = 0u64;
        for (index, word) in PAGE.iter().enumerate() {
            sum |= word.load(Relaxed) ^ pattern(index);
        }
        if sum == 0 {
            TURNS.fetch_add(1, Relaxed);
        }
        sys::yield_now();
    }
}

/// The witness begins: in its own address space, with its own CSpace.
pub extern "C" fn run() -> ! {
    take_over();
    let what = if holds_everything() { "everything" } else { "little" };
    say(format_args!("seed {}, {} calls by threads that hold {what}", seed(), calls_wanted()));
    (0..PAGE_WORDS).for_each(|index| PAGE[index].store(pattern(index), Relaxed));
    loot::prepare();
    loot::make();
    let victim = periodic(1, victim);
    periodic(2, watch);
    let (mut starts, mut makes, mut said) = (0u64, 1u64, 0);
    while !IS_OVER.load(Relaxed) {
        let before = loot::calls();
        if before / 1_000_000 > said {
            said = before / 1_000_000;
            say(format_args!("{before} calls"));
        }
        set_priority(LOW);
        (0..loot::THREADS).for_each(loot::start);
        starts += 1;
        // Here again, none of them runs any more, or the watch wants something.
        if loot::calls() < before + FEW_CALLS || starts.is_multiple_of(STARTS) {
            set_priority(HIGH);
            loot::make();
            makes += 1;
        }
    }
    let (ticks, turns) = (TICKS.load(Relaxed), TURNS.load(Relaxed));
    say(format_args!("{} calls, {starts} starts, everything made anew {makes} times", loot::calls()));
    say(format_args!("{turns} turns of the victim in {ticks} periods"));
    let mut successes = 0;
    for (index, row) in INVOCATIONS.iter().enumerate() {
        say(format_args!("{:9} {}_{}", loot::successes(index), row.object, row.method));
        successes += loot::successes(index);
    }
    if successes * 20 < loot::calls() {
        fail(format_args!("only {successes} of the calls were successful invocations: that is no attack"));
    }
    if let Some(index) = (0..PAGE_WORDS).find(|&index| PAGE[index].load(Relaxed) != pattern(index)) {
        fail(format_args!("word {index} of the witness's page is {:#x}", PAGE[index].load(Relaxed)));
    }
    if ticks < 10 || turns * 10 < ticks * 9 || turns > ticks + ticks / 10 + 2 {
        fail(format_args!("the victim's time isn't what it was given"));
    }
    // Its scheduling context is still its own, and what it used is what it had.
    let used = must(victim + 1, Label::SchedContextConsumed, &[], &[]).words[0];
    if used == 0 || used > (turns + 2) * BUDGET_US {
        fail(format_args!("the victim used {used} microseconds"));
    }
    must(victim + 1, Label::SchedContextUnbindObject, &[], &[victim]);
    say(format_args!("done"));
    console::exit(true)
}
