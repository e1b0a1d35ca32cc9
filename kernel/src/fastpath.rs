//! The short way for Call and ReplyRecv with short messages.
//!
//! It does what the general way would do, for the commonest case only, and says [`NotFast`] before it has changed anything if
//! the case is another one. The checks, in the order in which they stand below, and why they are enough:
//!
//! 1. The message has at most four words and no capabilities: so it is in registers, no IPC buffer is touched.
//! 2. The capability is found through the cached CSpace root, and allows what is asked.
//! 3. The partner waits already, so that nobody blocks but the caller, and nothing is queued but the server.
//! 4. Nobody who is ready outranks the partner: so the partner runs next, and the scheduler needn't choose.
//! 5. The partner's address space may be loaded.
//! 6. Time: either the caller's scheduling context goes along and comes back with the reply (passive server), where it runs on and its
//!    end is still what the timer is set to; or both have contexts of their own (active server), and then the clock is read, the one that ran is charged,
//!    and the one that runs next has budget.
//!
//! Faults, other system calls, and everything else go the general way.
#![forbid(unsafe_code)]

use crate::arch;
use crate::cap::Kind;
use crate::mem::Ref;
use crate::object::{Above, Kernel, Place, SchedContext, Tcb, ThreadState};
use crate::time;
use chestnut_abi::{CapRights, MessageInfo, Syscall};

/// The case isn't the common one; nothing has been changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFast;

/// Extra capabilities and length, and the largest value of both that is short.
const SIZE: u64 = 0x1ff;
const SHORT: u64 = 4;
/// Unwrapped capabilities: not the sender's to say.
const UNWRAPPED: u64 = 7 << 9;

/// Makes the system call of `thread`, which runs, if it is a common one.
#[inline]
pub fn system_call<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<(), NotFast> {
    const CALL: i64 = Syscall::Call as i64;
    const REPLY_RECV: i64 = Syscall::ReplyRecv as i64;
    match thread.context.system_call_number() {
        CALL => call(k, thread),
        REPLY_RECV => reply_recv(k, thread),
        _ => Err(NotFast),
    }
}

/// The message of the running thread, if it is short.
#[inline(always)]
fn short_message(thread: Ref<Tcb>) -> Result<MessageInfo, NotFast> {
    let info = thread.context.message_info();
    if info & SIZE > SHORT { Err(NotFast) } else { Ok(MessageInfo(info & !UNWRAPPED)) }
}

fn call<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<(), NotFast> {
    let info = short_message(thread)?;
    let slot = thread.cspace.get().slot(k.entry(), thread.context.capability_register()).ok_or(NotFast)?;
    let cap = slot.cap();
    let endpoint = cap.as_callable_endpoint(k).ok_or(NotFast)?;
    let server = endpoint.queue.first(k).ok_or(NotFast)?;
    if server.state.get() != ThreadState::BlockedOnReceive || !time::outranks_ready(k, server) {
        return Err(NotFast);
    }
    let reply = server.reply.get(k).ok_or(NotFast)?;
    let context = thread.sched_context.get(k).ok_or(NotFast)?;
    let root = loadable(k, server)?;
    let own = server.sched_context.get(k);
    if let Some(own) = own {
        time::read_clock(k);
        if !time::has_time(k, own) {
            return Err(NotFast);
        }
    }

    endpoint.queue.pop_front(k, server);
    server.endpoint.clear();
    server.place.set(Place::Nowhere);
    server.state.set(ThreadState::Running);
    server.reply.clear();
    thread.state.set(ThreadState::BlockedOnReply);
    thread.reply.set(Some(reply));
    reply.tcb.set(Some(thread));
    if own.is_none() {
        let below = context.reply.get(k);
        if let Some(below) = below {
            below.set_above(Above::Reply(reply));
        }
        reply.below.set(below);
        reply.set_above(Above::SchedContext(context));
        context.reply.set(Some(reply));
        give(context, thread, server);
    }
    thread.context.copy_message(&server.get().context, info.length());
    server.context.set_message_info(info.0);
    server.context.set_badge(cap.badge());
    run(k, server, root, own.is_some());
    Ok(())
}

fn reply_recv<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<(), NotFast> {
    let info = short_message(thread)?;
    let cspace = thread.cspace.get();
    let reply = cspace.slot(k.entry(), thread.context.reply_register()).ok_or(NotFast)?.cap();
    let reply = reply.as_reply(k).ok_or(NotFast)?;
    let cap = cspace.slot(k.entry(), thread.context.capability_register()).ok_or(NotFast)?.cap();
    if cap.kind() != Kind::Endpoint || !cap.rights().contains(CapRights::READ) {
        return Err(NotFast);
    }
    let endpoint = cap.as_endpoint(k).ok_or(NotFast)?;
    if !endpoint.queue.is_empty() {
        return Err(NotFast);
    }
    if let Some(bound) = thread.bound_notification.get(k)
        && (bound.active.get() || !bound.sched_context.is_none())
    {
        return Err(NotFast);
    }
    let caller = reply.tcb.get(k).ok_or(NotFast)?;
    if caller.state.get() != ThreadState::BlockedOnReply
        || caller.fault.get().is_some()
        || !time::outranks_ready(k, caller)
    {
        return Err(NotFast);
    }
    let context = thread.sched_context.get(k).ok_or(NotFast)?;
    let root = loadable(k, caller)?;
    let own = caller.sched_context.get(k);
    match (own, reply.above(k)) {
        // It was lent: the server goes back to being passive.
        (None, Above::SchedContext(lent)) if lent == context => {}
        (Some(own), Above::Nothing) => {
            time::read_clock(k);
            if !time::has_time(k, own) {
                return Err(NotFast);
            }
        }
        _ => return Err(NotFast),
    }

    if own.is_none() {
        let below = reply.below.take(k);
        context.reply.set(below);
        if let Some(below) = below {
            below.set_above(Above::SchedContext(context));
        }
        reply.set_above(Above::Nothing);
        give(context, thread, caller);
    }
    caller.reply.clear();
    caller.state.set(ThreadState::Running);
    reply.tcb.set(Some(thread));
    thread.reply.set(Some(reply));
    thread.state.set(ThreadState::BlockedOnReceive);
    thread.blocked_rights.set(cap.rights());
    thread.endpoint.set(Some(endpoint));
    thread.place.set(Place::Object);
    endpoint.queue.push_back(k, thread);
    thread.context.copy_message(&caller.get().context, info.length());
    caller.context.set_message_info(info.0);
    caller.context.set_badge(0);
    run(k, caller, root, own.is_some());
    Ok(())
}

/// What to load in the processor for a thread's address space, if it has one.
#[inline(always)]
fn loadable<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<u64, NotFast> {
    match thread.vspace.get(k).map_or(0, |root| root.loadable()) {
        0 => Err(NotFast),
        root => Ok(root),
    }
}

/// Moves a scheduling context from one thread to another.
#[inline(always)]
fn give<'k>(context: Ref<'k, SchedContext>, from: Ref<'k, Tcb>, to: Ref<'k, Tcb>) {
    from.sched_context.clear();
    to.sched_context.set(Some(context));
    context.tcb.set(Some(to));
}

/// The processor goes on with `thread`.
#[inline(always)]
fn run<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, root: u64, other_time: bool) {
    k.current.set(Some(thread));
    if other_time {
        time::switched(k);
    }
    arch::activate_vspace(root);
    if k.fpu_owner.is(thread) {
        arch::fpu_enable();
    } else {
        arch::fpu_disable();
    }
    arch::set_current_context(Some(&thread.get().context));
}
