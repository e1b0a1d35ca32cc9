//! Processor exceptions: number, error code and place, and replies that change where and how the thread goes on.

use crate::check::{check, equal};
use crate::scene::fixed::*;
use crate::scene::message::{Message, recv, send};
use crate::scene::{Scene, shared};
use chestnut_abi::UserContext;
use chestnut_abi::fault::{label, user_exception as exception};

/// Starts a thread at `code`, which has to raise an exception; returns the fault's message and the reply object.
fn raise(t: &Scene, code: extern "C" fn()) -> (Message, u64) {
    raise_with(t, code, UserContext::default())
}

fn raise_with(t: &Scene, code: extern "C" fn(), context: UserContext) -> (Message, u64) {
    let (faults, reply) = (t.endpoint(), t.reply());
    let thread = t.thread(ABOVE);
    thread.set_handler(faults);
    thread.start_with(&UserContext { rip: code as *const () as u64, rsp: thread.stack(), ..context });
    let fault = recv(faults, reply);
    equal((fault.label(), fault.length()), (label::USER_EXCEPTION, exception::LENGTH), "label and length of the fault");
    equal(fault.word(exception::SP), thread.stack(), "RSP");
    (fault, reply)
}

#[track_caller]
fn expect(fault: Message, code: extern "C" fn(), offset: u64, number: u64, error: u64) {
    equal((fault.word(exception::NUMBER), fault.word(exception::CODE)), (number, error), "number and error code");
    equal(fault.word(exception::FAULT_IP) - code as *const () as u64, offset, "IP, from where the thread began");
}

macro_rules! code {
    ($name:ident: $($line:literal),*) => {
        #[unsafe(naked)]
        extern "C" fn $name() {
            core::arch::naked_asm!($($line),*)
        }
    };
}

pub fn division_by_zero_is_exception_0(t: &Scene) {
    code!(divide: "nop", "div ecx", "ud2");
    let (fault, _) = raise(t, divide);
    expect(fault, divide, 1, 0, 0);
}

pub fn a_single_step_is_exception_1(t: &Scene) {
    code!(step: "nop", "nop", "nop", "ud2");
    const TRAP: u64 = 1 << 8;
    let (fault, reply) = raise_with(t, step, UserContext { rflags: TRAP, ..Default::default() });
    equal(fault.word(exception::NUMBER), 1, "number");
    check(fault.word(exception::FLAGS) & TRAP != 0, "the trap flag is in the message");
    // Without the flag the thread goes on to its `ud2`.
    let (ip, sp) = (fault.word(exception::FAULT_IP), fault.word(exception::SP));
    send(reply, 0, &[ip, sp, fault.word(exception::FLAGS) & !TRAP]);
}

pub fn a_breakpoint_is_exception_3(t: &Scene) {
    code!(stop: "nop", "int3", "ud2");
    let (fault, _) = raise(t, stop);
    equal((fault.word(exception::NUMBER), fault.word(exception::CODE)), (3, 0), "number and error code");
}

pub fn an_invalid_instruction_is_exception_6(t: &Scene) {
    code!(invalid: "nop", "nop", "ud2");
    let (fault, _) = raise(t, invalid);
    expect(fault, invalid, 2, 6, 0);
}

pub fn privileged_instructions_are_exception_13(t: &Scene) {
    code!(halt: "hlt", "ud2");
    code!(interrupts: "cli", "ud2");
    code!(control: "mov rax, cr0", "ud2");
    code!(specific: "rdmsr", "ud2");
    code!(port_in: "in al, dx", "ud2");
    code!(port_out: "out 0x80, al", "ud2");
    code!(page: "invlpg [rsp]", "ud2");
    code!(swap: "swapgs", "ud2");
    for code in [halt, interrupts, control, specific, port_in, port_out, page, swap] {
        let (fault, _) = raise(t, code);
        expect(fault, code, 0, 13, 0);
    }
}

pub fn software_interrupts_are_exception_13(t: &Scene) {
    code!(linux: "int 0x80", "ud2");
    code!(timer: "int 0x30", "ud2");
    code!(double_fault: "int 8", "ud2");
    for (code, vector) in [(linux as extern "C" fn(), 0x80), (timer, 0x30), (double_fault, 8)] {
        let (fault, _) = raise(t, code);
        // The error code says that it is about the interrupt descriptor table and names the gate: by its number, or, in QEMU, by twice that.
        let error = fault.word(exception::CODE);
        check(error == vector << 3 | 2 || error == vector << 4 | 2, "the error code names the gate");
        expect(fault, code, 0, 13, error);
    }
}

pub fn a_non_canonical_address_is_exception_13(t: &Scene) {
    code!(load: "mov rax, [rax]", "ud2");
    let (fault, _) = raise_with(t, load, UserContext { rax: 0x8000_0000_0000, ..Default::default() });
    expect(fault, load, 0, 13, 0);
}

pub fn a_reply_sets_ip_sp_and_flags(t: &Scene) {
    code!(invalid: "ud2", "ud2", "2: pushfq", "pop [rdi]", "mov [rdi + 8], rsp", "ud2");
    let (fault, reply) = raise_with(t, invalid, UserContext { rdi: shared::address(0), ..Default::default() });
    let (ip, sp) = (fault.word(exception::FAULT_IP), fault.word(exception::SP));
    // Behind both `ud2`, a little further down the stack, with carry and direction set, and flags that nobody may set.
    send(reply, 0, &[ip + 4, sp - 64, 0x401 | 3 << 12 | 1 << 14]);
    let flags = shared::get(0);
    equal(flags & 0x401, 0x401, "carry and direction");
    equal(flags & (3 << 12 | 1 << 14 | 1 << 9), 1 << 9, "IOPL, NT and IF");
    equal(shared::get(1), sp - 64, "RSP");
}

pub fn an_empty_reply_runs_the_instruction_again(t: &Scene) {
    // RCX is changed before the reply; the division then succeeds.
    code!(divide: "div ecx", "mov [rdi], rax", "ud2");
    let (faults, reply) = (t.endpoint(), t.reply());
    let thread = t.thread(ABOVE);
    thread.set_handler(faults);
    let context = UserContext {
        rip: divide as *const () as u64,
        rsp: thread.stack(),
        rdi: shared::address(0),
        rax: 42,
        ..Default::default()
    };
    thread.start_with(&context);
    recv(faults, reply);
    thread.write(&UserContext { rcx: 6, ..context });
    send(reply, 0, &[]);
    equal(shared::get(0), 7, "the quotient");
    equal(recv(faults, reply).word(exception::NUMBER), 6, "the next exception");
}

pub fn a_reply_with_a_label_leaves_the_thread_stopped(t: &Scene) {
    code!(invalid: "ud2", "2: inc qword ptr [rdi]", "jmp 2b");
    let (fault, reply) = raise_with(t, invalid, UserContext { rdi: shared::address(0), ..Default::default() });
    send(reply, 1, &[fault.word(exception::FAULT_IP) + 2]);
    shared::spin_us(10_000);
    equal(shared::get(0), 0, "how far the thread came");
}

pub fn a_reply_cannot_send_a_thread_into_the_kernel(t: &Scene) {
    code!(invalid: "ud2");
    for ip in [0xffff_ffff_8010_0000, 0x8000_0000_0000] {
        let (faults, reply) = (t.endpoint(), t.reply());
        let thread = t.thread(ABOVE);
        thread.set_handler(faults);
        thread.start_with(&UserContext { rip: invalid as *const () as u64, ..Default::default() });
        recv(faults, reply);
        send(reply, 0, &[ip]);
        let second = recv(faults, reply);
        check(second.label() == label::VM || second.label() == label::USER_EXCEPTION, "it faults in user mode");
    }
}
