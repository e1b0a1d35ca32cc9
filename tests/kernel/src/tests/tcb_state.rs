//! Suspending and resuming, feature flags, the TLS base, the timeout handler and the bound notification.

use crate::check::{check, equal};
use crate::scene::fixed::*;
use crate::scene::invoke::{must, refused};
use crate::scene::message::{self, call, recv, signal, wait};
use crate::scene::thread::set_main_priority;
use crate::scene::{Scene, shared};
use chestnut_abi::{CapRights, Error, Label, UserContext};
use chestnut_runtime::sys;

pub fn suspend_stops_a_thread_and_resume_lets_it_go_on(t: &Scene) {
    let thread = t.spawn(BELOW, || {
        loop {
            shared::add(0, 1);
        }
    });
    set_main_priority(BELOW);
    while shared::get(0) == 0 {
        sys::yield_now();
    }
    thread.suspend();
    let before = shared::get(0);
    (0..3).for_each(|_| sys::yield_now());
    equal(shared::get(0), before, "turns while it was suspended");
    thread.resume();
    sys::yield_now();
    check(shared::get(0) > before, "it runs again");
}

pub fn a_thread_can_suspend_itself(t: &Scene) {
    let thread = t.thread(ABOVE);
    let tcb = thread.tcb;
    thread.start(move || {
        shared::set(0, 1);
        must(tcb, Label::TcbSuspend, &[], &[]);
        shared::set(0, 2);
    });
    equal(shared::get(0), 1, "how far it came");
    thread.resume();
    equal(shared::get(0), 2, "how far it came when resumed: behind its Suspend");
}

pub fn a_resumed_receiver_waits_again(t: &Scene) {
    let endpoint = t.endpoint();
    let thread = t.spawn(ABOVE, move || {
        shared::set(0, wait(endpoint).word(0));
    });
    thread.suspend();
    message::nb_send(endpoint, 1, &[5]);
    equal(shared::get(0), 0, "what a suspended receiver got");
    thread.resume();
    message::nb_send(endpoint, 1, &[6]);
    equal(shared::get(0), 6, "what it got when it received again");
}

pub fn a_resumed_sender_sends_again(t: &Scene) {
    let endpoint = t.endpoint();
    let thread = t.spawn(ABOVE, move || message::send(endpoint, 1, &[5]));
    thread.suspend();
    equal(message::nb_wait(endpoint).badge, 0, "nobody sends");
    thread.resume();
    equal(wait(endpoint).word(0), 5, "the message that was sent again");
}

pub fn resuming_a_thread_that_runs_changes_nothing(t: &Scene) {
    let thread = t.spawn(BELOW, || shared::set(0, 1));
    thread.resume();
    thread.resume();
    set_main_priority(BELOW - 1);
    equal(shared::get(0), 1, "whether it ran");
}

pub fn a_suspended_caller_is_not_answered(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    let thread = t.spawn(ABOVE, move || {
        shared::set(0, call(endpoint, 1, &[]).word(0));
    });
    recv(endpoint, reply);
    thread.suspend();
    message::send(reply, 0, &[9]);
    equal(shared::get(0), 0, "what a suspended caller got");
}

pub fn set_flags_returns_the_flags_and_ignores_unknown_ones(t: &Scene) {
    let tcb = t.tcb();
    let flags = |clear, set| must(tcb, Label::TcbSetFlags, &[clear, set], &[]).words[0];
    equal(flags(0, 0), 0, "flags of a fresh TCB");
    equal(flags(0, 1), 1, "after setting FPU disabled");
    equal(flags(0, 0), 1, "unchanged");
    equal(flags(1, 1), 1, "cleared, then set");
    equal(flags(1, 0), 0, "cleared");
    equal(flags(0, u64::MAX), 1, "unknown flags are ignored");
    refused(Error::TruncatedMessage, tcb, Label::TcbSetFlags, &[0], &[]);
}

pub fn set_tls_base_sets_fs_base(t: &Scene) {
    let thread = t.passive(BELOW);
    must(thread.tcb, Label::TcbSetTlsBase, &[0x1234_5678_9000], &[]);
    equal(thread.read().fs_base, 0x1234_5678_9000, "FS base");
    refused(Error::TruncatedMessage, thread.tcb, Label::TcbSetTlsBase, &[], &[]);
    thread.write(&UserContext::default());
    equal(thread.read().fs_base, 0, "FS base, written otherwise");
}

pub fn set_timeout_endpoint_takes_an_endpoint_or_none(t: &Scene) {
    let (tcb, endpoint) = (t.tcb(), t.endpoint());
    must(tcb, Label::TcbSetTimeoutEndpoint, &[], &[endpoint]);
    must(tcb, Label::TcbSetTimeoutEndpoint, &[], &[NOTHING]);
    let bad = [
        t.notification(),
        t.copy_with(endpoint, CapRights::READ_WRITE),
        t.copy_with(endpoint, CapRights::READ.union(CapRights::GRANT)),
    ];
    for handler in bad {
        let answer = refused(Error::InvalidCapability, tcb, Label::TcbSetTimeoutEndpoint, &[], &[handler]);
        equal(answer.words[0], 1, "which capability");
    }
    refused(Error::TruncatedMessage, tcb, Label::TcbSetTimeoutEndpoint, &[], &[]);
}

pub fn a_bound_notification_reaches_a_receiver_on_an_endpoint(t: &Scene) {
    let (endpoint, notification) = (t.endpoint(), t.notification());
    let badged = t.mint(notification, 0x40);
    let thread = t.thread(ABOVE);
    must(thread.tcb, Label::TcbBindNotification, &[], &[notification]);
    thread.start(move || {
        let signal = wait(endpoint);
        shared::set(0, signal.badge);
        let message = wait(endpoint);
        shared::set(1, message.word(0));
    });
    signal(badged);
    equal(shared::get(0), 0x40, "the signal's badge");
    message::send(endpoint, 1, &[7]);
    equal(shared::get(1), 7, "the message after it");
}

pub fn a_signal_that_came_first_is_received_first(t: &Scene) {
    let (endpoint, notification) = (t.endpoint(), t.notification());
    let badged = t.mint(notification, 0x40);
    t.spawn(ABOVE, move || message::send(endpoint, 1, &[7]));
    signal(badged);
    must(MAIN_TCB, Label::TcbBindNotification, &[], &[notification]);
    equal(wait(endpoint).badge, 0x40, "the signal");
    equal(wait(endpoint).word(0), 7, "the message");
}

pub fn unbind_notification_ends_that(t: &Scene) {
    let (endpoint, notification) = (t.endpoint(), t.notification());
    let thread = t.thread(ABOVE);
    must(thread.tcb, Label::TcbBindNotification, &[], &[notification]);
    must(thread.tcb, Label::TcbUnbindNotification, &[], &[]);
    thread.start(move || {
        wait(endpoint);
        shared::set(0, 1);
    });
    signal(notification);
    equal(shared::get(0), 0, "whether the receiver was woken");
    refused(Error::IllegalOperation, thread.tcb, Label::TcbUnbindNotification, &[], &[]);
}

pub fn binding_is_one_to_one(t: &Scene) {
    let (a, b) = (t.tcb(), t.tcb());
    let (one, two) = (t.notification(), t.notification());
    must(a, Label::TcbBindNotification, &[], &[one]);
    refused(Error::IllegalOperation, a, Label::TcbBindNotification, &[], &[two]);
    refused(Error::IllegalOperation, b, Label::TcbBindNotification, &[], &[one]);
    must(b, Label::TcbBindNotification, &[], &[two]);
}

pub fn binding_needs_a_notification_that_may_be_read(t: &Scene) {
    let (tcb, notification) = (t.tcb(), t.notification());
    for cap in [t.endpoint(), NOTHING, t.copy_with(notification, CapRights::WRITE)] {
        refused(Error::IllegalOperation, tcb, Label::TcbBindNotification, &[], &[cap]);
    }
    refused(Error::TruncatedMessage, tcb, Label::TcbBindNotification, &[], &[]);
}

pub fn binding_a_notification_that_is_waited_on_is_refused(t: &Scene) {
    let notification = t.notification();
    t.spawn(ABOVE, move || {
        wait(notification);
    });
    refused(Error::IllegalOperation, t.tcb(), Label::TcbBindNotification, &[], &[notification]);
}

pub fn a_bound_notification_can_be_waited_on_by_its_thread_only(t: &Scene) {
    let (notification, faults, reply) = (t.notification(), t.endpoint(), t.reply());
    must(MAIN_TCB, Label::TcbBindNotification, &[], &[notification]);
    t.spawn_handled(ABOVE, faults, move || {
        wait(notification);
    });
    let fault = message::nb_recv(faults, reply);
    equal(fault.label(), chestnut_abi::fault::label::CAP, "the other thread's fault");
    equal(fault.word(2), 1, "that it was in the receive phase");
}
