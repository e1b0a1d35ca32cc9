//! Reply objects: who waits on them, what becomes of them when they are used anew, moved or deleted.

use crate::check::{check, equal};
use crate::scene::fixed::*;
use crate::scene::invoke::must;
use crate::scene::message::{self, call, nb_send, recv, send, wait};
use crate::scene::{Scene, shared};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{Label, fault};

/// A thread that calls with word `index` and puts the answer's first word + 1 into that shared word.
fn caller(t: &Scene, endpoint: u64, index: usize) -> crate::scene::thread::Thread {
    t.spawn(ABOVE, move || shared::set(index, call(endpoint, 0, &[index as u64]).word(0) + 1))
}

pub fn several_callers_are_answered_in_any_order(t: &Scene) {
    let endpoint = t.endpoint();
    let replies = [t.reply(), t.reply(), t.reply()];
    for (index, reply) in replies.into_iter().enumerate() {
        caller(t, endpoint, index);
        equal(recv(endpoint, reply).word(0), index as u64, "whose call it is");
    }
    for index in [1, 2, 0] {
        send(replies[index], 0, &[10 + index as u64]);
        equal(shared::get(index), 11 + index as u64, "the answer");
    }
}

pub fn an_unused_reply_object_answers_nobody(t: &Scene) {
    let reply = t.reply();
    send(reply, 0, &[1]);
    nb_send(reply, 0, &[1]);
}

pub fn a_second_answer_goes_nowhere(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    caller(t, endpoint, 0);
    recv(endpoint, reply);
    send(reply, 0, &[1]);
    send(reply, 0, &[2]);
    equal(shared::get(0), 2, "the first answer");
}

pub fn a_reply_object_that_is_used_anew_leaves_its_caller_unanswered(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    caller(t, endpoint, 0);
    recv(endpoint, reply);
    caller(t, endpoint, 1);
    equal(recv(endpoint, reply).word(0), 1, "whose call it is");
    send(reply, 0, &[5]);
    equal((shared::get(0), shared::get(1)), (0, 6), "answers of the first and the second caller");
}

pub fn a_caller_whose_reply_object_is_deleted_stays_stopped(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    let thread = caller(t, endpoint, 0);
    recv(endpoint, reply);
    t.delete(reply);
    equal(shared::get(0), 0, "whether the caller came back");
    // Resumed, it calls again.
    let second = t.reply();
    thread.resume();
    equal(recv(endpoint, second).word(0), 0, "its second call");
    send(second, 0, &[3]);
    equal(shared::get(0), 4, "the answer");
}

pub fn a_moved_or_copied_reply_capability_answers(t: &Scene) {
    let (endpoint, reply, to) = (t.endpoint(), t.reply(), t.slot());
    caller(t, endpoint, 0);
    recv(endpoint, reply);
    must(slot::INIT_CNODE, Label::CNodeMove, &[to, 64, reply, 64], &[slot::INIT_CNODE]);
    send(to, 0, &[1]);
    equal(shared::get(0), 2, "the answer");
    let copy = t.copy(to);
    caller(t, endpoint, 1);
    recv(endpoint, to);
    send(copy, 0, &[1]);
    equal(shared::get(1), 2, "the answer through a copy");
}

pub fn the_caller_can_be_answered_by_another_thread(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    caller(t, endpoint, 0);
    recv(endpoint, reply);
    t.spawn(ABOVE, move || send(reply, 0, &[1]));
    equal(shared::get(0), 2, "the answer");
}

pub fn receiving_with_what_is_no_reply_object_is_a_fault(t: &Scene) {
    let (endpoint, faults, reply) = (t.endpoint(), t.endpoint(), t.reply());
    for wrong in [endpoint, NOTHING] {
        t.spawn_handled(ABOVE, faults, move || {
            recv(endpoint, wrong);
        });
        let fault = recv(faults, reply);
        equal((fault.label(), fault.word(1), fault.word(2)), (fault::label::CAP, wrong, 1), "label, address, phase");
    }
}

pub fn a_call_received_without_a_reply_object_stops_the_caller(t: &Scene) {
    let endpoint = t.endpoint();
    caller(t, endpoint, 0);
    equal(wait(endpoint).word(0), 0, "the message arrives");
    equal(shared::get(0), 0, "whether the caller came back");
    check(message::nb_wait(endpoint).badge == 0, "it does not send again");
}

pub fn long_answers_arrive(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    t.spawn(ABOVE, move || {
        let answer = call(endpoint, 0, &[]);
        shared::set(0, answer.length() as u64);
        shared::set(1, answer.word(119));
        shared::set(2, answer.word(4));
    });
    recv(endpoint, reply);
    let words: [u64; 120] = core::array::from_fn(|index| index as u64 + 500);
    send(reply, 0, &words);
    equal([0, 1, 2].map(shared::get), [120, 619, 504], "length, last and fifth word");
}
