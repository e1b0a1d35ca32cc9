//! The sending phase of every system call: to endpoints, notifications and reply objects, with and without somebody there.
//!
//! One thread makes the system call, above the thread that runs the test; words tell whether it has come back and what it then had in its
//! registers. Another one is whoever it finds. Calls that receive, too, do so from an endpoint at which nothing is until the sending phase has been checked.

use crate::check::{equal, fail};
use crate::scene::fixed::*;
use crate::scene::message::{self, Message, nb_recv, nb_wait, recv, wait};
use crate::scene::{Scene, shared};
use crate::table::cells::{Case, Cell, To, cells};
use chestnut_abi::Syscall;
use chestnut_abi::behaviour::Sending;

pub const LABEL: u64 = 0x123;
/// One word more than registers hold.
pub const WORDS: [u64; 5] = [21, 22, 23, 24, 25];
pub const ANSWER_LABEL: u64 = 0x456;
pub const ANSWER: [u64; 5] = [31, 32, 33, 34, 35];
pub const BADGE: u64 = 0x40;

/// Priority of the thread that the system call finds: above the one that makes the call.
pub const OTHER: u64 = ABOVE + 5;

/// What became of a thread, in words that threads share.
#[derive(Clone, Copy)]
pub struct Record(usize);

/// The thread that makes the system call.
pub const CALLER: Record = Record(0);
/// The thread that it finds.
pub const FOUND: Record = Record(10);

const STATE: usize = 0;
pub const WAITS: u64 = 1;
pub const BACK: u64 = 2;

impl Record {
    /// The thread does something that may wait; then it notes what came of it.
    pub fn around(self, act: impl FnOnce() -> Message) {
        shared::set(self.0 + STATE, WAITS);
        let message = act();
        for (index, value) in
            [message.badge, message.label(), message.length() as u64, message.word(0), message.word(4)]
                .into_iter()
                .enumerate()
        {
            shared::set(self.0 + 1 + index, value);
        }
        shared::set(self.0 + STATE, BACK);
    }

    #[track_caller]
    pub fn expect_state(self, expected: u64, when: &str) {
        let who = if self.0 == CALLER.0 { "caller" } else { "other thread" };
        if shared::get(self.0 + STATE) != expected {
            let how = if expected == WAITS { "waits" } else { "came back" };
            fail(format_args!("not so: the {who} {how} {when}"));
        }
    }

    /// It is back, with a message like this.
    #[track_caller]
    pub fn expect_message(self, badge: u64, label: u64, words: [u64; 5]) {
        self.expect_state(BACK, "with a message");
        let found: [u64; 5] = core::array::from_fn(|index| shared::get(self.0 + 1 + index));
        equal(found, [badge, label, 5, words[0], words[4]], "badge, label, length, first and fifth word");
    }

    /// It is back with this badge and no message.
    #[track_caller]
    pub fn expect_badge(self, badge: u64) {
        self.expect_state(BACK, "with a badge");
        equal(shared::get(self.0 + 1), badge, "the badge");
    }
}

/// The capabilities of a system call.
#[derive(Clone, Copy, Default)]
pub struct Through {
    pub to: u64,
    pub from: u64,
    pub reply: u64,
}

/// Makes the system call with the message above.
pub fn make(call: Syscall, caps: Through) -> Message {
    let Through { to, from, reply } = caps;
    match call {
        Syscall::Call => return message::call(to, LABEL, &WORDS),
        Syscall::ReplyRecv => return message::reply_recv(from, LABEL, &WORDS, reply),
        Syscall::NBSendRecv => return message::nb_send_recv(to, LABEL, &WORDS, from, reply),
        Syscall::NBSendWait => return message::nb_send_wait(to, LABEL, &WORDS, from),
        Syscall::Send => message::send(to, LABEL, &WORDS),
        Syscall::NBSend => message::nb_send(to, LABEL, &WORDS),
        Syscall::Recv => return recv(from, reply),
        Syscall::NBRecv => return nb_recv(from, reply),
        Syscall::Wait => return wait(from),
        Syscall::NBWait => return nb_wait(from),
        other => fail(format_args!("{other:?} neither sends nor receives")),
    }
    Message::default()
}

/// The cell with the name of a test in `table`.
#[track_caller]
pub fn cell(table: &str, name: &str) -> Cell {
    match cells().find(|cell| cell.table == table && cell.is_named(name)) {
        Some(cell) => cell,
        None => fail(format_args!("{table} has no cell {name}")),
    }
}

pub fn run(t: &Scene, name: &str) {
    let Case::Send(row, sending, to) = cell("sending", name).case else { fail(format_args!("{name} sends nothing")) };
    let (endpoint, notification, reply) = (t.endpoint(), t.notification(), t.reply());
    // Where calls that receive, too, receive from, and the reply object of whoever gets the message.
    let (from, answers) = (t.endpoint(), t.reply());
    let caps = Through {
        to: match to {
            To::EndpointWithReceiver | To::EndpointWithoutReceiver => t.mint(endpoint, BADGE),
            To::NotificationWithWaiter | To::NotificationWithoutWaiter => t.mint(notification, BADGE),
            To::ReplyWithCaller | To::ReplyWithoutCaller => reply,
        },
        from,
        reply: if sending == Sending::Replies { reply } else { t.reply() },
    };

    // Whoever is there comes first.
    match to {
        To::EndpointWithReceiver => _ = t.spawn(OTHER, move || FOUND.around(|| recv(endpoint, answers))),
        To::NotificationWithWaiter => _ = t.spawn(OTHER, move || FOUND.around(|| wait(notification))),
        To::ReplyWithCaller => {
            t.spawn(OTHER, move || FOUND.around(|| message::call(endpoint, 1, &[])));
            recv(endpoint, reply);
            FOUND.expect_state(WAITS, "for its answer");
        }
        To::EndpointWithoutReceiver | To::NotificationWithoutWaiter | To::ReplyWithoutCaller => {}
    }
    t.spawn(ABOVE, move || CALLER.around(|| make(row.call, caps)));

    // What arrived, and whether the sending phase is over.
    let is_endpoint = matches!(to, To::EndpointWithReceiver | To::EndpointWithoutReceiver);
    match to {
        To::EndpointWithReceiver => FOUND.expect_message(BADGE, LABEL, WORDS),
        To::ReplyWithCaller => FOUND.expect_message(0, LABEL, WORDS),
        To::NotificationWithWaiter => {
            FOUND.expect_badge(BADGE);
            equal(nb_wait(notification).badge, 0, "what is left of the signal");
        }
        To::NotificationWithoutWaiter => equal(nb_wait(notification).badge, BADGE, "the signal that is kept"),
        To::ReplyWithoutCaller => {}
        To::EndpointWithoutReceiver if sending == Sending::AtOnce => {
            equal(nb_recv(endpoint, answers).badge, 0, "what is at the endpoint");
        }
        To::EndpointWithoutReceiver => {
            CALLER.expect_state(WAITS, "for a receiver");
            let message = recv(endpoint, answers);
            equal((message.badge, message.label(), message.length()), (BADGE, LABEL, 5), "badge, label, length");
            equal((message.word(0), message.word(4)), (WORDS[0], WORDS[4]), "first and fifth word");
        }
    }
    if sending == Sending::Calls && is_endpoint {
        CALLER.expect_state(WAITS, "for the answer");
        message::send(answers, ANSWER_LABEL, &ANSWER);
        return CALLER.expect_message(0, ANSWER_LABEL, ANSWER);
    }
    if row.receiving.is_none() {
        CALLER.expect_state(BACK, "from its sending phase");
        if sending == Sending::Calls {
            // Nothing is called that could answer: the call is over with a success.
            equal([1, 2, 3].map(shared::get), [0, 0, 0], "badge, label and length of the answer");
        }
        return;
    }
    CALLER.expect_state(WAITS, "in its receiving phase");
    message::send(t.mint(from, BADGE), ANSWER_LABEL, &ANSWER);
    CALLER.expect_message(BADGE, ANSWER_LABEL, ANSWER);
}
