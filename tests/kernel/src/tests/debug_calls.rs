//! Debug and benchmark system calls: all there in a debug build, unknown system calls in any other.

use crate::check::{check, equal};
use crate::scene::fixed::*;
use crate::scene::message::{nb_recv, recv};
use crate::scene::{Scene, shared};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::fault::{label, unknown_syscall as unknown, user_exception as exception};
use chestnut_abi::{Syscall, UserContext};

#[unsafe(naked)]
extern "C" fn make() {
    core::arch::naked_asm!("syscall", "ud2")
}

/// Makes a system call in a thread of its own: RDI afterwards, or `None` if it is unknown to the kernel.
fn attempt(t: &Scene, number: Syscall, argument: u64) -> Option<u64> {
    let (faults, reply) = (t.endpoint(), t.reply());
    let thread = t.thread(ABOVE);
    thread.set_handler(faults);
    thread.start_with(&UserContext {
        rip: make as *const () as u64,
        rsp: thread.stack(),
        rdx: number as i64 as u64,
        rdi: argument,
        ..Default::default()
    });
    let fault = recv(faults, reply);
    if fault.label() == label::UNKNOWN_SYSCALL {
        equal(fault.word(unknown::SYSCALL), number as i64 as u64, "the number");
        return None;
    }
    equal((fault.label(), fault.word(exception::NUMBER)), (label::USER_EXCEPTION, 6), "the `ud2` behind it");
    Some(thread.read().rdi)
}

/// Whether the kernel is a debug build: it knows what a capability is.
fn is_debug(t: &Scene) -> bool {
    attempt(t, Syscall::DebugCapIdentify, slot::INIT_TCB).is_some()
}

pub fn identify_tells_kinds_apart_or_is_unknown(t: &Scene) {
    if !is_debug(t) {
        return;
    }
    let kind = |cap| attempt(t, Syscall::DebugCapIdentify, cap);
    equal(kind(NOTHING), Some(0), "the kind of nothing");
    check(kind(slot::INIT_TCB) != kind(slot::INIT_CNODE), "a TCB is no CNode");
    equal(kind(slot::INIT_TCB), kind(MAIN_TCB), "kinds of two TCBs");
}

pub fn all_debug_calls_are_there_or_none_is(t: &Scene) {
    let debug = is_debug(t);
    let calls = [
        (Syscall::DebugPutChar, b'\n'.into()),
        (Syscall::DebugDumpScheduler, 0),
        (Syscall::DebugSnapshot, 0),
        (Syscall::DebugNameThread, MAIN_TCB),
    ];
    for (number, argument) in calls {
        equal(
            attempt(t, number, argument).is_some(),
            debug,
            "whether the call is there, and whether it is a debug build",
        );
    }
    if !debug {
        equal(attempt(t, Syscall::DebugHalt, 0), None, "halting");
    }
}

pub fn the_fault_of_a_missing_call_waits_like_any_other(t: &Scene) {
    if is_debug(t) {
        return;
    }
    let (faults, reply) = (t.endpoint(), t.reply());
    t.spawn_handled(ABOVE, faults, || {
        chestnut_runtime::sys::debug_put_char(b'x');
        shared::set(0, 1);
    });
    equal(nb_recv(faults, reply).label(), label::UNKNOWN_SYSCALL, "the fault");
    equal(shared::get(0), 0, "whether the thread went on");
}

pub fn both_register_calls_are_there_or_none_is(t: &Scene) {
    // IA32_PAT, which every x86_64 processor has, and which is never 0.
    const PAT: u64 = 0x277;
    let read = attempt(t, Syscall::X86DangerousRdmsr, PAT);
    if read.is_none() {
        equal(attempt(t, Syscall::X86DangerousWrmsr, PAT), None, "writing where reading is unknown");
    }
}
