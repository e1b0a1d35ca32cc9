//! Time measured: slices in turns, budgets in periods, and who runs when.
//!
//! Measures by the time-stamp counter. On an emulator in real time the clock goes on while the guest doesn't, so limits are generous; what a
//! budget must never allow is far outside them.

use crate::check::{between, check, equal};
use crate::scene::fixed::*;
use crate::scene::invoke::must;
use crate::scene::message::{signal, wait};
use crate::scene::thread::set_main_priority;
use crate::scene::{Scene, shared};
use chestnut_abi::Label;
use chestnut_abi::object::SchedContextFlags;
use chestnut_runtime::sys;

fn forever(index: usize) -> impl FnOnce() + 'static {
    move || {
        loop {
            shared::add(index, 1);
        }
    }
}

fn consumed(context: u64) -> u64 {
    must(context, Label::SchedContextConsumed, &[], &[]).words[0]
}

pub fn threads_of_one_priority_share_the_time(t: &Scene) {
    let threads = [0, 1, 2].map(|index| t.spawn(BELOW, forever(index)));
    set_main_priority(BELOW);
    let begin = shared::now_us();
    while shared::now_us() < begin + 120_000 {
        sys::yield_now();
    }
    for (index, thread) in threads.into_iter().enumerate() {
        check(shared::get(index) > 0, "the thread had turns");
        between(consumed(thread.context), 10_000, 110_000, "microseconds of one of three threads in 120 ms");
    }
}

pub fn a_slice_ends_and_the_next_thread_runs(t: &Scene) {
    // Both spin and never yield: what one sees of the other's counter changes only when the kernel ends a slice.
    t.spawn(MAIN, forever(0));
    let mut turns = 0;
    let mut last = shared::get(0);
    let begin = shared::now_us();
    while turns < 3 {
        let now = shared::get(0);
        if now != last {
            (turns, last) = (turns + 1, now);
        }
    }
    let each = (shared::now_us() - begin) / 3;
    between(each, SLICE_US, 40 * SLICE_US, "microseconds from turn to turn with two slices of 5 ms");
}

pub fn a_higher_priority_runs_first_and_alone(t: &Scene) {
    t.spawn(BELOW, forever(0));
    shared::spin_us(30_000);
    equal(shared::get(0), 0, "turns of a thread below one that spins");
}

pub fn a_budget_limits_a_thread_of_higher_priority(t: &Scene) {
    let thread = t.thread_with_budget(ABOVE, 2_000, 20_000);
    let begin = shared::now_us();
    thread.start(forever(0));
    // This runs at all because the other one's budget ends.
    shared::spin_us(200_000);
    let (used, elapsed) = (consumed(thread.context), shared::now_us() - begin);
    between(used, elapsed / 40, elapsed / 4, "microseconds of a budget of 2 ms in 20 ms");
}

pub fn a_thread_without_budget_waits_for_its_period(t: &Scene) {
    let thread = t.thread_with_budget(ABOVE, 1_000, 50_000);
    let begin = shared::now_us();
    thread.start(|| {
        loop {
            let now = shared::now_us();
            if now > shared::get(0) + 10_000 {
                shared::set(1 + shared::add(10, 1) as usize % 8, now);
            }
            shared::set(0, now);
        }
    });
    shared::spin_us(180_000);
    // Word 1 is its first moment, word 2 the first after its first pause, and so on.
    for turn in 2..4 {
        let gap = shared::get(turn) - shared::get(turn - 1);
        between(gap, 45_000, 150_000, "microseconds from one budget to the next, with a period of 50 ms");
    }
    check(shared::get(1) >= begin, "it began when it was started");
}

pub fn yield_gives_the_rest_of_the_budget_up(t: &Scene) {
    let thread = t.thread_with_budget(ABOVE, 10_000, 30_000);
    thread.start(|| {
        for turn in 1..6 {
            sys::yield_now();
            shared::set(turn, shared::now_us());
        }
    });
    let begin = shared::now_us();
    while shared::get(5) == 0 {}
    between(shared::now_us() - begin, 110_000, 400_000, "microseconds for 5 periods of 30 ms, the first begun");
    let gap = shared::get(3) - shared::get(2);
    between(gap, 25_000, 100_000, "microseconds from one period to the next");
}

pub fn a_thread_that_waits_keeps_its_budget(t: &Scene) {
    let notification = t.notification();
    let thread = t.thread_with_budget(ABOVE, 5_000, 1_000_000);
    thread.start(move || {
        loop {
            wait(notification);
            shared::add(0, 1);
        }
    });
    // Many short turns within one period: the budget of 5 ms is enough for all.
    for _ in 0..20 {
        signal(notification);
    }
    equal(shared::get(0), 20, "turns of the thread");
}

pub fn a_sporadic_context_with_few_refills_is_limited_all_the_same(t: &Scene) {
    let notification = t.notification();
    let thread = t.thread(ABOVE);
    let words = [3_000, 30_000, 0, 0, SchedContextFlags::SPORADIC];
    must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &words, &[thread.context]);
    thread.start(move || {
        loop {
            wait(notification);
            shared::spin_us(200);
            shared::add(0, 1);
        }
    });
    let begin = shared::now_us();
    while shared::now_us() < begin + 150_000 {
        signal(notification);
    }
    let (used, elapsed) = (consumed(thread.context), shared::now_us() - begin);
    check(shared::get(0) > 1, "it had turns");
    between(used, 200, elapsed / 3, "microseconds of a budget of 3 ms in 30 ms");
}

pub fn more_refills_allow_the_whole_budget(t: &Scene) {
    let notification = t.notification();
    let thread = t.thread(ABOVE);
    must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &[10_000, 50_000, 20, 0, 0], &[thread.context]);
    thread.start(move || {
        loop {
            wait(notification);
            shared::spin_us(300);
            shared::add(0, 1);
        }
    });
    let begin = shared::now_us();
    while shared::now_us() < begin + 150_000 {
        signal(notification);
        shared::spin_us(100);
    }
    let (used, elapsed) = (consumed(thread.context), shared::now_us() - begin);
    between(used, elapsed / 20, elapsed / 2, "microseconds of a budget of 10 ms in 50 ms");
}

pub fn a_released_thread_preempts_a_lower_one(t: &Scene) {
    let thread = t.thread_with_budget(ABOVE, 1_000, 20_000);
    thread.start(|| {
        loop {
            shared::add(0, 1);
            sys::yield_now();
        }
    });
    let before = shared::get(0);
    shared::spin_us(100_000);
    check(shared::get(0) >= before + 2, "it ran while this thread spun");
}

pub fn all_threads_may_be_idle(_: &Scene) {
    // Only a budget's coming wakes this one: until then nobody can run.
    must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &[1_000, 40_000, 0, 0, 0], &[MAIN_CONTEXT]);
    let begin = shared::now_us();
    sys::yield_now();
    sys::yield_now();
    between(shared::now_us() - begin, 30_000, 400_000, "microseconds of two periods of 40 ms, the first begun");
}

pub fn time_before_a_yield_counts_as_consumed_and_the_rest_does_not(t: &Scene) {
    let thread = t.thread_with_budget(ABOVE, 20_000, 40_000);
    let begin = shared::now_us();
    thread.start(|| {
        shared::spin_us(3_000);
        sys::yield_now();
        wait(PARK);
    });
    let most = shared::now_us() - begin;
    between(consumed(thread.context), 2_500, most, "microseconds of a thread that gave up all but 3 ms of its budget");
}
