//! ReplyRecv: a caller, or a thread that has faulted, is answered, and nobody is waiting to send the next message.
#![forbid(unsafe_code)]

use super::steps::{
    NotFast, answer_fault, find, give, hand_over, has_faulted, lets_go_on, loadable, moment, only_endpoint_matters,
    plain_info, run, switch_slices, wait_for_message,
};
use crate::cap::{Cap, Kind};
use crate::mem::Ref;
use crate::object::{Above, Kernel, Reply, Tcb, ThreadState};
use crate::time;
use chestnut_abi::{CapRights, MessageInfo};

/// Makes a ReplyRecv of `thread`, which runs, if it is a common one.
#[inline(always)]
pub fn reply_recv<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, capability: u64, info: u64) -> Result<(), NotFast> {
    let reply = find(k, thread, thread.context.reply_register())?.as_reply(k).ok_or(NotFast)?;
    let cap = find(k, thread, capability)?;
    let info = plain_info(info)?;
    if cap.kind() != Kind::Endpoint || !cap.rights().contains(CapRights::READ) {
        return Err(NotFast);
    }
    if !only_endpoint_matters(k, thread) {
        return Err(NotFast);
    }
    let caller = reply.tcb.get(k).ok_or(NotFast)?;
    if caller.state.get() != ThreadState::BlockedOnReply || !time::outranks_ready(k, caller) {
        return Err(NotFast);
    }
    if !caller.sched_context.is_none() || has_faulted(caller) {
        return answer_active_caller(k, thread, info, cap, reply, caller);
    }
    answer::<true>(k, thread, info, cap, reply, caller)
}

/// Answers a caller that has a scheduling context of its own, or has faulted; the commonest such case apart.
#[inline(never)]
fn answer_active_caller<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: MessageInfo,
    cap: Cap,
    reply: Ref<'k, Reply>,
    caller: Ref<'k, Tcb>,
) -> Result<(), NotFast> {
    match answer_in_slice(k, thread, info, cap, reply, caller) {
        Err(NotFast) => answer_common_caller(k, thread, info, cap, reply, caller),
        done => done,
    }
}

/// The commonest: it hasn't faulted, and both have round-robin contexts.
#[inline(always)]
fn answer_in_slice<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: MessageInfo,
    cap: Cap,
    reply: Ref<'k, Reply>,
    caller: Ref<'k, Tcb>,
) -> Result<(), NotFast> {
    let own = caller.sched_context.get(k).filter(|_| !has_faulted(caller)).ok_or(NotFast)?;
    if reply.above(k) != Above::Nothing || !reply.below.is_none() {
        return Err(NotFast);
    }
    let endpoint = cap.as_endpoint(k).filter(|endpoint| endpoint.queue.is_empty()).ok_or(NotFast)?;
    let root = loadable(k, caller)?;
    let context = thread.sched_context.get(k).ok_or(NotFast)?;
    switch_slices(k, context, own)?;
    caller.reply.clear();
    caller.state.set(ThreadState::Running);
    wait_for_message(k, thread, endpoint, cap, reply);
    hand_over(k, thread, caller, info, 0);
    run(k, thread, caller, root);
    Ok(())
}

#[inline(never)]
fn answer_common_caller<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: MessageInfo,
    cap: Cap,
    reply: Ref<'k, Reply>,
    caller: Ref<'k, Tcb>,
) -> Result<(), NotFast> {
    answer::<false>(k, thread, info, cap, reply, caller)
}

/// Answers the caller, whose scheduling context in the commonest case was lent and which hasn't faulted, and receives.
#[inline(always)]
fn answer<'k, const COMMONEST: bool>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: MessageInfo,
    cap: Cap,
    reply: Ref<'k, Reply>,
    caller: Ref<'k, Tcb>,
) -> Result<(), NotFast> {
    let endpoint = cap.as_endpoint(k).filter(|endpoint| endpoint.queue.is_empty()).ok_or(NotFast)?;
    let context = thread.sched_context.get(k).ok_or(NotFast)?;
    let root = loadable(k, caller)?;
    let faulted = !COMMONEST && has_faulted(caller);
    if faulted && !lets_go_on(caller, info) {
        return Err(NotFast);
    }
    let switch = match (caller.sched_context.get(k).filter(|_| !COMMONEST), reply.above(k)) {
        (None, Above::SchedContext(lent)) if lent == context => None,
        (Some(own), Above::Nothing) if reply.below.is_none() => Some((moment(k, own)?, own)),
        _ => return Err(NotFast),
    };

    match switch {
        Some((moment, own)) => time::switch_contexts(k, moment, context, own),
        // It was lent: the server goes back to being passive.
        None => {
            let below = reply.below.take(k);
            context.reply.set(below);
            if let Some(below) = below {
                below.set_above(Above::SchedContext(context));
            }
            reply.set_above(Above::Nothing);
            give(context, thread, caller);
        }
    }
    // The caller waits no more; the server waits for the next call, with the same reply object.
    caller.reply.clear();
    caller.state.set(ThreadState::Running);
    wait_for_message(k, thread, endpoint, cap, reply);
    if faulted {
        answer_fault(k, thread, caller, info);
        caller.context.restart();
    } else {
        hand_over(k, thread, caller, info, 0);
    }
    run(k, thread, caller, root);
    Ok(())
}
