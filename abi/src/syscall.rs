//! System calls and how their arguments travel.
//!
//! `syscall` with rdx = number, rdi = capability (badge on return), rsi = [`MessageInfo`](crate::MessageInfo),
//! r10 r8 r9 r15 = message words 0–3, r12 = reply capability. rcx and r11 are clobbered, all else is preserved.
//! Two-phase calls (`NBSendRecv`, `NBSendWait`) take the destination of their send in r13; for `NBSendWait`, which
//! has no reply object, it is in r12.

/// System call numbers, as signed values of rdx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub enum Syscall {
    /// Sends and waits for the reply; or invokes an object and gets its answer.
    Call = -1,
    /// Replies through the reply capability in r12, then receives from rdi with that reply object.
    ReplyRecv = -2,
    /// Sends to r13 without waiting, then receives from rdi with the reply object in r12.
    NBSendRecv = -3,
    /// Sends to r12 without waiting, then waits at rdi, without a reply object.
    NBSendWait = -4,
    /// Sends, and waits for a receiver.
    Send = -5,
    /// Sends if somebody receives at once; else nothing happens.
    NBSend = -6,
    /// Receives a message, or a signal; a caller will wait on the reply object in r12.
    Recv = -7,
    /// Receives if something is there at once; else the badge is 0.
    NBRecv = -8,
    /// Receives without a reply object: callers can't be answered.
    Wait = -9,
    /// Wait, if something is there at once; else the badge is 0.
    NBWait = -10,
    /// Gives up the rest of the budget that the current refill holds.
    Yield = -11,
    /// Debug builds only: writes the low byte of rdi to the console.
    DebugPutChar = -12,
    /// Debug builds only.
    DebugDumpScheduler = -13,
    /// Debug builds only.
    DebugHalt = -14,
    /// Debug builds only: rdi = capability; returns its kind in rdi (0 for an empty slot).
    DebugCapIdentify = -15,
    /// Debug builds only.
    DebugSnapshot = -16,
    /// Debug builds only: names the thread in rdi after the bytes in its caller's IPC buffer.
    DebugNameThread = -17,
    /// Benchmark builds only: rdi = register, message word 0 = value.
    X86DangerousWrmsr = -30,
    /// Benchmark builds only: rdi = register; the value returns in message word 0.
    X86DangerousRdmsr = -31,
    /// rdi = the calling thread's new FS base.
    SetTlsBase = -33,
}

impl Syscall {
    /// The system call that a value of rdx names, if any.
    pub const fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            -1 => Self::Call,
            -2 => Self::ReplyRecv,
            -3 => Self::NBSendRecv,
            -4 => Self::NBSendWait,
            -5 => Self::Send,
            -6 => Self::NBSend,
            -7 => Self::Recv,
            -8 => Self::NBRecv,
            -9 => Self::Wait,
            -10 => Self::NBWait,
            -11 => Self::Yield,
            -12 => Self::DebugPutChar,
            -13 => Self::DebugDumpScheduler,
            -14 => Self::DebugHalt,
            -15 => Self::DebugCapIdentify,
            -16 => Self::DebugSnapshot,
            -17 => Self::DebugNameThread,
            -30 => Self::X86DangerousWrmsr,
            -31 => Self::X86DangerousRdmsr,
            -33 => Self::SetTlsBase,
            _ => return None,
        })
    }
}
