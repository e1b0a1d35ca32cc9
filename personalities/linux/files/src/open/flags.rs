//! The flags of open(2), and where lseek(2) counts from.

use bitflags::bitflags;
use linux_raw_sys::general as linux;

use crate::{Errno, Result};

bitflags! {
    /// O_… of open(2). Access modes are two bits: see [`OpenFlags::readable`] and [`OpenFlags::writable`].
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct OpenFlags: u32 {
        const WRITE_ONLY = linux::O_WRONLY;
        const READ_WRITE = linux::O_RDWR;
        const CREATE = linux::O_CREAT;
        const EXCLUSIVE = linux::O_EXCL;
        const NO_CONTROLLING_TERMINAL = linux::O_NOCTTY;
        const TRUNCATE = linux::O_TRUNC;
        const APPEND = linux::O_APPEND;
        const NONBLOCKING = linux::O_NONBLOCK;
        const DATA_SYNC = linux::O_DSYNC;
        const ASYNC = linux::FASYNC;
        const DIRECT = linux::O_DIRECT;
        const LARGE_FILE = linux::O_LARGEFILE;
        const DIRECTORY = linux::O_DIRECTORY;
        const NO_FOLLOW = linux::O_NOFOLLOW;
        const NO_ACCESS_TIME = linux::O_NOATIME;
        const CLOSE_ON_EXEC = linux::O_CLOEXEC;
        /// The bit of O_SYNC beyond O_DSYNC.
        const SYNC = 0o4000000;
        const PATH = linux::O_PATH;
        /// The bit of O_TMPFILE beyond O_DIRECTORY.
        const TEMPORARY = 0o20000000;
    }
}

impl OpenFlags {
    /// Those that F_SETFL may change, beside O_ASYNC.
    pub const CHANGEABLE: OpenFlags =
        OpenFlags::APPEND.union(OpenFlags::NONBLOCKING).union(OpenFlags::DIRECT).union(OpenFlags::NO_ACCESS_TIME);

    /// Those that only steer the opening itself, and so aren't kept.
    pub const MOMENTARY: OpenFlags = OpenFlags::CREATE
        .union(OpenFlags::EXCLUSIVE)
        .union(OpenFlags::NO_CONTROLLING_TERMINAL)
        .union(OpenFlags::TRUNCATE)
        .union(OpenFlags::CLOSE_ON_EXEC);

    /// From open(2)'s argument. Unknown bits are ignored, as open(2) does (openat2(2) refuses them: see `from_bits`).
    pub fn from_argument(flags: u32) -> Self {
        Self::from_bits_truncate(flags)
    }

    pub fn readable(self) -> bool {
        self.bits() & linux::O_ACCMODE == linux::O_RDONLY || self.bits() & linux::O_ACCMODE == linux::O_RDWR
    }

    pub fn writable(self) -> bool {
        self.bits() & linux::O_ACCMODE == linux::O_WRONLY || self.bits() & linux::O_ACCMODE == linux::O_RDWR
    }
}

/// Where lseek(2) counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whence {
    Start,
    Current,
    End,
    /// The next data at or after the offset.
    Data,
    /// The next hole at or after the offset.
    Hole,
}

impl Whence {
    /// `EINVAL` for a number that is none of SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE.
    pub fn from_argument(whence: u32) -> Result<Self> {
        Ok(match whence {
            linux::SEEK_SET => Whence::Start,
            linux::SEEK_CUR => Whence::Current,
            linux::SEEK_END => Whence::End,
            linux::SEEK_DATA => Whence::Data,
            linux::SEEK_HOLE => Whence::Hole,
            _ => return Err(Errno::EINVAL),
        })
    }

    /// The new offset in a file of `size` bytes without holes; `EINVAL` if it would be negative, `EOVERFLOW` beyond 2⁶³ − 1,
    /// `ENXIO` for data or a hole past the end.
    pub fn resolve(self, offset: i64, current: u64, size: u64) -> Result<u64> {
        let base = match self {
            Whence::Start => 0,
            Whence::Current => current as i64,
            Whence::End => size as i64,
            Whence::Data | Whence::Hole => {
                let start = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
                return match self {
                    _ if start >= size => Err(Errno::ENXIO),
                    Whence::Data => Ok(start),
                    _ => Ok(size),
                };
            }
        };
        let sum = base.checked_add(offset).ok_or(Errno::EOVERFLOW)?;
        u64::try_from(sum).map_err(|_| Errno::EINVAL)
    }
}
