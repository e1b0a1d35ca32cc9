//! A thread that makes random system calls on what it holds: the kernel lives, and nobody else is harmed.

use crate::check::{Measured, check, equal, measured};
use crate::scene::fixed::*;
use crate::scene::invoke::{invoke, must};
use crate::scene::memory::{read, write};
use crate::scene::message::nb_recv;
use crate::scene::{Scene, shared};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{CNodeCapData, CapRights, Label, UserContext};
use chestnut_runtime::sys;

const ROOT: u64 = slot::INIT_CNODE;
const CALLS: u64 = 300_000;
/// Slots of the hostile thread's CNode, as a power of two.
const BITS: u64 = 6;
/// Word 0 counts its calls, word 1 is its next random number.
const COUNT: usize = 0;
const SEED: usize = 1;

/// Makes system calls for ever. RDI: where the count is, and the seed behind it. RSP is its IPC buffer, of which it fills
/// some words at random, too; it has no stack.
#[unsafe(naked)]
extern "C" fn attack() {
    core::arch::naked_asm!(
        "mov rbx, rdi",
        "mov rax, [rbx + 8]",
        "2:",
        // A random number generator (xorshift): RAX.
        "mov rcx, rax",
        "shl rcx, 13",
        "xor rax, rcx",
        "mov rcx, rax",
        "shr rcx, 7",
        "xor rax, rcx",
        "mov rcx, rax",
        "shl rcx, 17",
        "xor rax, rcx",
        "mov [rbx + 8], rax",
        "lock inc qword ptr [rbx]",
        // Words 4 to 7 of the message and the capabilities beside it: small numbers, most of the time.
        "mov rcx, rax",
        "shr rcx, 5",
        "and rcx, 0x3f",
        "mov [rsp + 40], rcx",
        "mov rcx, rax",
        "shr rcx, 11",
        "and rcx, 0x47",
        "mov [rsp + 48], rcx",
        "mov rcx, rax",
        "shr rcx, 31",
        "and rcx, 0x3f",
        "mov [rsp + 976], rcx",
        "shr rcx, 1",
        "mov [rsp + 984], rcx",
        "mov qword ptr [rsp + 1000], 1",
        "mov [rsp + 1008], rcx",
        "mov qword ptr [rsp + 1016], 64",
        // The capability: 0 to 63. The label: 0 to 63, the length 0 to 7, capabilities 0 to 3.
        "mov rdi, rax",
        "shr rdi, 3",
        "and rdi, 0x3f",
        "mov rsi, rax",
        "shr rsi, 17",
        "and rsi, 0x3f387",
        // Message words: small, or with high bits, or 64 (a depth).
        "mov r10, rax",
        "shr r10, 24",
        "and r10, 0x3f",
        "mov r8, 64",
        "mov r9, rax",
        "shr r9, 40",
        "and r9, 0x3f",
        "mov r15, rax",
        "shr r15, 45",
        "and r15, 0x4f",
        "mov r12, rax",
        "shr r12, 50",
        "and r12, 0x3f",
        "mov r13, rax",
        "shr r13, 29",
        "and r13, 0x3f",
        "test rax, 0x700",
        "jnz 3f",
        "mov r10, rax",
        "xor r9, rax",
        "3:",
        // The number: -1 (Call) half of the time, else -1 to -16.
        "mov rdx, -1",
        "test rax, 0x10000000",
        "jnz 4f",
        "mov rdx, rax",
        "shr rdx, 58",
        "and rdx, 15",
        "not rdx",
        "4:",
        "syscall",
        "mov rax, [rbx + 8]",
        "jmp 2b",
    )
}

pub fn random_system_calls_harm_nobody(t: &Scene) {
    t.open_window();
    // What must stay as it is: a page, and the time of a thread.
    let (_, page) = t.mapped_frame(9, CapRights::READ_WRITE, 0);
    (0..512).for_each(|word| write(page + word * 8, 0x5afe_0000 + word));
    let victim = t.thread_with_budget(ABOVE, 500, 10_000);
    victim.start(|| {
        loop {
            shared::add(5, 1);
            sys::yield_now();
        }
    });

    let (node, faults, fault_reply) = (t.cnode(BITS), t.endpoint(), t.reply());
    let thread = t.thread(MAIN);
    let own = t.notification();
    let held = [
        0,
        node,
        t.endpoint(),
        own,
        t.reply(),
        t.sched_context(),
        t.cnode(3),
        t.frame(),
        t.small_untyped(13),
        t.mint(own, 0x10),
        t.tcb(),
        t.small_untyped(12),
        t.vspace(),
        thread.context,
        t.reply(),
        t.mint(t.endpoint(), 3),
    ];
    let fill = || {
        for (index, cap) in (0u64..).zip(held).skip(1) {
            // What the thread still has stays.
            invoke(node, Label::CNodeMint, &[index, BITS, cap, 64, 15, if cap == node { PLAIN } else { 0 }], &[ROOT]);
        }
    };
    fill();
    must(thread.tcb, Label::TcbSetSpace, &[PLAIN, 0], &[faults, node, slot::INIT_VSPACE]);
    must(thread.tcb, Label::TcbSetMcpriority, &[0], &[slot::INIT_TCB]);
    shared::set(SEED, 0x1234_5678_9abc_def1);
    let begin = UserContext {
        rip: attack as *const () as u64,
        rsp: thread.block,
        rdi: shared::address(COUNT),
        ..Default::default()
    };
    thread.start_with(&begin);
    let (mut last, mut stuck) = (0, 0u64);
    while shared::get(COUNT) < CALLS {
        sys::yield_now();
        let count = shared::get(COUNT);
        if count == last {
            // It waits, faulted, gave its time or its capabilities away: it is set going again, with what it began with.
            stuck += 1;
            nb_recv(faults, fault_reply);
            thread.suspend();
            fill();
            invoke(thread.tcb, Label::TcbSetSpace, &[PLAIN, 0], &[faults, node, slot::INIT_VSPACE]);
            must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &[SLICE_US, SLICE_US, 0, 0, 0], &[thread.context]);
            invoke(thread.context, Label::SchedContextUnbind, &[], &[]);
            must(thread.context, Label::SchedContextBind, &[], &[thread.tcb]);
            thread.start_with(&begin);
        }
        last = count;
    }
    thread.suspend();
    for word in 0..512 {
        equal(read(page + word * 8), 0x5afe_0000 + word, "a word of somebody else's page");
    }
    check(stuck < CALLS / 2, "most of its calls were made in one go");
    measured("turns in 100 ms of another thread, which has a period of 10 ms", || {
        let before = shared::get(5);
        shared::spin_us(100_000);
        Measured { value: shared::get(5) - before, least: 4, most: 12 }
    });
    must(victim.context, Label::SchedContextUnbindObject, &[], &[victim.tcb]);
}

/// Guard that makes indices of the CNode capability pointers.
const PLAIN: u64 = CNodeCapData::new(0, 64 - BITS).0;
