//! System calls, each as one function: registers in, registers out, no policy.
//!
//! Words beyond the fourth and capabilities travel in the IPC buffer, which [`crate::message`] and
//! [`crate::ipc_buffer`] deal with. RSP is preserved by the kernel, so it is not saved here. The compiler must assume
//! that a system call reads and writes memory: the IPC buffer belongs to both sides.

use chestnut_abi::{MessageInfo, Syscall};

/// What a receiving system call hands over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// Badge of the capability that the message was sent through; for an invocation's reply, 0.
    pub badge: u64,
    pub info: MessageInfo,
    /// The message's first four words.
    pub words: [u64; 4],
}

/// Every register that any system call takes. `r12` is the reply capability (for `NBSendWait`, the destination of the
/// send), `r13` the destination of the send in `NBSendRecv`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    pub cap: u64,
    pub info: MessageInfo,
    pub words: [u64; 4],
    pub r12: u64,
    pub r13: u64,
}

/// The system call itself. What follows the arguments are the registers beyond those of a message that it takes, so that one that takes none
/// leaves them to the compiler.
#[cfg(target_os = "none")]
macro_rules! native {
    ($number:expr, $arguments:expr $(, $register:tt = $value:expr)*) => {{
        let Arguments { mut cap, info: MessageInfo(mut info), words: [mut w0, mut w1, mut w2, mut w3], .. } = $arguments;
        // SAFETY: the kernel preserves every register but those named as outputs or clobbers. What memory it writes is the
        // IPC buffer, which is only ever accessed by volatile accesses, and memory that capabilities name, for which the
        // typed capabilities' callers answer.
        unsafe {
            core::arch::asm!(
                "syscall",
                in("rdx") $number as i64,
                inlateout("rdi") cap,
                inlateout("rsi") info,
                inlateout("r10") w0,
                inlateout("r8") w1,
                inlateout("r9") w2,
                inlateout("r15") w3,
                $(in($register) $value,)*
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack),
            );
        }
        Registers { badge: cap, info: MessageInfo(info), words: [w0, w1, w2, w3] }
    }};
}

#[cfg(target_os = "none")]
#[inline(always)]
fn raw(number: Syscall, arguments: Arguments) -> Registers {
    match number {
        Syscall::NBSendRecv => native!(number, arguments, "r12" = arguments.r12, "r13" = arguments.r13),
        Syscall::ReplyRecv | Syscall::Recv | Syscall::NBRecv | Syscall::NBSendWait => {
            native!(number, arguments, "r12" = arguments.r12)
        }
        _ => native!(number, arguments),
    }
}

#[cfg(all(not(target_os = "none"), not(test)))]
fn raw(number: Syscall, _arguments: Arguments) -> Registers {
    panic!("system call {number:?} on the host: there is no kernel to answer it")
}

#[cfg(all(not(target_os = "none"), test))]
use fake::raw;

/// Sends and waits for the answer. On an object of the kernel: invokes it.
#[inline(always)]
pub fn call(cap: u64, info: MessageInfo, words: [u64; 4]) -> Registers {
    raw(Syscall::Call, Arguments { cap, info, words, ..Default::default() })
}

/// Sends, waiting until a receiver takes the message.
#[inline(always)]
pub fn send(cap: u64, info: MessageInfo, words: [u64; 4]) {
    raw(Syscall::Send, Arguments { cap, info, words, ..Default::default() });
}

/// Sends if a receiver waits already, else drops the message.
#[inline(always)]
pub fn nb_send(cap: u64, info: MessageInfo, words: [u64; 4]) {
    raw(Syscall::NBSend, Arguments { cap, info, words, ..Default::default() });
}

/// Receives, waiting; the sender of a call can be answered through `reply` (0: none).
#[inline(always)]
pub fn recv(cap: u64, reply: u64) -> Registers {
    raw(Syscall::Recv, Arguments { cap, r12: reply, ..Default::default() })
}

/// Receives what is already there; badge 0 and an empty message if nothing is.
#[inline(always)]
pub fn nb_recv(cap: u64, reply: u64) -> Registers {
    raw(Syscall::NBRecv, Arguments { cap, r12: reply, ..Default::default() })
}

/// Waits on a notification or, without a reply object, on an endpoint.
#[inline(always)]
pub fn wait(cap: u64) -> Registers {
    raw(Syscall::Wait, Arguments { cap, ..Default::default() })
}

/// Takes what [`wait`] would find now; badge 0 if nothing is there.
#[inline(always)]
pub fn nb_wait(cap: u64) -> Registers {
    raw(Syscall::NBWait, Arguments { cap, ..Default::default() })
}

/// Answers through `reply`, then receives on `cap` with the same reply object.
#[inline(always)]
pub fn reply_recv(cap: u64, info: MessageInfo, words: [u64; 4], reply: u64) -> Registers {
    raw(Syscall::ReplyRecv, Arguments { cap, info, words, r12: reply, r13: 0 })
}

/// Sends to `destination` without waiting, then receives on `cap`: one kernel entry.
#[inline(always)]
pub fn nb_send_recv(destination: u64, info: MessageInfo, words: [u64; 4], cap: u64, reply: u64) -> Registers {
    raw(Syscall::NBSendRecv, Arguments { cap, info, words, r12: reply, r13: destination })
}

/// Sends to `destination` without waiting, then waits on `cap`: one kernel entry.
#[inline(always)]
pub fn nb_send_wait(destination: u64, info: MessageInfo, words: [u64; 4], cap: u64) -> Registers {
    raw(Syscall::NBSendWait, Arguments { cap, info, words, r12: destination, r13: 0 })
}

/// Gives up what remains of the budget for this period.
#[inline(always)]
pub fn yield_now() {
    raw(Syscall::Yield, Arguments::default());
}

/// Sets the calling thread's FS base.
#[inline(always)]
pub fn set_tls_base(base: u64) {
    raw(Syscall::SetTlsBase, Arguments { cap: base, ..Default::default() });
}

/// Writes a byte to the kernel's console. Kernels built without debug system calls raise an unknown-system-call fault.
#[inline(always)]
pub fn debug_put_char(byte: u8) {
    raw(Syscall::DebugPutChar, Arguments { cap: byte.into(), ..Default::default() });
}

/// What kind of capability a slot holds (0: none), as numbers of the kernel. Debug kernels only.
#[inline(always)]
pub fn debug_cap_identify(cap: u64) -> u64 {
    raw(Syscall::DebugCapIdentify, Arguments { cap, ..Default::default() }).badge
}

/// A stand-in for the kernel in unit tests: records what was asked and answers what the test prepared.
#[cfg(all(not(target_os = "none"), test))]
pub mod fake {
    use super::{Arguments, Registers};
    use chestnut_abi::Syscall;
    use core::cell::RefCell;
    use std::{collections::VecDeque, thread_local, vec::Vec};

    thread_local! {
        static ASKED: RefCell<Vec<(Syscall, Arguments)>> = const { RefCell::new(Vec::new()) };
        static ANSWERS: RefCell<VecDeque<Registers>> = const { RefCell::new(VecDeque::new()) };
    }

    /// Lets the next unanswered system call of this test return `registers`.
    pub fn answer(registers: Registers) {
        ANSWERS.with_borrow_mut(|answers| answers.push_back(registers));
    }

    /// The system calls of this test since the last time it asked.
    pub fn asked() -> Vec<(Syscall, Arguments)> {
        ASKED.take()
    }

    pub(super) fn raw(number: Syscall, arguments: Arguments) -> Registers {
        ASKED.with_borrow_mut(|asked| asked.push((number, arguments)));
        ANSWERS.with_borrow_mut(|answers| answers.pop_front().unwrap_or_default())
    }
}
