//! Time: ready queues, the queue of threads that await budget, refills, and who runs next.
//!
//! Relies on `State::now` being set at each entry. Sends no message: when a budget ends, [`charge_expired`] says so and
//! `entry` tells whoever handles timeouts.
#![forbid(unsafe_code)]
mod budget;
mod ready;
mod release;
mod schedule;

pub use budget::{charge_current, configure_refills, is_ready, is_sufficient, min_budget, unblock_check};
pub use ready::{dequeue, enqueue_back, enqueue_front, highest_ready, outranks_ready, stand_in_front, take_highest};
pub use schedule::{
    Expired, Moment, await_budget, begin_slice, charge_expired, donate, end_of_budget, has_time, is_expired,
    moment_for, possible_switch_to, read_clock, reschedule, resume, schedule, slices_at, switch_contexts,
    switch_refills, switch_slices, wake, yield_now,
};
