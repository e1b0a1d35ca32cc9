//! Faults in system calls: numbers that name none, and capabilities that lead nowhere.

use crate::check::equal;
use crate::scene::fixed::*;
use crate::scene::invoke::must;
use crate::scene::message::{self, Message, nb_send, recv, send, wait};
use crate::scene::thread::Thread;
use crate::scene::{Scene, shared};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::fault::{cap, label, unknown_syscall as unknown};
use chestnut_abi::{CNodeCapData, Label, LookupFailure, UserContext};

const ROOT: u64 = slot::INIT_CNODE;

#[unsafe(naked)]
extern "C" fn system_call() {
    core::arch::naked_asm!("nop", "syscall", "ud2")
}

/// Every register but RIP, RSP and RFLAGS with a value of its own; RDX is the number.
fn pattern(number: i64) -> UserContext {
    UserContext {
        rip: system_call as *const () as u64,
        rdx: number as u64,
        rax: 0xa0,
        rbx: 0xb0,
        rsi: 0x51,
        rdi: 0xd1,
        rbp: 0xb9,
        r8: 0x08,
        r9: 0x09,
        r10: 0x10,
        r12: 0x12,
        r13: 0x13,
        r14: 0x14,
        r15: 0x15,
        ..Default::default()
    }
}

/// A thread that makes the system call `number` with the pattern in its registers, and its fault.
fn unknown_call(t: &Scene, number: i64) -> (Message, Thread, u64, u64) {
    let (faults, reply) = (t.endpoint(), t.reply());
    let thread = t.thread(ABOVE);
    thread.set_handler(faults);
    thread.start_with(&UserContext { rsp: thread.stack(), ..pattern(number) });
    let fault = recv(faults, reply);
    equal((fault.label(), fault.length()), (label::UNKNOWN_SYSCALL, unknown::LENGTH), "label and length of the fault");
    (fault, thread, faults, reply)
}

pub fn an_unknown_system_call_reports_all_registers(t: &Scene) {
    let (fault, thread, ..) = unknown_call(t, 1234);
    let p = pattern(1234);
    let expected = [p.rax, p.rbx, 0, p.rdx, p.rsi, p.rdi, p.rbp, p.r8, p.r9, p.r10, 0, p.r12, p.r13, p.r14, p.r15];
    for (index, expected) in expected.into_iter().enumerate() {
        // Words 2 and 10 are RCX and R11, which `syscall` itself changes.
        if index != 2 && index != 10 && fault.word(index) != expected {
            crate::check::fail(format_args!("word {index}: {:#x}, expected {expected:#x}", fault.word(index)));
        }
    }
    equal(fault.word(unknown::FAULT_IP), system_call as *const () as u64 + 1, "IP of the `syscall`");
    equal(fault.word(unknown::SP), thread.stack(), "RSP");
    equal(fault.word(unknown::SYSCALL), 1234, "the number");
}

pub fn numbers_that_name_nothing_are_faults(t: &Scene) {
    for number in [0, 1, 60, -18, -29, -32, -34, i64::MIN, i64::MAX] {
        let (fault, ..) = unknown_call(t, number);
        equal(fault.word(unknown::SYSCALL), number as u64, "the number");
    }
}

pub fn a_reply_sets_all_registers(t: &Scene) {
    #[unsafe(naked)]
    extern "C" fn store() {
        core::arch::naked_asm!(
            "mov [rdi], rax",
            "mov [rdi + 8], rbx",
            "mov [rdi + 16], rcx",
            "mov [rdi + 24], rdx",
            "mov [rdi + 32], rsi",
            "mov [rdi + 40], rbp",
            "mov [rdi + 48], r8",
            "mov [rdi + 56], r9",
            "mov [rdi + 64], r10",
            "mov [rdi + 72], r11",
            "mov [rdi + 80], r12",
            "mov [rdi + 88], r13",
            "mov [rdi + 96], r14",
            "mov [rdi + 104], r15",
            "mov [rdi + 112], rsp",
            "pushfq",
            "pop [rdi + 120]",
            "ud2",
        )
    }
    let (_, thread, faults, reply) = unknown_call(t, 99);
    let mut words: [u64; 18] = core::array::from_fn(|index| 0x100 + index as u64);
    words[5] = shared::address(0);
    words[unknown::FAULT_IP] = store as *const () as u64;
    words[unknown::SP] = thread.stack() - 128;
    words[unknown::FLAGS] = 0x202 | 1;
    send(reply, 0, &words);
    recv(faults, reply);
    let expected = [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14].map(|index| words[index]);
    let found: [u64; 14] = core::array::from_fn(shared::get);
    equal(found, expected, "RAX, RBX, RCX, RDX, RSI, RBP, R8 to R15");
    equal((shared::get(14), shared::get(15) & 1), (words[unknown::SP], 1), "RSP and the carry flag");
}

pub fn an_empty_reply_makes_the_call_again(t: &Scene) {
    let (_, thread, faults, reply) = unknown_call(t, 99);
    send(reply, 0, &[]);
    let fault = recv(faults, reply);
    equal((fault.label(), fault.word(unknown::SYSCALL)), (label::UNKNOWN_SYSCALL, 99), "the second fault");
    equal(thread.read().rip, system_call as *const () as u64 + 1, "where the thread stands");
}

pub fn a_reply_behind_the_call_lets_the_thread_go_on(t: &Scene) {
    let (fault, _, faults, reply) = unknown_call(t, 99);
    let words: [u64; 16] = core::array::from_fn(|index| match index {
        unknown::FAULT_IP => fault.word(index) + 2,
        _ => fault.word(index),
    });
    send(reply, 0, &words);
    equal(recv(faults, reply).label(), label::USER_EXCEPTION, "the fault of the `ud2` behind it");
}

pub fn a_reply_with_a_label_leaves_the_thread_stopped(t: &Scene) {
    let (_, _, faults, reply) = unknown_call(t, 99);
    send(reply, 5, &[]);
    equal(message::nb_recv(faults, reply).badge, 0, "nothing more is heard of the thread");
    equal(message::nb_recv(faults, reply).label(), 0, "nothing more is heard of the thread");
}

/// A thread in a CSpace of its own that runs `body`, whose fault has to be a capability fault.
fn cap_fault<F: FnOnce() + 'static>(t: &Scene, cspace: Option<(u64, CNodeCapData)>, body: F) -> (Message, u64) {
    let (faults, reply) = (t.endpoint(), t.reply());
    let thread = t.thread(ABOVE);
    let (root, guard) = cspace.unwrap_or((ROOT, CNodeCapData(0)));
    must(thread.tcb, Label::TcbSetSpace, &[guard.0, 0], &[faults, root, slot::INIT_VSPACE]);
    thread.start(body);
    let fault = recv(faults, reply);
    equal(fault.label(), label::CAP, "the fault");
    (fault, reply)
}

#[track_caller]
fn expect(fault: Message, address: u64, receiving: bool, failure: LookupFailure) {
    equal(
        (fault.word(cap::ADDRESS), fault.word(cap::IN_RECEIVE_PHASE)),
        (address, receiving as u64),
        "address and phase",
    );
    let (words, length) = failure.to_words();
    for (index, word) in words.into_iter().enumerate().take(length) {
        equal(fault.word(cap::LOOKUP_FAILURE + index), word, "a word of the lookup failure");
    }
    equal(fault.length(), cap::LOOKUP_FAILURE + length, "words of the fault");
}

/// What the root CNode's guard makes of an address with a bit far up.
fn beyond_the_root() -> (u64, LookupFailure) {
    (1 << 50, LookupFailure::GuardMismatch { bits_left: 64, guard: 0, guard_bits: 49 })
}

pub fn send_and_call_through_an_address_that_leads_nowhere(t: &Scene) {
    let (address, failure) = beyond_the_root();
    let (fault, _) = cap_fault(t, None, move || send(address, 0, &[]));
    expect(fault, address, false, failure);
    let (fault, _) = cap_fault(t, None, move || {
        message::call(address, 0, &[]);
    });
    expect(fault, address, false, failure);
}

pub fn nb_send_through_an_address_that_leads_nowhere_is_silent(t: &Scene) {
    let (address, _) = beyond_the_root();
    t.spawn(ABOVE, move || {
        nb_send(address, 0, &[]);
        shared::set(0, 1);
    });
    equal(shared::get(0), 1, "whether the thread came back");
}

pub fn receiving_through_an_address_that_leads_nowhere(t: &Scene) {
    let (address, failure) = beyond_the_root();
    let reply = t.reply();
    let (fault, _) = cap_fault(t, None, move || {
        recv(address, reply);
    });
    expect(fault, address, true, failure);
    let (fault, _) = cap_fault(t, None, move || {
        message::nb_recv(address, reply);
    });
    expect(fault, address, true, failure);
    let (fault, _) = cap_fault(t, None, move || {
        wait(address);
    });
    expect(fault, address, true, failure);
    let (fault, _) = cap_fault(t, None, move || {
        message::nb_wait(address);
    });
    expect(fault, address, true, failure);
}

pub fn receiving_from_an_empty_slot_or_another_object(t: &Scene) {
    let tcb = t.tcb();
    for cap in [NOTHING, tcb] {
        let (fault, _) = cap_fault(t, None, move || {
            wait(cap);
        });
        equal((fault.word(cap::ADDRESS), fault.word(cap::IN_RECEIVE_PHASE)), (cap, 1), "address and phase");
    }
}

pub fn a_two_phase_call_faults_in_its_receive_phase_after_sending(t: &Scene) {
    let notification = t.notification();
    let badged = t.mint(notification, 2);
    let (address, failure) = beyond_the_root();
    let (fault, _) = cap_fault(t, None, move || {
        message::nb_send_wait(badged, 0, &[], address);
    });
    expect(fault, address, true, failure);
    equal(message::nb_wait(notification).badge, 2, "what was signalled before");
}

pub fn a_guard_that_differs(t: &Scene) {
    let node = t.cnode(4);
    let (fault, _) = cap_fault(t, Some((node, CNodeCapData::new(5, 60))), || send(3, 0, &[]));
    expect(fault, 3, false, LookupFailure::GuardMismatch { bits_left: 64, guard: 5, guard_bits: 60 });
}

pub fn a_cnode_with_too_many_bits(t: &Scene) {
    // The root resolves 4 bits; what its slot 1 holds wants 62, of 60 that are left.
    let (root, inner) = (t.cnode(4), t.cnode(4));
    let words = [1, 4, inner, 64, 15, CNodeCapData::new(0, 58).0];
    must(root, Label::CNodeMint, &words, &[ROOT]);
    let address = 1 << 60;
    let (fault, _) = cap_fault(t, Some((root, CNodeCapData(0))), move || send(address, 0, &[]));
    expect(fault, address, false, LookupFailure::DepthMismatch { bits_left: 60, bits_found: 62 });
}

pub fn a_thread_without_a_cspace(t: &Scene) {
    // The node is the thread's whole CSpace; when it is deleted the thread has none.
    let node = t.cnode(4);
    let (faults, reply) = (t.endpoint(), t.reply());
    let thread = t.thread(BELOW);
    must(thread.tcb, Label::TcbSetSpace, &[CNodeCapData::new(0, 60).0, 0], &[faults, node, slot::INIT_VSPACE]);
    t.revoke(node);
    t.delete(node);
    thread.start(|| send(3, 0, &[]));
    let fault = recv(faults, reply);
    expect(fault, 3, false, LookupFailure::InvalidRoot);
}

pub fn a_cspace_of_two_levels_resolves(t: &Scene) {
    let (root, inner, notification) = (t.cnode(4), t.cnode(8), t.notification());
    let badged = t.mint(notification, 0x77);
    must(inner, Label::CNodeMove, &[0x21, 8, badged, 64], &[ROOT]);
    must(root, Label::CNodeMint, &[3, 4, inner, 64, 15, CNodeCapData::new(9, 52).0], &[ROOT]);
    let thread = t.thread(MAIN);
    must(thread.tcb, Label::TcbSetSpace, &[0, 0], &[FAULTS, root, slot::INIT_VSPACE]);
    let address = 3 << 60 | 9 << 8 | 0x21;
    thread.start(move || {
        message::signal(address);
        loop {
            core::hint::spin_loop();
        }
    });
    equal(wait(notification).badge, 0x77, "what was signalled through two levels");
}

pub fn a_reply_makes_the_call_again(t: &Scene) {
    let (at, notification) = (t.slot(), t.notification());
    let (fault, reply) = cap_fault(t, None, move || {
        shared::set(0, wait(at).badge);
    });
    equal(fault.word(cap::ADDRESS), at, "the address");
    let words = [at, 64, notification, 64, 15, 4];
    must(ROOT, Label::CNodeMint, &words, &[ROOT]);
    message::signal(at);
    send(reply, 0, &[]);
    equal(shared::get(0), 4, "what the thread received when the capability was there");
}
