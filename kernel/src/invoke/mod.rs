//! Invocations: one file for each kind of object. Each decodes its arguments, checks them, and acts or says what is wrong.
//!
//! Nothing changes before every check has passed, except in operations that can be preempted, which leave a state from
//! which they go on when invoked again.
#![forbid(unsafe_code)]
mod arguments;
mod cnode;
mod domain;
mod error;
mod irq;
mod sched;
mod tcb;
mod untyped;
pub mod x86_64;

pub use arguments::{Arguments, Outcome};
pub use error::{Error, Stop};

use crate::cap::{Cap, CapRef, Kind};
use crate::ipc;
use chestnut_abi::{CapRights, Label};

/// Performs the invocation of the capability in `slot`.
pub fn invoke<'k>(call: &Arguments<'k>, slot: CapRef<'k>) -> Outcome {
    let (k, cap) = (call.k, slot.cap());
    match cap.kind() {
        Kind::Endpoint => {
            let Some(endpoint) = cap.as_endpoint(k).filter(|_| cap.rights().contains(CapRights::WRITE)) else {
                return Err(Error::InvalidCapability(0).into());
            };
            let how = ipc::Sending {
                badge: cap.badge(),
                rights: cap.rights(),
                blocking: call.blocking,
                call: call.is_call,
                donate: call.can_donate,
                caps: call.caps,
            };
            ipc::send(k, call.thread, endpoint, how);
            call.sent.set(true);
            Ok(())
        }
        Kind::Notification => {
            let Some(notification) = cap.as_notification(k).filter(|_| cap.rights().contains(CapRights::WRITE)) else {
                return Err(Error::InvalidCapability(0).into());
            };
            ipc::signal(k, notification, cap.badge());
            Ok(())
        }
        Kind::Reply => {
            let Some(reply) = cap.as_reply(k) else { return Err(Error::InvalidCapability(0).into()) };
            ipc::reply_to(k, call.thread, reply, cap.rights(), call.caps);
            Ok(())
        }
        Kind::Null | Kind::Zombie => Err(Error::InvalidCapability(0).into()),
        _ => match invoke_aside(call, slot) {
            Aside::Answered => {
                call.sent.set(true);
                Ok(())
            }
            Aside::Preempted => Err(Stop::Preempted),
            Aside::Timely | Aside::Elsewhere => invoke_timely(call, slot),
        },
    }
}

/// Whether this is a capability to what [`invoke_aside`] and [`invoke_timely`] know.
#[inline(always)]
fn is_of_kernel_object(cap: Cap) -> bool {
    !matches!(cap.kind(), Kind::Endpoint | Kind::Notification | Kind::Reply | Kind::Null | Kind::Zombie)
}

/// What came of an invocation that was tried aside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    /// It is done or refused, and who wants an answer has it.
    Answered,
    Preempted,
    /// It is for [`invoke_timely`]; nothing has been changed.
    Timely,
    /// The capability isn't one of a kernel object; nothing has been changed.
    Elsewhere,
}

/// Performs an invocation of a kernel object if it has to do neither with time nor with who runs: if it neither looks at the clock, at budgets, at
/// queues and at threads' states, nor changes any of them, nor the address space and the registers that the running thread goes on with.
#[inline(never)]
pub fn invoke_aside<'k>(call: &Arguments<'k>, slot: CapRef<'k>) -> Aside {
    match act_aside(call, slot) {
        None if is_of_kernel_object(slot.cap()) => Aside::Timely,
        None => Aside::Elsewhere,
        Some(Err(Stop::Preempted)) => Aside::Preempted,
        Some(Err(Stop::Error(error))) => {
            if call.is_call {
                error.reply(call.k, call.thread);
            }
            Aside::Answered
        }
        Some(Ok(())) => {
            if call.is_call {
                call.finish();
            }
            Aside::Answered
        }
    }
}

#[inline(always)]
fn act_aside<'k>(call: &Arguments<'k>, slot: CapRef<'k>) -> Option<Outcome> {
    let cap = slot.cap();
    let Some(label) = Label::from_number(call.info.label()) else {
        return is_of_kernel_object(cap).then_some(Err(Error::IllegalOperation.into()));
    };
    match cap.kind() {
        Kind::Frame => Some(x86_64::invoke_frame(call, slot, label)),
        Kind::CNode => cnode::invoke_aside(call, cap, label),
        Kind::Untyped => Some(untyped::invoke(call, slot, label)),
        Kind::PageTable => Some(x86_64::invoke_table(call, slot, label)),
        Kind::Tcb => tcb::invoke_aside(call, cap, label),
        _ => None,
    }
}

/// Performs any other invocation of a kernel object.
#[inline(never)]
pub fn invoke_timely<'k>(call: &Arguments<'k>, slot: CapRef<'k>) -> Outcome {
    let cap = slot.cap();
    let label = Label::from_number(call.info.label()).ok_or(Error::IllegalOperation)?;
    match cap.kind() {
        Kind::CNode => cnode::invoke(call, cap, label),
        Kind::Tcb => tcb::invoke(call, slot, label),
        Kind::SchedContext => sched::invoke_context(call, cap, label),
        Kind::SchedControl => sched::invoke_control(call, label),
        Kind::IrqHandler => irq::invoke_handler(call, cap, label),
        Kind::Domain => domain::invoke(call, label),
        _ => x86_64::invoke(call, slot, label),
    }
}
