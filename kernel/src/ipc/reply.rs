//! Answering a caller: its message, its time, or what its fault handler changed.

use super::{call_stack, fault_message, faults, message};
use crate::mem::Ref;
use crate::object::{Fault, Kernel, Reply, Tcb, ThreadState};
use crate::time;
use chestnut_abi::{CapRights, MessageInfo};

/// Answers the caller that waits on `reply` with the current message of `sender`, if one waits.
pub fn reply_to<'k>(
    k: Kernel<'k>,
    sender: Ref<'k, Tcb>,
    reply: Ref<'k, Reply>,
    rights: CapRights,
    caps: message::ExtraCaps<'k>,
) {
    let Some(caller) = reply.tcb.get(k).filter(|caller| caller.state.get() == ThreadState::BlockedOnReply) else {
        return;
    };
    call_stack::pop(k, reply, caller);
    let fault = caller.fault.take();
    match fault {
        None => {
            let caps = rights.contains(CapRights::GRANT).then_some(caps);
            message::transfer(k, sender, caller, None, 0, caps);
            caller.state.set(ThreadState::Running);
        }
        Some(fault) => {
            let info = MessageInfo(sender.context.message_info());
            let goes_on = fault_message::apply_reply(k, sender, caller, fault, info);
            caller.state.set(if goes_on { ThreadState::Restart } else { ThreadState::Inactive });
        }
    }
    let Some(context) = caller.sched_context.get(k).filter(|_| caller.is_runnable()) else { return };
    if context.sporadic.get() && !k.current_sc.is(context) {
        time::unblock_check(k, context);
    }
    let used = if k.current_sc.is(context) { k.consumed.get() } else { 0 };
    let has_budget = time::is_ready(k, context) && time::is_sufficient(k, context, used);
    if !has_budget && faults::has_timeout_handler(k, caller) && !matches!(fault, Some(Fault::Timeout { .. })) {
        faults::timeout(k, caller);
    } else {
        time::resume(k, context);
    }
}
