//! ReplyRecv: a caller, or a thread that has faulted, is answered, and nobody is waiting to send the next message.
#![forbid(unsafe_code)]

use super::steps::{
    NotFast, Otherwise, Plain, announce, answer_fault, deliver, give, has_faulted, lets_go_on, loadable, moment,
    only_endpoint_matters, plain_info, run, switch_slices, wait_for_message,
};
use crate::arch::Resumed;
use crate::cap::Cap;
use crate::mem::Ref;
use crate::object::{Above, Endpoint, Kernel, Reply, SchedContext, Tcb, ThreadState};
use crate::time;
use chestnut_abi::CapRights;

/// Makes a ReplyRecv of `thread`, which runs, through the capabilities `reply` and `cap`, if it is a common one; `otherwise` does what is left if
/// it isn't.
#[inline(always)]
pub fn reply_recv<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    reply: Cap,
    cap: Cap,
    info: u64,
    otherwise: impl Otherwise<'k>,
) -> Resumed {
    let (Some(reply), Ok(endpoint)) = (reply.as_reply(k), empty_endpoint(k, thread, cap)) else {
        return otherwise(k, thread);
    };
    let Ok((caller, info)) = waiting_caller(k, reply, info) else {
        return otherwise(k, thread);
    };
    if !caller.sched_context.is_none() || has_faulted(caller) {
        return answer_active_caller(k, thread, info, (endpoint, cap.rights()), reply, caller, otherwise);
    }
    let Ok(Ready { context, root }) = ready(k, thread, caller) else {
        return otherwise(k, thread);
    };
    if !reply.is_top_of(context) {
        return otherwise(k, thread);
    }
    announce(caller, info, 0);
    wait_for_message(thread, endpoint, cap.rights(), reply);
    take_back(k, context, thread, caller, reply);
    wake(caller);
    deliver(k, thread, caller, info, root)
}

/// The endpoint to receive from, where nobody waits, if this capability allows it and no signal matters instead.
#[inline(always)]
fn empty_endpoint<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, cap: Cap) -> Result<Ref<'k, Endpoint>, NotFast> {
    let endpoint = cap.as_receivable_endpoint(k).ok_or(NotFast)?;
    if endpoint.queue.is_empty() && only_endpoint_matters(k, thread) { Ok(endpoint) } else { Err(NotFast) }
}

/// Who is answered through a reply object, if it runs then, and the answer, if it has words only.
#[inline(always)]
fn waiting_caller<'k>(k: Kernel<'k>, reply: Ref<'k, Reply>, info: u64) -> Result<(Ref<'k, Tcb>, Plain), NotFast> {
    let caller = reply.tcb.get(k).ok_or(NotFast)?;
    let waits = caller.state.get() == ThreadState::BlockedOnReply && time::outranks_ready(k, caller);
    if waits { Ok((caller, plain_info(info)?)) } else { Err(NotFast) }
}

/// Answers a caller that has a scheduling context of its own, or has faulted; the commonest such case apart: it hasn't faulted, and both have
/// round-robin contexts.
#[inline(never)]
fn answer_active_caller<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: Plain,
    (endpoint, rights): (Ref<'k, Endpoint>, CapRights),
    reply: Ref<'k, Reply>,
    caller: Ref<'k, Tcb>,
    otherwise: impl Otherwise<'k>,
) -> Resumed {
    let Ok(Ready { root, .. }) = change_slices(k, thread, reply, caller) else {
        return answer_in_refill(k, thread, info, (endpoint, rights), reply, caller, otherwise);
    };
    announce(caller, info, 0);
    wait_for_message(thread, endpoint, rights, reply);
    wake(caller);
    deliver(k, thread, caller, info, root)
}

/// The time goes from one to the other.
#[inline(always)]
fn change_slices<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    reply: Ref<'k, Reply>,
    caller: Ref<'k, Tcb>,
) -> Result<Ready<'k>, NotFast> {
    if has_faulted(caller) || !reply.is_in_no_stack() {
        return Err(NotFast);
    }
    let ready = ready(k, thread, caller)?;
    switch_slices(k, ready.context, caller.sched_context.get(k).ok_or(NotFast)?)?;
    Ok(ready)
}

/// Answers a caller, be it active or not, or a thread that has faulted.
#[inline(never)]
fn answer_in_refill<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: Plain,
    (endpoint, rights): (Ref<'k, Endpoint>, CapRights),
    reply: Ref<'k, Reply>,
    caller: Ref<'k, Tcb>,
    otherwise: impl Otherwise<'k>,
) -> Resumed {
    let Ok(Ready { root, .. }) = change_time(k, thread, info, reply, caller) else {
        return otherwise(k, thread);
    };
    wait_for_message(thread, endpoint, rights, reply);
    wake(caller);
    if has_faulted(caller) {
        answer_fault(k, thread, caller, info);
        caller.context.restart();
        return run(k, thread, caller, root);
    }
    announce(caller, info, 0);
    deliver(k, thread, caller, info, root)
}

/// Lets the caller have the time that it lent, or changes to its own.
#[inline(always)]
fn change_time<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: Plain,
    reply: Ref<'k, Reply>,
    caller: Ref<'k, Tcb>,
) -> Result<Ready<'k>, NotFast> {
    let ready = ready(k, thread, caller)?;
    if has_faulted(caller) && !lets_go_on(caller, info) {
        return Err(NotFast);
    }
    match caller.sched_context.get(k) {
        None if reply.is_top_of(ready.context) => take_back(k, ready.context, thread, caller, reply),
        Some(own) if reply.is_in_no_stack() => time::switch_contexts(k, moment(k, own)?, ready.context, own),
        _ => return Err(NotFast),
    }
    Ok(ready)
}

/// What every answer needs.
struct Ready<'k> {
    /// The time that the running thread runs on.
    context: Ref<'k, SchedContext>,
    /// The caller's address space.
    root: u64,
}

#[inline(always)]
fn ready<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, caller: Ref<'k, Tcb>) -> Result<Ready<'k>, NotFast> {
    Ok(Ready { context: thread.sched_context.get(k).ok_or(NotFast)?, root: loadable(caller)? })
}

/// The caller has its time back: the server is passive again.
#[inline(always)]
fn take_back<'k>(
    k: Kernel<'k>,
    context: Ref<'k, SchedContext>,
    thread: Ref<'k, Tcb>,
    caller: Ref<'k, Tcb>,
    reply: Ref<'k, Reply>,
) {
    let below = reply.below.take(k);
    context.reply.set(below);
    if let Some(below) = below {
        below.set_above(Above::SchedContext(context));
    }
    reply.set_above(Above::Nothing);
    give(context, thread, caller);
}

/// The caller waits no more.
#[inline(always)]
fn wake(caller: Ref<Tcb>) {
    caller.reply.clear();
    caller.state.set(ThreadState::Running);
}
