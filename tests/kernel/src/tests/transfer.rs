//! Capabilities beside messages: copied into the receive slot, unwrapped into badges, and what stops them.

use crate::check::{check, equal};
use crate::scene::fixed::*;
use crate::scene::message::{Message, call_with, nb_wait, recv, send_with, signal, wait};
use crate::scene::{Scene, buffer, shared};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{CapRights, fault};

const ROOT: u64 = slot::INIT_CNODE;

/// Sends one message with these capabilities through `sender`, which was made of `endpoint`, and receives it with this receive slot.
fn pass(t: &Scene, endpoint: u64, sender: u64, caps: [u64; 3], count: usize, receive: u64) -> Message {
    t.spawn(ABOVE, move || send_with(sender, 0, &[1, 2], &caps[..count]));
    (0..3).for_each(|index| buffer::set_cap(index, 0xbad));
    buffer::set_receive_slot(ROOT, receive, 64);
    wait(endpoint)
}

#[track_caller]
fn expect(message: Message, caps: usize, unwrapped: u64) {
    equal(
        (message.info.extra_caps(), message.info.unwrapped()),
        (caps, unwrapped),
        "capabilities, and which as badges",
    );
    equal((message.length(), message.word(0), message.word(1)), (2, 1, 2), "the words beside them");
}

pub fn a_capability_is_copied_into_the_receive_slot(t: &Scene) {
    let (endpoint, notification, receive) = (t.endpoint(), t.notification(), t.slot());
    let badged = t.mint(notification, 0x20);
    expect(pass(t, endpoint, endpoint, [badged, 0, 0], 1, receive), 1, 0);
    signal(receive);
    equal(nb_wait(notification).badge, 0x20, "what the received capability signals");
    check(!t.is_empty(badged), "the sender keeps its own");
    t.revoke(notification);
    check(t.is_empty(receive), "the received one is a copy in the derivation tree");
}

pub fn a_receiver_that_waits_gets_the_capability_too(t: &Scene) {
    let (endpoint, notification, receive) = (t.endpoint(), t.notification(), t.slot());
    t.spawn(ABOVE, move || {
        buffer::set_receive_slot(ROOT, receive, 64);
        let message = wait(endpoint);
        shared::set(0, message.info.extra_caps() as u64);
    });
    send_with(endpoint, 0, &[], &[notification]);
    equal(shared::get(0), 1, "capabilities received");
    check(!t.is_empty(receive), "it is in the slot");
}

pub fn without_grant_no_capability_goes_along(t: &Scene) {
    let (endpoint, notification, receive) = (t.endpoint(), t.notification(), t.slot());
    let sender = t.copy_with(endpoint, CapRights::READ_WRITE.union(CapRights::GRANT_REPLY));
    expect(pass(t, endpoint, sender, [notification, 0, 0], 1, receive), 0, 0);
    check(t.is_empty(receive), "the receive slot is still empty");
}

pub fn a_capability_of_the_endpoint_itself_arrives_as_its_badge(t: &Scene) {
    let (endpoint, receive) = (t.endpoint(), t.slot());
    let badged = t.mint(endpoint, 0x55);
    expect(pass(t, endpoint, endpoint, [badged, 0, 0], 1, receive), 1, 1);
    equal(buffer::badge(0), 0x55, "the badge");
    check(t.is_empty(receive), "no capability was copied");
}

pub fn three_capabilities_arrive_as_badges(t: &Scene) {
    let (endpoint, receive) = (t.endpoint(), t.slot());
    let caps = [0x51, 0x52, 0x53].map(|badge| t.mint(endpoint, badge));
    expect(pass(t, endpoint, endpoint, caps, 3, receive), 3, 0b111);
    equal([0, 1, 2].map(buffer::badge), [0x51, 0x52, 0x53], "the badges");
}

pub fn a_copy_and_badges_arrive_together(t: &Scene) {
    let (endpoint, notification, receive) = (t.endpoint(), t.notification(), t.slot());
    let (one, two) = (t.mint(endpoint, 0x51), t.mint(endpoint, 0x52));
    expect(pass(t, endpoint, endpoint, [one, notification, two], 3, receive), 3, 0b101);
    equal((buffer::badge(0), buffer::badge(2)), (0x51, 0x52), "the badges");
    check(!t.is_empty(receive), "the one in the middle was copied");
}

pub fn a_second_capability_ends_the_transfer(t: &Scene) {
    let (endpoint, receive) = (t.endpoint(), t.slot());
    let (one, two) = (t.notification(), t.notification());
    let badge = t.mint(endpoint, 5);
    expect(pass(t, endpoint, endpoint, [one, two, badge], 3, receive), 1, 0);
    signal(receive);
    check(nb_wait(two).badge == 0, "it is the first that was copied");
}

pub fn an_occupied_receive_slot_takes_nothing(t: &Scene) {
    let (endpoint, notification, other) = (t.endpoint(), t.notification(), t.endpoint());
    let badge = t.mint(endpoint, 7);
    expect(pass(t, endpoint, endpoint, [badge, notification, badge], 3, other), 1, 1);
    equal(buffer::badge(0), 7, "the badge before it");
}

pub fn a_receive_slot_that_leads_nowhere_takes_nothing(t: &Scene) {
    let (endpoint, notification, receive) = (t.endpoint(), t.notification(), t.slot());
    for (cnode, depth) in [(NOTHING, 64), (notification, 64), (ROOT, 63), (ROOT, 0), (ROOT, 65)] {
        t.spawn(ABOVE, move || send_with(endpoint, 0, &[], &[notification]));
        buffer::set_receive_slot(cnode, receive, depth);
        equal(wait(endpoint).info.extra_caps(), 0, "capabilities received");
    }
    check(t.is_empty(receive), "the slot is empty");
}

pub fn a_capability_that_cannot_be_derived_ends_the_transfer(t: &Scene) {
    let (endpoint, receive) = (t.endpoint(), t.slot());
    let badge = t.mint(endpoint, 7);
    expect(pass(t, endpoint, endpoint, [badge, t.untyped, badge], 3, receive), 1, 1);
    check(t.is_empty(receive), "an untyped with children was not copied");
}

pub fn a_capability_with_fewer_rights_arrives_with_those(t: &Scene) {
    let (endpoint, notification, receive) = (t.endpoint(), t.notification(), t.slot());
    let reader = t.copy_with(t.mint(notification, 1), CapRights::READ);
    expect(pass(t, endpoint, endpoint, [reader, 0, 0], 1, receive), 1, 0);
    signal(receive);
    equal(nb_wait(notification).badge, 0, "it can't signal");
}

pub fn naming_a_capability_that_is_not_there_is_a_fault_in_the_send_phase(t: &Scene) {
    let (endpoint, faults, reply) = (t.endpoint(), t.endpoint(), t.reply());
    // An address that the root CNode's guard does not match.
    const BEYOND: u64 = 1 << 40;
    t.spawn_handled(ABOVE, faults, move || send_with(endpoint, 0, &[], &[BEYOND]));
    let fault = recv(faults, reply);
    equal((fault.label(), fault.word(1), fault.word(2)), (fault::label::CAP, BEYOND, 0), "label, address, phase");
    equal(nb_wait(endpoint).badge, 0, "nothing was sent");
}

pub fn a_reply_carries_capabilities_if_the_call_came_with_grant(t: &Scene) {
    let (endpoint, reply, notification, receive) = (t.endpoint(), t.reply(), t.notification(), t.slot());
    t.spawn(ABOVE, move || {
        buffer::set_receive_slot(ROOT, receive, 64);
        let answer = call_with(endpoint, 0, &[], &[]);
        shared::set(0, answer.info.extra_caps() as u64 + 1);
    });
    recv(endpoint, reply);
    send_with(reply, 0, &[], &[notification]);
    equal(shared::get(0), 2, "capabilities in the answer, and one");
    check(!t.is_empty(receive), "it was copied");
}

pub fn a_reply_through_a_capability_without_grant_carries_none(t: &Scene) {
    let (endpoint, reply, notification, receive) = (t.endpoint(), t.reply(), t.notification(), t.slot());
    let weak = t.copy_with(reply, CapRights::WRITE);
    t.spawn(ABOVE, move || {
        buffer::set_receive_slot(ROOT, receive, 64);
        let answer = call_with(endpoint, 0, &[], &[]);
        shared::set(0, answer.info.extra_caps() as u64 + 1);
    });
    recv(endpoint, reply);
    send_with(weak, 0, &[], &[notification]);
    equal(shared::get(0), 1, "capabilities in the answer, and one");
    check(t.is_empty(receive), "nothing was copied");
}

pub fn a_thread_without_a_buffer_sends_no_capabilities(t: &Scene) {
    let (endpoint, receive) = (t.endpoint(), t.slot());
    let thread = t.thread(ABOVE);
    crate::scene::invoke::must(thread.tcb, chestnut_abi::Label::TcbSetIpcBuffer, &[0], &[NOTHING]);
    thread.start(move || send_with(endpoint, 0, &[1, 2], &[endpoint]));
    buffer::set_receive_slot(ROOT, receive, 64);
    expect(wait(endpoint), 0, 0);
}
