//! Messages other than calls to a server that waits: Send and Recv, signals, Yield, and system calls that do nothing.

use crate::report::{between, row, rows};
use crate::shot::Shot;
use chestnut_abi::{MessageInfo, Syscall};
use chestnut_kernel_tests::scene::Scene;
use chestnut_kernel_tests::scene::fixed::{ABOVE, BELOW, MAIN, NOTHING};
use chestnut_kernel_tests::scene::message::{recv, wait};
use chestnut_kernel_tests::scene::thread::set_main_priority;

static SENDER: Shot = Shot::new();
static RECEIVER: Shot = Shot::new();

/// A message of four words; a signal is one of none.
const FOUR: MessageInfo = MessageInfo::new(7, 0, 0, 4);
const NONE: MessageInfo = MessageInfo::new(0, 0, 0, 0);

fn fire_for_ever(shot: &Shot) {
    loop {
        shot.fire();
    }
}

pub fn nothing(t: &Scene) {
    SENDER.aim(Syscall::SetTlsBase, 0, NONE, [0; 4]);
    one_shot("null.set-tls");
    SENDER.aim(Syscall::NBSend, NOTHING, NONE, [0; 4]);
    one_shot("null.empty-slot");
    SENDER.aim(Syscall::Call, t.untyped, NONE, [0; 4]);
    one_shot("null.refused");
    SENDER.aim(Syscall::NBWait, t.notification(), NONE, [0; 4]);
    one_shot("null.poll");
    SENDER.aim(Syscall::Yield, 0, NONE, [0; 4]);
    one_shot("yield.alone");
    RECEIVER.aim(Syscall::Yield, 0, NONE, [0; 4]);
    t.spawn(MAIN, || fire_for_ever(&RECEIVER));
    row(format_args!("yield.other"), || {
        SENDER.fire();
        between(SENDER.before(), RECEIVER.after())
    });
}

fn one_shot(name: &str) {
    row(format_args!("{name}"), || {
        SENDER.fire();
        between(SENDER.before(), SENDER.after())
    });
}

pub fn signals(t: &Scene) {
    let notification = t.notification();
    SENDER.aim(Syscall::Send, t.mint(notification, 1), NONE, [0; 4]);
    one_shot("signal.nobody");
    wait(notification);
    RECEIVER.aim(Syscall::Wait, notification, NONE, [0; 4]);
    let waiter = t.spawn(ABOVE, || fire_for_ever(&RECEIVER));
    rows(format_args!("higher"), ["signal", "wait"], || {
        SENDER.fire();
        [between(SENDER.before(), RECEIVER.after()), between(RECEIVER.before(), SENDER.after())]
    });
    waiter.suspend();
    t.spawn(BELOW, || fire_for_ever(&RECEIVER));
    row(format_args!("signal.lower"), || {
        // The waiter runs until it waits.
        set_main_priority(BELOW - 1);
        set_main_priority(MAIN);
        SENDER.fire();
        between(SENDER.before(), SENDER.after())
    });
}

pub fn sends(t: &Scene) {
    let endpoint = t.endpoint();
    SENDER.aim(Syscall::Send, endpoint, FOUR, [1, 2, 3, 4]);
    RECEIVER.aim(Syscall::Recv, endpoint, NONE, [0; 4]);
    RECEIVER.with_reply(t.reply());
    let receiver = t.spawn(ABOVE, || fire_for_ever(&RECEIVER));
    rows(format_args!("higher"), ["send", "recv"], || {
        SENDER.fire();
        [between(SENDER.before(), RECEIVER.after()), between(RECEIVER.before(), SENDER.after())]
    });
    receiver.suspend();
    kept_reply(t, ABOVE, "higher");
    kept_reply(t, BELOW, "lower");
}

/// An active server answers through a reply object, in a system call of its own.
fn kept_reply(t: &Scene, priority: u64, name: &str) {
    let (endpoint, reply) = (t.endpoint(), t.reply());
    SENDER.aim(Syscall::Send, reply, FOUR, [1, 2, 3, 4]);
    RECEIVER.aim(Syscall::Call, endpoint, FOUR, [1, 2, 3, 4]);
    let client = t.spawn(priority, || fire_for_ever(&RECEIVER));
    row(format_args!("send.reply.{name}"), || {
        recv(endpoint, reply);
        SENDER.fire();
        let end = if priority > MAIN { RECEIVER.after() } else { SENDER.after() };
        between(SENDER.before(), end)
    });
    client.suspend();
}
