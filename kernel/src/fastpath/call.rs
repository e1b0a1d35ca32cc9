//! Call, to a server that waits.
#![forbid(unsafe_code)]

use super::steps::{NotFast, give, hand_over, leave_queue, loadable, moment, plain_info, run, switch_slices};
use crate::mem::Ref;
use crate::object::{Above, Endpoint, Kernel, Reply, Tcb, ThreadState};
use crate::time;
use chestnut_abi::MessageInfo;

/// Makes a Call of `thread`, which runs, to an endpoint, if it is a common one. `badge` is the capability's, which allows it; `info` describes
/// the message.
#[inline(always)]
pub fn call<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    endpoint: Ref<'k, Endpoint>,
    badge: u64,
    info: u64,
) -> Result<(), NotFast> {
    let info = plain_info(info)?;
    let server = waiting_server(k, endpoint)?;
    if !server.sched_context.is_none() {
        return call_active_server(k, thread, info, badge, endpoint, server);
    }
    let root = call_server::<true>(k, thread, endpoint, server)?;
    hand_over(k, thread, server, info, badge);
    run(k, thread, server, root);
    Ok(())
}

/// The thread that receives what is sent to an endpoint now, if it runs then.
#[inline(always)]
pub fn waiting_server<'k>(k: Kernel<'k>, endpoint: Ref<'k, Endpoint>) -> Result<Ref<'k, Tcb>, NotFast> {
    let server = endpoint.queue.first(k).ok_or(NotFast)?;
    let waits = server.state.get() == ThreadState::BlockedOnReceive && time::outranks_ready(k, server);
    if waits { Ok(server) } else { Err(NotFast) }
}

/// Calls a server that has a scheduling context of its own; the commonest such case apart.
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
        Err(NotFast) => call_in_refill(k, thread, info, badge, endpoint, server),
        done => done,
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
) -> Result<(), NotFast> {
    let reply = server.reply.get(k).ok_or(NotFast)?;
    let root = loadable(k, server)?;
    let context = thread.sched_context.get(k).ok_or(NotFast)?;
    let own = server.sched_context.get(k).ok_or(NotFast)?;
    switch_slices(k, context, own)?;
    meet(k, thread, endpoint, server, reply);
    hand_over(k, thread, server, info, badge);
    run(k, thread, server, root);
    Ok(())
}

#[inline(never)]
fn call_in_refill<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: MessageInfo,
    badge: u64,
    endpoint: Ref<'k, Endpoint>,
    server: Ref<'k, Tcb>,
) -> Result<(), NotFast> {
    let root = call_server::<false>(k, thread, endpoint, server)?;
    hand_over(k, thread, server, info, badge);
    run(k, thread, server, root);
    Ok(())
}

/// Calls the server, which in the commonest case is passive. What remains is to give it the message and to let it run, in the address space of
/// the root that is returned.
#[inline(always)]
pub fn call_server<'k, const COMMONEST: bool>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    endpoint: Ref<'k, Endpoint>,
    server: Ref<'k, Tcb>,
) -> Result<u64, NotFast> {
    let reply = server.reply.get(k).ok_or(NotFast)?;
    let context = thread.sched_context.get(k).ok_or(NotFast)?;
    let root = loadable(k, server)?;
    let switch = match server.sched_context.get(k).filter(|_| !COMMONEST) {
        Some(own) => Some((moment(k, own)?, own)),
        None => None,
    };

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
    Ok(root)
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
