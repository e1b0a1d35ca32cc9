//! FS and GS bases belong to each thread.

use crate::check::equal;
use crate::scene::fixed::*;
use crate::scene::invoke::must;
use crate::scene::message::{signal, wait};
use crate::scene::{Scene, shared};
use chestnut_abi::{Label, UserContext};
use chestnut_runtime::sys;

/// Stores what is at FS:0 and GS:0 in the words that RDI and RSI point at, again and again, giving way in between.
#[unsafe(naked)]
extern "C" fn look() {
    core::arch::naked_asm!(
        "mov rbx, rdi",
        "mov rbp, rsi",
        "2:",
        "mov rax, fs:[0]",
        "mov [rbx], rax",
        "mov rax, gs:[0]",
        "mov [rbp], rax",
        "mov rdx, -11",
        "syscall",
        "jmp 2b",
    )
}

pub fn fs_and_gs_are_kept_across_threads(t: &Scene) {
    (0..4).for_each(|index| shared::set(10 + index, 100 + index as u64));
    for index in 0..2 {
        let thread = t.thread(MAIN);
        thread.start_with(&UserContext {
            rip: look as *const () as u64,
            rsp: thread.stack(),
            rdi: shared::address(index),
            rsi: shared::address(2 + index),
            fs_base: shared::address(10 + index),
            gs_base: shared::address(12 + index),
            ..Default::default()
        });
    }
    for _ in 0..5 {
        (0..4).for_each(|index| shared::set(index, 0));
        // Usually one turn of each is enough.
        (0..20).for_each(|_| sys::yield_now());
        equal([0, 1, 2, 3].map(shared::get), [100, 101, 102, 103], "words at FS:0 and GS:0 of both threads");
    }
}

pub fn set_tls_base_changes_a_waiting_threads_fs(t: &Scene) {
    let go = t.notification();
    shared::set(10, 55);
    let thread = t.spawn(ABOVE, move || {
        wait(go);
        let value: u64;
        // SAFETY: FS points at a shared word by now.
        unsafe { core::arch::asm!("mov {}, fs:[0]", out(reg) value, options(nostack, readonly)) };
        shared::set(0, value);
    });
    must(thread.tcb, Label::TcbSetTlsBase, &[shared::address(10)], &[]);
    equal(thread.read().fs_base, shared::address(10), "the base that is read");
    signal(go);
    equal(shared::get(0), 55, "the word at FS:0");
}

pub fn the_system_call_and_the_invocation_set_the_same_base(t: &Scene) {
    let go = t.notification();
    let thread = t.spawn(ABOVE, move || {
        sys::set_tls_base(shared::address(3));
        wait(go);
    });
    equal(thread.read().fs_base, shared::address(3), "FS base");
}

/// Whether the processor has instructions for user code to write the bases, and the kernel lets it.
fn has_base_instructions() -> bool {
    core::arch::x86_64::__cpuid(7).ebx & 1 != 0
}

pub fn bases_written_by_the_thread_itself_are_kept_where_it_can_write_them(t: &Scene) {
    // Without the instructions, `wrfsbase` is an invalid instruction: then that is what has to happen.
    #[unsafe(naked)]
    extern "C" fn write() {
        core::arch::naked_asm!("wrfsbase rdi", "wrgsbase rsi", "jmp {}", sym look)
    }
    let (faults, reply) = (t.endpoint(), t.reply());
    (0..2).for_each(|index| shared::set(10 + index, 200 + index as u64));
    let thread = t.thread(MAIN);
    thread.set_handler(faults);
    thread.start_with(&UserContext {
        rip: write as *const () as u64,
        rsp: thread.stack(),
        rdi: shared::address(10),
        rsi: shared::address(11),
        ..Default::default()
    });
    sys::yield_now();
    if !has_base_instructions() {
        let fault = crate::scene::message::recv(faults, reply);
        equal(fault.word(chestnut_abi::fault::user_exception::NUMBER), 6, "the exception");
        return;
    }
    // `look` stores where RDI and RSI point, which is where FS and GS do.
    (0..5).for_each(|_| sys::yield_now());
    equal([10, 11].map(shared::get), [200, 201], "words at FS:0 and GS:0");
    let context = thread.read();
    equal((context.fs_base, context.gs_base), (shared::address(10), shared::address(11)), "the bases that are read");
}
