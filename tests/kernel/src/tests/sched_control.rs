//! SchedControl: which budgets and periods a scheduling context may be given.

use crate::check::{Measured, equal, measured};
use crate::scene::fixed::*;
use crate::scene::invoke::{must, refused};
use crate::scene::thread::set_main_priority;
use crate::scene::{Scene, shared};
use chestnut_abi::{Error, Label, ObjectType};

#[track_caller]
fn refuse(context: u64, words: [u64; 5]) -> [u64; 2] {
    let answer = refused(Error::RangeError, SCHED_CONTROL, Label::SchedControlConfigureFlags, &words, &[context]);
    [answer.words[0], answer.words[1]]
}

pub fn configure_gives_time(t: &Scene) {
    let thread = t.passive(ABOVE);
    let context = t.sched_context();
    must(context, Label::SchedContextBind, &[], &[thread.tcb]);
    thread.start(|| shared::set(0, 1));
    equal(shared::get(0), 0, "whether a thread runs on an empty scheduling context");
    must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &[1000, 1000, 0, 0, 0], &[context]);
    equal(shared::get(0), 1, "whether it runs on a configured one");
}

pub fn configure_returns_range_error_for_impossible_times(t: &Scene) {
    let context = t.sched_context();
    for words in [[0, 1000, 0, 0, 0], [1, 1000, 0, 0, 0], [u64::MAX, u64::MAX, 0, 0, 0], [1000, u64::MAX, 0, 0, 0]] {
        refuse(context, words);
    }
    refuse(context, [1001, 1000, 0, 0, 0]);
    refuse(context, [1000, 0, 0, 0, 0]);
}

pub fn configure_returns_range_error_for_too_many_refills(t: &Scene) {
    for (bits, most) in [(7, 0), (8, 8), (9, 24)] {
        let context = t.make_sized(ObjectType::SchedContext, bits);
        equal(refuse(context, [1000, 2000, most + 1, 0, 0]), [0, most], "what is allowed");
        must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &[1000, 2000, most, 0, 0], &[context]);
    }
}

pub fn configure_of_what_is_no_scheduling_context_returns_invalid_capability(t: &Scene) {
    for wrong in [t.endpoint(), t.tcb(), NOTHING] {
        let words = [1000, 1000, 0, 0, 0];
        let answer =
            refused(Error::InvalidCapability, SCHED_CONTROL, Label::SchedControlConfigureFlags, &words, &[wrong]);
        equal(answer.words[0], 1, "which capability");
    }
}

pub fn configure_returns_truncated_message(t: &Scene) {
    let context = t.sched_context();
    let label = Label::SchedControlConfigureFlags;
    refused(Error::TruncatedMessage, SCHED_CONTROL, label, &[1000, 1000, 0, 0], &[context]);
    refused(Error::TruncatedMessage, SCHED_CONTROL, label, &[1000, 1000, 0, 0, 0], &[]);
}

pub fn configure_takes_effect_on_a_running_thread(t: &Scene) {
    measured("microseconds of a budget of 1 ms in 50 ms, over 60 ms", || {
        let thread = t.spawn(BELOW, || {
            loop {
                shared::add(0, 1);
            }
        });
        thread.set_budget(1000, 50_000, 0);
        // From now on the other one is the more important one, as long as its budget lasts.
        set_main_priority(BELOW - 1);
        shared::spin_us(60_000);
        set_main_priority(MAIN);
        thread.suspend();
        let value = must(thread.context, Label::SchedContextConsumed, &[], &[]).words[0];
        Measured { value, least: 500, most: 20_000 }
    });
}

pub fn the_copied_control_is_as_good_as_the_original(t: &Scene) {
    let (copy, context) = (t.copy(SCHED_CONTROL), t.sched_context());
    must(copy, Label::SchedControlConfigureFlags, &[1000, 1000, 0, 0, 0], &[context]);
    t.delete(copy);
    must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &[2000, 2000, 0, 0, 0], &[context]);
}
