//! Send and NBSend: a signal, an answer through a reply object that was kept, or a message to a thread that waits for one. The sender goes on
//! running unless the other one has a higher priority.
//!
//! Who gets the message has a scheduling context of its own: the sender's doesn't go along.
#![forbid(unsafe_code)]

use super::steps::{
    NotFast, Plain, answer_fault, find, hand_over, has_faulted, leave_queue, lets_go_on, plain_message,
};
use super::turns::{Turn, displace, is_higher, later, look, take_turn, turn};
use crate::cap::{Cap, Kind};
use crate::mem::Ref;
use crate::object::{Kernel, Notification, Reply, SchedContext, Tcb, ThreadState};
use chestnut_abi::message::REGISTER_WORDS;
use chestnut_abi::{CapRights, MessageInfo};

/// Makes a Send or NBSend of `thread`, which runs, if it is a common one.
#[inline(always)]
pub fn send<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<(), NotFast> {
    let cap = find(k, thread, thread.context.capability_register())?;
    let Some(notification) = cap.as_signalled(k) else { return send_message(k, thread, cap) };
    // A signal has no message, but fails if a capability beside it isn't there.
    if MessageInfo(thread.context.message_info()).extra_caps() != 0 {
        return Err(NotFast);
    }
    signal(k, thread, notification, cap.badge())
}

/// Signals a notification while `thread` runs.
#[inline(always)]
pub fn signal<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    notification: Ref<'k, Notification>,
    badge: u64,
) -> Result<(), NotFast> {
    let Some(waiter) = notification.queue.first(k) else { return leave_signal(k, notification, badge) };
    let own = waiter.sched_context.get(k).ok_or(NotFast)?;
    if is_higher(waiter, thread) {
        return signal_higher(k, thread, notification, badge, waiter, own);
    }
    let turn = later(k, own)?;
    give_signal(k, notification, waiter, badge);
    take_turn(k, thread, waiter, turn);
    Ok(())
}

/// Signals one that has a higher priority; where one of the two hasn't a round-robin context, apart.
#[inline(never)]
fn signal_higher<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    notification: Ref<'k, Notification>,
    badge: u64,
    waiter: Ref<'k, Tcb>,
    own: Ref<'k, SchedContext>,
) -> Result<(), NotFast> {
    let Ok(change) = look(k, thread, waiter, own) else {
        return signal_apart(k, thread, notification, badge, waiter, own);
    };
    give_signal(k, notification, waiter, badge);
    change.make(k, thread, waiter)
}

#[inline(never)]
fn signal_apart<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    notification: Ref<'k, Notification>,
    badge: u64,
    waiter: Ref<'k, Tcb>,
    own: Ref<'k, SchedContext>,
) -> Result<(), NotFast> {
    displace(k, thread, waiter, own)?;
    give_signal(k, notification, waiter, badge);
    Ok(())
}

/// The first thread that waits takes the signal.
#[inline(always)]
fn give_signal<'k>(k: Kernel<'k>, notification: Ref<'k, Notification>, waiter: Ref<'k, Tcb>, badge: u64) {
    notification.queue.pop_front(k, waiter);
    waiter.waiting_on.clear();
    leave_queue(waiter);
    waiter.context.set_badge(badge);
}

/// Nobody waits: the signal is kept, unless a thread that is bound to the notification waits elsewhere.
#[inline(always)]
fn leave_signal<'k>(k: Kernel<'k>, notification: Ref<'k, Notification>, badge: u64) -> Result<(), NotFast> {
    if notification.active.get() {
        notification.badge.set(notification.badge.get() | badge);
        return Ok(());
    }
    if notification.bound_tcb.get(k).is_some_and(|bound| bound.state.get() == ThreadState::BlockedOnReceive) {
        return Err(NotFast);
    }
    notification.badge.set(badge);
    notification.active.set(true);
    Ok(())
}

/// Sends a message to the first thread that waits at an endpoint, or answers a caller, or one that has faulted, that nobody has lent time to.
#[inline(never)]
fn send_message<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, cap: Cap) -> Result<(), NotFast> {
    let info = plain_message(thread)?;
    let (to, badge) = match cap.kind() {
        Kind::Reply => {
            let reply = cap.as_reply(k).filter(|reply| reply.is_in_no_stack()).ok_or(NotFast)?;
            let waits = |caller: &Ref<'k, Tcb>| caller.state.get() == ThreadState::BlockedOnReply;
            let caller = reply.tcb.get(k).filter(waits).ok_or(NotFast)?;
            if has_faulted(caller) {
                return answer_faulted(k, thread, info, reply, caller);
            }
            (caller, 0)
        }
        Kind::Endpoint if cap.rights().contains(CapRights::WRITE) => {
            let endpoint = cap.as_endpoint(k).ok_or(NotFast)?;
            let receives = |first: &Ref<'k, Tcb>| first.state.get() == ThreadState::BlockedOnReceive;
            (endpoint.queue.first(k).filter(receives).ok_or(NotFast)?, cap.badge())
        }
        _ => return Err(NotFast),
    };
    let own = to.sched_context.get(k).ok_or(NotFast)?;
    if is_higher(to, thread)
        && info.length() <= REGISTER_WORDS
        && let Ok(change) = look(k, thread, to, own)
    {
        wait_no_more(k, to);
        hand_over(k, thread, to, info, badge);
        return change.make(k, thread, to);
    }
    send_apart(k, thread, info, badge, to, own)
}

/// Answers one that has faulted.
#[inline(never)]
fn answer_faulted<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: Plain,
    reply: Ref<'k, Reply>,
    caller: Ref<'k, Tcb>,
) -> Result<(), NotFast> {
    let own = caller.sched_context.get(k).ok_or(NotFast)?;
    if !lets_go_on(caller, info) {
        return Err(NotFast);
    }
    let turn = turn(k, thread, caller, own)?;
    caller.reply.clear();
    reply.tcb.clear();
    answer_fault(k, thread, caller, info);
    if turn == Turn::Now {
        caller.context.restart();
        caller.state.set(ThreadState::Running);
    } else {
        caller.state.set(ThreadState::Restart);
    }
    take_turn(k, thread, caller, turn);
    Ok(())
}

/// Sends a message to one that has no higher priority, and in the other less common cases.
#[inline(never)]
fn send_apart<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: Plain,
    badge: u64,
    to: Ref<'k, Tcb>,
    own: Ref<'k, SchedContext>,
) -> Result<(), NotFast> {
    let turn = turn(k, thread, to, own)?;
    wait_no_more(k, to);
    hand_over(k, thread, to, info, badge);
    take_turn(k, thread, to, turn);
    Ok(())
}

/// A thread waits no more, neither in the queue of an endpoint, where it is the first, nor on a reply object: who has received a message that isn't
/// a call answers nobody through the one that it had set aside.
#[inline(always)]
fn wait_no_more<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) {
    if let Some(endpoint) = thread.endpoint.get(k) {
        endpoint.queue.pop_front(k, thread);
        thread.endpoint.clear();
    }
    leave_queue(thread);
    if let Some(reply) = thread.reply.get(k) {
        reply.tcb.clear();
        thread.reply.clear();
    }
}
