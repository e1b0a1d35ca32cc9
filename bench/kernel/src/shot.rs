//! One system call with a stamp of the time-stamp counter right before and right after it.
//!
//! A shot lies in static memory, which every address space of a benchmark maps at the same address: so one thread reads what another one
//! stamped, whatever lies between them. Stamps are the counter's low halves: nothing that is measured takes 2^32 ticks.

use chestnut_abi::{MessageInfo, Syscall};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// What a thread's next system call is given, and when it began and ended last.
#[repr(C, align(64))]
pub struct Shot {
    number: AtomicU64,
    cap: AtomicU64,
    info: AtomicU64,
    words: [AtomicU64; 4],
    r12: AtomicU64,
    r13: AtomicU64,
    before: AtomicU32,
    after: AtomicU32,
    result_info: AtomicU64,
    result_badge: AtomicU64,
}

impl Shot {
    pub const fn new() -> Self {
        Self {
            number: AtomicU64::new(0),
            cap: AtomicU64::new(0),
            info: AtomicU64::new(0),
            words: [const { AtomicU64::new(0) }; 4],
            r12: AtomicU64::new(0),
            r13: AtomicU64::new(0),
            before: AtomicU32::new(0),
            after: AtomicU32::new(0),
            result_info: AtomicU64::new(0),
            result_badge: AtomicU64::new(0),
        }
    }

    /// Says which system call it is.
    pub fn aim(&self, number: Syscall, cap: u64, info: MessageInfo, words: [u64; 4]) {
        self.number.store((number as i64).cast_unsigned(), Relaxed);
        self.cap.store(cap, Relaxed);
        self.info.store(info.0, Relaxed);
        self.words.iter().zip(words).for_each(|(word, value)| word.store(value, Relaxed));
    }

    /// R12: the reply object of a receiving call; the destination of NBSendWait.
    pub fn with_reply(&self, reply: u64) {
        self.r12.store(reply, Relaxed);
    }

    /// Makes the system call.
    pub fn fire(&self) {
        // SAFETY: as in the runtime's own system calls; memory that a message changes is volatile or not this program's.
        unsafe { fire(self) };
    }

    /// All of [`Self::fire`] but the system call.
    pub fn fire_blank(&self) {
        // SAFETY: reads and writes the shot alone.
        unsafe { fire_blank(self) };
    }

    /// Where the time before the system call is kept.
    pub fn before(&self) -> &AtomicU32 {
        &self.before
    }

    pub fn after(&self) -> &AtomicU32 {
        &self.after
    }

    /// The message info that came back.
    pub fn result(&self) -> MessageInfo {
        MessageInfo(self.result_info.load(Relaxed))
    }
}

macro_rules! shot {
    ($name:ident, $call:literal) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(shot: &Shot) {
            core::arch::naked_asm!(
                "push rbx",
                "push rbp",
                "push r12",
                "push r13",
                "push r14",
                "push r15",
                "mov r14, rdi",
                "mov rdi, [r14 + {cap}]",
                "mov rsi, [r14 + {info}]",
                "mov r10, [r14 + {words}]",
                "mov r8, [r14 + {words} + 8]",
                "mov r9, [r14 + {words} + 16]",
                "mov r15, [r14 + {words} + 24]",
                "mov r12, [r14 + {r12}]",
                "mov r13, [r14 + {r13}]",
                "rdtsc",
                "mov [r14 + {before}], eax",
                "mov rdx, [r14 + {number}]",
                $call,
                "rdtsc",
                "mov [r14 + {after}], eax",
                "mov [r14 + {result_info}], rsi",
                "mov [r14 + {result_badge}], rdi",
                "pop r15",
                "pop r14",
                "pop r13",
                "pop r12",
                "pop rbp",
                "pop rbx",
                "ret",
                cap = const core::mem::offset_of!(Shot, cap),
                info = const core::mem::offset_of!(Shot, info),
                words = const core::mem::offset_of!(Shot, words),
                r12 = const core::mem::offset_of!(Shot, r12),
                r13 = const core::mem::offset_of!(Shot, r13),
                number = const core::mem::offset_of!(Shot, number),
                before = const core::mem::offset_of!(Shot, before),
                after = const core::mem::offset_of!(Shot, after),
                result_info = const core::mem::offset_of!(Shot, result_info),
                result_badge = const core::mem::offset_of!(Shot, result_badge),
            )
        }
    };
}

shot!(fire, "syscall");
shot!(fire_blank, "");
