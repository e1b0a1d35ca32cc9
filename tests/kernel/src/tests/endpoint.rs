//! Endpoints: messages by rendezvous, blocking and not, in order, with their words, labels and badges.

use crate::check::{check, equal};
use crate::scene::fixed::*;
use crate::scene::invoke::invoke_label;
use crate::scene::message::{self, call, nb_recv, nb_send, nb_wait, recv, send, wait};
use crate::scene::{Scene, buffer, shared};
use chestnut_abi::message::MAX_LENGTH;
use chestnut_abi::{CapRights, Error, MessageInfo, fault};
use chestnut_runtime::sys;

const LABEL: u64 = 0xa_bcde_f012_3456;

/// Words that tell their places apart.
fn words() -> [u64; MAX_LENGTH] {
    core::array::from_fn(|index| 0x1000 + index as u64 * 3)
}

/// Checks a message of `length` such words.
#[track_caller]
fn expect_words(message: message::Message, length: usize) {
    equal((message.label(), message.length()), (LABEL, length), "label and length");
    for (index, word) in words().into_iter().enumerate().take(length) {
        if message.word(index) != word {
            equal(message.word(index), word, "a word");
        }
    }
}

pub fn a_message_of_any_length_arrives_at_a_waiting_receiver(t: &Scene) {
    let endpoint = t.endpoint();
    t.spawn(ABOVE, move || {
        for length in 0..=MAX_LENGTH {
            expect_words(wait(endpoint), length);
            shared::add(0, 1);
        }
    });
    for length in 0..=MAX_LENGTH {
        send(endpoint, LABEL, &words()[..length]);
        equal(shared::get(0), length as u64 + 1, "messages received");
    }
}

pub fn a_message_of_any_length_waits_for_a_receiver(t: &Scene) {
    let endpoint = t.endpoint();
    t.spawn(ABOVE, move || {
        for length in 0..=MAX_LENGTH {
            send(endpoint, LABEL, &words()[..length]);
        }
    });
    for length in 0..=MAX_LENGTH {
        expect_words(wait(endpoint), length);
    }
}

pub fn a_length_beyond_120_is_120(t: &Scene) {
    let endpoint = t.endpoint();
    t.spawn(ABOVE, move || {
        message::encode(0, &words(), &[]);
        sys::send(endpoint, MessageInfo::new(LABEL, 0, 0, 127), [0x1000, 0x1003, 0x1006, 0x1009]);
    });
    expect_words(wait(endpoint), MAX_LENGTH);
}

pub fn words_beyond_the_message_are_left_alone(t: &Scene) {
    let endpoint = t.endpoint();
    t.spawn(ABOVE, move || send(endpoint, LABEL, &words()[..6]));
    (0..MAX_LENGTH).for_each(|index| buffer::set_word(index, 0xbad));
    wait(endpoint);
    equal((buffer::word(5), buffer::word(6)), (words()[5], 0xbad), "the last word and the one behind it");
    equal(buffer::word(3), 0xbad, "the buffer's place for a word that travels in a register");
}

pub fn badges_of_all_64_bits_arrive(t: &Scene) {
    let endpoint = t.endpoint();
    for badge in [1, 1 << 28, 1 << 63, u64::MAX] {
        let badged = t.mint(endpoint, badge);
        t.spawn(ABOVE, move || send(badged, 0, &[]));
        equal(wait(endpoint).badge, badge, "the badge");
    }
    t.spawn(ABOVE, move || send(endpoint, 0, &[]));
    equal(wait(endpoint).badge, 0, "no badge");
}

pub fn send_waits_until_it_is_received(t: &Scene) {
    let endpoint = t.endpoint();
    t.spawn(ABOVE, move || {
        send(endpoint, 0, &[]);
        shared::set(0, 1);
    });
    equal(shared::get(0), 0, "whether Send came back before");
    wait(endpoint);
    equal(shared::get(0), 1, "whether Send came back after");
}

pub fn nb_send_without_a_receiver_is_dropped(t: &Scene) {
    let endpoint = t.endpoint();
    nb_send(endpoint, LABEL, &words()[..5]);
    equal(nb_wait(endpoint).badge, 0, "nothing is there");
    t.spawn(ABOVE, move || send(endpoint, 1, &[]));
    equal(wait(endpoint).label(), 1, "the first message to be received");
}

pub fn nb_send_reaches_a_waiting_receiver(t: &Scene) {
    let endpoint = t.endpoint();
    t.spawn(ABOVE, move || {
        expect_words(wait(endpoint), 7);
        shared::set(0, 1);
    });
    nb_send(endpoint, LABEL, &words()[..7]);
    equal(shared::get(0), 1, "whether it was received");
}

pub fn nb_recv_finds_nothing_and_does_not_wait(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    equal(nb_recv(endpoint, reply).badge, 0, "the badge when nothing is there");
    equal(nb_wait(endpoint).badge, 0, "the badge when nothing is there");
}

pub fn nb_recv_takes_a_waiting_message(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    let badged = t.mint(endpoint, 3);
    t.spawn(ABOVE, move || send(badged, LABEL, &words()[..9]));
    let message = nb_recv(endpoint, reply);
    equal(message.badge, 3, "the badge");
    expect_words(message, 9);
    t.spawn(ABOVE, move || send(badged, LABEL, &words()[..2]));
    expect_words(nb_wait(endpoint), 2);
}

pub fn call_waits_for_the_reply(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    t.spawn(ABOVE, move || {
        let answer = call(endpoint, LABEL, &words()[..8]);
        equal((answer.badge, answer.label(), answer.length()), (0, 77, 2), "badge, label and length of the answer");
        shared::set(0, answer.word(1));
    });
    expect_words(recv(endpoint, reply), 8);
    equal(shared::get(0), 0, "whether the caller came back before");
    send(reply, 77, &[5, 6]);
    equal(shared::get(0), 6, "the answer's second word");
}

pub fn call_to_a_waiting_receiver(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    t.spawn(ABOVE, move || {
        let mut message = recv(endpoint, reply);
        loop {
            message = message::reply_recv(endpoint, message.label() + 1, &[message.word(0) * 2, 4, 5, 6, 7], reply);
        }
    });
    for round in 0..20 {
        let answer = call(endpoint, round, &[round]);
        equal((answer.label(), answer.word(0), answer.word(4)), (round + 1, round * 2, 7), "the answer");
    }
}

pub fn reply_recv_answers_and_takes_the_next_waiting_call(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    for index in 0..3 {
        t.spawn(ABOVE, move || shared::set(index, call(endpoint, 0, &[index as u64]).word(0)));
    }
    let mut message = recv(endpoint, reply);
    for _ in 0..2 {
        message = message::reply_recv(endpoint, 0, &[message.word(0) + 10], reply);
    }
    send(reply, 0, &[message.word(0) + 10]);
    equal([0, 1, 2].map(shared::get), [10, 11, 12], "the callers' answers");
}

pub fn call_through_a_capability_without_grant_or_grant_reply_stops_the_caller(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    let weak = t.copy_with(endpoint, CapRights::READ_WRITE);
    let thread = t.spawn(ABOVE, move || {
        call(weak, LABEL, &words()[..3]);
        shared::set(0, 1);
    });
    expect_words(recv(endpoint, reply), 3);
    // Nobody waits on the reply object: the answer goes nowhere, and the caller is as if suspended.
    send(reply, 0, &[]);
    equal(shared::get(0), 0, "whether the caller came back");
    thread.suspend();
}

pub fn call_through_grant_reply_alone_is_answered(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    let enough = t.copy_with(endpoint, CapRights::WRITE.union(CapRights::GRANT_REPLY));
    t.spawn(ABOVE, move || shared::set(0, call(enough, 0, &[]).word(0)));
    recv(endpoint, reply);
    send(reply, 0, &[8]);
    equal(shared::get(0), 8, "the answer");
}

pub fn sending_without_the_write_right_does_nothing(t: &Scene) {
    let endpoint = t.endpoint();
    let reader = t.copy_with(endpoint, CapRights::READ);
    send(reader, 0, &[]);
    nb_send(reader, 0, &[]);
    let answer = invoke_label(reader, 5, &[], &[]);
    check(answer.is(Error::InvalidCapability), "Call reports it");
    equal(answer.words[0], 0, "which capability");
}

pub fn receiving_without_the_read_right_is_a_capability_fault(t: &Scene) {
    let (endpoint, faults, reply) = (t.endpoint(), t.endpoint(), t.reply());
    let writer = t.copy_with(endpoint, CapRights::WRITE);
    t.spawn_handled(ABOVE, faults, move || {
        wait(writer);
    });
    let fault = recv(faults, reply);
    equal((fault.label(), fault.word(1), fault.word(2)), (fault::label::CAP, writer, 1), "label, address, phase");
}

pub fn senders_of_equal_priority_are_received_in_order(t: &Scene) {
    let endpoint = t.endpoint();
    for index in 1..=5 {
        t.spawn(ABOVE, move || send(endpoint, index, &[]));
    }
    for index in 1..=5 {
        equal(wait(endpoint).label(), index, "the next sender");
    }
}

pub fn senders_are_received_by_priority(t: &Scene) {
    let endpoint = t.endpoint();
    for priority in [ABOVE + 1, ABOVE + 3, ABOVE + 2, ABOVE + 3] {
        t.spawn(priority, move || send(endpoint, priority, &[]));
    }
    for expected in [ABOVE + 3, ABOVE + 3, ABOVE + 2, ABOVE + 1] {
        equal(wait(endpoint).label(), expected, "the next sender's priority");
    }
}

pub fn receivers_are_served_by_priority_and_in_order(t: &Scene) {
    let endpoint = t.endpoint();
    for (index, priority) in [(1, ABOVE), (2, ABOVE), (3, ABOVE + 2), (4, ABOVE + 1)] {
        t.spawn(priority, move || {
            let message = wait(endpoint);
            shared::set(index, message.label());
        });
    }
    for label in 1..=4 {
        send(endpoint, label, &[]);
    }
    equal([3, 4, 1, 2].map(shared::get), [1, 2, 3, 4], "which receiver got which message");
}

pub fn a_woken_receiver_of_lower_priority_does_not_run_at_once(t: &Scene) {
    let endpoint = t.endpoint();
    let thread = t.spawn(ABOVE, move || {
        wait(endpoint);
        shared::set(0, 1);
    });
    thread.set_priority(BELOW);
    send(endpoint, 0, &[]);
    equal(shared::get(0), 0, "whether it has run");
    crate::scene::thread::set_main_priority(BELOW - 1);
    equal(shared::get(0), 1, "whether it ran when nobody more important wanted to");
}
