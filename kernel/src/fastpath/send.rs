//! Send and NBSend: a signal, an answer through a reply object that was kept, or a message to a thread that waits for one. The sender goes on
//! running unless the other one has a higher priority.
//!
//! Who gets the message has a scheduling context of its own: the sender's doesn't go along.
#![forbid(unsafe_code)]

use super::steps::{
    NotFast, Otherwise, Plain, answer_fault, find, hand_over, has_faulted, leave_queue, lets_go_on, or, plain_message,
};
use super::turns::{Turn, is_higher, look, take_turn, turn};
use crate::arch::Resumed;
use crate::cap::{Cap, Kind};
use crate::mem::Ref;
use crate::object::{Kernel, Notification, SchedContext, Tcb, ThreadState};
use chestnut_abi::message::REGISTER_WORDS;
use chestnut_abi::{CapRights, MessageInfo};

/// Makes a Send or NBSend of `thread`, which runs, if it is a common one; `otherwise` does what is left if it isn't.
#[inline(always)]
pub fn send<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, otherwise: impl Otherwise<'k>) -> Resumed {
    let Ok(cap) = find(k, thread, thread.context.capability_register()) else { return otherwise(k, thread) };
    let Some(notification) = cap.as_signalled(k) else { return send_message(k, thread, cap, otherwise) };
    // A signal has no message, but fails if a capability beside it isn't there.
    if MessageInfo(thread.context.message_info()).extra_caps() != 0 {
        return otherwise(k, thread);
    }
    or(k, signal(k, thread, notification, cap.badge()), otherwise)
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
    if is_higher(waiter, thread) || !own.is_round_robin() {
        return signal_apart(k, thread, notification, badge, waiter, own);
    }
    give_signal(k, notification, waiter, badge);
    take_turn(k, thread, waiter, Turn::Later);
    Ok(())
}

/// Signals one that has a higher priority, or whose context isn't a round-robin one.
#[inline(never)]
fn signal_apart<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    notification: Ref<'k, Notification>,
    badge: u64,
    waiter: Ref<'k, Tcb>,
    own: Ref<'k, SchedContext>,
) -> Result<(), NotFast> {
    if is_higher(waiter, thread)
        && let Ok(change) = look(k, thread, waiter, own)
    {
        give_signal(k, notification, waiter, badge);
        _ = change.make(k, thread, waiter);
        return Ok(());
    }
    signal_slowly(k, thread, notification, badge, waiter, own)
}

/// The same where one of the two contexts isn't a round-robin one.
#[inline(never)]
fn signal_slowly<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    notification: Ref<'k, Notification>,
    badge: u64,
    waiter: Ref<'k, Tcb>,
    own: Ref<'k, SchedContext>,
) -> Result<(), NotFast> {
    let turn = turn(k, thread, waiter, own)?;
    give_signal(k, notification, waiter, badge);
    take_turn(k, thread, waiter, turn);
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

/// Sends a message to the first thread that waits at an endpoint, or answers a caller, or one that has faulted, that nobody has lent time to. The
/// commonest case is one of a higher priority, both on round-robin contexts.
#[inline(never)]
fn send_message<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, cap: Cap, otherwise: impl Otherwise<'k>) -> Resumed {
    let Ok(Sent { info, to, own, badge }) = sent(k, thread, cap) else { return otherwise(k, thread) };
    if is_higher(to, thread)
        && info.length() <= REGISTER_WORDS
        && !has_faulted(to)
        && let Ok(change) = look(k, thread, to, own)
    {
        wait_no_more(k, to);
        hand_over(k, thread, to, info, badge);
        return change.make(k, thread, to);
    }
    or(k, send_apart(k, thread, info, to, own, badge), otherwise)
}

/// A message and who receives it, on which context.
struct Sent<'k> {
    info: Plain,
    to: Ref<'k, Tcb>,
    own: Ref<'k, SchedContext>,
    badge: u64,
}

#[inline(always)]
fn sent<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, cap: Cap) -> Result<Sent<'k>, NotFast> {
    let info = plain_message(thread)?;
    let (to, state, badge) = match cap.kind() {
        Kind::Reply => {
            let reply = cap.as_reply(k).filter(|reply| reply.is_in_no_stack()).ok_or(NotFast)?;
            (reply.tcb.get(k), ThreadState::BlockedOnReply, 0)
        }
        Kind::Endpoint if cap.rights().contains(CapRights::WRITE) => {
            let endpoint = cap.as_endpoint(k).ok_or(NotFast)?;
            (endpoint.queue.first(k), ThreadState::BlockedOnReceive, cap.badge())
        }
        _ => return Err(NotFast),
    };
    let to = to.filter(|to| to.state.get() == state).ok_or(NotFast)?;
    Ok(Sent { info, to, own: to.sched_context.get(k).ok_or(NotFast)?, badge })
}

/// Sends a message in the less common cases: to one that has no higher priority, or has faulted, or whose context isn't a round-robin one.
#[inline(never)]
fn send_apart<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: Plain,
    to: Ref<'k, Tcb>,
    own: Ref<'k, SchedContext>,
    badge: u64,
) -> Result<(), NotFast> {
    let faulted = has_faulted(to);
    if faulted && !lets_go_on(to, info) {
        return Err(NotFast);
    }
    let turn = turn(k, thread, to, own)?;
    wait_no_more(k, to);
    if !faulted {
        hand_over(k, thread, to, info, badge);
    } else {
        answer_fault(k, thread, to, info);
        match turn {
            Turn::Now => to.context.restart(),
            Turn::Later => to.state.set(ThreadState::Restart),
        }
    }
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
