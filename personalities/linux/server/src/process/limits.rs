//! Resource limits (getrlimit(2)).

use chestnut_linux_files::{Errno, Result};

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
const MOST_FILES: u64 = 1_048_576;

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
        limits[PROCESSES] = Limit { soft: 2000, hard: 2000 };
        limits[FILES] = Limit { soft: 1024, hard: MOST_FILES };
        limits[LOCKED] = Limit { soft: 8 << 20, hard: 8 << 20 };
        limits[SIGNALS] = Limit { soft: 1024, hard: 1024 };
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
