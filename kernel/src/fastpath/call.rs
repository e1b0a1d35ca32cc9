//! Call, to a server that waits.
#![forbid(unsafe_code)]

use super::steps::{
    NotFast, Otherwise, Plain, announce, deliver, give, leave_queue, loadable, moment, plain_info, switch_slices,
};
use crate::arch::Resumed;
use crate::mem::Ref;
use crate::object::{Endpoint, Kernel, Reply, SchedContext, Tcb, ThreadState};
use crate::time;

/// Makes a Call of `thread`, which runs, to an endpoint, if it is a common one; `otherwise` does what is left if it isn't. `badge` is the capability's, which allows it; `info` describes
/// the message.
#[inline(always)]
pub fn call<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    endpoint: Ref<'k, Endpoint>,
    badge: u64,
    info: u64,
    otherwise: impl Otherwise<'k>,
) -> Resumed {
    let (Ok(info), Ok(server)) = (plain_info(info), waiting_server(k, endpoint)) else {
        return otherwise(k, thread);
    };
    if !server.sched_context.is_none() {
        return call_active_server(k, thread, info, badge, endpoint, server, otherwise);
    }
    let Ok(Ready { reply, context, root }) = ready(k, thread, server) else {
        return otherwise(k, thread);
    };
    announce(server, info, badge);
    meet(k, thread, endpoint, server, reply);
    lend(k, context, thread, server, reply);
    deliver(k, thread, server, info, root)
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
    info: Plain,
    badge: u64,
    endpoint: Ref<'k, Endpoint>,
    server: Ref<'k, Tcb>,
    otherwise: impl Otherwise<'k>,
) -> Resumed {
    let Ok(Ready { reply, root, .. }) = change_slices(k, thread, server) else {
        return call_in_refill(k, thread, info, badge, endpoint, server, otherwise);
    };
    announce(server, info, badge);
    meet(k, thread, endpoint, server, reply);
    deliver(k, thread, server, info, root)
}

/// The commonest: both have round-robin contexts. The time has gone from one to the other.
#[inline(always)]
fn change_slices<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, server: Ref<'k, Tcb>) -> Result<Ready<'k>, NotFast> {
    let ready = ready(k, thread, server)?;
    switch_slices(k, ready.context, server.sched_context.get(k).ok_or(NotFast)?)?;
    Ok(ready)
}

#[inline(never)]
fn call_in_refill<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: Plain,
    badge: u64,
    endpoint: Ref<'k, Endpoint>,
    server: Ref<'k, Tcb>,
    otherwise: impl Otherwise<'k>,
) -> Resumed {
    let Ok(root) = call_server(k, thread, endpoint, server) else {
        return otherwise(k, thread);
    };
    announce(server, info, badge);
    deliver(k, thread, server, info, root)
}

/// Calls the server, be it passive or not. What remains is to give it the message and to let it run, in the address space of the root that is
/// returned.
#[inline(always)]
pub fn call_server<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    endpoint: Ref<'k, Endpoint>,
    server: Ref<'k, Tcb>,
) -> Result<u64, NotFast> {
    let Ready { reply, context, root } = ready(k, thread, server)?;
    match server.sched_context.get(k) {
        Some(own) => time::switch_contexts(k, moment(k, own)?, context, own),
        None => lend(k, context, thread, server, reply),
    }
    meet(k, thread, endpoint, server, reply);
    Ok(root)
}

/// What every Call needs.
struct Ready<'k> {
    /// What the server has set aside for a caller.
    reply: Ref<'k, Reply>,
    /// The caller's time.
    context: Ref<'k, SchedContext>,
    /// The server's address space.
    root: u64,
}

#[inline(always)]
fn ready<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, server: Ref<'k, Tcb>) -> Result<Ready<'k>, NotFast> {
    let reply = server.reply.get(k).ok_or(NotFast)?;
    let context = thread.sched_context.get(k).ok_or(NotFast)?;
    Ok(Ready { reply, context, root: loadable(server)? })
}

/// The caller's time goes along with the call, and the reply brings it back.
#[inline(always)]
fn lend<'k>(
    k: Kernel<'k>,
    context: Ref<'k, SchedContext>,
    thread: Ref<'k, Tcb>,
    server: Ref<'k, Tcb>,
    reply: Ref<'k, Reply>,
) {
    reply.put_on_top(k, context);
    give(context, thread, server);
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
