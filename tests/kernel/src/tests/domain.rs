//! Domains: there is one, and its schedule has two entries.

use crate::check::equal;
use crate::scene::Scene;
use crate::scene::fixed::NOTHING;
use crate::scene::invoke::{must, refused};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{DOMAIN_SCHEDULE_ENTRIES, DOMAINS, Error, Label};

const DOMAIN: u64 = slot::DOMAIN;
const LAST: u64 = DOMAIN_SCHEDULE_ENTRIES as u64 - 1;

pub fn set_puts_a_thread_into_the_domain(t: &Scene) {
    must(DOMAIN, Label::DomainSetSet, &[0], &[t.tcb()]);
}

pub fn set_of_another_domain_returns_invalid_argument(t: &Scene) {
    for domain in [DOMAINS as u64, 255] {
        let answer = refused(Error::InvalidArgument, DOMAIN, Label::DomainSetSet, &[domain], &[t.tcb()]);
        equal(answer.words[0], 0, "which argument");
    }
}

pub fn set_of_what_is_no_tcb_returns_invalid_argument(t: &Scene) {
    for wrong in [t.endpoint(), NOTHING] {
        let answer = refused(Error::InvalidArgument, DOMAIN, Label::DomainSetSet, &[0], &[wrong]);
        equal(answer.words[0], 1, "which argument");
    }
}

pub fn set_returns_truncated_message(t: &Scene) {
    refused(Error::TruncatedMessage, DOMAIN, Label::DomainSetSet, &[], &[t.tcb()]);
    refused(Error::TruncatedMessage, DOMAIN, Label::DomainSetSet, &[0], &[]);
}

pub fn schedule_entries_are_configured(_: &Scene) {
    must(DOMAIN, Label::DomainScheduleConfigure, &[LAST, 0, 1000], &[]);
    must(DOMAIN, Label::DomainScheduleConfigure, &[LAST, 0, 0], &[]);
}

pub fn schedule_entries_that_are_not_there_return_range_error(_: &Scene) {
    for index in [LAST + 1, u64::MAX] {
        let answer = refused(Error::RangeError, DOMAIN, Label::DomainScheduleConfigure, &[index, 0, 1000], &[]);
        equal([answer.words[0], answer.words[1]], [0, LAST], "what is allowed");
        let answer = refused(Error::RangeError, DOMAIN, Label::DomainScheduleSetStart, &[index], &[]);
        equal([answer.words[0], answer.words[1]], [0, LAST], "what is allowed");
    }
    refused(Error::RangeError, DOMAIN, Label::DomainScheduleConfigure, &[LAST, DOMAINS as u64, 1000], &[]);
}

pub fn impossible_durations_return_invalid_argument(_: &Scene) {
    // More than 56 bits, and an end marker where the schedule starts.
    for (index, duration) in [(LAST, 1 << 56), (LAST, u64::MAX), (0, 0)] {
        refused(Error::InvalidArgument, DOMAIN, Label::DomainScheduleConfigure, &[index, 0, duration], &[]);
    }
}

pub fn the_schedule_starts_at_an_entry(_: &Scene) {
    must(DOMAIN, Label::DomainScheduleConfigure, &[LAST, 0, 1000], &[]);
    must(DOMAIN, Label::DomainScheduleSetStart, &[LAST], &[]);
    must(DOMAIN, Label::DomainScheduleSetStart, &[0], &[]);
    must(DOMAIN, Label::DomainScheduleConfigure, &[LAST, 0, 0], &[]);
}

pub fn the_schedule_does_not_start_at_an_end_marker(_: &Scene) {
    must(DOMAIN, Label::DomainScheduleConfigure, &[LAST, 0, 0], &[]);
    refused(Error::InvalidArgument, DOMAIN, Label::DomainScheduleSetStart, &[LAST], &[]);
}

pub fn schedule_invocations_return_truncated_message(_: &Scene) {
    refused(Error::TruncatedMessage, DOMAIN, Label::DomainScheduleConfigure, &[0, 0], &[]);
    refused(Error::TruncatedMessage, DOMAIN, Label::DomainScheduleSetStart, &[], &[]);
}
