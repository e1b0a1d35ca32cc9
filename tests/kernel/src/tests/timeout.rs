//! Timeout faults: raised when a budget ends and somebody wants to know.

use crate::check::{between, check, equal};
use crate::scene::fixed::*;
use crate::scene::invoke::must;
use crate::scene::message::{Message, call, recv, reply_recv, send, wait};
use crate::scene::thread::Thread;
use crate::scene::{Scene, shared};
use chestnut_abi::fault::{label, timeout};
use chestnut_abi::{Label, UserContext};

/// A thread with 2 ms in 1 s that spins, counting in word 0, and its first timeout fault.
fn overrun(t: &Scene) -> (Message, Thread, u64, u64) {
    let (faults, reply) = (t.endpoint(), t.reply());
    let badged = t.mint(faults, 6);
    let thread = t.thread(ABOVE);
    thread.set_budget(2_000, 1_000_000, 0xbad6e);
    thread.set_timeout_handler(badged);
    thread.start(|| {
        loop {
            shared::add(0, 1);
        }
    });
    (recv(faults, reply), thread, faults, reply)
}

pub fn the_end_of_a_budget_is_told_to_the_timeout_handler(t: &Scene) {
    let (fault, ..) = overrun(t);
    equal(
        (fault.label(), fault.length(), fault.badge),
        (label::TIMEOUT, timeout::LENGTH, 6),
        "label, length and badge",
    );
    equal(fault.word(timeout::DATA), 0xbad6e, "the scheduling context's badge");
    between(fault.word(timeout::CONSUMED), 1_000, 3_000_000, "microseconds consumed");
}

pub fn without_a_timeout_handler_a_thread_just_waits(t: &Scene) {
    let faults = t.endpoint();
    let thread = t.thread_with_budget(ABOVE, 2_000, 20_000);
    thread.set_handler(faults);
    thread.start(|| {
        loop {
            shared::add(0, 1);
        }
    });
    let before = shared::get(0);
    shared::spin_us(60_000);
    check(shared::get(0) > before, "it runs again in its next period");
    equal(crate::scene::message::nb_wait(faults).label(), 0, "faults of the thread");
}

pub fn a_round_robin_thread_raises_no_timeout_fault(t: &Scene) {
    let (faults, reply) = (t.endpoint(), t.reply());
    let badged = t.mint(faults, 6);
    let thread = t.thread(MAIN);
    thread.set_timeout_handler(badged);
    thread.start(|| {
        loop {
            shared::add(0, 1);
        }
    });
    shared::spin_us(60_000);
    check(shared::get(0) > 0, "it had turns");
    equal(crate::scene::message::nb_recv(faults, reply).badge, 0, "timeout faults");
}

pub fn an_answered_thread_goes_on_when_it_has_time_again(t: &Scene) {
    let (_, thread, _, reply) = overrun(t);
    // More time than it had: enough to go on at once.
    thread.set_budget(10_000, 10_000, 0);
    let before = shared::get(0);
    thread.set_priority(BELOW);
    send(reply, 0, &[]);
    equal(shared::get(0), before, "turns below this thread");
    crate::scene::thread::set_main_priority(BELOW);
    let begin = shared::now_us();
    while shared::get(0) == before && shared::now_us() < begin + 3_000_000 {
        chestnut_runtime::sys::yield_now();
    }
    check(shared::get(0) > before, "it goes on");
}

pub fn a_reply_sets_registers(t: &Scene) {
    extern "C" fn elsewhere(word: u64) -> ! {
        shared::set(1, word);
        crate::scene::thread::rest()
    }
    let (_, thread, _, reply) = overrun(t);
    thread.set_budget(10_000, 10_000, 0);
    let context = UserContext {
        rip: elsewhere as *const () as u64,
        rsp: thread.stack(),
        rflags: 0x202,
        rdi: 77,
        ..Default::default()
    };
    send(reply, 0, &context.to_words()[..19]);
    let begin = shared::now_us();
    while shared::get(1) == 0 && shared::now_us() < begin + 3_000_000 {}
    equal(shared::get(1), 77, "what the thread did where the reply sent it");
}

pub fn a_reply_with_a_label_leaves_the_thread_stopped(t: &Scene) {
    let (_, thread, _, reply) = overrun(t);
    thread.set_budget(10_000, 10_000, 0);
    let before = shared::get(0);
    send(reply, 1, &[]);
    crate::scene::thread::set_main_priority(BELOW);
    shared::spin_us(20_000);
    equal(shared::get(0), before, "turns of the thread");
}

pub fn a_passive_server_that_overruns_its_clients_budget(t: &Scene) {
    let (endpoint, timeouts, reply, fault_reply) = (t.endpoint(), t.endpoint(), t.reply(), t.reply());
    let badged = t.mint(timeouts, 8);
    let server = t.spawn_passive(ABOVE, move || {
        let mut message = recv(endpoint, reply);
        loop {
            while message.word(0) == 1 {
                core::hint::spin_loop();
            }
            message = reply_recv(endpoint, 0, &[5], reply);
        }
    });
    server.set_timeout_handler(badged);
    let client = t.thread(ABOVE);
    client.set_budget(2_000, 5_000_000, 0xc11e);
    client.start(move || {
        shared::set(0, call(endpoint, 0, &[1]).word(0));
        wait(PARK);
    });
    let fault = recv(timeouts, fault_reply);
    equal((fault.label(), fault.badge), (label::TIMEOUT, 8), "label and badge: the server's handler");
    equal(fault.word(timeout::DATA), 0xc11e, "the badge of the client's scheduling context");
    // The handler answers the client in the server's place.
    send(reply, 0, &[9]);
    client.set_budget(5_000, 5_000, 0);
    let begin = shared::now_us();
    while shared::get(0) == 0 && shared::now_us() < begin + 3_000_000 {}
    equal(shared::get(0), 9, "the client's answer");
}

pub fn consumed_counts_from_the_last_timeout(t: &Scene) {
    let (_, thread, faults, reply) = overrun(t);
    let begin = shared::now_us();
    thread.set_budget(2_000, 30_000, 0);
    send(reply, 0, &[]);
    let second = recv(faults, reply);
    equal(second.label(), label::TIMEOUT, "the second fault");
    between(second.word(timeout::CONSUMED), 1, shared::now_us() - begin, "microseconds consumed since the first");
    let rest = must(thread.context, Label::SchedContextConsumed, &[], &[]).words[0];
    between(rest, 0, 900, "microseconds consumed since the second");
}
