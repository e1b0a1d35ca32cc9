//! Hands the assembly sources the offsets and numbers that Rust knows, and gives their bytes to Rust.

use core::mem::offset_of;

use chestnut_abi::{Syscall, layout};

use crate::pages::{
    ACTION_FLAGS, AltStack, FUTEX_BUCKETS, PAGE, PLAIN_DESCRIPTORS, SIGNALS, STACK, SYSCALLS, context, plain,
};
use crate::{Frame, MmPage, ProcessPage, ThreadPage, TimePage, dispatch, message};

/// Offset of a thread-page field from RSP.
const fn at(offset_in_page: usize) -> i64 {
    offset_in_page as i64 - STACK as i64
}

/// Offset of a saved register from RSP.
macro_rules! register {
    ($name:ident) => {
        at(offset_of!(ThreadPage, frame) + offset_of!(Frame, $name))
    };
}

/// Hash of a symbol's name in DT_HASH and in version definitions (System V ABI, chapter 5).
const fn elf_hash(name: &str) -> u32 {
    let mut hash: u32 = 0;
    let mut i = 0;
    while i < name.len() {
        hash = (hash << 4).wrapping_add(name.as_bytes()[i] as u32);
        hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fff_ffff;
        i += 1;
    }
    hash
}

/// Hash of a symbol's name in DT_GNU_HASH.
const fn gnu_hash(name: &str) -> u32 {
    let mut hash: u32 = 5381;
    let mut i = 0;
    while i < name.len() {
        hash = hash.wrapping_mul(33).wrapping_add(name.as_bytes()[i] as u32);
        i += 1;
    }
    hash
}

const CLOCK_GETTIME: u32 = gnu_hash("__vdso_clock_gettime");
const GETTIMEOFDAY: u32 = gnu_hash("__vdso_gettimeofday");
const TIME: u32 = gnu_hash("__vdso_time");
const GETCPU: u32 = gnu_hash("__vdso_getcpu");
const CLOCK_GETRES: u32 = gnu_hash("__vdso_clock_getres");

/// The two bits that a hash sets in the Bloom filter's only word.
const fn bloom(hash: u32) -> u64 {
    1 << (hash % 64) | 1 << ((hash >> 6) % 64)
}

// The time page's offsets serve both texts; RIP-relative addressing in the vDSO relies on the time page being a page.
const _: () = assert!(size_of::<TimePage>() == PAGE);

core::arch::global_asm!(
    include_str!("macros.s"),
    include_str!("text.s"),
    include_str!("vdso.s"),
    STACK = const STACK,
    PAGE_RSP = const offset_of!(ThreadPage, frame) + offset_of!(Frame, rsp),
    R15 = const register!(r15),
    R14 = const register!(r14),
    R13 = const register!(r13),
    R12 = const register!(r12),
    RBP = const register!(rbp),
    RBX = const register!(rbx),
    R11 = const register!(r11),
    R10 = const register!(r10),
    R9 = const register!(r9),
    R8 = const register!(r8),
    RAX = const register!(rax),
    RCX = const register!(rcx),
    RDX = const register!(rdx),
    RSI = const register!(rsi),
    RDI = const register!(rdi),
    NUMBER = const register!(number),
    RIP = const register!(rip),
    CS = const register!(cs),
    RSP = const register!(rsp),
    SS = const register!(ss),
    ATTENTION = const at(offset_of!(ThreadPage, attention)),
    CPU = const at(offset_of!(ThreadPage, cpu)),
    TID = const at(offset_of!(ThreadPage, tid)),
    DISPATCH = const at(offset_of!(ThreadPage, dispatch)),
    PROCESS = const at(offset_of!(ThreadPage, process)),
    TIME = const at(offset_of!(ThreadPage, time)),
    MM = const at(offset_of!(ThreadPage, mm)),
    BLOCKED = const at(offset_of!(ThreadPage, blocked)),
    PENDING = const at(offset_of!(ThreadPage, pending)),
    ALT_BASE = const at(offset_of!(ThreadPage, alt_stack) + offset_of!(AltStack, base)),
    ALT_SIZE = const at(offset_of!(ThreadPage, alt_stack) + offset_of!(AltStack, size)),
    ALT_FLAGS = const at(offset_of!(ThreadPage, alt_stack) + offset_of!(AltStack, flags)),
    FX = const at(offset_of!(ThreadPage, fx)),
    HAS_ACTIONS = const at(offset_of!(ThreadPage, has_actions)),
    CHANGING = const at(offset_of!(ThreadPage, changing)),
    CHANGE = const at(offset_of!(ThreadPage, change)),
    ACTIONS = const at(offset_of!(ThreadPage, actions)),
    PROCESS_IDS = const offset_of!(ProcessPage, pid),
    FIRST_ID = const dispatch::FIRST_ID,
    PROCESS_ACTIONS_VERSION = const offset_of!(ProcessPage, actions_version),
    PROCESS_ACTIONS = const offset_of!(ProcessPage, actions),
    PROCESS_PLAIN = const offset_of!(ProcessPage, plain),
    PLAIN_DESCRIPTORS = const PLAIN_DESCRIPTORS,
    READS_END = const plain::READS_END,
    READS_ZEROS = const plain::READS_ZEROS,
    DISCARDS = const plain::DISCARDS,
    MOST_BYTES = const plain::MOST,
    PAGE = const PAGE,
    READ = const dispatch::READ_NUMBER,
    SIGNALS = const SIGNALS,
    CONTEXT_STACK = const context::STACK,
    CONTEXT_REGISTERS = const context::REGISTERS,
    CONTEXT_FPU = const context::FPU,
    CONTEXT_MASK = const context::MASK,
    PROGRAM_FLAGS = const context::PROGRAM_FLAGS,
    ACTION_FLAGS = const ACTION_FLAGS,
    FIXED_FLAGS = const context::FIXED_FLAGS,
    TIME_TSC_BASE = const offset_of!(TimePage, tsc_base),
    TIME_MULTIPLIER = const offset_of!(TimePage, multiplier),
    TIME_WALL_OFFSET = const offset_of!(TimePage, wall_offset),
    TIME_DEVICES_WATCHED = const offset_of!(TimePage, devices_watched),
    SYSCALLS = const SYSCALLS,
    FUTEX_BUCKETS = const FUTEX_BUCKETS,
    USER_END = const layout::USER_END,
    SERVER_CPTR = const message::SERVER_CPTR,
    INFO_SYSCALL = const message::INFO_SYSCALL.0,
    INFO_TAKE_SIGNALS = const message::INFO_TAKE_SIGNALS.0,
    RESTORE = const message::RESTORE,
    RESTART = const message::RESTART,
    CALL = const Syscall::Call as i64,
    YIELD = const Syscall::Yield as i64,
    SET_TLS_BASE = const Syscall::SetTlsBase as i64,
    EPERM = const 1,
    EAGAIN = const 11,
    ENOMEM = const 12,
    EFAULT = const 14,
    EINVAL = const 22,
    ENOSYS = const 38,
    MINIMUM_STACK = const 2048,
    RT_SIGRETURN = const 15,
    BLOOM = const bloom(CLOCK_GETTIME) | bloom(GETTIMEOFDAY) | bloom(TIME) | bloom(GETCPU) | bloom(CLOCK_GETRES),
    HASH_CLOCK_GETTIME = const CLOCK_GETTIME,
    HASH_GETTIMEOFDAY = const GETTIMEOFDAY,
    HASH_TIME = const TIME,
    HASH_GETCPU = const GETCPU,
    HASH_CLOCK_GETRES = const CLOCK_GETRES,
    ELF_HASH_SELF = const elf_hash("linux-vdso.so.1"),
    ELF_HASH_VERSION = const elf_hash("LINUX_2.6"),
);

// The futex bucket is computed in text.s too; `waiters` is at the page's beginning there.
const _: () = assert!(offset_of!(MmPage, waiters) == 0 && FUTEX_BUCKETS.is_power_of_two());

/// Byte offsets into the text, in the order in which text.s lists them.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Offsets {
    pub entry: u32,
    pub start: u32,
    pub sigenter: u32,
    pub trapenter: u32,
    pub handlerenter: u32,
    pub tail: u32,
    pub tail_end: u32,
    pub short_tail: u32,
    pub short_tail_end: u32,
    pub restore: u32,
    pub restore_end: u32,
    pub fixup: u32,
    pub server_call: u32,
    /// Number of entries in `chestnut_linux_accesses`.
    pub accesses: u32,
    /// The table of handlers, where the code ends.
    pub handlers: u32,
    /// Number of entries in that table.
    pub handler_count: u32,
}

unsafe extern "C" {
    // SAFETY: each is defined in the assembly above as read-only data of exactly this type.
    pub(crate) safe static chestnut_linux_text: [u8; PAGE];
    pub(crate) safe static chestnut_linux_vdso: [u8; PAGE];
    pub(crate) safe static chestnut_linux_offsets: Offsets;
    safe static chestnut_linux_accesses: [u32; 0];
}

/// Offsets of the instructions that touch the program's memory, ascending.
pub(crate) fn accesses() -> &'static [u32] {
    let count = chestnut_linux_offsets.accesses as usize;
    // SAFETY: the assembly lays so many words there and computes the count from them.
    unsafe { core::slice::from_raw_parts(chestnut_linux_accesses.as_ptr(), count) }
}
