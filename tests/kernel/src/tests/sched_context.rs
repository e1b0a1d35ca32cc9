//! Scheduling contexts: what they are bound to and unbound from, what they consumed, and YieldTo.

use crate::check::{between, check, equal};
use crate::scene::fixed::*;
use crate::scene::invoke::{invoke, must, refused};
use crate::scene::message::{signal, wait};
use crate::scene::thread::set_main_priority;
use crate::scene::{Scene, shared};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{Error, Label};

/// A configured scheduling context that nothing is bound to.
fn configured(t: &Scene) -> u64 {
    let context = t.sched_context();
    must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &[SLICE_US, SLICE_US, 0, 0, 0], &[context]);
    context
}

pub fn bind_lets_a_thread_run(t: &Scene) {
    let thread = t.passive(ABOVE);
    thread.start(|| shared::set(0, 1));
    equal(shared::get(0), 0, "whether it ran without time");
    must(configured(t), Label::SchedContextBind, &[], &[thread.tcb]);
    equal(shared::get(0), 1, "whether it ran with it");
}

pub fn bind_is_one_to_one_for_threads(t: &Scene) {
    let (thread, context) = (t.thread(BELOW), configured(t));
    refused(Error::IllegalOperation, context, Label::SchedContextBind, &[], &[thread.tcb]);
    refused(Error::IllegalOperation, thread.context, Label::SchedContextBind, &[], &[t.tcb()]);
}

pub fn bind_is_one_to_one_for_notifications(t: &Scene) {
    let (context, other, notification) = (configured(t), configured(t), t.notification());
    must(context, Label::SchedContextBind, &[], &[notification]);
    refused(Error::IllegalOperation, other, Label::SchedContextBind, &[], &[notification]);
    refused(Error::IllegalOperation, context, Label::SchedContextBind, &[], &[t.notification()]);
}

pub fn bind_to_a_thread_and_a_notification(t: &Scene) {
    let (context, thread) = (configured(t), t.passive(ABOVE));
    must(context, Label::SchedContextBind, &[], &[t.notification()]);
    must(context, Label::SchedContextBind, &[], &[thread.tcb]);
    thread.start(|| shared::set(0, 1));
    equal(shared::get(0), 1, "whether the thread runs");
}

pub fn bind_to_anything_else_returns_invalid_capability(t: &Scene) {
    let context = configured(t);
    for wrong in [t.endpoint(), t.reply(), NOTHING, context] {
        let answer = refused(Error::InvalidCapability, context, Label::SchedContextBind, &[], &[wrong]);
        equal(answer.words[0], 1, "which capability");
        let answer = refused(Error::InvalidCapability, context, Label::SchedContextUnbindObject, &[], &[wrong]);
        equal(answer.words[0], 1, "which capability");
    }
    refused(Error::TruncatedMessage, context, Label::SchedContextBind, &[], &[]);
    refused(Error::TruncatedMessage, context, Label::SchedContextUnbindObject, &[], &[]);
}

pub fn bind_of_a_blocked_thread_to_an_empty_budget_is_refused(t: &Scene) {
    // A thread spends the budget: 1 ms in 10 s.
    let spender = t.thread_with_budget(ABOVE, 1000, 10_000_000);
    spender.start(|| {
        loop {
            core::hint::spin_loop();
        }
    });
    must(spender.context, Label::SchedContextUnbind, &[], &[]);
    let notification = t.notification();
    let waiter = t.spawn(ABOVE, move || {
        wait(notification);
    });
    must(waiter.context, Label::SchedContextUnbind, &[], &[]);
    refused(Error::IllegalOperation, spender.context, Label::SchedContextBind, &[], &[waiter.tcb]);
    let caps = [slot::INIT_TCB, spender.context, slot::NULL];
    refused(Error::IllegalOperation, waiter.tcb, Label::TcbSetSchedParams, &[1, 1], &caps);
}

pub fn unbind_takes_time_away_from_thread_and_notification(t: &Scene) {
    let notification = t.notification();
    let thread = t.spawn(BELOW, || shared::set(0, 1));
    must(thread.context, Label::SchedContextBind, &[], &[notification]);
    must(thread.context, Label::SchedContextUnbind, &[], &[]);
    set_main_priority(BELOW - 1);
    equal(shared::get(0), 0, "whether the thread ran");
    // Both can be bound to another one.
    let other = configured(t);
    must(other, Label::SchedContextBind, &[], &[notification]);
    must(other, Label::SchedContextBind, &[], &[thread.tcb]);
    equal(shared::get(0), 1, "whether it ran then");
}

pub fn unbind_of_ones_own_context_is_refused(_: &Scene) {
    refused(Error::IllegalOperation, MAIN_CONTEXT, Label::SchedContextUnbind, &[], &[]);
    refused(Error::IllegalOperation, MAIN_CONTEXT, Label::SchedContextUnbindObject, &[], &[MAIN_TCB]);
}

pub fn unbind_object_takes_time_away_from_one(t: &Scene) {
    let (notification, context) = (t.notification(), configured(t));
    let thread = t.passive(BELOW);
    thread.start(|| shared::set(0, 1));
    must(context, Label::SchedContextBind, &[], &[thread.tcb]);
    must(context, Label::SchedContextBind, &[], &[notification]);
    must(context, Label::SchedContextUnbindObject, &[], &[thread.tcb]);
    refused(Error::IllegalOperation, context, Label::SchedContextUnbindObject, &[], &[thread.tcb]);
    set_main_priority(BELOW - 1);
    equal(shared::get(0), 0, "whether the thread ran");
    must(context, Label::SchedContextUnbindObject, &[], &[notification]);
    refused(Error::IllegalOperation, context, Label::SchedContextUnbindObject, &[], &[notification]);
}

pub fn consumed_counts_microseconds_since_it_was_asked(t: &Scene) {
    let consumed = || must(MAIN_CONTEXT, Label::SchedContextConsumed, &[], &[]).words[0];
    let begin = shared::now_us();
    consumed();
    shared::spin_us(3000);
    let asked = shared::now_us();
    let used = consumed();
    between(used, 2900, shared::now_us() - begin, "microseconds of a thread that spun for 3 ms");
    between(consumed(), 0, shared::now_us() - asked, "microseconds since it was asked");
    equal(must(configured(t), Label::SchedContextConsumed, &[], &[]).words[0], 0, "of an unused context");
}

pub fn deleting_a_context_stops_its_thread(t: &Scene) {
    let thread = t.spawn(BELOW, || shared::set(0, 1));
    t.delete(thread.context);
    set_main_priority(BELOW - 1);
    equal(shared::get(0), 0, "whether the thread ran");
    must(configured(t), Label::SchedContextBind, &[], &[thread.tcb]);
    equal(shared::get(0), 1, "whether it ran on another one");
}

pub fn yield_to_lets_a_thread_of_the_same_priority_run(t: &Scene) {
    let notification = t.notification();
    let ran = |index| {
        move || {
            shared::set(index, shared::add(9, 1) + 1);
            wait(notification);
        }
    };
    t.spawn(MAIN, ran(0));
    let second = t.spawn(MAIN, ran(1));
    must(second.context, Label::SchedContextYieldTo, &[], &[]);
    equal(shared::get(1), 1, "the turn of the thread that was yielded to");
    signal(notification);
}

pub fn yield_to_returns_what_the_target_consumed(t: &Scene) {
    let notification = t.notification();
    let thread = t.spawn(ABOVE, move || {
        shared::spin_us(3000);
        wait(notification);
    });
    must(thread.tcb, Label::TcbSetPriority, &[MAIN], &[slot::INIT_TCB]);
    let consumed = must(thread.context, Label::SchedContextYieldTo, &[], &[]).words[0];
    between(consumed, 2000, 3_000_000, "microseconds that the target consumed");
    let again = must(thread.context, Label::SchedContextYieldTo, &[], &[]).words[0];
    between(again, 0, 1999, "microseconds after they were asked for");
}

pub fn yield_to_ones_own_or_nobodys_context_is_refused(t: &Scene) {
    refused(Error::IllegalOperation, MAIN_CONTEXT, Label::SchedContextYieldTo, &[], &[]);
    refused(Error::IllegalOperation, configured(t), Label::SchedContextYieldTo, &[], &[]);
}

pub fn yield_to_above_ones_maximum_priority_is_refused(t: &Scene) {
    let thread = t.thread(BELOW);
    must(MAIN_TCB, Label::TcbSetMcpriority, &[BELOW - 1], &[slot::INIT_TCB]);
    let answer = invoke(thread.context, Label::SchedContextYieldTo, &[], &[]);
    check(answer.is(Error::IllegalOperation), "YieldTo is refused");
    must(MAIN_TCB, Label::TcbSetMcpriority, &[MAIN], &[slot::INIT_TCB]);
    must(thread.context, Label::SchedContextYieldTo, &[], &[]);
}
