//! Call, to a server that waits.
#![forbid(unsafe_code)]

use super::steps::{
    Miss, NotFast, find, give, hand_over, leave_queue, loadable, long_message, moment, plain_info, run, switch_slices,
};
use crate::mem::Ref;
use crate::object::{Above, Endpoint, Kernel, Reply, Tcb, ThreadState};
use crate::time;
use chestnut_abi::MessageInfo;

/// Makes a Call of `thread`, which runs, if it is a common one.
#[inline(always)]
pub fn call<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, capability: u64, info: u64) -> Result<(), NotFast> {
    match find_server::<true>(k, thread, capability, info) {
        Ok((info, badge, endpoint, server)) if server.sched_context.is_none() => {
            let give_message = || hand_over(thread, server, info, badge);
            Ok(call_server::<true>(k, thread, endpoint, server, || Ok(()), give_message)?)
        }
        Ok((info, badge, endpoint, server)) => call_active_server(k, thread, info, badge, endpoint, server),
        Err(Miss::Commonest) => common_call(k, thread, capability, info),
        Err(Miss::Common) => Err(NotFast),
    }
}

#[inline(never)]
fn common_call<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, capability: u64, info: u64) -> Result<(), NotFast> {
    let (info, badge, endpoint, server) = find_server::<false>(k, thread, capability, info)?;
    call_common_server(k, thread, info, badge, endpoint, server)
}

/// Who receives the call: message information, badge, endpoint and server.
#[inline(always)]
fn find_server<'k, const COMMONEST: bool>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    capability: u64,
    info: u64,
) -> Result<(MessageInfo, u64, Ref<'k, Endpoint>, Ref<'k, Tcb>), Miss> {
    let info = plain_info::<COMMONEST>(info)?;
    let cap = find::<COMMONEST>(k, thread, capability)?;
    let endpoint = cap.as_callable_endpoint(k).ok_or(Miss::Common)?;
    let server = waiting_server(k, endpoint)?;
    Ok((info, cap.badge(), endpoint, server))
}

/// The thread that receives what is sent to an endpoint now, if it runs then.
#[inline(always)]
pub fn waiting_server<'k>(k: Kernel<'k>, endpoint: Ref<'k, Endpoint>) -> Result<Ref<'k, Tcb>, Miss> {
    let server = endpoint.queue.first(k).ok_or(Miss::Common)?;
    let waits = server.state.get() == ThreadState::BlockedOnReceive && time::outranks_ready(k, server);
    if waits { Ok(server) } else { Err(Miss::Common) }
}

/// Calls a server that has a scheduling context of its own, with a message that fits in registers; the commonest such case apart.
#[inline(never)]
fn call_active_server<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: MessageInfo,
    badge: u64,
    endpoint: Ref<'k, Endpoint>,
    server: Ref<'k, Tcb>,
) -> Result<(), NotFast> {
    match call_in_slice(k, thread, info, badge, endpoint, server) {
        Err(_) => call_common_server(k, thread, info, badge, endpoint, server),
        done => Ok(done?),
    }
}

/// The commonest: both have round-robin contexts.
#[inline(always)]
fn call_in_slice<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: MessageInfo,
    badge: u64,
    endpoint: Ref<'k, Endpoint>,
    server: Ref<'k, Tcb>,
) -> Result<(), Miss> {
    let reply = server.reply.get(k).ok_or(Miss::Common)?;
    let root = loadable(k, server)?;
    let context = thread.sched_context.get(k).ok_or(Miss::Common)?;
    let own = server.sched_context.get(k).ok_or(Miss::Common)?;
    switch_slices(k, context, own)?;
    meet(k, thread, endpoint, server, reply);
    hand_over(thread, server, info, badge);
    run(k, thread, server, root);
    Ok(())
}

#[inline(never)]
fn call_common_server<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: MessageInfo,
    badge: u64,
    endpoint: Ref<'k, Endpoint>,
    server: Ref<'k, Tcb>,
) -> Result<(), NotFast> {
    let prepare = || long_message::<false>(k, info, thread, server);
    let give_message = || hand_over(thread, server, info, badge);
    Ok(call_server::<false>(k, thread, endpoint, server, prepare, give_message)?)
}

/// Calls the server, which in the commonest case is passive. `prepare` is the last look whether the message can be given.
#[inline(always)]
pub fn call_server<'k, const COMMONEST: bool>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    endpoint: Ref<'k, Endpoint>,
    server: Ref<'k, Tcb>,
    prepare: impl FnOnce() -> Result<(), Miss>,
    give_message: impl FnOnce(),
) -> Result<(), Miss> {
    let reply = server.reply.get(k).ok_or(Miss::Common)?;
    let context = thread.sched_context.get(k).ok_or(Miss::Common)?;
    let root = loadable(k, server)?;
    let switch = match server.sched_context.get(k).filter(|_| !COMMONEST) {
        Some(own) => Some((moment(k, own)?, own)),
        None => None,
    };
    prepare()?;

    match switch {
        Some((moment, own)) => time::switch_contexts(k, moment, context, own),
        None => {
            let below = context.reply.get(k);
            if let Some(below) = below {
                below.set_above(Above::Reply(reply));
            }
            reply.below.set(below);
            reply.set_above(Above::SchedContext(context));
            context.reply.set(Some(reply));
            give(context, thread, server);
        }
    }
    meet(k, thread, endpoint, server, reply);
    give_message();
    run(k, thread, server, root);
    Ok(())
}

/// The server waits no more; the caller waits for the reply.
#[inline(always)]
fn meet<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    endpoint: Ref<'k, Endpoint>,
    server: Ref<'k, Tcb>,
    reply: Ref<'k, Reply>,
) {
    endpoint.queue.pop_front(k, server);
    server.endpoint.clear();
    leave_queue(server);
    server.reply.clear();
    thread.state.set(ThreadState::BlockedOnReply);
    thread.reply.set(Some(reply));
    reply.tcb.set(Some(thread));
}
