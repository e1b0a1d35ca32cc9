//! The receiving phase of every system call: from endpoints, notifications and bound notifications, with and without something there.
//!
//! As in `sending`, whose records and messages it uses. The sending phase of calls that have both signals a notification or answers nobody.

use super::sending::{
    ANSWER, ANSWER_LABEL, BACK, BADGE, CALLER, FOUND, LABEL, OTHER, Through, WAITS, WORDS, cell, make,
};
use crate::check::{equal, fail};
use crate::scene::fixed::*;
use crate::scene::invoke::must;
use crate::scene::message::{call, nb_send, nb_wait, send, signal, wait};
use crate::scene::{Scene, shared};
use crate::table::cells::{Case, From};
use chestnut_abi::Label;
use chestnut_abi::behaviour::Sending;

/// The badge that the sending phase signals.
const SIGNALLED: u64 = 0x80;

pub fn run(t: &Scene, name: &str) {
    let Case::Receive(row, receiving, from) = cell("receiving", name).case else {
        fail(format_args!("{name} receives nothing"))
    };
    let (endpoint, notification, reply, elsewhere) = (t.endpoint(), t.notification(), t.reply(), t.notification());
    let (to_endpoint, to_notification) = (t.mint(endpoint, BADGE), t.mint(notification, BADGE));
    let source = match from {
        From::NotificationWithSignal | From::NotificationWithoutSignal => notification,
        _ => endpoint,
    };
    let caps = Through { to: t.mint(elsewhere, SIGNALLED), from: source, reply };

    // What is there comes first.
    match from {
        From::EndpointWithSender => {
            t.spawn(OTHER, move || {
                FOUND.around(|| {
                    send(to_endpoint, LABEL, &WORDS);
                    Default::default()
                })
            });
        }
        From::EndpointWithCaller => _ = t.spawn(OTHER, move || FOUND.around(|| call(to_endpoint, LABEL, &WORDS))),
        From::NotificationWithSignal | From::EndpointWithBoundSignal => signal(to_notification),
        From::EndpointWithoutSender | From::NotificationWithoutSignal | From::EndpointWithoutBoundSignal => {}
    }
    let caller = t.thread(ABOVE);
    let is_bound = matches!(from, From::EndpointWithBoundSignal | From::EndpointWithoutBoundSignal);
    if is_bound {
        must(caller.tcb, Label::TcbBindNotification, &[], &[notification]);
    }
    caller.start(move || CALLER.around(|| make(row.call, caps)));
    if row.sending == Some(Sending::AtOnce) {
        equal(nb_wait(elsewhere).badge, SIGNALLED, "what the sending phase signalled");
    }

    match from {
        From::EndpointWithSender => {
            CALLER.expect_message(BADGE, LABEL, WORDS);
            FOUND.expect_state(BACK, "when it was received from");
        }
        From::EndpointWithCaller => {
            CALLER.expect_message(BADGE, LABEL, WORDS);
            FOUND.expect_state(WAITS, "for an answer");
            send(reply, ANSWER_LABEL, &ANSWER);
            if receiving.takes_reply {
                FOUND.expect_message(0, ANSWER_LABEL, ANSWER);
            } else {
                FOUND.expect_state(WAITS, "for an answer that nobody can give");
            }
        }
        From::NotificationWithSignal | From::EndpointWithBoundSignal => {
            CALLER.expect_badge(BADGE);
            if !is_bound {
                equal(nb_wait(notification).badge, 0, "what is left of the signal");
            }
        }
        _ if receiving.waits => {
            CALLER.expect_state(WAITS, "for something to receive");
            if from == From::EndpointWithoutSender {
                send(to_endpoint, LABEL, &WORDS);
                CALLER.expect_message(BADGE, LABEL, WORDS);
            } else {
                signal(to_notification);
                CALLER.expect_badge(BADGE);
            }
        }
        From::EndpointWithoutSender => {
            CALLER.expect_badge(0);
            // It doesn't stand in the queue either: what is sent now goes to the next who receives.
            t.spawn(OTHER, move || FOUND.around(|| wait(endpoint)));
            nb_send(to_endpoint, LABEL, &WORDS);
            FOUND.expect_message(BADGE, LABEL, WORDS);
        }
        From::NotificationWithoutSignal => {
            CALLER.expect_badge(0);
            signal(to_notification);
            equal(nb_wait(notification).badge, BADGE, "the signal that came later");
        }
        From::EndpointWithoutBoundSignal => {
            CALLER.expect_badge(0);
            signal(to_notification);
            equal(shared::get(1), 0, "the caller's badge after a signal that came later");
            must(caller.tcb, Label::TcbUnbindNotification, &[], &[]);
            equal(nb_wait(notification).badge, BADGE, "the signal that came later");
        }
    }
}
