//! What system calls and faults do, as tables: by them the kernel's tests go through every case.
//!
//! A system call has at most two phases: it sends, and then it receives. What each phase does when nobody is there is the
//! difference between most of the calls (seL4 manual, "System Calls" and "Faults").

use crate::Syscall;
use crate::fault::label;
use crate::registers::{Register, TIMEOUT_REPLY_REGISTERS, UNKNOWN_SYSCALL_REGISTERS, USER_EXCEPTION_REGISTERS};

/// A system call's sending phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// Waits for a receiver.
    Waits,
    /// Waits for a receiver and then for its reply.
    Calls,
    /// Drops the message if nobody receives.
    AtOnce,
    /// Sends through the reply capability that the receiving phase uses, too. Never waits.
    Replies,
}

/// A system call's receiving phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiving {
    /// Waits for a sender; otherwise the badge is 0 if nothing is there.
    pub waits: bool,
    /// Gives a reply object on which a caller will wait; otherwise callers are never answered.
    pub takes_reply: bool,
}

/// In which builds of the kernel a system call exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    Every,
    Debug,
    Bench,
}

/// A system call and its phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemCall {
    pub call: Syscall,
    /// In small letters, for the names of tests.
    pub name: &'static str,
    pub sending: Option<Sending>,
    pub receiving: Option<Receiving>,
    pub build: Build,
}

const fn call(
    call: Syscall,
    name: &'static str,
    sending: Option<Sending>,
    receiving: Option<Receiving>,
    build: Build,
) -> SystemCall {
    SystemCall { call, name, sending, receiving, build }
}

const fn receiving(waits: bool, takes_reply: bool) -> Option<Receiving> {
    Some(Receiving { waits, takes_reply })
}

/// Every system call.
pub const SYSTEM_CALLS: &[SystemCall] = &[
    call(Syscall::Call, "call", Some(Sending::Calls), None, Build::Every),
    call(Syscall::ReplyRecv, "reply_recv", Some(Sending::Replies), receiving(true, true), Build::Every),
    call(Syscall::NBSendRecv, "nb_send_recv", Some(Sending::AtOnce), receiving(true, true), Build::Every),
    call(Syscall::NBSendWait, "nb_send_wait", Some(Sending::AtOnce), receiving(true, false), Build::Every),
    call(Syscall::Send, "send", Some(Sending::Waits), None, Build::Every),
    call(Syscall::NBSend, "nb_send", Some(Sending::AtOnce), None, Build::Every),
    call(Syscall::Recv, "recv", None, receiving(true, true), Build::Every),
    call(Syscall::NBRecv, "nb_recv", None, receiving(false, true), Build::Every),
    call(Syscall::Wait, "wait", None, receiving(true, false), Build::Every),
    call(Syscall::NBWait, "nb_wait", None, receiving(false, false), Build::Every),
    call(Syscall::Yield, "yield", None, None, Build::Every),
    call(Syscall::DebugPutChar, "debug_put_char", None, None, Build::Debug),
    call(Syscall::DebugDumpScheduler, "debug_dump_scheduler", None, None, Build::Debug),
    call(Syscall::DebugHalt, "debug_halt", None, None, Build::Debug),
    call(Syscall::DebugCapIdentify, "debug_cap_identify", None, None, Build::Debug),
    call(Syscall::DebugSnapshot, "debug_snapshot", None, None, Build::Debug),
    call(Syscall::DebugNameThread, "debug_name_thread", None, None, Build::Debug),
    call(Syscall::X86DangerousWrmsr, "x86_dangerous_wrmsr", None, None, Build::Bench),
    call(Syscall::X86DangerousRdmsr, "x86_dangerous_rdmsr", None, None, Build::Bench),
    call(Syscall::SetTlsBase, "set_tls_base", None, None, Build::Every),
];

/// Why a thread faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The capability to send through isn't there.
    CapabilityInSend,
    /// The capability to receive through isn't there.
    CapabilityInReceive,
    UnknownSystemCall,
    UserException,
    DataPage,
    InstructionPage,
    EndOfBudget,
}

/// A fault: what its message is labelled with, and what a reply does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultKind {
    pub cause: Cause,
    /// In small letters, for the names of tests.
    pub name: &'static str,
    pub label: u64,
    /// Registers that the words of a reply set, in this order. With such a fault a label other than 0 leaves the thread
    /// stopped. Without, the thread makes another attempt whatever the reply says.
    pub reply_sets: &'static [Register],
}

const fn fault(cause: Cause, name: &'static str, label: u64, reply_sets: &'static [Register]) -> FaultKind {
    FaultKind { cause, name, label, reply_sets }
}

/// Every fault.
pub const FAULTS: &[FaultKind] = &[
    fault(Cause::CapabilityInSend, "a_capability_fault_of_a_send", label::CAP, &[]),
    fault(Cause::CapabilityInReceive, "a_capability_fault_of_a_receive", label::CAP, &[]),
    fault(Cause::UnknownSystemCall, "an_unknown_system_call", label::UNKNOWN_SYSCALL, &UNKNOWN_SYSCALL_REGISTERS),
    fault(Cause::UserException, "a_user_exception", label::USER_EXCEPTION, &USER_EXCEPTION_REGISTERS),
    fault(Cause::DataPage, "a_page_fault_of_an_access", label::VM, &[]),
    fault(Cause::InstructionPage, "a_page_fault_of_a_fetch", label::VM, &[]),
    fault(Cause::EndOfBudget, "a_timeout", label::TIMEOUT, &TIMEOUT_REPLY_REGISTERS),
];
