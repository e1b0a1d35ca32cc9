//! Who answers which system call: one byte for each number, on the process page.
//!
//! The table is data and not part of the text, so that the server can trace a thread (by pointing it at another table) and
//! can retire a number that it reported as unknown to [`NO_SYSTEM_CALL`], answered without it.

use crate::pages::SYSCALLS;

/// The server answers, and finds in the frame what the entry stores there.
pub const SERVER: u8 = 0;
/// The server answers, and finds all registers in the frame and the FPU's in the FX area.
pub const SERVER_ALL: u8 = 1;
/// −ENOSYS, at once.
pub const NO_SYSTEM_CALL: u8 = 2;

macro_rules! local {
    ($($code:literal $name:ident $number:literal;)*) => {
        $(#[doc = concat!("System call ", stringify!($number), ", answered by the text.")] pub const $name: u8 = $code;)*
        const LOCAL: &[(usize, u8)] = &[$(($number, $name)),*];
    };
}

local! {
    3 GETTID 186;
    4 CLOCK_GETTIME 228;
    5 CLOCK_GETRES 229;
    6 GETTIMEOFDAY 96;
    7 TIME 201;
    8 GETCPU 309;
    9 RT_SIGPROCMASK 14;
    10 SIGALTSTACK 131;
    11 ARCH_PRCTL 158;
    12 SCHED_YIELD 24;
    13 FUTEX 202;
    14 RT_SIGACTION 13;
    15 RT_SIGRETURN 15;
    18 GETPID 39;
    19 GETPPID 110;
    20 GETUID 102;
    21 GETEUID 107;
    22 GETGID 104;
    23 GETEGID 108;
}

/// read and write, answered by the text if the descriptor is of those whose answers depend on the arguments alone. They are in the table of a
/// process that has such a descriptor, at [`READ_NUMBER`] and [`WRITE_NUMBER`].
pub const READ: u8 = 16;
pub const WRITE: u8 = 17;
pub const READ_NUMBER: usize = 0;
pub const WRITE_NUMBER: usize = 1;

/// Codes below this have a handler each. The others are ids, in their order on the process page, which have one in common.
pub const FIRST_ID: usize = GETPID as usize;

/// Number of codes.
pub const CODES: usize = 24;

/// Entries of a table: one for each number, and one for all numbers beyond.
pub const ENTRIES: usize = SYSCALLS + 1;

/// clone, fork, vfork, clone3, which copy the thread; kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal, after which the server
/// lets the caller begin a handler at once.
const ALL: [usize; 10] = [56, 57, 58, 435, 62, 200, 234, 129, 297, 424];

/// The table of an ordinary process.
pub const ORDINARY: [u8; ENTRIES] = {
    let mut table = [SERVER; ENTRIES];
    table[SYSCALLS] = NO_SYSTEM_CALL;
    let mut i = 0;
    while i < LOCAL.len() {
        table[LOCAL[i].0] = LOCAL[i].1;
        i += 1;
    }
    let mut i = 0;
    while i < ALL.len() {
        table[ALL[i]] = SERVER_ALL;
        i += 1;
    }
    table
};

/// The table of a traced thread.
pub const TRACED: [u8; ENTRIES] = [SERVER_ALL; ENTRIES];
