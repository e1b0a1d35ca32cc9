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
    3 GETPID 39;
    4 GETPPID 110;
    5 GETTID 186;
    6 GETUID 102;
    7 GETEUID 107;
    8 GETGID 104;
    9 GETEGID 108;
    10 CLOCK_GETTIME 228;
    11 CLOCK_GETRES 229;
    12 GETTIMEOFDAY 96;
    13 TIME 201;
    14 GETCPU 309;
    15 RT_SIGPROCMASK 14;
    16 SIGALTSTACK 131;
    17 ARCH_PRCTL 158;
    18 SCHED_YIELD 24;
    19 FUTEX 202;
    20 RT_SIGACTION 13;
    21 RT_SIGRETURN 15;
}

/// Number of codes; the text has a handler for each.
pub const CODES: usize = 22;

/// clone, fork, vfork, clone3, which copy the thread; kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal, after which the server
/// lets the caller begin a handler at once.
const ALL: [usize; 10] = [56, 57, 58, 435, 62, 200, 234, 129, 297, 424];

/// The table of an ordinary process.
pub const ORDINARY: [u8; SYSCALLS] = {
    let mut table = [SERVER; SYSCALLS];
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
pub const TRACED: [u8; SYSCALLS] = [SERVER_ALL; SYSCALLS];
