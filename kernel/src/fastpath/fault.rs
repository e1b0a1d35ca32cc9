//! A fault, as a call to the handler that waits for it.
#![forbid(unsafe_code)]

use super::call::{call_server, waiting_server};
use super::steps::{NotFast, run};
use crate::ipc;
use crate::mem::Ref;
use crate::object::{Fault, Kernel, Tcb, TcbSlot};
use chestnut_abi::MessageInfo;
use chestnut_abi::fault::{label, vm};

/// Tells the fault handler of `thread`, which runs, about its fault, if the handler waits and runs next. A handler's capability is one
/// that can be called through.
pub fn fault<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, fault: Fault) -> Result<(), NotFast> {
    let cap = thread.slot(TcbSlot::FaultHandler).cap();
    let endpoint = cap.as_callable_endpoint(k).ok_or(NotFast)?;
    let handler = waiting_server(k, endpoint)?;
    let root = call_server(k, thread, endpoint, handler)?;
    thread.fault.set(Some(fault));
    match fault {
        Fault::Vm { address, fsr, prefetch } => {
            let words = [thread.context.fault_ip(), address, prefetch.into(), fsr];
            (0..).zip(words).for_each(|(index, word)| handler.context.set_message_register(index, word));
            handler.context.set_message_info(MessageInfo::new(label::VM, 0, 0, vm::LENGTH as u64).0);
            handler.context.set_badge(cap.badge());
        }
        _ => ipc::write_fault(k, thread, handler, fault, cap.badge()),
    }
    _ = run(k, thread, handler, root);
    Ok(())
}
