//! What lives where on the pages that trampoline, vDSO and server share.
//!
//! These are memory layouts, used by the assembly through their offsets. The server makes no reference to a mapped one
//! (the program may write the thread page at any time): it goes through [`View`](crate::View), which copies.

use chestnut_abi::IpcBuffer;

use crate::dispatch::ENTRIES;

/// Bytes in a page, and alignment of everything here.
pub const PAGE: usize = 4096;
/// Numbers that have an entry of their own in the dispatch tables; there is no system call beyond.
pub const SYSCALLS: usize = 512;
/// Number of signals.
pub const SIGNALS: usize = 64;
/// What `sa_flags` may have: other bits are cleared, which is how programs learn of it.
pub const ACTION_FLAGS: u32 = 0xdc00_0807;
/// Descriptors that have a place in [`ProcessPage::plain`].
pub const PLAIN_DESCRIPTORS: usize = 256;
/// Entries of [`MmPage::waiters`].
pub const FUTEX_BUCKETS: usize = 512;

/// A thread's integer registers, in the order of Linux's `pt_regs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Frame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    /// What `restore` returns; a system call's result otherwise stays in the register.
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    /// The number of the last system call (32 bits, zero-extended), as RAX held it at entry.
    pub number: u64,
    pub rip: u64,
    /// Written by the text before it uses it; the server need not set it.
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    /// Like `cs`.
    pub ss: u64,
}

/// Number of words in a [`Frame`].
pub const FRAME_WORDS: usize = size_of::<Frame>() / 8;

/// `sigaltstack`'s state; size 0 means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct AltStack {
    pub base: u64,
    /// Bytes.
    pub size: u64,
    /// As the program gave them, without SS_ONSTACK and SS_DISABLE: 0 or SS_AUTODISARM.
    pub flags: u64,
}

/// Image of the FPU and SSE registers as FXSAVE64 stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(16))]
pub struct FxArea(pub [u8; 512]);

impl FxArea {
    /// What a new program starts with: all exceptions masked, round to nearest, extended precision.
    pub const INITIAL: Self = {
        let mut bytes = [0; 512];
        // FCW = 0x037f, MXCSR = 0x1f80.
        bytes[0] = 0x7f;
        bytes[1] = 0x03;
        bytes[24] = 0x80;
        bytes[25] = 0x1f;
        Self(bytes)
    };
}

/// One per thread: mapped read-write and never executable in the program, and mapped by the server too. The redirection
/// word (R11 at entry) is its address in the program.
#[repr(C, align(4096))]
pub struct ThreadPage {
    pub ipc_buffer: IpcBuffer,
    /// At entry the text stores rip, rsp, rflags, rdi, rsi, rdx, r10, r8, r9, r15 and number. The other ones are only
    /// there when the text was asked for all (see [`dispatch`](crate::dispatch)) and when it takes signals.
    pub frame: Frame,
    /// Non-zero: make a [`Request::TakeSignals`](crate::Request) before returning to the program. The
    /// text sets it too (when pending signals are unblocked); only the server clears it, while it serves that request.
    pub attention: u32,
    pub cpu: u32,
    pub tid: u32,
    pub reserved: u32,
    /// Address of the dispatch table in use: one of those on the process page.
    pub dispatch: u64,
    pub process: u64,
    pub time: u64,
    pub mm: u64,
    /// Signals that the thread blocks, bit n−1 for signal n. Written by text and server; the only copy.
    pub blocked: u64,
    /// Signals pending for the thread or its process, blocked ones included. Only the server writes it, and does so
    /// before it looks at `blocked`; the text writes `blocked` before it looks here. So no unblocking is missed.
    pub pending: u64,
    pub alt_stack: AltStack,
    pub fx: FxArea,
    /// Non-zero: `actions` are those of the thread's process, which has no other thread, and the text changes them. Only the server
    /// writes it.
    pub has_actions: u32,
    /// The signal whose action is `change` and no longer what `actions` say; 0 for none. The text completes `change` first, so
    /// whoever looks while the thread is stopped anywhere finds an action as it was before or as it is then.
    pub changing: u32,
    pub change: [u64; 4],
    /// As [`ProcessPage::actions`].
    pub actions: [[u64; 4]; SIGNALS],
}

/// One per process, mapped read-only in it.
#[repr(C, align(4096))]
pub struct ProcessPage {
    pub pid: u32,
    pub ppid: u32,
    pub uid: u32,
    pub euid: u32,
    pub gid: u32,
    pub egid: u32,
    /// For each system-call number who answers it, see [`dispatch`](crate::dispatch).
    pub dispatch: [u8; ENTRIES],
    /// The table of a traced thread: everything goes to the server, with all registers saved.
    pub dispatch_traced: [u8; ENTRIES],
    /// What each of the first descriptors is read and written like, see [`plain`]; and how many of them can be read, and written.
    pub plain: [u8; PLAIN_DESCRIPTORS],
    pub plain_read: u16,
    pub plain_written: u16,
    /// Says whether `actions` counts: 0 if not, and while it is being changed; another number after each change.
    pub actions_version: u32,
    /// What is done on each signal: `struct sigaction` as rt_sigaction has it.
    pub actions: [[u64; 4]; SIGNALS],
}

/// One for the whole system, mapped read-only on the page before each vDSO image.
///
/// CLOCK_MONOTONIC in nanoseconds = (TSC − `tsc_base`) × `multiplier` / 2^32; CLOCK_REALTIME = that + `wall_offset`.
/// Only `wall_offset` and `devices_watched` ever change, so no reader needs more than one load of each.
#[repr(C, align(4096))]
pub struct TimePage {
    pub tsc_base: u64,
    /// Nanoseconds per tick, times 2^32.
    pub multiplier: u64,
    /// Nanoseconds.
    pub wall_offset: u64,
    /// Non-zero while somebody may want to hear that devices are read and written (inotify): then the server does both.
    pub devices_watched: u32,
}

impl TimePage {
    /// The multiplier for a time-stamp counter of so many MHz.
    pub const fn multiplier_for(tsc_mhz: u64) -> u64 {
        (1000 << 32) / tsc_mhz
    }
    /// CLOCK_MONOTONIC in nanoseconds at a reading of the time-stamp counter, exactly as text and vDSO compute it.
    pub const fn monotonic(tsc: u64, tsc_base: u64, multiplier: u64) -> u64 {
        ((tsc.wrapping_sub(tsc_base) as u128 * multiplier as u128) >> 32) as u64
    }
}

/// One per address space, mapped read-only in it.
#[repr(C, align(4096))]
pub struct MmPage {
    /// Number of threads that wait on private futexes in each bucket. The server counts a waiter first and reads the
    /// futex word then; whoever wakes has written the word, fences, and reads the count.
    pub waiters: [u32; FUTEX_BUCKETS],
}

/// Index into [`MmPage::waiters`] of a futex word's address.
pub const fn futex_bucket(address: u64) -> usize {
    (address >> 2 ^ address >> 12) as usize % FUTEX_BUCKETS
}

/// A descriptor whose reads and writes need nothing but their arguments: bits of [`ProcessPage::plain`].
pub mod plain {
    /// A read finds the end.
    pub const READS_END: u8 = 1;
    /// A read finds zeros without end.
    pub const READS_ZEROS: u8 = 2;
    /// A write succeeds, and nobody looks at what was written.
    pub const DISCARDS: u8 = 4;
    /// Most bytes that one read or write moves (MAX_RW_COUNT).
    pub const MOST: u64 = 0x7fff_f000;
}

/// The ucontext in a signal frame, as far as sigreturn looks at it: byte offsets, and what it takes of the flags.
pub mod context {
    /// uc_stack: base, flags (32 bits), size.
    pub const STACK: usize = 16;
    /// uc_mcontext, in the order r8–r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags.
    pub const REGISTERS: usize = 40;
    /// The address of what FXSAVE stored; 0: there is none.
    pub const FPU: usize = 224;
    /// uc_sigmask, its last word.
    pub const MASK: usize = 296;
    /// RFLAGS bits that belong to the program: CF PF AF ZF SF TF DF OF RF AC.
    pub const PROGRAM_FLAGS: u64 = 0x5_0dd5 | 1 << 16;
    /// Interrupts on, and the bit that is always set.
    pub const FIXED_FLAGS: u64 = 0x202;
}

/// What RSP holds while the text runs, as an offset into the thread page: the address of the frame's `rflags`. Whoever
/// sends a thread to `tail`, `start`, `sigenter` or a fix-up sets RSP to thread page + this.
pub const STACK: u64 = (core::mem::offset_of!(ThreadPage, frame) + core::mem::offset_of!(Frame, rflags)) as u64;

const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<Frame>() == 21 * 8);
    assert!(offset_of!(Frame, rip) == 128 && offset_of!(Frame, ss) == 160);
    assert!(size_of::<ThreadPage>() == PAGE);
    assert!(offset_of!(ThreadPage, ipc_buffer) == 0);
    assert!(offset_of!(ThreadPage, frame) == 0x400);
    assert!(offset_of!(ThreadPage, attention) == 0x4a8);
    assert!(offset_of!(ThreadPage, tid) == 0x4b0);
    assert!(offset_of!(ThreadPage, dispatch) == 0x4b8);
    assert!(offset_of!(ThreadPage, blocked) == 0x4d8);
    assert!(offset_of!(ThreadPage, pending) == 0x4e0);
    assert!(offset_of!(ThreadPage, alt_stack) == 0x4e8);
    assert!(offset_of!(ThreadPage, fx) == 0x500);
    assert!(offset_of!(ThreadPage, actions) == 0x728);
    assert!(STACK == 0x490);
    assert!(offset_of!(ProcessPage, dispatch) == 24);
    assert!(offset_of!(ProcessPage, actions) % 8 == 0);
    assert!(size_of::<ProcessPage>() == PAGE);
    assert!(size_of::<TimePage>() == PAGE);
    assert!(size_of::<MmPage>() == PAGE);
};
