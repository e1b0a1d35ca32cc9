//! Recv, while nobody sends: the thread waits, and the first that is ready runs.
#![forbid(unsafe_code)]

use super::steps::{NotFast, find, only_endpoint_matters, wait_for_message};
use super::turns::give_way;
use crate::mem::Ref;
use crate::object::{Kernel, Tcb};
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
    give_way(k, thread)?;
    wait_for_message(thread, endpoint, cap.rights(), reply);
    Ok(())
}
