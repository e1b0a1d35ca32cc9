//! System calls: which one, on which capability. Those that a thread's redirection sends elsewhere don't come here: the stub looks first.

use super::exit::{has_budget, leave};
use super::invocation;
use super::ways;
use crate::arch::{self, Resumed};
use crate::cap::{CapRef, Kind};
use crate::fastpath::NotFast;
use crate::invoke::{self, Arguments, Stop};
use crate::ipc::{self, ExtraCaps, Received};
use crate::mem::Ref;
#[cfg(not(target_os = "none"))]
use crate::object::enter;
use crate::object::{Fault, Kernel, Reply, Tcb, ThreadState};
use crate::{fastpath, time};
use chestnut_abi::registers::Register;
use chestnut_abi::{CapRights, LookupFailure, MessageInfo, Syscall};

/// The running thread executed `syscall`, on the simulated machine: what the stubs of the real one do, and the same entrances.
#[cfg(not(target_os = "none"))]
pub fn system_call() {
    let k = enter();
    let Some(thread) = k.current.get(k) else { return leave(k) };
    let registers = &thread.context;
    let returns = registers.get(Register::Rip);
    if let Some((entry, word)) = thread.redirect.get().of_call(returns) {
        registers.set(Register::Rcx, returns);
        registers.set(Register::R11, word);
        return registers.set(Register::Rip, entry);
    }
    let (capability, info) = (registers.capability_register(), registers.message_info());
    _ = match registers.system_call_number() {
        number if number == Syscall::Call as i64 => call(k, thread, capability, info),
        number if number == Syscall::ReplyRecv as i64 => reply_recv(k, thread, capability, info),
        _ => other_call(k, thread, capability, info),
    };
}

/// It is a Call; `capability` and `info` are what the thread has in the registers for them.
#[inline(always)]
pub fn call<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, capability: u64, info: u64) -> Resumed {
    if !ways::begin(k) {
        return general(k, thread);
    }
    match thread.cspace.get().slot(k.entry(), capability) {
        Some(slot) => call_through(k, slot, info, thread),
        None => call_below(k, thread, capability, info),
    }
}

/// The same where CNodes below the root have to be looked at: apart, so that no register has to be kept while they are.
#[inline(never)]
fn call_below<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, capability: u64, info: u64) -> Resumed {
    match thread.slot_below(k, capability) {
        Some(slot) => call_through(k, slot, info, thread),
        None => general(k, thread),
    }
}

/// A Call through the capability in `slot`.
#[inline(always)]
fn call_through<'k>(k: Kernel<'k>, slot: CapRef<'k>, info: u64, thread: Ref<'k, Tcb>) -> Resumed {
    let cap = slot.cap();
    match cap.as_callable_endpoint(k) {
        Some(endpoint) => fastpath::call(k, thread, endpoint, cap.badge(), info, general),
        None => call_object(k, thread, slot),
    }
}

/// Calls an object that needs no more than [`invocation`] does.
#[inline(never)]
fn call_object<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, slot: CapRef<'k>) -> Resumed {
    match invocation::call(k, thread, slot) {
        Ok(()) => arch::current_context(),
        Err(NotFast) => general(k, thread),
    }
}

/// It is a ReplyRecv.
#[inline(always)]
pub fn reply_recv<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, capability: u64, info: u64) -> Resumed {
    if !ways::begin(k) {
        return general(k, thread);
    }
    let cspace = thread.cspace.get();
    match (cspace.slot(k.entry(), thread.context.reply_register()), cspace.slot(k.entry(), capability)) {
        (Some(reply), Some(slot)) => reply_recv_through(k, slot, info, thread, reply),
        _ => reply_recv_below(k, thread, capability, info),
    }
}

/// The same where CNodes below the root have to be looked at.
#[inline(never)]
fn reply_recv_below<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, capability: u64, info: u64) -> Resumed {
    let find = |address| fastpath::find_slot(k, thread, address);
    match (find(thread.context.reply_register()), find(capability)) {
        (Ok(reply), Ok(slot)) => reply_recv_through(k, slot, info, thread, reply),
        _ => general(k, thread),
    }
}

#[inline(always)]
fn reply_recv_through<'k>(
    k: Kernel<'k>,
    slot: CapRef<'k>,
    info: u64,
    thread: Ref<'k, Tcb>,
    reply: CapRef<'k>,
) -> Resumed {
    fastpath::reply_recv(k, thread, reply.cap(), slot.cap(), info, general)
}

/// It is neither.
#[inline(always)]
pub fn other_call<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, _capability: u64, _info: u64) -> Resumed {
    if !ways::begin(k) {
        return general(k, thread);
    }
    fastpath::other(k, thread, general)
}

/// The general way.
#[inline(never)]
fn general<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Resumed {
    ways::general();
    if has_budget(k) {
        dispatch(k, thread);
    }
    leave(k);
    arch::current_context()
}

fn dispatch<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) {
    let number = thread.context.system_call_number();
    let unknown = Fault::UnknownSyscall { number: number as u64 };
    let Some(call) = Syscall::from_number(number) else { return fault(k, thread, unknown) };
    let (capability, reply) = (thread.context.capability_register(), thread.context.reply_register());
    match call {
        Syscall::Call => _ = send(k, thread, capability, Phase { blocking: true, call: true, donate: true }),
        Syscall::Send => _ = send(k, thread, capability, Phase { blocking: true, call: false, donate: false }),
        Syscall::NBSend => _ = send(k, thread, capability, Phase { blocking: false, call: false, donate: false }),
        Syscall::ReplyRecv => send_then_receive(k, thread, reply, true),
        Syscall::NBSendRecv => send_then_receive(k, thread, thread.context.destination_register(), true),
        Syscall::NBSendWait => send_then_receive(k, thread, reply, false),
        Syscall::Recv => receive(k, thread, true, true),
        Syscall::NBRecv => receive(k, thread, false, true),
        Syscall::Wait => receive(k, thread, true, false),
        Syscall::NBWait => receive(k, thread, false, false),
        Syscall::Yield => time::yield_now(k),
        Syscall::SetTlsBase => thread.context.set(Register::FsBase, capability),
        #[cfg(feature = "debug")]
        _ if thread.redirect.get().is_off() && super::debug::system_call(k, thread, call) => {}
        #[cfg(feature = "bench")]
        Syscall::X86DangerousWrmsr if thread.redirect.get().is_off() => {
            crate::arch::write_msr(capability as u32, thread.context.message_register(0));
        }
        #[cfg(feature = "bench")]
        Syscall::X86DangerousRdmsr if thread.redirect.get().is_off() => {
            thread.context.set_message_register(0, crate::arch::read_msr(capability as u32));
        }
        _ => fault(k, thread, unknown),
    }
}

fn fault<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, fault: Fault) {
    thread.state.set(ThreadState::Restart);
    ipc::deliver_fault(k, thread, fault);
}

/// How the sending part of a system call sends.
#[derive(Clone, Copy)]
struct Phase {
    blocking: bool,
    call: bool,
    donate: bool,
}

/// Sends to, or invokes, a capability. Returns whether the system call may go on to its receiving part.
fn send<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, capability: u64, how: Phase) -> bool {
    let cap_fault = |address, failure| {
        if how.blocking {
            fault(k, thread, Fault::Cap { address, in_receive_phase: false, failure });
        }
    };
    let slot = match find(k, thread, capability) {
        Ok(slot) => slot,
        Err(failure) => {
            cap_fault(capability, failure);
            return true;
        }
    };
    let caps = match ExtraCaps::look_up(k, thread, MessageInfo(thread.context.message_info())) {
        Ok(caps) => caps,
        Err((address, failure)) => {
            cap_fault(address, failure);
            return true;
        }
    };
    // Until it is done, the thread is one that makes this call again.
    thread.state.set(ThreadState::Restart);
    let arguments = Arguments::new(k, thread, caps, how.blocking, how.call, how.donate);
    let outcome = invoke::invoke(&arguments, slot);
    if outcome == Err(Stop::Preempted) {
        return false;
    }
    if thread.state.get() == ThreadState::Restart {
        if how.call {
            match outcome {
                Ok(()) if !arguments.sent.get() => arguments.finish(),
                Err(Stop::Error(error)) => error.reply(k, thread),
                _ => {}
            }
        }
        thread.state.set(ThreadState::Running);
    }
    true
}

fn send_then_receive<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, destination: u64, with_reply: bool) {
    if send(k, thread, destination, Phase { blocking: false, call: false, donate: true }) && thread.is_runnable() {
        receive(k, thread, true, with_reply);
    }
}

fn find<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, address: u64) -> Result<CapRef<'k>, LookupFailure> {
    thread.named_slot(k, address)
}

/// Receives from the endpoint or notification in the capability register.
fn receive<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, blocking: bool, with_reply: bool) {
    let address = thread.context.capability_register();
    let missing = LookupFailure::MissingCapability { bits_left: 0 };
    let receive_fault = |address, failure| fault(k, thread, Fault::Cap { address, in_receive_phase: true, failure });
    let cap = match find(k, thread, address) {
        Ok(slot) => slot.cap(),
        Err(failure) => return receive_fault(address, failure),
    };
    if !cap.rights().contains(CapRights::READ) || !matches!(cap.kind(), Kind::Endpoint | Kind::Notification) {
        return receive_fault(address, missing);
    }
    if let Some(endpoint) = cap.as_endpoint(k) {
        let reply = if with_reply {
            match find_reply(k, thread) {
                Ok(reply) => Some(reply),
                Err(failure) => return receive_fault(thread.context.reply_register(), failure),
            }
        } else {
            None
        };
        if ipc::receive(k, thread, endpoint, cap.rights(), reply, blocking) != Received::Blocked {
            thread.state.set(ThreadState::Running);
        }
    } else if let Some(notification) = cap.as_notification(k) {
        if notification.bound_tcb.get(k).is_some_and(|bound| bound != thread) {
            return receive_fault(address, missing);
        }
        ipc::wait(k, thread, notification, blocking);
    }
}

fn find_reply<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<Ref<'k, Reply>, LookupFailure> {
    let slot = find(k, thread, thread.context.reply_register())?;
    slot.cap().as_reply(k).ok_or(LookupFailure::MissingCapability { bits_left: 0 })
}
