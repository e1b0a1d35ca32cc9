//! Send and NBSend: a signal, an answer through a reply object that was kept, or a message to a thread that waits for one. The sender goes on
//! running unless the other one has a higher priority.
//!
//! Who gets the message has a scheduling context of its own: the sender's doesn't go along.
#![forbid(unsafe_code)]

use super::steps::{
    NotFast, Plain, answer_fault, find, hand_over, has_faulted, is_higher, later, leave_queue, lets_go_on, now,
    plain_message, take_turn, turn,
};
use crate::cap::Kind;
use crate::mem::Ref;
use crate::object::{Endpoint, Kernel, Notification, Reply, SchedContext, Tcb, ThreadState};
use chestnut_abi::{CapRights, MessageInfo};

/// Makes a Send or NBSend of `thread`, which runs, if it is a common one.
#[inline(always)]
pub fn send<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<(), NotFast> {
    let cap = find(k, thread, thread.context.capability_register())?;
    match cap.kind() {
        Kind::Reply => answer(k, thread, cap.as_reply(k).ok_or(NotFast)?),
        Kind::Endpoint if cap.rights().contains(CapRights::WRITE) => {
            send_message(k, thread, cap.as_endpoint(k).ok_or(NotFast)?, cap.badge())
        }
        // A signal has no message, but fails if a capability beside it isn't there.
        _ if MessageInfo(thread.context.message_info()).extra_caps() != 0 => Err(NotFast),
        _ => signal(k, thread, cap.as_signalled(k).ok_or(NotFast)?, cap.badge()),
    }
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
    take_turn(k, thread, waiter, own, turn);
    Ok(())
}

#[inline(never)]
fn signal_higher<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    notification: Ref<'k, Notification>,
    badge: u64,
    waiter: Ref<'k, Tcb>,
    own: Ref<'k, SchedContext>,
) -> Result<(), NotFast> {
    let turn = now(k, thread, waiter, own)?;
    give_signal(k, notification, waiter, badge);
    take_turn(k, thread, waiter, own, turn);
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

/// Answers a caller, or a thread that has faulted, that nobody has lent time to.
#[inline(never)]
fn answer<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, reply: Ref<'k, Reply>) -> Result<(), NotFast> {
    let info = plain_message(thread)?;
    let caller = reply.tcb.get(k).filter(|caller| caller.state.get() == ThreadState::BlockedOnReply).ok_or(NotFast)?;
    if !reply.is_in_no_stack() {
        return Err(NotFast);
    }
    let own = caller.sched_context.get(k).ok_or(NotFast)?;
    if has_faulted(caller) || is_higher(caller, thread) {
        return answer_apart(k, thread, info, reply, caller, own);
    }
    let turn = later(k, own)?;
    caller.reply.clear();
    reply.tcb.clear();
    hand_over(k, thread, caller, info, 0);
    caller.state.set(ThreadState::Running);
    take_turn(k, thread, caller, own, turn);
    Ok(())
}

/// The same for one that has faulted or runs at once.
#[inline(never)]
fn answer_apart<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: Plain,
    reply: Ref<'k, Reply>,
    caller: Ref<'k, Tcb>,
    own: Ref<'k, SchedContext>,
) -> Result<(), NotFast> {
    let turn = turn(k, thread, caller, own)?;
    if !has_faulted(caller) {
        caller.reply.clear();
        reply.tcb.clear();
        hand_over(k, thread, caller, info, 0);
        caller.state.set(ThreadState::Running);
    } else if lets_go_on(caller, info) {
        caller.reply.clear();
        reply.tcb.clear();
        answer_fault(k, thread, caller, info);
        caller.state.set(ThreadState::Restart);
    } else {
        return Err(NotFast);
    }
    take_turn(k, thread, caller, own, turn);
    Ok(())
}

/// Sends to the first thread that waits at an endpoint.
#[inline(never)]
fn send_message<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    endpoint: Ref<'k, Endpoint>,
    badge: u64,
) -> Result<(), NotFast> {
    let info = plain_message(thread)?;
    let receives = |first: &Ref<'k, Tcb>| first.state.get() == ThreadState::BlockedOnReceive;
    let receiver = endpoint.queue.first(k).filter(receives).ok_or(NotFast)?;
    let own = receiver.sched_context.get(k).ok_or(NotFast)?;
    let turn = turn(k, thread, receiver, own)?;

    endpoint.queue.pop_front(k, receiver);
    receiver.endpoint.clear();
    leave_queue(receiver);
    // Nobody will be answered through what it had set aside for a caller.
    if let Some(reply) = receiver.reply.take(k) {
        reply.tcb.clear();
    }
    hand_over(k, thread, receiver, info, badge);
    take_turn(k, thread, receiver, own, turn);
    Ok(())
}
