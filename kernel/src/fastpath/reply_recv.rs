//! ReplyRecv: a caller, or a thread that has faulted, is answered, and nobody is waiting to send the next message.
#![forbid(unsafe_code)]

use super::steps::{
    Miss, NotFast, answer_fault, find, give, hand_over, has_faulted, lets_go_on, loadable, long_message, moment,
    only_endpoint_matters, plain_info, run, switch_slices, wait_for_message,
};
use crate::cap::{Cap, Kind};
use crate::mem::Ref;
use crate::object::{Above, Kernel, Reply, Tcb, ThreadState};
use crate::time;
use chestnut_abi::{CapRights, MessageInfo};

/// Makes a ReplyRecv of `thread`, which runs, if it is a common one.
#[inline(always)]
pub fn reply_recv<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, capability: u64, info: u64) -> Result<(), NotFast> {
    match find_caller::<true>(k, thread, capability, info) {
        Ok((info, cap, reply, caller)) if caller.sched_context.is_none() && !has_faulted(caller) => {
            Ok(answer::<true>(k, thread, info, cap, reply, caller)?)
        }
        Ok((info, cap, reply, caller)) => answer_active_caller(k, thread, info, cap, reply, caller),
        Err(Miss::Commonest) => common_reply_recv(k, thread, capability, info),
        Err(Miss::Common) => Err(NotFast),
    }
}

#[inline(never)]
fn common_reply_recv<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, capability: u64, info: u64) -> Result<(), NotFast> {
    let (info, cap, reply, caller) = find_caller::<false>(k, thread, capability, info)?;
    answer_common_caller(k, thread, info, cap, reply, caller)
}

/// Who is answered: message information, the capability to receive through, reply object and caller.
#[inline(always)]
fn find_caller<'k, const COMMONEST: bool>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    capability: u64,
    info: u64,
) -> Result<(MessageInfo, Cap, Ref<'k, Reply>, Ref<'k, Tcb>), Miss> {
    let info = plain_info::<COMMONEST>(info)?;
    let reply = find::<COMMONEST>(k, thread, thread.context.reply_register())?.as_reply(k).ok_or(Miss::Common)?;
    let cap = find::<COMMONEST>(k, thread, capability)?;
    if cap.kind() != Kind::Endpoint || !cap.rights().contains(CapRights::READ) {
        return Err(Miss::Common);
    }
    if !only_endpoint_matters(k, thread) {
        return Err(Miss::Common);
    }
    let caller = reply.tcb.get(k).ok_or(Miss::Common)?;
    if caller.state.get() != ThreadState::BlockedOnReply || !time::outranks_ready(k, caller) {
        return Err(Miss::Common);
    }
    Ok((info, cap, reply, caller))
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
        Err(_) => answer_common_caller(k, thread, info, cap, reply, caller),
        done => Ok(done?),
    }
}

/// The commonest: both have round-robin contexts, and the message fits in registers.
#[inline(always)]
fn answer_in_slice<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: MessageInfo,
    cap: Cap,
    reply: Ref<'k, Reply>,
    caller: Ref<'k, Tcb>,
) -> Result<(), Miss> {
    let own = caller.sched_context.get(k).filter(|_| !has_faulted(caller)).ok_or(Miss::Common)?;
    if reply.above(k) != Above::Nothing || !reply.below.is_none() {
        return Err(Miss::Common);
    }
    let endpoint = cap.as_endpoint(k).filter(|endpoint| endpoint.queue.is_empty()).ok_or(Miss::Common)?;
    let root = loadable(k, caller)?;
    let context = thread.sched_context.get(k).ok_or(Miss::Common)?;
    switch_slices(k, context, own)?;
    caller.reply.clear();
    caller.state.set(ThreadState::Running);
    wait_for_message(k, thread, endpoint, cap, reply);
    hand_over(thread, caller, info, 0);
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
    Ok(answer::<false>(k, thread, info, cap, reply, caller)?)
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
) -> Result<(), Miss> {
    let endpoint = cap.as_endpoint(k).filter(|endpoint| endpoint.queue.is_empty()).ok_or(Miss::Common)?;
    let context = thread.sched_context.get(k).ok_or(Miss::Common)?;
    let root = loadable(k, caller)?;
    let faulted = !COMMONEST && has_faulted(caller);
    if faulted && !lets_go_on(caller, info) {
        return Err(Miss::Common);
    }
    let switch = match (caller.sched_context.get(k).filter(|_| !COMMONEST), reply.above(k)) {
        (None, Above::SchedContext(lent)) if lent == context => None,
        (Some(own), Above::Nothing) if reply.below.is_none() => Some((moment(k, own)?, own)),
        _ => return Err(Miss::Common),
    };
    if !faulted {
        long_message::<COMMONEST>(k, info, thread, caller)?;
    }

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
        hand_over(thread, caller, info, 0);
    }
    run(k, thread, caller, root);
    Ok(())
}
