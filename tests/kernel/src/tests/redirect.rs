//! Chestnut's extension: system calls from outside a range of addresses go to an entry of the thread's own.

use crate::check::{check, equal};
use crate::scene::fixed::*;
use crate::scene::invoke::{must, refused};
use crate::scene::message::{nb_wait, recv};
use crate::scene::thread::Thread;
use crate::scene::{Scene, shared};
use chestnut_abi::fault::{label, unknown_syscall as unknown, user_exception as exception};
use chestnut_abi::layout::USER_END;
use chestnut_abi::{Error, Label, UserContext};

const WORD: u64 = 0x1122_3344_5566_7788;
const INTERRUPTS: u64 = 1 << 9;
const PRIVILEGE: u64 = 3 << 12;

/// A program's system call, and an invalid instruction where it comes back to if it is not redirected.
#[unsafe(naked)]
extern "C" fn foreign() {
    core::arch::naked_asm!("nop", "stc", "syscall", "ud2")
}
const FOREIGN_CALL: u64 = 2;

/// The entry: stops with all registers as they are.
#[unsafe(naked)]
extern "C" fn entry() {
    core::arch::naked_asm!("ud2")
}

/// A program's system call with flags set that the processor clears on its way into the kernel.
#[unsafe(naked)]
extern "C" fn flagged() {
    core::arch::naked_asm!("pushfq", "or dword ptr [rsp], {flags}", "popfq", "syscall", "ud2", flags = const FLAGS)
}
/// Carry, direction, nested task, alignment check, identification.
const FLAGS: u64 = 0x24_4401;

/// An entry that is never left.
#[unsafe(naked)]
extern "C" fn endless() {
    core::arch::naked_asm!("2: jmp 2b")
}

/// A native system call, then an invalid instruction.
#[unsafe(naked)]
extern "C" fn native() {
    core::arch::naked_asm!("syscall", "ud2")
}
const NATIVE_BYTES: u64 = 2;

fn address(code: extern "C" fn()) -> u64 {
    code as *const () as u64
}

fn pattern(thread: Thread) -> UserContext {
    UserContext {
        rsp: thread.stack(),
        rax: 39,
        rbx: 2,
        rdx: 4,
        rsi: 5,
        rdi: 6,
        rbp: 7,
        r8: 8,
        r9: 9,
        r10: 10,
        r12: 12,
        r13: 13,
        r14: 14,
        r15: 15,
        ..Default::default()
    }
}

/// A thread whose native range is `native`'s `syscall`, and where its faults go.
fn redirected(t: &Scene) -> (Thread, u64, u64) {
    let (faults, reply) = (t.endpoint(), t.reply());
    let thread = t.thread(ABOVE);
    thread.set_handler(faults);
    must(thread.tcb, Label::TcbSetRedirect, &[address(native), NATIVE_BYTES, address(entry), WORD], &[]);
    (thread, faults, reply)
}

pub fn a_call_from_outside_goes_to_the_entry(t: &Scene) {
    let (thread, faults, reply) = redirected(t);
    let context = UserContext { rip: address(foreign), ..pattern(thread) };
    thread.start_with(&context);
    let fault = recv(faults, reply);
    equal(
        (fault.label(), fault.word(exception::FAULT_IP)),
        (label::USER_EXCEPTION, address(entry)),
        "where it stopped",
    );
    let now = thread.read();
    equal(now.rcx, address(foreign) + FOREIGN_CALL + 2, "RCX: behind the `syscall`");
    equal(now.r11, WORD, "R11: the word");
    equal(now.rsp, context.rsp, "RSP");
    check(now.rflags & 1 != 0, "the carry flag is kept");
    equal(now.rflags & 1 << 9, 1 << 9, "interrupts are on");
    let kept =
        |c: UserContext| [c.rax, c.rbx, c.rdx, c.rsi, c.rdi, c.rbp, c.r8, c.r9, c.r10, c.r12, c.r13, c.r14, c.r15];
    equal(kept(now), kept(context), "all other registers");
}

pub fn flags_that_the_kernel_runs_without_are_kept(t: &Scene) {
    let (thread, faults, reply) = redirected(t);
    thread.start_with(&UserContext { rip: address(flagged), ..pattern(thread) });
    let fault = recv(faults, reply);
    equal(fault.word(exception::FAULT_IP), address(entry), "where it stopped");
    let now = thread.read();
    equal(now.rflags & (FLAGS | INTERRUPTS | PRIVILEGE), FLAGS | INTERRUPTS, "the flags");
    equal((now.rsp, now.rdx), (thread.stack(), 4), "RSP and RDX");
}

pub fn a_thread_is_interrupted_at_its_entry_as_anywhere(t: &Scene) {
    let (thread, faults, reply) = redirected(t);
    must(thread.tcb, Label::TcbSetRedirect, &[address(native), NATIVE_BYTES, address(endless), WORD], &[]);
    thread.set_budget(2_000, 1_000_000, 0);
    thread.set_timeout_handler(faults);
    let context = UserContext { rip: address(foreign), ..pattern(thread) };
    thread.start_with(&context);
    equal(recv(faults, reply).label(), label::TIMEOUT, "what was told");
    // What a system call was is no more: RIP isn't the instruction before.
    let now = thread.read();
    equal((now.rip, now.rcx, now.r11), (address(endless), address(foreign) + FOREIGN_CALL + 2, WORD), "RIP, RCX, R11");
    equal((now.rsp, now.rax, now.r15), (context.rsp, context.rax, context.r15), "RSP, RAX and R15");
    must(thread.tcb, Label::TcbWriteRegisters, &[1, 1, address(entry)], &[]);
    thread.set_budget(20_000, 20_000, 0);
    let fault = recv(faults, reply);
    equal(
        (fault.label(), fault.word(exception::FAULT_IP)),
        (label::USER_EXCEPTION, address(entry)),
        "where it goes on",
    );
    equal(thread.read().r11, WORD, "R11");
}

pub fn every_number_is_redirected(t: &Scene) {
    for number in [-1i64, -7, -11, -33, 0, 1, 59] {
        let (thread, faults, reply) = redirected(t);
        thread.start_with(&UserContext { rip: address(foreign), rdx: number as u64, ..pattern(thread) });
        let fault = recv(faults, reply);
        equal(fault.word(exception::FAULT_IP), address(entry), "where it stopped");
    }
}

pub fn a_native_call_is_a_system_call(t: &Scene) {
    let (thread, faults, reply) = redirected(t);
    let notification = t.notification();
    const SEND: i64 = -5;
    let context = UserContext {
        rip: address(native),
        rdx: SEND as u64,
        rdi: t.mint(notification, 0x30),
        rsi: 0,
        ..pattern(thread)
    };
    thread.start_with(&context);
    let fault = recv(faults, reply);
    equal(fault.word(exception::FAULT_IP), address(native) + 2, "where it stopped");
    equal(nb_wait(notification).badge, 0x30, "what it signalled");
}

pub fn an_unknown_native_call_is_a_fault(t: &Scene) {
    let (thread, faults, reply) = redirected(t);
    thread.start_with(&UserContext { rip: address(native), rdx: 77, ..pattern(thread) });
    let fault = recv(faults, reply);
    equal((fault.label(), fault.word(unknown::SYSCALL)), (label::UNKNOWN_SYSCALL, 77), "the fault and its number");
}

pub fn debug_calls_are_refused_to_a_redirected_thread(t: &Scene) {
    for number in [-12i64, -15, -17, -30, -31] {
        let (thread, faults, reply) = redirected(t);
        thread.start_with(&UserContext { rip: address(native), rdx: number as u64, ..pattern(thread) });
        let fault = recv(faults, reply);
        equal((fault.label(), fault.word(unknown::SYSCALL)), (label::UNKNOWN_SYSCALL, number as u64), "the fault");
    }
}

pub fn the_range_is_that_of_the_instruction_and_ends_before_its_end(t: &Scene) {
    // The `syscall` is at `native`: a range that ends there or begins behind it does not hold it.
    for (base, length, inside) in [
        (address(native), 1, true),
        (address(native) - 8, 8, false),
        (address(native) - 8, 9, true),
        (address(native) + 1, 8, false),
    ] {
        let (thread, faults, reply) = redirected(t);
        must(thread.tcb, Label::TcbSetRedirect, &[base, length, address(entry), WORD], &[]);
        thread.start_with(&UserContext { rip: address(native), rdx: 77, ..pattern(thread) });
        let fault = recv(faults, reply);
        equal(fault.label() == label::UNKNOWN_SYSCALL, inside, "whether the call was native");
    }
}

pub fn length_0_ends_the_redirection(t: &Scene) {
    let (thread, faults, reply) = redirected(t);
    must(thread.tcb, Label::TcbSetRedirect, &[0, 0, 0, 0], &[]);
    thread.start_with(&UserContext { rip: address(foreign), rdx: 77, ..pattern(thread) });
    let fault = recv(faults, reply);
    equal((fault.label(), fault.word(unknown::SYSCALL)), (label::UNKNOWN_SYSCALL, 77), "the fault and its number");
}

pub fn ranges_and_entries_outside_user_memory_return_range_error(t: &Scene) {
    let tcb = t.tcb();
    let entry = address(entry);
    for (base, length, entry) in [
        (0x1000, 0x1000, USER_END + 0x1000),
        (0x1000, 0x1000, u64::MAX),
        (0x1000, u64::MAX, entry),
        (0xffff_ff80_0000_0000, 0x1000, entry),
        (u64::MAX - 1, 8, entry),
        (0x7fff_ffff_f000, 0x2000, entry),
    ] {
        refused(Error::RangeError, tcb, Label::TcbSetRedirect, &[base, length, entry, 0], &[]);
    }
    must(tcb, Label::TcbSetRedirect, &[0, 0x7fff_ffff_f000, entry, u64::MAX], &[]);
    refused(Error::TruncatedMessage, tcb, Label::TcbSetRedirect, &[0, 0, 0], &[]);
}

pub fn a_redirected_thread_can_be_preempted_and_faults_as_others_do(t: &Scene) {
    let (thread, faults, reply) = redirected(t);
    thread.start_with(&UserContext { rip: FAR, ..pattern(thread) });
    equal(recv(faults, reply).label(), label::VM, "the fault");
    // Other threads are not redirected.
    shared::set(0, 0);
    t.spawn(ABOVE, || {
        chestnut_runtime::sys::yield_now();
        shared::set(0, 1);
    });
    equal(shared::get(0), 1, "whether another thread's system calls work");
}
