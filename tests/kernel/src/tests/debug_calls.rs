//! Debug and benchmark system calls: all there in a debug build, unknown system calls in any other.

use crate::check::{check, equal};
use crate::scene::fixed::*;
use crate::scene::message::{nb_recv, recv};
use crate::scene::thread::Thread;
use crate::scene::{Scene, shared};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::fault::{label, unknown_syscall as unknown, user_exception as exception};
use chestnut_abi::{Syscall, UserContext};

/// A register that the processor uses for nothing as long as user code can't enter the kernel by `sysenter`.
pub const SYSENTER_EIP: u64 = 0x176;

#[unsafe(naked)]
extern "C" fn make() {
    core::arch::naked_asm!("syscall", "ud2")
}

/// A thread that makes one system call after the other.
pub struct Probe {
    thread: Thread,
    faults: u64,
    reply: u64,
}

impl Probe {
    pub fn new(t: &Scene) -> Self {
        let (thread, faults, reply) = (t.thread(ABOVE), t.endpoint(), t.reply());
        thread.set_handler(faults);
        Self { thread, faults, reply }
    }

    /// Makes a system call: RDI and the first message word afterwards, or `None` if it is unknown to the kernel.
    pub fn call(&self, number: i64, argument: u64, word: u64) -> Option<(u64, u64)> {
        self.thread.start_with(&UserContext {
            rip: make as *const () as u64,
            rsp: self.thread.stack(),
            rdx: number as u64,
            rdi: argument,
            r10: word,
            ..Default::default()
        });
        let fault = recv(self.faults, self.reply);
        if fault.label() == label::UNKNOWN_SYSCALL {
            equal(fault.word(unknown::SYSCALL), number as u64, "the number");
            return None;
        }
        equal((fault.label(), fault.word(exception::NUMBER)), (label::USER_EXCEPTION, 6), "the `ud2` behind it");
        let after = self.thread.read();
        Some((after.rdi, after.r10))
    }
}

/// Makes a system call in a thread of its own: RDI afterwards, or `None` if it is unknown to the kernel.
fn attempt(t: &Scene, number: Syscall, argument: u64) -> Option<u64> {
    Probe::new(t).call(number as i64, argument, 0).map(|(rdi, _)| rdi)
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
    let probe = Probe::new(t);
    let read = |register| probe.call(Syscall::X86DangerousRdmsr as i64, register, 0).map(|(_, value)| value);
    let write = |register, value| probe.call(Syscall::X86DangerousWrmsr as i64, register, value);
    let Some(before) = read(SYSENTER_EIP) else {
        return equal(write(SYSENTER_EIP, 0), None, "writing where reading is unknown");
    };
    // All 64 bits are read and written.
    for value in [0xffff_8123_4567_89ab, before] {
        check(write(SYSENTER_EIP, value).is_some(), "the call is there");
        equal(read(SYSENTER_EIP), Some(value), "the register");
    }
    // Keys of kernel pages: either there is no such register, or its upper half is reserved. The kernel lives on.
    const PKRS: u64 = 0x6e1;
    check(write(PKRS, u64::MAX).is_some(), "the processor's refusal is nobody's fault");
    equal(read(SYSENTER_EIP), Some(before), "the register after that");
}
