//! Passive threads: scheduling contexts that are lent by calls and signals, and how they come back.

use crate::check::{check, equal};
use crate::scene::fixed::*;
use crate::scene::invoke::{invoke, must, refused};
use crate::scene::message::{call, nb_send_recv, recv, reply_recv, send, signal, wait};
use crate::scene::{Scene, shared};
use chestnut_abi::{Error, Label};

/// A passive server that answers with the first word plus `add`.
fn server(t: &Scene, endpoint: u64, add: u64) -> crate::scene::thread::Thread {
    let reply = t.reply();
    t.spawn_passive(ABOVE, move || {
        let mut message = recv(endpoint, reply);
        loop {
            message = reply_recv(endpoint, 0, &[message.word(0) + add], reply);
        }
    })
}

/// Whether a thread has this scheduling context: then it can be unbound from it (and is bound again).
fn has(context: u64, tcb: u64) -> bool {
    let unbound = invoke(context, Label::SchedContextUnbindObject, &[], &[tcb]);
    if unbound.label == 0 {
        must(context, Label::SchedContextBind, &[], &[tcb]);
    }
    unbound.label == 0
}

pub fn a_passive_server_runs_on_its_callers_time(t: &Scene) {
    let endpoint = t.endpoint();
    server(t, endpoint, 5);
    for round in 0..10 {
        equal(call(endpoint, 0, &[round]).word(0), round + 5, "the answer");
    }
}

pub fn a_send_to_a_passive_receiver_waits_for_time(t: &Scene) {
    let endpoint = t.endpoint();
    let passive = t.spawn_passive(ABOVE, move || {
        wait(endpoint);
        shared::set(0, 1);
    });
    send(endpoint, 0, &[]);
    equal(shared::get(0), 0, "whether it ran: Send gives no time");
    must(passive.context, Label::SchedContextBind, &[], &[passive.tcb]);
    equal(shared::get(0), 1, "whether it ran when it was given some");
}

pub fn the_callers_context_is_with_the_server_meanwhile(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    let go = t.notification();
    let passive = t.spawn_passive(ABOVE, move || {
        recv(endpoint, reply);
        wait(go);
        send(reply, 0, &[]);
        recv(endpoint, reply);
    });
    let client = t.spawn(ABOVE, move || {
        call(endpoint, 0, &[]);
        shared::set(0, 1);
        wait(PARK);
    });
    // The server waits for the signal, with the client's context.
    refused(Error::IllegalOperation, client.context, Label::SchedContextUnbindObject, &[], &[client.tcb]);
    signal(go);
    equal(shared::get(0), 1, "whether the client was answered");
    check(has(client.context, client.tcb), "the client has its context back");
    check(!has(client.context, passive.tcb), "the server has none");
}

pub fn a_chain_of_passive_servers(t: &Scene) {
    let endpoints = [t.endpoint(), t.endpoint(), t.endpoint()];
    server(t, endpoints[2], 1);
    for index in [1, 0] {
        let (own, next, reply) = (endpoints[index], endpoints[index + 1], t.reply());
        t.spawn_passive(ABOVE, move || {
            let mut message = recv(own, reply);
            loop {
                let below = call(next, 0, &[message.word(0) * 10]).word(0);
                message = reply_recv(own, 0, &[below + 1], reply);
            }
        });
    }
    equal(call(endpoints[0], 0, &[7]).word(0), 703, "the answer through three servers");
    equal(call(endpoints[0], 0, &[8]).word(0), 803, "the answer through three servers");
}

pub fn the_context_returns_when_the_reply_object_is_deleted(t: &Scene) {
    let (endpoint, reply, go) = (t.endpoint(), t.reply(), t.notification());
    let passive = t.spawn_passive(ABOVE, move || {
        recv(endpoint, reply);
        wait(go);
        shared::set(0, 1);
    });
    let client = t.spawn(ABOVE, move || {
        call(endpoint, 0, &[]);
    });
    t.delete(reply);
    check(has(client.context, client.tcb), "the caller has its context back");
    signal(go);
    equal(shared::get(0), 0, "whether the server ran on");
    check(!has(client.context, passive.tcb), "the server has none");
}

pub fn a_server_that_is_deleted_loses_the_callers_context(t: &Scene) {
    let (endpoint, reply, go) = (t.endpoint(), t.reply(), t.notification());
    let passive = t.spawn_passive(ABOVE, move || {
        recv(endpoint, reply);
        wait(go);
    });
    let client = t.spawn(ABOVE, move || {
        call(endpoint, 0, &[]);
    });
    t.delete(passive.tcb);
    // The caller still waits, and can be answered; it then has no time unless its context came back.
    send(reply, 0, &[]);
    check(has(client.context, client.tcb), "the caller got its context back with the answer");
}

pub fn a_suspended_caller_leaves_its_context_with_the_server(t: &Scene) {
    let (endpoint, reply, go) = (t.endpoint(), t.reply(), t.notification());
    let passive = t.spawn_passive(ABOVE, move || {
        recv(endpoint, reply);
        wait(go);
        shared::set(0, 1);
        wait(PARK);
    });
    let client = t.spawn(ABOVE, move || {
        call(endpoint, 0, &[]);
    });
    client.suspend();
    signal(go);
    equal(shared::get(0), 1, "whether the server went on");
    check(has(client.context, passive.tcb), "the context is the server's");
}

pub fn a_passive_server_without_a_reply_object_gets_no_time(t: &Scene) {
    let endpoint = t.endpoint();
    t.spawn_passive(ABOVE, move || {
        wait(endpoint);
        shared::set(0, 1);
    });
    let client = t.spawn(ABOVE, move || {
        call(endpoint, 0, &[]);
        shared::set(1, 1);
    });
    equal((shared::get(0), shared::get(1)), (0, 0), "whether server and client ran");
    check(has(client.context, client.tcb), "the caller kept its context");
}

pub fn nb_send_recv_gives_the_context_away(t: &Scene) {
    let (a, b, reply) = (t.endpoint(), t.endpoint(), t.reply());
    // Two passive threads hand one scheduling context to and fro; neither has a claim on it.
    t.spawn_passive(ABOVE, move || {
        let mut message = recv(b, reply);
        loop {
            message = nb_send_recv(a, 0, &[message.word(0) + 1], b, reply);
        }
    });
    let other_reply = t.reply();
    let active = t.spawn(ABOVE, move || {
        let message = nb_send_recv(b, 0, &[10], a, other_reply);
        shared::set(0, message.word(0));
        let message = nb_send_recv(b, 0, &[20], a, other_reply);
        shared::set(1, message.word(0));
    });
    equal((shared::get(0), shared::get(1)), (11, 21), "what came back");
    check(has(active.context, active.tcb), "the context came back with it");
}

pub fn a_notification_lends_its_context_to_a_passive_waiter(t: &Scene) {
    let notification = t.notification();
    let badged = t.mint(notification, 2);
    let passive = t.spawn_passive(ABOVE, move || {
        loop {
            shared::set(0, wait(notification).badge + shared::get(0));
        }
    });
    signal(badged);
    equal(shared::get(0), 0, "whether it ran without a context");
    must(passive.context, Label::SchedContextBind, &[], &[passive.tcb]);
    equal(shared::get(0), 2, "whether it ran with one");
    must(passive.context, Label::SchedContextUnbind, &[], &[]);
    // From now on the notification has one to lend.
    must(passive.context, Label::SchedContextBind, &[], &[notification]);
    for round in 2..5 {
        signal(badged);
        equal(shared::get(0), round * 2, "whether it ran on the notification's context");
        let answer = invoke(passive.context, Label::SchedContextUnbindObject, &[], &[passive.tcb]);
        check(answer.is(Error::IllegalOperation), "the context went back when the thread waited again");
    }
}

pub fn a_bound_notification_lends_its_context_to_a_passive_receiver(t: &Scene) {
    let (endpoint, notification, reply) = (t.endpoint(), t.notification(), t.reply());
    let badged = t.mint(notification, 0x80);
    let passive = t.thread(ABOVE);
    must(passive.tcb, Label::TcbBindNotification, &[], &[notification]);
    passive.start(move || {
        loop {
            shared::set(0, recv(endpoint, reply).badge + shared::get(0));
        }
    });
    must(passive.context, Label::SchedContextUnbind, &[], &[]);
    must(passive.context, Label::SchedContextBind, &[], &[notification]);
    signal(badged);
    signal(badged);
    equal(shared::get(0), 0x100, "badges of two signals");
}

pub fn a_passive_fault_handler_runs_on_the_faulting_threads_time(t: &Scene) {
    let (faults, reply) = (t.endpoint(), t.reply());
    t.spawn_passive(ABOVE, move || {
        let mut message = recv(faults, reply);
        loop {
            shared::add(0, 1);
            // Behind the two bytes of `ud2`.
            message = reply_recv(faults, 0, &[message.word(0) + 2], reply);
        }
    });
    t.spawn_handled(ABOVE, faults, || {
        // SAFETY: the handler lets the thread go on behind the instruction.
        unsafe { core::arch::asm!("ud2", "ud2") };
        shared::set(1, 1);
    });
    equal((shared::get(0), shared::get(1)), (2, 1), "faults handled, and whether the thread went on");
}

pub fn a_passive_server_runs_at_its_own_priority(t: &Scene) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    t.spawn_passive(BELOW, move || {
        let message = recv(endpoint, reply);
        shared::set(0, 1);
        send(reply, 0, &[message.word(0)]);
        wait(PARK);
    });
    t.spawn(ABOVE, move || {
        call(endpoint, 0, &[]);
        shared::set(1, 1);
    });
    equal(shared::get(0), 0, "whether the server ran: it is below this thread");
    crate::scene::thread::set_main_priority(BELOW - 1);
    equal((shared::get(0), shared::get(1)), (1, 1), "whether both ran then");
}
