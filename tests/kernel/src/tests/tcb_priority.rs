//! Priorities, maximum controlled priorities, and SetSchedParams.

use crate::check::equal;
use crate::scene::fixed::*;
use crate::scene::invoke::{must, refused};
use crate::scene::message::{recv, signal, wait};
use crate::scene::thread::set_main_priority;
use crate::scene::{Scene, shared};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{CapRights, Error, Label, fault};

const AUTHORITY: u64 = slot::INIT_TCB;

pub fn set_priority_above_ones_own_lets_the_thread_run(t: &Scene) {
    let thread = t.spawn(BELOW, || shared::set(0, 1));
    equal(shared::get(0), 0, "whether it ran below");
    must(thread.tcb, Label::TcbSetPriority, &[ABOVE], &[AUTHORITY]);
    equal(shared::get(0), 1, "whether it ran above");
}

pub fn lowering_ones_own_priority_lets_others_run(t: &Scene) {
    t.spawn(BELOW, || shared::set(0, 1));
    set_main_priority(BELOW - 1);
    equal(shared::get(0), 1, "whether the other thread ran");
}

pub fn priorities_above_the_authoritys_maximum_return_range_error(t: &Scene) {
    let (tcb, authority) = (t.tcb(), t.tcb());
    must(authority, Label::TcbSetMcpriority, &[50], &[AUTHORITY]);
    for label in [Label::TcbSetPriority, Label::TcbSetMcpriority] {
        must(tcb, label, &[50], &[authority]);
        for priority in [51, 255, 256, u64::MAX] {
            let answer = refused(Error::RangeError, tcb, label, &[priority], &[authority]);
            equal([answer.words[0], answer.words[1]], [0, 50], "what is allowed");
        }
    }
    for words in [[51, 0], [0, 51], [256, 0], [0, 256]] {
        let caps = [authority, slot::NULL, slot::NULL];
        refused(Error::RangeError, tcb, Label::TcbSetSchedParams, &words, &caps);
    }
}

pub fn a_fresh_tcb_may_set_nothing_but_zero(t: &Scene) {
    let (tcb, authority) = (t.tcb(), t.tcb());
    must(tcb, Label::TcbSetPriority, &[0], &[authority]);
    refused(Error::RangeError, tcb, Label::TcbSetPriority, &[1], &[authority]);
}

pub fn an_authority_that_is_no_tcb_returns_invalid_capability(t: &Scene) {
    let tcb = t.tcb();
    for authority in [t.endpoint(), NOTHING, t.cnode(2)] {
        for label in [Label::TcbSetPriority, Label::TcbSetMcpriority] {
            let answer = refused(Error::InvalidCapability, tcb, label, &[1], &[authority]);
            equal(answer.words[0], 1, "which capability");
        }
        let caps = [authority, slot::NULL, slot::NULL];
        let answer = refused(Error::InvalidCapability, tcb, Label::TcbSetSchedParams, &[1, 1], &caps);
        equal(answer.words[0], 1, "which capability");
    }
}

pub fn set_mc_priority_limits_what_a_thread_may_set(t: &Scene) {
    let (thread, victim) = (t.passive(BELOW), t.tcb());
    must(thread.tcb, Label::TcbSetMcpriority, &[70], &[AUTHORITY]);
    must(victim, Label::TcbSetPriority, &[70], &[thread.tcb]);
    refused(Error::RangeError, victim, Label::TcbSetPriority, &[71], &[thread.tcb]);
}

pub fn missing_arguments_return_truncated_message(t: &Scene) {
    let tcb = t.tcb();
    for label in [Label::TcbSetPriority, Label::TcbSetMcpriority] {
        refused(Error::TruncatedMessage, tcb, label, &[], &[AUTHORITY]);
        refused(Error::TruncatedMessage, tcb, label, &[1], &[]);
    }
    refused(Error::TruncatedMessage, tcb, Label::TcbSetSchedParams, &[1], &[AUTHORITY, slot::NULL, slot::NULL]);
    refused(Error::TruncatedMessage, tcb, Label::TcbSetSchedParams, &[1, 1], &[AUTHORITY, slot::NULL]);
}

pub fn set_sched_params_sets_everything_at_once(t: &Scene) {
    let (faults, reply, context) = (t.endpoint(), t.reply(), t.sched_context());
    let thread = t.passive(1);
    thread.start(|| chestnut_runtime::start::fault());
    must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &[SLICE_US, SLICE_US, 0, 0, 0], &[context]);
    must(thread.tcb, Label::TcbSetSchedParams, &[120, ABOVE], &[AUTHORITY, context, faults]);
    // It has run already, at its new priority on its new context, and its fault waits at the new handler.
    equal(recv(faults, reply).label(), fault::label::USER_EXCEPTION, "the fault");
    must(t.tcb(), Label::TcbSetPriority, &[120], &[thread.tcb]);
    refused(Error::RangeError, t.tcb(), Label::TcbSetPriority, &[121], &[thread.tcb]);
}

pub fn set_sched_params_without_a_context_takes_it_away(t: &Scene) {
    let thread = t.spawn(BELOW, || shared::set(0, 1));
    must(thread.tcb, Label::TcbSetSchedParams, &[BELOW, BELOW], &[AUTHORITY, slot::NULL, FAULTS]);
    set_main_priority(BELOW - 1);
    equal(shared::get(0), 0, "whether a thread without a context ran");
    must(thread.context, Label::SchedContextBind, &[], &[thread.tcb]);
    equal(shared::get(0), 1, "whether it ran when it had one again");
}

pub fn set_sched_params_refuses_what_is_bound_already(t: &Scene) {
    let (thread, other) = (t.thread(BELOW), t.thread(BELOW));
    let free = t.sched_context();
    let set = |tcb, context| {
        refused(Error::IllegalOperation, tcb, Label::TcbSetSchedParams, &[1, 1], &[AUTHORITY, context, FAULTS])
    };
    // The thread has a context, the context has another thread, the context is a notification's.
    set(thread.tcb, free);
    set(t.tcb(), other.context);
    must(free, Label::SchedContextBind, &[], &[t.notification()]);
    set(t.tcb(), free);
    // The one it has already is fine.
    must(thread.tcb, Label::TcbSetSchedParams, &[1, 1], &[AUTHORITY, thread.context, FAULTS]);
}

pub fn set_sched_params_refuses_to_take_ones_own_context(_: &Scene) {
    let caps = [AUTHORITY, slot::NULL, FAULTS];
    refused(Error::IllegalOperation, MAIN_TCB, Label::TcbSetSchedParams, &[MAIN, MAIN], &caps);
}

pub fn set_sched_params_checks_its_capabilities(t: &Scene) {
    let (tcb, faults) = (t.tcb(), t.endpoint());
    let answer =
        refused(Error::InvalidCapability, tcb, Label::TcbSetSchedParams, &[1, 1], &[AUTHORITY, faults, faults]);
    equal(answer.words[0], 2, "which capability: the scheduling context");
    for handler in [t.copy_with(faults, CapRights::WRITE), t.copy_with(faults, CapRights::READ), t.notification()] {
        let caps = [AUTHORITY, slot::NULL, handler];
        let answer = refused(Error::InvalidCapability, tcb, Label::TcbSetSchedParams, &[1, 1], &caps);
        equal(answer.words[0], 3, "which capability: the fault handler");
    }
}

pub fn a_waiting_thread_keeps_its_order_by_its_new_priority(t: &Scene) {
    let notification = t.notification();
    let wait_as = |priority, index: usize| {
        t.spawn(priority, move || {
            wait(notification);
            shared::set(index, shared::add(0, 1) + 1);
        })
    };
    // Both wait; then the one that came last and lower is made the more important one.
    wait_as(ABOVE + 2, 1);
    let second = wait_as(ABOVE + 1, 2);
    second.set_priority(ABOVE + 5);
    signal(notification);
    signal(notification);
    equal((shared::get(2), shared::get(1)), (1, 2), "turns of the second and the first");
}
