//! When refills count from: the two kinds of scheduling contexts, after waits of different kinds.

mod machine;

use chestnut_abi::bootinfo::slot;
use chestnut_abi::{Label, MessageInfo, ObjectType, Syscall};
use chestnut_kernel::{arch, entry};
use machine::*;

const ENDPOINT: u64 = FREE;
const REPLY: u64 = FREE + 1;
const THREAD: u64 = FREE + 10;
const CLIENT: u64 = FREE + 20;
/// Ticks. One may be used a moment before its time, so as not to wait for less than that.
const BUDGET: u64 = 300_000;
const PERIOD: u64 = 2_000_000;
const EARLY: u64 = 20_000;
const SPORADIC: u64 = 1;

/// A thread of priority 100 with that budget, and below it the root task.
fn scene(flags: u64) -> Machine {
    let m = Machine::boot();
    m.make(ObjectType::Endpoint, 0, ENDPOINT);
    m.make(ObjectType::Reply, 0, REPLY);
    m.thread(THREAD, 100, 1000);
    let times = [BUDGET / 1000, PERIOD / 1000, 4, 0, flags];
    m.must(slot::FIRST_FREE, Label::SchedControlConfigureFlags, &times, &[THREAD + 1]);
    m
}

fn lower_root(m: Machine) {
    m.must(slot::INIT_TCB, Label::TcbSetPriority, &[1], &[slot::INIT_TCB]);
}

/// Ticks that the thread runs in the next period if nothing stops it but its budget.
fn runs_in_a_period(m: Machine) -> u64 {
    let (begin, mut used) = (arch::now(), 0);
    while arch::now() < begin + PERIOD {
        let (start, running) = (arch::now(), m.current() == Some(m.tcb(THREAD)));
        arch::set_now(arch::deadline().clamp(start + 1, start + BUDGET / 3));
        entry::timer();
        used += if running { arch::now() - start } else { 0 };
    }
    used
}

/// The short way for Call once let such a server begin with refills of long ago, which are usable one right after the other.
#[test]
fn a_server_that_is_called_after_a_long_wait_has_one_budget() {
    for flags in [0, SPORADIC] {
        let m = scene(flags);
        m.thread(CLIENT, 90, 1000);
        lower_root(m);
        assert!(m.current() == Some(m.tcb(THREAD)), "the server runs");
        arch::set_now(arch::now() + BUDGET / 3);
        m.system_call(Syscall::Recv, ENDPOINT, MessageInfo::default(), [0; 4], REPLY);
        assert!(m.current() == Some(m.tcb(CLIENT)), "the client runs");
        arch::set_now(arch::now() + 5 * PERIOD);
        entry::timer();
        m.system_call(Syscall::Call, ENDPOINT, MessageInfo::default(), [0; 4], 0);
        assert!(m.current() == Some(m.tcb(THREAD)), "the server runs");
        let used = runs_in_a_period(m);
        assert!((BUDGET / 2..=BUDGET + EARLY).contains(&used), "{used} ticks in a period, flags {flags}");
        // SAFETY: nothing of the machine is used any more.
        unsafe { m.end() };
    }
}

/// What a thread takes of a period after a thread above it has kept it from running for so many.
fn after_waiting_ready(flags: u64, periods: u64) -> u64 {
    let m = scene(flags);
    // The root task, above, keeps the processor.
    arch::set_now(arch::now() + periods * PERIOD);
    lower_root(m);
    let used = runs_in_a_period(m);
    // SAFETY: nothing of the machine is used any more.
    unsafe { m.end() };
    used
}

#[test]
fn one_of_constant_bandwidth_loses_what_it_could_not_use() {
    for periods in [1, 3, 5] {
        let used = after_waiting_ready(0, periods);
        assert!((BUDGET / 2..=BUDGET + EARLY).contains(&used), "{used} ticks after {periods} periods");
    }
}

#[test]
fn a_sporadic_one_makes_up_for_it() {
    for periods in [1, 3, 5] {
        let used = after_waiting_ready(SPORADIC, periods);
        // The budgets of the periods that went by, and of those that the next one begins and ends in.
        let most = (periods + 2) * (BUDGET + EARLY);
        assert!((periods * BUDGET..=most).contains(&used), "{used} ticks after {periods} periods");
    }
}
