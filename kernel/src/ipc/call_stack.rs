//! The stack of calls that a scheduling context has passed through, kept by the reply objects on which the callers wait.

use crate::mem::Ref;
use crate::object::{Above, Kernel, Reply, Tcb, ThreadState};
use crate::time;

/// Lets `caller` wait on `reply`. With `donate`, a passive `callee` goes on with the caller's scheduling context.
pub fn push<'k>(k: Kernel<'k>, caller: Ref<'k, Tcb>, callee: Ref<'k, Tcb>, reply: Ref<'k, Reply>, donate: bool) {
    reply.tcb.set(Some(caller));
    caller.reply.set(Some(reply));
    caller.state.set(ThreadState::BlockedOnReply);
    time::dequeue(k, caller);
    if !donate || !callee.sched_context.is_none() {
        return;
    }
    let Some(context) = caller.sched_context.get(k) else { return };
    reply.put_on_top(k, context);
    time::donate(k, context, callee);
}

/// Ends the wait on `reply`, whose caller is `caller`: the scheduling context on top of whose stack it is goes back to the caller.
pub fn pop<'k>(k: Kernel<'k>, reply: Ref<'k, Reply>, caller: Ref<'k, Tcb>) {
    let below = reply.below.take(k);
    match reply.above(k) {
        Above::SchedContext(context) => {
            context.reply.set(below);
            if let Some(below) = below {
                below.set_above(Above::SchedContext(context));
            }
            if caller.sched_context.is_none() {
                time::donate(k, context, caller);
            }
        }
        above => join(above, below),
    }
    reply.set_above(Above::Nothing);
    reply.tcb.clear();
    caller.reply.clear();
}

/// Takes a reply out of the middle of a stack.
fn join(above: Above, below: Option<Ref<Reply>>) {
    if let Above::Reply(reply) = above {
        reply.below.set(below);
    }
    if let Some(below) = below {
        below.set_above(above);
    }
}

/// The reply object goes away or is used anew: its caller waits no more (it stays inactive); what it lent comes back to it.
pub fn remove_reply<'k>(k: Kernel<'k>, reply: Ref<'k, Reply>) {
    let Some(thread) = reply.tcb.get(k) else { return };
    match thread.state.get() {
        ThreadState::BlockedOnReply => {
            pop(k, reply, thread);
            thread.fault.set(None);
            thread.state.set(ThreadState::Inactive);
        }
        // Set aside by a receiver that still waits: it goes on waiting, and will be unable to be replied through it.
        _ => {
            thread.reply.clear();
            reply.tcb.clear();
        }
    }
}

/// The caller goes away or is suspended: the reply is cut out, and the scheduling context stays with whoever has it.
pub fn unlink_caller<'k>(k: Kernel<'k>, caller: Ref<'k, Tcb>) {
    let Some(reply) = caller.reply.take(k) else { return };
    let below = reply.below.take(k);
    match reply.above(k) {
        Above::SchedContext(context) => {
            context.reply.set(below);
            if let Some(below) = below {
                below.set_above(Above::SchedContext(context));
            }
        }
        above => join(above, below),
    }
    reply.set_above(Above::Nothing);
    reply.tcb.clear();
}
