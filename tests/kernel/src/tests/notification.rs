//! Notifications: signals are kept, joined, and taken by one waiter at a time.

use crate::check::{check, equal};
use crate::scene::fixed::*;
use crate::scene::invoke::invoke_label;
use crate::scene::message::{nb_recv, nb_send, nb_wait, recv, signal, wait};
use crate::scene::{Scene, shared};
use chestnut_abi::{CapRights, Error, fault};

pub fn a_signal_is_kept_until_it_is_taken(t: &Scene) {
    let notification = t.notification();
    let badged = t.mint(notification, 0x8);
    signal(badged);
    equal(wait(notification).badge, 8, "the word");
    equal(nb_wait(notification).badge, 0, "the word after it was taken");
}

pub fn signals_are_joined(t: &Scene) {
    let notification = t.notification();
    for badge in [1, 2, 4, 4, 1 << 63] {
        signal(t.mint(notification, badge));
    }
    equal(wait(notification).badge, 7 | 1 << 63, "the word");
}

pub fn a_waiter_is_woken_with_the_badge(t: &Scene) {
    let notification = t.notification();
    let badged = t.mint(notification, 0x30);
    t.spawn(ABOVE, move || shared::set(0, wait(notification).badge));
    signal(badged);
    equal(shared::get(0), 0x30, "what the waiter got");
    equal(nb_wait(notification).badge, 0, "what is left");
}

pub fn one_signal_wakes_one_waiter(t: &Scene) {
    let notification = t.notification();
    let badged = t.mint(notification, 1);
    for index in 0..3 {
        t.spawn(ABOVE, move || shared::set(index, wait(notification).badge));
    }
    signal(badged);
    equal([0, 1, 2].map(shared::get), [1, 0, 0], "who was woken");
    signal(badged);
    equal([0, 1, 2].map(shared::get), [1, 1, 0], "who was woken");
}

pub fn waiters_are_woken_by_priority(t: &Scene) {
    let notification = t.notification();
    let badged = t.mint(notification, 1);
    for (index, priority) in [(0, ABOVE), (1, ABOVE + 2), (2, ABOVE + 1)] {
        t.spawn(priority, move || {
            wait(notification);
            shared::set(index, shared::add(9, 1) + 1);
        });
    }
    (0..3).for_each(|_| signal(badged));
    equal([0, 1, 2].map(shared::get), [3, 1, 2], "in which turn");
}

pub fn an_unbadged_signal_wakes_a_waiter(t: &Scene) {
    let notification = t.notification();
    t.spawn(ABOVE, move || shared::set(0, wait(notification).badge + 1));
    signal(notification);
    equal(shared::get(0), 1, "the badge, and one");
}

pub fn nb_send_signals_too(t: &Scene) {
    let notification = t.notification();
    nb_send(t.mint(notification, 2), 0, &[]);
    equal(wait(notification).badge, 2, "the word");
}

pub fn a_call_signals_and_comes_back_at_once(t: &Scene) {
    let notification = t.notification();
    let answer = invoke_label(t.mint(notification, 2), 99, &[], &[]);
    equal((answer.label, answer.length), (0, 0), "label and length of the answer");
    equal(wait(notification).badge, 2, "the word");
}

pub fn recv_and_nb_recv_take_signals_too(t: &Scene) {
    let (notification, reply) = (t.notification(), t.reply());
    let badged = t.mint(notification, 2);
    signal(badged);
    equal(recv(notification, reply).badge, 2, "what Recv took");
    signal(badged);
    equal(nb_recv(notification, reply).badge, 2, "what NBRecv took");
    equal(nb_recv(notification, reply).badge, 0, "what NBRecv found then");
}

pub fn signalling_needs_the_write_right(t: &Scene) {
    let notification = t.notification();
    let reader = t.mint_with(notification, CapRights::READ, 4);
    signal(reader);
    equal(nb_wait(notification).badge, 0, "the word");
    check(invoke_label(reader, 0, &[], &[]).is(Error::InvalidCapability), "Call reports it");
}

pub fn waiting_needs_the_read_right(t: &Scene) {
    let (notification, faults, reply) = (t.notification(), t.endpoint(), t.reply());
    let writer = t.copy_with(notification, CapRights::WRITE);
    t.spawn_handled(ABOVE, faults, move || {
        nb_wait(writer);
    });
    let fault = recv(faults, reply);
    equal((fault.label(), fault.word(1), fault.word(2)), (fault::label::CAP, writer, 1), "label, address, phase");
}

pub fn deleting_a_notification_makes_waiters_wait_again_and_fault(t: &Scene) {
    let (notification, faults, reply) = (t.notification(), t.endpoint(), t.reply());
    t.spawn_handled(ABOVE, faults, move || {
        wait(notification);
    });
    t.delete(notification);
    equal(recv(faults, reply).label(), fault::label::CAP, "the waiter's fault");
}
