//! ReplyRecv: a caller, or a thread that has faulted, is answered, and nobody is waiting to send the next message.
#![forbid(unsafe_code)]

use super::steps::{
    Miss, NotFast, answer_fault, find, give, hand_over, has_faulted, lets_go_on, loadable, long_message, moment,
    only_endpoint_matters, plain_message, run, wait_for_message,
};
use crate::cap::{Cap, Kind};
use crate::mem::Ref;
use crate::object::{Above, Kernel, Reply, Tcb, ThreadState};
use crate::time;
use chestnut_abi::{CapRights, MessageInfo};

/// Makes a ReplyRecv of `thread`, which runs, if it is a common one.
#[inline(always)]
pub fn reply_recv<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<(), NotFast> {
    match find_caller::<true>(k, thread) {
        Ok((info, cap, reply, caller)) if caller.sched_context.is_none() && !has_faulted(caller) => {
            Ok(answer::<true>(k, thread, info, cap, reply, caller)?)
        }
        Ok((info, cap, reply, caller)) => answer_common_caller(k, thread, info, cap, reply, caller),
        Err(Miss::Commonest) => common_reply_recv(k, thread),
        Err(Miss::Common) => Err(NotFast),
    }
}

#[inline(never)]
fn common_reply_recv<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<(), NotFast> {
    let (info, cap, reply, caller) = find_caller::<false>(k, thread)?;
    answer_common_caller(k, thread, info, cap, reply, caller)
}

/// Who is answered: message information, the capability to receive through, reply object and caller.
#[inline(always)]
fn find_caller<'k, const COMMONEST: bool>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
) -> Result<(MessageInfo, Cap, Ref<'k, Reply>, Ref<'k, Tcb>), Miss> {
    let info = plain_message::<COMMONEST>(thread)?;
    let reply = find::<COMMONEST>(k, thread, thread.context.reply_register())?.as_reply(k).ok_or(Miss::Common)?;
    let cap = find::<COMMONEST>(k, thread, thread.context.capability_register())?;
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
