//! Reading, writing and copying a thread's registers, and what the kernel makes of values that would be dangerous.

use crate::check::{between, check, equal};
use crate::scene::fixed::{ABOVE, BELOW, MAIN_TCB};
use crate::scene::invoke::{must, refused};
use crate::scene::message::recv;
use crate::scene::thread::Thread;
use crate::scene::{Scene, shared};
use chestnut_abi::{Error, Label, UserContext, fault};

const INTERRUPTS: u64 = 1 << 9;
const PRIVILEGE: u64 = 3 << 12;
const NESTED_TASK: u64 = 1 << 14;
const RESUME: u64 = 1 << 16;
const VIRTUAL_8086: u64 = 1 << 17;
const ALWAYS_ONE: u64 = 1 << 1;
/// Carry, parity, zero, sign, direction, overflow.
const ARITHMETIC: u64 = 0x0cc5;

fn pattern() -> UserContext {
    UserContext::from_words(core::array::from_fn(|index| (0x1111_1111 * (index as u64 + 1)) & 0x7fff_ffff))
}

fn same_but_flags(a: UserContext, b: UserContext) -> bool {
    UserContext { rflags: 0, ..a } == UserContext { rflags: 0, ..b }
}

pub fn what_is_written_is_read_again(t: &Scene) {
    let thread = t.passive(BELOW);
    let context = pattern();
    thread.write(&context);
    check(same_but_flags(thread.read(), context), "all registers but RFLAGS are as written");
}

pub fn reading_fewer_registers_gives_so_many_words(t: &Scene) {
    let thread = t.passive(BELOW);
    thread.write(&pattern());
    for count in [1, 3, 4, 5, 19] {
        let answer = must(thread.tcb, Label::TcbReadRegisters, &[0, count], &[]);
        equal(answer.length as u64, count, "words of the answer");
        equal(answer.words[0], pattern().rip, "the first of them is RIP");
    }
}

pub fn reading_no_or_too_many_registers_returns_range_error(t: &Scene) {
    let tcb = t.tcb();
    for count in [0, 21, u64::MAX] {
        let answer = refused(Error::RangeError, tcb, Label::TcbReadRegisters, &[0, count], &[]);
        equal([answer.words[0], answer.words[1]], [1, 20], "what is allowed");
    }
}

pub fn the_own_registers_cannot_be_read_or_written(_: &Scene) {
    refused(Error::IllegalOperation, MAIN_TCB, Label::TcbReadRegisters, &[0, 20], &[]);
    refused(Error::IllegalOperation, MAIN_TCB, Label::TcbWriteRegisters, &[0, 1, 0], &[]);
}

pub fn reading_can_suspend_the_source(t: &Scene) {
    let thread = t.spawn(BELOW, || {
        loop {
            shared::add(0, 1);
        }
    });
    crate::scene::thread::set_main_priority(BELOW);
    while shared::get(0) == 0 {
        chestnut_runtime::sys::yield_now();
    }
    must(thread.tcb, Label::TcbReadRegisters, &[1, 20], &[]);
    let before = shared::get(0);
    (0..3).for_each(|_| chestnut_runtime::sys::yield_now());
    equal(shared::get(0), before, "turns of the suspended thread");
    thread.resume();
    chestnut_runtime::sys::yield_now();
    check(shared::get(0) > before, "it goes on when resumed");
}

pub fn writing_fewer_registers_leaves_the_others(t: &Scene) {
    let thread = t.passive(BELOW);
    thread.write(&pattern());
    must(thread.tcb, Label::TcbWriteRegisters, &[0, 2, 0x1000, 0x2000], &[]);
    let expected = UserContext { rip: 0x1000, rsp: 0x2000, ..pattern() };
    check(same_but_flags(thread.read(), expected), "only RIP and RSP changed");
}

pub fn a_thread_in_a_system_call_has_its_address_and_flags_in_rcx_and_r11(t: &Scene) {
    #[unsafe(naked)]
    extern "C" fn body() {
        core::arch::naked_asm!("stc", "syscall", "ud2")
    }
    const RECV: i64 = -7;
    let behind = body as *const () as u64 + 3;
    let (thread, endpoint, faults, reply) = (t.thread(ABOVE), t.endpoint(), t.endpoint(), t.reply());
    thread.set_handler(faults);
    let context = UserContext {
        rip: body as *const () as u64,
        rsp: thread.stack(),
        rdx: RECV as u64,
        rdi: endpoint,
        r12: t.reply(),
        rcx: 1,
        r11: 2,
        r14: 3,
        ..Default::default()
    };
    thread.start_with(&context);
    let now = thread.read();
    check(now.rflags & 1 != 0, "the carry flag");
    equal((now.rcx, now.r11, now.r14), (behind, now.rflags, 3), "RCX, R11 and R14 of a thread that waits");
    // They stay what they are when the thread is sent elsewhere.
    must(thread.tcb, Label::TcbWriteRegisters, &[1, 1, behind], &[]);
    equal(recv(faults, reply).label(), fault::label::USER_EXCEPTION, "the fault of the thread sent elsewhere");
    let after = thread.read();
    equal((after.rcx, after.r11, after.r14), (behind, now.rflags, 3), "RCX, R11 and R14 of a thread sent elsewhere");
}

pub fn rcx_and_r11_can_be_set_while_a_thread_waits(t: &Scene) {
    #[unsafe(naked)]
    extern "C" fn body() {
        core::arch::naked_asm!("syscall", "ud2")
    }
    const WAIT: i64 = -9;
    let behind = body as *const () as u64 + 2;
    let (thread, notification, faults, reply) = (t.thread(ABOVE), t.notification(), t.endpoint(), t.reply());
    thread.set_handler(faults);
    let rip = body as *const () as u64;
    thread.start_with(&UserContext {
        rip,
        rsp: thread.stack(),
        rdx: WAIT as u64,
        rdi: notification,
        ..Default::default()
    });
    // Integer registers, but not the frame that RIP is in.
    let source = t.passive(BELOW);
    source.write(&UserContext {
        r11: 0x11,
        rcx: 0xc,
        r14: 0x14,
        rdx: WAIT as u64,
        rdi: notification,
        ..Default::default()
    });
    must(thread.tcb, Label::TcbCopyRegisters, &[1 << 3], &[source.tcb]);
    let now = thread.read();
    equal((now.rcx, now.r11), (0xc, 0x11), "RCX and R11 while it waits");
    crate::scene::message::signal(notification);
    equal(recv(faults, reply).word(fault::user_exception::FAULT_IP), behind, "where the system call came back");
    let now = thread.read();
    equal((now.rcx, now.r11, now.r14), (0xc, 0x11, 0x14), "RCX, R11 and R14 afterwards");
}

pub fn writing_can_resume_the_target(t: &Scene) {
    extern "C" fn body() -> ! {
        shared::set(0, 7);
        crate::scene::thread::rest()
    }
    let thread = t.thread(ABOVE);
    let words = [1, 2, body as *const () as u64, thread.stack()];
    must(thread.tcb, Label::TcbWriteRegisters, &words, &[]);
    equal(shared::get(0), 7, "what the thread did");
}

pub fn writing_from_a_short_message_returns_truncated_message(t: &Scene) {
    let tcb = t.tcb();
    refused(Error::TruncatedMessage, tcb, Label::TcbWriteRegisters, &[0], &[]);
    refused(Error::TruncatedMessage, tcb, Label::TcbWriteRegisters, &[0, 2, 0], &[]);
    refused(Error::TruncatedMessage, tcb, Label::TcbReadRegisters, &[0], &[]);
    refused(Error::TruncatedMessage, tcb, Label::TcbCopyRegisters, &[], &[]);
    refused(Error::TruncatedMessage, tcb, Label::TcbCopyRegisters, &[0], &[]);
}

pub fn dangerous_flags_are_not_taken_over(t: &Scene) {
    let thread = t.passive(BELOW);
    thread.write(&UserContext { rflags: !(1 << 8), ..Default::default() });
    let flags = thread.read().rflags;
    check(flags & INTERRUPTS != 0, "interrupts are on");
    equal(flags & (PRIVILEGE | NESTED_TASK | VIRTUAL_8086), 0, "IOPL, NT and VM");
    check(flags & ALWAYS_ONE != 0, "bit 1 is 1");
    equal(flags & ARITHMETIC, ARITHMETIC, "the program's own flags");
    thread.write(&UserContext { rflags: 0, ..Default::default() });
    equal(thread.read().rflags & !RESUME, INTERRUPTS | ALWAYS_ONE, "flags of a thread given none");
}

pub fn a_thread_runs_with_the_flags_it_was_given(t: &Scene) {
    extern "C" fn body() -> ! {
        let flags: u64;
        // SAFETY: reads RFLAGS through the stack, and clears the direction flag that Rust code relies on.
        unsafe { core::arch::asm!("pushfq", "pop {}", "cld", out(reg) flags) };
        shared::set(0, flags);
        crate::scene::thread::rest()
    }
    let thread = t.thread(ABOVE);
    let context = UserContext {
        rip: body as *const () as u64,
        rsp: thread.stack(),
        rflags: NESTED_TASK | PRIVILEGE | 0x401,
        ..Default::default()
    };
    thread.start_with(&context);
    let flags = shared::get(0);
    equal(flags & (PRIVILEGE | NESTED_TASK | INTERRUPTS), INTERRUPTS, "IOPL, NT, IF");
    equal(flags & 0x400, 0x400, "the direction flag");
}

/// Starts a thread at `rip`, with `rsp`, which has to fault; returns the fault's label and its first words.
fn fault_of(t: &Scene, rip: u64, rsp: u64) -> (u64, [u64; 4], Thread) {
    let (faults, reply) = (t.endpoint(), t.reply());
    let thread = t.thread(ABOVE);
    thread.set_handler(faults);
    thread.start_with(&UserContext { rip, rsp, ..Default::default() });
    let fault = recv(faults, reply);
    (fault.label(), core::array::from_fn(|index| fault.word(index)), thread)
}

pub fn a_non_canonical_rip_faults_in_user_mode(t: &Scene) {
    for rip in [0x8000_0000_0000, 0x7fff_ffff_ffff_ffff, 0xdead_beef_0000_0000] {
        let (label, ..) = fault_of(t, rip, 0);
        check(label == fault::label::VM || label == fault::label::USER_EXCEPTION, "the thread faults, and only it");
    }
}

pub fn a_rip_in_the_kernel_faults_in_user_mode(t: &Scene) {
    for rip in [0xffff_ff80_0000_0000, 0xffff_ffff_8010_0000, u64::MAX] {
        let (label, ..) = fault_of(t, rip, 0);
        check(label == fault::label::VM || label == fault::label::USER_EXCEPTION, "the thread faults, and only it");
    }
}

pub fn a_non_canonical_rsp_faults_in_user_mode(t: &Scene) {
    #[unsafe(naked)]
    extern "C" fn push() {
        core::arch::naked_asm!("push rax", "ud2")
    }
    let (label, words, _) = fault_of(t, push as *const () as u64, 0x8000_0000_1000);
    equal(label, fault::label::USER_EXCEPTION, "the fault");
    // A stack fault (12) on processors; QEMU raises a general protection fault.
    between(words[3], 12, 13, "the exception's number");
}

pub fn non_canonical_bases_are_not_taken_over(t: &Scene) {
    let thread = t.passive(BELOW);
    for base in [0x8000_0000_0000, u64::MAX, 0xffff_8000_0000_0000] {
        thread.write(&UserContext { fs_base: base, gs_base: base, ..Default::default() });
        let context = thread.read();
        check(context.fs_base < 1 << 47 && context.gs_base < 1 << 47, "the bases are in the user's half");
    }
}

pub fn copying_frame_and_integer_registers(t: &Scene) {
    let (source, target) = (t.passive(BELOW), t.passive(BELOW));
    source.write(&pattern());
    let copy = |flags| {
        target.write(&UserContext::default());
        must(target.tcb, Label::TcbCopyRegisters, &[flags], &[source.tcb]);
        target.read()
    };
    let frame = copy(1 << 2);
    equal((frame.rip, frame.rsp), (pattern().rip, pattern().rsp), "RIP and RSP of a frame");
    equal((frame.rax, frame.r15), (0, 0), "integer registers beside a frame");
    let integer = copy(1 << 3);
    equal((integer.rip, integer.rsp), (0, 0), "RIP and RSP beside integer registers");
    equal((integer.rax, integer.rdi, integer.r15), (pattern().rax, pattern().rdi, pattern().r15), "integer registers");
    let nothing = copy(0);
    equal((nothing.rip, nothing.rax), (0, 0), "registers when neither is asked for");
}

pub fn copying_can_suspend_the_source_and_resume_the_target(t: &Scene) {
    let count = || {
        loop {
            shared::add(0, 1);
        }
    };
    let source = t.spawn(BELOW, count);
    let target = t.thread(BELOW);
    crate::scene::thread::set_main_priority(BELOW);
    while shared::get(0) == 0 {
        chestnut_runtime::sys::yield_now();
    }
    // The target goes on where the source was stopped, on the source's stack.
    must(target.tcb, Label::TcbCopyRegisters, &[0b1111], &[source.tcb]);
    let before = shared::get(0);
    chestnut_runtime::sys::yield_now();
    check(shared::get(0) > before, "the target runs");
    target.suspend();
    let before = shared::get(0);
    (0..3).for_each(|_| chestnut_runtime::sys::yield_now());
    equal(shared::get(0), before, "turns of the source, which is suspended");
}

pub fn copying_from_what_is_no_tcb_returns_invalid_capability(t: &Scene) {
    let answer = refused(Error::InvalidCapability, t.tcb(), Label::TcbCopyRegisters, &[0], &[t.endpoint()]);
    equal(answer.words[0], 1, "which capability");
}
