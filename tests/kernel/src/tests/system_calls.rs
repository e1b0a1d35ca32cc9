//! System calls as instructions: which registers come back as they were, and the calls with two phases.

use crate::check::{check, equal};
use crate::scene::fixed::*;
use crate::scene::message::{self, nb_send_recv, nb_send_wait, nb_wait, signal, wait};
use crate::scene::thread::set_main_priority;
use crate::scene::{Scene, shared};
use chestnut_abi::{MessageInfo, Syscall};
use chestnut_runtime::sys;

/// By how much RSP differs, then RAX, RBX, RBP, R13, R14, RDX and RFLAGS.
type Kept = [u64; 8];

/// Makes a system call with a pattern in every register that it does not take and returns what they were afterwards.
fn registers_across(number: Syscall, cap: u64, reply: u64) -> Kept {
    let mut kept: Kept = [0; 8];
    // SAFETY: saves what it changes; the kernel may write the IPC buffer, which is accessed by volatile accesses only.
    unsafe {
        core::arch::asm!(
            "push rbx",
            "push rbp",
            "mov rax, 0x1a1a",
            "mov rbx, 0x1b1b",
            "mov rbp, 0x1c1c",
            "mov r13, 0x1d1d",
            "mov r14, 0x1e1e",
            "mov [r11], rsp",
            "push r11",
            "stc",
            "syscall",
            "pop r11",
            "pushfq",
            "pop rcx",
            "mov [r11 + 8], rax",
            "mov [r11 + 16], rbx",
            "mov [r11 + 24], rbp",
            "mov [r11 + 32], r13",
            "mov [r11 + 40], r14",
            "mov [r11 + 48], rdx",
            "mov [r11 + 56], rcx",
            "sub [r11], rsp",
            "pop rbp",
            "pop rbx",
            inlateout("r11") kept.as_mut_ptr() => _,
            inlateout("rdx") number as i64 => _,
            inlateout("rdi") cap => _,
            inlateout("rsi") 0u64 => _,
            inlateout("r12") reply => _,
            out("rax") _, out("rcx") _, out("r8") _, out("r9") _, out("r10") _, out("r13") _, out("r14") _, out("r15") _,
        );
    }
    kept
}

#[track_caller]
fn expect_kept(number: Syscall, kept: Kept) {
    equal(kept[0], 0, "RSP's difference");
    equal(&kept[1..6], &[0x1a1a, 0x1b1b, 0x1c1c, 0x1d1d, 0x1e1e], "RAX, RBX, RBP, R13, R14");
    equal(kept[6], number as i64 as u64, "RDX");
    check(kept[7] & 1 != 0, "the carry flag is kept");
}

pub fn registers_are_kept_across_calls_that_do_not_wait(t: &Scene) {
    let (endpoint, notification, reply) = (t.endpoint(), t.notification(), t.reply());
    for number in [Syscall::NBSend, Syscall::NBRecv, Syscall::NBWait, Syscall::Yield] {
        expect_kept(number, registers_across(number, endpoint, reply));
    }
    expect_kept(Syscall::Send, registers_across(Syscall::Send, notification, reply));
    expect_kept(Syscall::Call, registers_across(Syscall::Call, notification, reply));
}

pub fn registers_are_kept_across_calls_that_wait(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    t.spawn(BELOW, move || {
        message::send(endpoint, 1, &[]);
        message::send(endpoint, 2, &[]);
    });
    expect_kept(Syscall::Recv, registers_across(Syscall::Recv, endpoint, reply));
    expect_kept(Syscall::Wait, registers_across(Syscall::Wait, endpoint, reply));
}

pub fn registers_are_kept_across_a_preemption(t: &Scene) {
    // The other thread uses every register, too, and both take turns often.
    let thread = t.thread_with_budget(MAIN, 500, 500);
    crate::scene::invoke::must(
        SCHED_CONTROL,
        chestnut_abi::Label::SchedControlConfigureFlags,
        &[500, 500, 0, 0, 0],
        &[MAIN_CONTEXT],
    );
    thread.start(|| {
        loop {
            spin_with_registers(0x9999_0000);
            shared::add(0, 1);
        }
    });
    for _ in 0..20 {
        check(spin_with_registers(0x7777_0000), "all registers are as before");
    }
    check(shared::get(0) > 2, "the other thread had turns in between");
}

/// Counts down for a while with a pattern in every register, and says whether all of them kept it.
fn spin_with_registers(pattern: u64) -> bool {
    let wrong: u64;
    // SAFETY: saves what it changes.
    unsafe {
        core::arch::asm!(
            "push rbx",
            "push rbp",
            "lea rax, [rdi + 1]",
            "lea rbx, [rdi + 2]",
            "lea rdx, [rdi + 3]",
            "lea rbp, [rdi + 4]",
            "lea r8, [rdi + 5]",
            "lea r9, [rdi + 6]",
            "lea r10, [rdi + 7]",
            "lea r11, [rdi + 8]",
            "lea r12, [rdi + 9]",
            "lea r13, [rdi + 10]",
            "lea r14, [rdi + 11]",
            "lea r15, [rdi + 12]",
            "mov rcx, 1000000",
            "2: dec rcx",
            "jnz 2b",
            "sub rax, 1", "sub rbx, 2", "sub rdx, 3", "sub rbp, 4", "sub r8, 5", "sub r9, 6", "sub r10, 7", "sub r11, 8",
            "sub r12, 9", "sub r13, 10", "sub r14, 11", "sub r15, 12",
            "xor rax, rdi", "xor rbx, rdi", "xor rdx, rdi", "xor rbp, rdi", "xor r8, rdi", "xor r9, rdi", "xor r10, rdi",
            "xor r11, rdi", "xor r12, rdi", "xor r13, rdi", "xor r14, rdi", "xor r15, rdi",
            "or rax, rbx", "or rax, rdx", "or rax, rbp", "or rax, r8", "or rax, r9", "or rax, r10", "or rax, r11",
            "or rax, r12", "or rax, r13", "or rax, r14", "or rax, r15",
            "pop rbp",
            "pop rbx",
            in("rdi") pattern,
            out("rax") wrong,
            out("rcx") _, out("rdx") _, out("r8") _, out("r9") _, out("r10") _, out("r11") _, out("r12") _, out("r13") _,
            out("r14") _, out("r15") _,
        );
    }
    wrong == 0
}

pub fn nb_send_recv_sends_and_then_waits(t: &Scene) {
    let (to, from, reply) = (t.endpoint(), t.endpoint(), t.reply());
    t.spawn(ABOVE, move || {
        let message = wait(to);
        shared::set(0, message.word(0));
        message::send(from, 8, &[message.word(4)]);
    });
    let message = nb_send_recv(to, 1, &[5, 0, 0, 0, 6], from, reply);
    equal((shared::get(0), message.label(), message.word(0)), (5, 8, 6), "what was sent, and what came back");
}

pub fn nb_send_recv_without_a_receiver_only_receives(t: &Scene) {
    let (to, from, reply) = (t.endpoint(), t.endpoint(), t.reply());
    t.spawn(ABOVE, move || message::send(from, 8, &[]));
    equal(nb_send_recv(to, 1, &[], from, reply).label(), 8, "what was received");
    equal(nb_wait(to).badge, 0, "what was sent");
}

pub fn nb_send_recv_can_be_answered(t: &Scene) {
    let (to, from, reply) = (t.endpoint(), t.endpoint(), t.reply());
    t.spawn(ABOVE, move || {
        wait(to);
        shared::set(0, message::call(from, 8, &[]).word(0));
    });
    nb_send_recv(to, 1, &[], from, reply);
    message::send(reply, 0, &[4]);
    equal(shared::get(0), 4, "the answer");
}

pub fn nb_send_wait_signals_and_then_waits(t: &Scene) {
    let (to, from) = (t.notification(), t.notification());
    let badged = t.mint(from, 2);
    t.spawn(ABOVE, move || {
        wait(to);
        signal(badged);
    });
    equal(nb_send_wait(to, 0, &[], from).badge, 2, "what was waited for");
}

pub fn nb_send_wait_receives_from_an_endpoint(t: &Scene) {
    let (to, from) = (t.endpoint(), t.endpoint());
    t.spawn(ABOVE, move || {
        let message = wait(to);
        message::send(from, message.label() + 1, &[]);
    });
    equal(nb_send_wait(to, 7, &[], from).label(), 8, "what was received");
}

pub fn yield_lets_another_of_the_same_priority_run(t: &Scene) {
    t.spawn(MAIN, || {
        loop {
            shared::add(0, 1);
            sys::yield_now();
        }
    });
    for turn in 1..5 {
        sys::yield_now();
        check(shared::get(0) >= turn, "the other thread had a turn");
    }
}

pub fn yield_lets_nobody_of_a_lower_priority_run(t: &Scene) {
    t.spawn(BELOW, || shared::set(0, 1));
    (0..5).for_each(|_| sys::yield_now());
    equal(shared::get(0), 0, "whether the other thread ran");
    set_main_priority(BELOW - 1);
    equal(shared::get(0), 1, "whether it could");
}

pub fn set_tls_base_sets_the_callers_fs_base(t: &Scene) {
    t.spawn(ABOVE, || {
        shared::set(1, 0x4321);
        sys::set_tls_base(shared::address(0));
        let value: u64;
        // SAFETY: FS points at shared words.
        unsafe { core::arch::asm!("mov {}, fs:[8]", out(reg) value, options(nostack, readonly)) };
        shared::set(2, value);
    });
    equal(shared::get(2), 0x4321, "what was read relative to FS");
}

pub fn the_message_info_of_an_answer_has_its_words_and_no_more(t: &Scene) {
    let answer = sys::call(t.frame(), MessageInfo::new(chestnut_abi::Label::X86PageGetAddress as u64, 0, 0, 0), [0; 4]);
    equal(
        (answer.info.label(), answer.info.length(), answer.info.extra_caps(), answer.info.unwrapped()),
        (0, 1, 0, 0),
        "the info word",
    );
    equal(answer.badge, 0, "the badge register");
}
