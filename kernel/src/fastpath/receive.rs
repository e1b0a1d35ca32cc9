//! Recv, while nobody sends: the thread waits, and the first that is ready runs.
#![forbid(unsafe_code)]

use super::steps::{NotFast, change, find, loadable, moment, only_endpoint_matters, wait_for_message};
use crate::mem::Ref;
use crate::object::{Kernel, SchedContext, Tcb};
use crate::time::{self, Moment};
use chestnut_abi::CapRights;

/// Makes a Recv of `thread`, which runs, if it is a common one: the reply object isn't in use.
#[inline(never)]
pub fn receive<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<(), NotFast> {
    let cap = find(k, thread, thread.context.capability_register())?;
    let endpoint = cap.as_endpoint(k).filter(|endpoint| endpoint.queue.is_empty()).ok_or(NotFast)?;
    if !cap.rights().contains(CapRights::READ) || !only_endpoint_matters(k, thread) {
        return Err(NotFast);
    }
    let reply = find(k, thread, thread.context.reply_register())?.as_reply(k).ok_or(NotFast)?;
    if !reply.tcb.is_none() {
        return Err(NotFast);
    }
    let next = next(k, thread)?;

    wait_for_message(thread, endpoint, cap, reply);
    go_on(k, thread, next);
    Ok(())
}

/// Who runs when `thread` waits.
struct Next<'k> {
    thread: Ref<'k, Tcb>,
    root: u64,
    moment: Moment,
    own: Ref<'k, SchedContext>,
}

/// The first that is ready, unless it is to be told what a context consumed that it yielded to.
#[inline(always)]
fn next<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<Next<'k>, NotFast> {
    let next = time::highest_ready(k).filter(|next| next.yield_to.is_none()).ok_or(NotFast)?;
    if thread.sched_context.is_none() {
        return Err(NotFast);
    }
    let own = next.sched_context.get(k).ok_or(NotFast)?;
    Ok(Next { thread: next, root: loadable(k, next)?, moment: moment(k, own)?, own })
}

#[inline(always)]
fn go_on<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, next: Next<'k>) {
    time::dequeue(k, next.thread);
    change(k, thread, next.thread, next.root, next.moment, next.own);
}
