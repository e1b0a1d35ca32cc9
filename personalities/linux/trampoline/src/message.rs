//! What trampoline and server say to each other.
//!
//! A request is a `Call` on the thread's only capability, [`SERVER_CPTR`]. Label [`SYSCALL`]: words 0–2 are arguments
//! 4–6, word 3 the number; arguments 1–3 are in the thread page's frame. Label [`TAKE_SIGNALS`]: no words; the frame and
//! the FX area hold the thread's whole state. Fault messages use labels 1–6; since a program can call with any label,
//! the server tells faults from requests by the badge alone.
//!
//! The reply's label says how the thread goes on, word 0 is the result of [`Reply::Done`].

use chestnut_abi::MessageInfo;

use crate::{ThreadPage, View};

/// Where a Linux thread's CSpace holds the server's endpoint (Write and GrantReply, badge = thread).
pub const SERVER_CPTR: u64 = 1;

/// Label of a system call.
pub const SYSCALL: u64 = 0x100;
/// Label of the request for signals.
pub const TAKE_SIGNALS: u64 = 0x101;

/// What a request's message is, as one word.
pub const INFO_SYSCALL: MessageInfo = MessageInfo::new(SYSCALL, 0, 0, 4);
pub const INFO_TAKE_SIGNALS: MessageInfo = MessageInfo::new(TAKE_SIGNALS, 0, 0, 0);

/// Labels of replies.
pub const DONE: u64 = 0;
pub const RESTORE: u64 = 1;
pub const RESTART: u64 = 2;

/// What a thread asks of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A system call, its arguments copied once.
    Syscall { number: u64, arguments: [u64; 6] },
    /// The thread saw `attention`: its state is in frame and FX area. Deliver what is deliverable (write the signal
    /// frame, change the frame on the thread page), clear `attention` if nothing is left, answer [`Reply::Restore`].
    TakeSignals,
}

impl Request {
    /// The request in a message with these first four words from the thread of that page; `None` for a label that is no
    /// request or a length that doesn't fit, which only a program that plays with its trampoline can send.
    #[inline(always)]
    pub fn decode(info: MessageInfo, words: [u64; 4], page: View<ThreadPage>) -> Option<Self> {
        let [fourth, fifth, sixth, number] = words;
        match info {
            INFO_SYSCALL => {
                let [first, second, third] = page.arguments();
                Some(Self::Syscall { number, arguments: [first, second, third, fourth, fifth, sixth] })
            }
            INFO_TAKE_SIGNALS => Some(Self::TakeSignals),
            _ => None,
        }
    }
}

/// How a thread goes on after a request. Whichever it is, `attention` is looked at before the program runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The system call returns this value in RAX (a small negative one is an error, −errno).
    Done(u64),
    /// All registers, the FPU's included, are loaded from frame and FX area: after TakeSignals and `rt_sigreturn`.
    Restore,
    /// The program's `syscall` instruction is executed again with its original registers.
    Restart,
}

impl Reply {
    /// The reply as message info and first word.
    pub const fn encode(self) -> (MessageInfo, u64) {
        match self {
            // As many words as there are registers for is what the kernel passes on with the fewest instructions.
            Self::Done(result) => (MessageInfo::new(DONE, 0, 0, 4), result),
            Self::Restore => (MessageInfo::new(RESTORE, 0, 0, 0), 0),
            Self::Restart => (MessageInfo::new(RESTART, 0, 0, 0), 0),
        }
    }
}
