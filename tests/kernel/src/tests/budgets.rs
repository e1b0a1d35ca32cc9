//! Time measured: slices in turns, budgets in periods, and who runs when.
//!
//! Measures by the time-stamp counter, a few times if need be: see [`measured`].

use crate::check::{Measured, equal, measured};
use crate::scene::fixed::*;
use crate::scene::invoke::must;
use crate::scene::message::{signal, wait};
use crate::scene::thread::{Thread, set_main_priority};
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
    set_main_priority(BELOW);
    measured("microseconds of one of three threads that share the time", || {
        let threads = [0, 1, 2].map(|index| t.spawn(BELOW, forever(index)));
        let begin = shared::now_us();
        while shared::now_us() < begin + 120_000 {
            sys::yield_now();
        }
        threads.iter().for_each(|thread| thread.suspend());
        let used = threads.map(|thread| consumed(thread.context));
        let elapsed = shared::now_us() - begin;
        let [least, most] = [used.into_iter().min(), used.into_iter().max()].map(|value| value.unwrap_or(0));
        // What is farther off decides.
        let value = if least * 3 < elapsed - most { least } else { most };
        Measured { value, least: elapsed / 6, most: elapsed / 2 }
    });
}

pub fn a_slice_ends_and_the_next_thread_runs(t: &Scene) {
    // Both spin and never yield: what one sees of the other's counter changes only when the kernel ends a slice.
    t.spawn(MAIN, forever(0));
    measured("microseconds from turn to turn with two slices of 5 ms", || {
        let (mut turns, mut last) = (0, shared::get(0));
        let begin = shared::now_us();
        while turns < 4 {
            let now = shared::get(0);
            if now != last {
                (turns, last) = (turns + 1, now);
            }
        }
        Measured { value: (shared::now_us() - begin) / 4, least: SLICE_US, most: 20 * SLICE_US }
    });
}

pub fn a_higher_priority_runs_first_and_alone(t: &Scene) {
    t.spawn(BELOW, forever(0));
    shared::spin_us(30_000);
    equal(shared::get(0), 0, "turns of a thread below one that spins");
}

pub fn a_budget_limits_a_thread_of_higher_priority(t: &Scene) {
    measured("microseconds of a budget of 2 ms in 20 ms, over 200 ms", || {
        let thread = t.thread_with_budget(ABOVE, 2_000, 20_000);
        let begin = shared::now_us();
        thread.start(forever(0));
        // This runs at all because the other one's budget ends.
        shared::spin_us(200_000);
        thread.suspend();
        let (value, elapsed) = (consumed(thread.context), shared::now_us() - begin);
        Measured { value, least: elapsed / 20, most: elapsed / 2 }
    });
}

pub fn a_thread_without_budget_waits_for_its_period(t: &Scene) {
    measured("microseconds from one budget to the next, with a period of 50 ms", || {
        (0..12).for_each(|index| shared::set(index, 0));
        let thread = t.thread_with_budget(ABOVE, 1_000, 50_000);
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
        thread.suspend();
        // Word 1 is its first moment, word 2 the first after its first pause, and so on.
        Measured { value: shared::get(3).saturating_sub(shared::get(2)), least: 35_000, most: 80_000 }
    });
}

pub fn yield_gives_the_rest_of_the_budget_up(t: &Scene) {
    measured("microseconds from one period of 30 ms to the next", || {
        let thread = t.thread_with_budget(ABOVE, 10_000, 30_000);
        shared::set(5, 0);
        thread.start(|| {
            for turn in 1..6 {
                sys::yield_now();
                shared::set(turn, shared::now_us());
            }
        });
        while shared::get(5) == 0 {}
        Measured { value: shared::get(4) - shared::get(3), least: 28_000, most: 40_000 }
    });
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
    measured("microseconds of a budget of 3 ms in 30 ms, over 150 ms", || {
        let thread = t.thread(ABOVE);
        let words = [3_000, 30_000, 0, 0, SchedContextFlags::SPORADIC];
        must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &words, &[thread.context]);
        serve_signals(t, thread, 200, 0)
    });
}

pub fn more_refills_allow_the_whole_budget(t: &Scene) {
    measured("microseconds of a budget of 10 ms in 50 ms, over 150 ms", || {
        let thread = t.thread(ABOVE);
        must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &[10_000, 50_000, 20, 0, 0], &[thread.context]);
        let Measured { value, .. } = serve_signals(t, thread, 300, 100);
        // Three periods begin in that time, a fourth may.
        Measured { value, least: 20_000, most: 45_000 }
    });
}

/// Lets a thread work for `work` microseconds whenever it is signalled, which is every `pause` microseconds, over 150 ms. Returns what it
/// consumed, and what is less than it could have had without a limit.
fn serve_signals(t: &Scene, thread: Thread, work: u64, pause: u64) -> Measured {
    let notification = t.notification();
    thread.start(move || {
        loop {
            wait(notification);
            shared::spin_us(work);
            shared::add(0, 1);
        }
    });
    let begin = shared::now_us();
    while shared::now_us() < begin + 150_000 {
        signal(notification);
        shared::spin_us(pause);
    }
    thread.suspend();
    let (value, elapsed) = (consumed(thread.context), shared::now_us() - begin);
    Measured { value, least: work, most: elapsed / 3 }
}

pub fn a_released_thread_preempts_a_lower_one(t: &Scene) {
    let thread = t.thread_with_budget(ABOVE, 1_000, 20_000);
    thread.start(|| {
        loop {
            shared::add(0, 1);
            sys::yield_now();
        }
    });
    measured("turns in 100 ms of a thread with a period of 20 ms", || {
        let before = shared::get(0);
        shared::spin_us(100_000);
        Measured { value: shared::get(0) - before, least: 4, most: 6 }
    });
}

pub fn all_threads_may_be_idle(_: &Scene) {
    // Only a budget's coming wakes this one: until then nobody can run.
    must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &[1_000, 40_000, 0, 0, 0], &[MAIN_CONTEXT]);
    measured("microseconds of two periods of 40 ms", || {
        sys::yield_now();
        let begin = shared::now_us();
        sys::yield_now();
        sys::yield_now();
        Measured { value: shared::now_us() - begin, least: 77_000, most: 100_000 }
    });
}

pub fn time_before_a_yield_counts_as_consumed_and_the_rest_does_not(t: &Scene) {
    measured("microseconds of a thread that gave up all but 3 ms of its budget", || {
        let thread = t.thread_with_budget(ABOVE, 20_000, 40_000);
        thread.start(|| {
            shared::spin_us(3_000);
            sys::yield_now();
            wait(PARK);
        });
        Measured { value: consumed(thread.context), least: 2_500, most: 4_500 }
    });
}
