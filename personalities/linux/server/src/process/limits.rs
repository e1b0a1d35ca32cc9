//! Resource limits (getrlimit(2)), and those of the whole system that follow from how much memory there is.

use crate::capability::Capabilities;
use chestnut_linux_files::open::OpenFile;
use chestnut_linux_files::{Errno, Result, pipe};
use core::sync::atomic::{AtomicU64, Ordering};

pub const INFINITY: u64 = u64::MAX;
/// Kinds of limits.
pub const COUNT: usize = 16;

pub const PROCESSOR: usize = 0;
pub const FILE_SIZE: usize = 1;
pub const DATA: usize = 2;
pub const STACK: usize = 3;
pub const CORE: usize = 4;
pub const PROCESSES: usize = 6;
pub const FILES: usize = 7;
pub const LOCKED: usize = 8;
pub const SPACE: usize = 9;
pub const SIGNALS: usize = 11;
pub const MESSAGES: usize = 12;
pub const NICE: usize = 13;
pub const REAL_TIME_PRIORITY: usize = 14;

/// What /proc/PID/limits calls them, and their unit.
pub const NAMES: [(&str, &str); COUNT] = [
    ("Max cpu time", "seconds"),
    ("Max file size", "bytes"),
    ("Max data size", "bytes"),
    ("Max stack size", "bytes"),
    ("Max core file size", "bytes"),
    ("Max resident set", "bytes"),
    ("Max processes", "processes"),
    ("Max open files", "files"),
    ("Max locked memory", "bytes"),
    ("Max address space", "bytes"),
    ("Max file locks", "locks"),
    ("Max pending signals", "signals"),
    ("Max msgqueue size", "bytes"),
    ("Max nice priority", ""),
    ("Max realtime priority", ""),
    ("Max realtime timeout", "us"),
];

/// Highest RLIMIT_NOFILE (fs.nr_open).
pub const MOST_FILES: u64 = 1_048_576;

/// Threads and processes, and signals that wait, on a machine with enough memory.
const MOST_PROCESSES: u64 = 2000;
const MOST_SIGNALS: u64 = 1024;
/// Bytes of the machine's memory for each thread that a user may have: as Linux, which lets all threads' stacks take an eighth, and a user have half
/// of the threads.
const MEMORY_PER_PROCESS: u64 = 256 << 10;
/// Bytes of the server's memory for each file that may be open.
const HEAP_PER_FILE: usize = 2048;
/// Of the server's memory, one part in so many is for bytes in pipes before new ones get little room.
const PIPES_PART: usize = 4;

/// What RLIMIT_NPROC and RLIMIT_SIGPENDING begin as.
static PROCESSES_AT_FIRST: AtomicU64 = AtomicU64::new(MOST_PROCESSES);

/// Sets limits that depend on the machine.
pub fn set_by_memory(capabilities: &Capabilities) {
    let bytes = capabilities.frames.total() as u64 * crate::memory::PAGE;
    PROCESSES_AT_FIRST.store((bytes / MEMORY_PER_PROCESS).clamp(64, MOST_PROCESSES), Ordering::Relaxed);
    let heap = capabilities.heap_limit();
    OpenFile::set_most((heap / HEAP_PER_FILE).min(MOST_FILES as usize));
    pipe::set_soft_limit(heap / PIPES_PART);
}

/// A soft and a hard limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub soft: u64,
    pub hard: u64,
}

/// A process's limits.
#[derive(Clone, Debug)]
pub struct Limits([Limit; COUNT]);

impl Default for Limits {
    fn default() -> Self {
        let mut limits = [Limit { soft: INFINITY, hard: INFINITY }; COUNT];
        limits[STACK].soft = 8 << 20;
        limits[CORE].soft = 0;
        let processes = PROCESSES_AT_FIRST.load(Ordering::Relaxed);
        limits[PROCESSES] = Limit { soft: processes, hard: processes };
        limits[FILES] = Limit { soft: 1024, hard: MOST_FILES };
        limits[LOCKED] = Limit { soft: 8 << 20, hard: 8 << 20 };
        let signals = processes.min(MOST_SIGNALS);
        limits[SIGNALS] = Limit { soft: signals, hard: signals };
        limits[MESSAGES] = Limit { soft: 819_200, hard: 819_200 };
        limits[NICE] = Limit { soft: 0, hard: 0 };
        limits[REAL_TIME_PRIORITY] = Limit { soft: 0, hard: 0 };
        Self(limits)
    }
}

impl Limits {
    /// `EINVAL` for a kind that there isn't.
    pub fn get(&self, kind: u64) -> Result<Limit> {
        usize::try_from(kind).ok().and_then(|kind| self.0.get(kind)).copied().ok_or(Errno::EINVAL)
    }
    /// `EPERM` for raising a hard limit without privilege, or the number of files beyond what the system has.
    pub fn set(&mut self, kind: u64, new: Limit, privileged: bool) -> Result<()> {
        let old = self.get(kind)?;
        if new.soft > new.hard {
            return Err(Errno::EINVAL);
        }
        let too_many_files = kind as usize == FILES && new.hard > MOST_FILES;
        if too_many_files || (new.hard > old.hard && !privileged) {
            return Err(Errno::EPERM);
        }
        self.0[kind as usize] = new;
        Ok(())
    }
    /// A soft limit; of a kind named in this file.
    pub const fn soft(&self, kind: usize) -> u64 {
        self.0[kind].soft
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_privileged_raise_a_hard_limit() {
        let mut limits = Limits::default();
        let lower = Limit { soft: 10, hard: 20 };
        assert_eq!(limits.set(7, lower, false), Ok(()));
        assert_eq!(limits.set(7, Limit { soft: 10, hard: 30 }, false), Err(Errno::EPERM));
        assert_eq!(limits.set(7, Limit { soft: 10, hard: 30 }, true), Ok(()));
        assert_eq!(limits.set(7, Limit { soft: 40, hard: 30 }, true), Err(Errno::EINVAL));
        assert_eq!(limits.set(7, Limit { soft: 40, hard: INFINITY }, true), Err(Errno::EPERM));
        assert_eq!(limits.get(16), Err(Errno::EINVAL));
        assert_eq!(limits.soft(FILES), 10);
    }
}
