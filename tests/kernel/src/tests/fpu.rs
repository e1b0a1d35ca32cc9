//! The FPU's and SSE's registers belong to each thread, whoever runs in between.

use crate::check::{check, equal};
use crate::scene::fixed::*;
use crate::scene::invoke::must;
use crate::scene::message::{recv, send, signal, wait};
use crate::scene::{Scene, shared};
use chestnut_abi::Label;
use chestnut_abi::fault::{label, user_exception as exception};
use chestnut_runtime::sys;

/// Fills all SSE registers with values made of `seed`. The compiler uses none of them in this program.
fn fill(seed: u64) {
    // SAFETY: nothing else in this thread uses the SSE registers.
    unsafe {
        core::arch::asm!(
            "movq xmm0, {0}", "movq xmm1, {0}", "paddq xmm1, xmm0", "movdqa xmm2, xmm1", "paddq xmm2, xmm0",
            "movdqa xmm3, xmm2", "paddq xmm3, xmm0", "movdqa xmm7, xmm3", "paddq xmm7, xmm0",
            "movdqa xmm8, xmm7", "paddq xmm8, xmm0", "movdqa xmm15, xmm8", "paddq xmm15, xmm0",
            in(reg) seed, options(nomem, nostack),
        );
    }
}

/// What the registers hold, which [`fill`] filled: multiples of the seed.
fn values() -> [u64; 7] {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g] = [0u64; 7];
    // SAFETY: reads registers.
    unsafe {
        core::arch::asm!(
            "movq {0}, xmm0", "movq {1}, xmm1", "movq {2}, xmm2", "movq {3}, xmm3", "movq {4}, xmm7", "movq {5}, xmm8",
            "movq {6}, xmm15",
            inout(reg) a, inout(reg) b, inout(reg) c, inout(reg) d, inout(reg) e, inout(reg) f, inout(reg) g,
            options(nomem, nostack),
        );
    }
    [a, b, c, d, e, f, g]
}

fn expected(seed: u64) -> [u64; 7] {
    [1, 2, 3, 4, 5, 6, 7].map(|factor| factor * seed)
}

pub fn sse_registers_are_kept_across_threads(t: &Scene) {
    for index in 1..4 {
        t.spawn(MAIN, move || {
            fill(index * 0x1001);
            loop {
                sys::yield_now();
                equal(values(), expected(index * 0x1001), "another thread's registers");
                shared::add(0, 1);
            }
        });
    }
    fill(0x777);
    for _ in 0..20 {
        sys::yield_now();
        equal(values(), expected(0x777), "this thread's registers");
    }
    check(shared::get(0) > 30, "the other threads had turns");
}

pub fn sse_registers_are_kept_across_calls(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    t.spawn_passive(ABOVE, move || {
        recv(endpoint, reply);
        loop {
            fill(0x5555);
            sys::reply_recv(endpoint, Default::default(), [0; 4], reply);
            equal(values(), expected(0x5555), "the server's registers");
        }
    });
    fill(0x123);
    for _ in 0..10 {
        sys::call(endpoint, Default::default(), [0; 4]);
        equal(values(), expected(0x123), "the caller's registers");
    }
}

pub fn a_thread_that_uses_no_fpu_leaves_it_alone(t: &Scene) {
    t.spawn(MAIN, || {
        loop {
            sys::yield_now();
            shared::add(0, 1);
        }
    });
    fill(0x999);
    (0..10).for_each(|_| sys::yield_now());
    equal(values(), expected(0x999), "the registers");
    check(shared::get(0) > 5, "the other thread had turns");
}

pub fn a_fresh_thread_has_a_fresh_fpu(t: &Scene) {
    fill(0xdead);
    let mut mxcsr = 0xffc0u32;
    // SAFETY: sets and reads the control registers, which nothing else in this thread uses.
    unsafe { core::arch::asm!("ldmxcsr [{}]", in(reg) &raw const mxcsr, options(nostack)) };
    t.spawn(ABOVE, || {
        let (mut mxcsr, mut control) = (0u32, 0u16);
        // SAFETY: stores to variables of its own.
        unsafe {
            core::arch::asm!("stmxcsr [{}]", "fnstcw [{}]", in(reg) &raw mut mxcsr, in(reg) &raw mut control, options(nostack));
        }
        shared::set(0, mxcsr.into());
        shared::set(1, control.into());
        shared::set(2, values().into_iter().fold(0, |all, value| all | value));
    });
    equal((shared::get(0), shared::get(1), shared::get(2)), (0x1f80, 0x37f, 0), "MXCSR, control word, SSE registers");
    // SAFETY: as above.
    unsafe { core::arch::asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack)) };
    equal(mxcsr, 0xffc0, "this thread's MXCSR");
}

pub fn x87_registers_are_kept_across_threads(t: &Scene) {
    let round = |seed: u64| {
        let mut value = 0u64;
        // SAFETY: loads and stores a variable of its own; the stack of x87 registers is empty before and after.
        unsafe {
            core::arch::asm!("fild qword ptr [{}]", in(reg) &raw const seed, options(nostack));
            sys::yield_now();
            core::arch::asm!("fistp qword ptr [{}]", in(reg) &raw mut value, options(nostack));
        }
        value
    };
    t.spawn(MAIN, move || {
        for seed in 100.. {
            equal(round(seed), seed, "another thread's x87 register");
            shared::add(0, 1);
        }
    });
    for seed in 1..10 {
        equal(round(seed), seed, "this thread's x87 register");
    }
    check(shared::get(0) > 5, "the other thread had turns");
}

pub fn a_thread_with_the_fpu_disabled_gets_exception_7(t: &Scene) {
    let (faults, reply) = (t.endpoint(), t.reply());
    let thread = t.thread(ABOVE);
    thread.set_handler(faults);
    must(thread.tcb, Label::TcbSetFlags, &[0, 1], &[]);
    thread.start(|| {
        fill(3);
        shared::set(0, 1);
    });
    let fault = recv(faults, reply);
    equal((fault.label(), fault.word(exception::NUMBER)), (label::USER_EXCEPTION, 7), "the fault and its number");
    must(thread.tcb, Label::TcbSetFlags, &[1, 0], &[]);
    send(reply, 0, &[]);
    equal(shared::get(0), 1, "whether it went on when the FPU was enabled");
}

pub fn disabling_takes_the_fpu_from_a_thread_that_uses_it(t: &Scene) {
    let (faults, reply, go) = (t.endpoint(), t.reply(), t.notification());
    let thread = t.spawn_handled(ABOVE, faults, move || {
        fill(3);
        wait(go);
        shared::set(0, values()[6]);
    });
    must(thread.tcb, Label::TcbSetFlags, &[0, 1], &[]);
    signal(go);
    equal(recv(faults, reply).word(exception::NUMBER), 7, "the exception");
    must(thread.tcb, Label::TcbSetFlags, &[1, 0], &[]);
    send(reply, 0, &[]);
    equal(shared::get(0), 21, "what its last register held all the time");
}

pub fn a_deleted_owner_leaves_the_fpu_usable(t: &Scene) {
    let thread = t.spawn(ABOVE, || fill(9));
    t.delete(thread.tcb);
    fill(4);
    equal(values(), expected(4), "this thread's registers");
}
