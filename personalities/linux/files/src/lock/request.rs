//! `struct flock` of fcntl(2).

use linux_raw_sys::general as linux;

use super::range::Range;
use super::{LockKind, Owner};
use crate::open::OpenFile;
use crate::{Errno, Result};

/// What F_SETLK and F_GETLK ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockRequest {
    /// `None` unlocks.
    pub kind: Option<LockKind>,
    pub(super) range: Range,
}

impl LockRequest {
    /// Bytes of the structure: type, whence (two bytes each, then four of padding), start, length, process (and four of padding).
    pub const SIZE: usize = 32;

    /// `EINVAL` for an unknown type or whence and a range before the file, `EOVERFLOW` for one behind all files. For the requests
    /// of descriptions (F_OFD_…) the process must be 0, which [`LockRequest::check_no_process`] looks at.
    pub fn decode(bytes: &[u8; Self::SIZE], file: &OpenFile) -> Result<Self> {
        let short = |at: usize| i16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let mut words = bytes[8..24].chunks_exact(8).map(|word| {
            let mut copy = [0; 8];
            copy.copy_from_slice(word);
            i64::from_le_bytes(copy)
        });
        let kind = match short(0) as u32 {
            linux::F_RDLCK => Some(LockKind::Shared),
            linux::F_WRLCK => Some(LockKind::Exclusive),
            linux::F_UNLCK => None,
            _ => return Err(Errno::EINVAL),
        };
        let base = match short(2) as u32 {
            linux::SEEK_SET => 0,
            linux::SEEK_CUR => file.offset(),
            linux::SEEK_END => file.metadata().size,
            _ => return Err(Errno::EINVAL),
        };
        let (start, length) = (words.next().unwrap_or(0), words.next().unwrap_or(0));
        Ok(LockRequest { kind, range: Range::new(base, start, length)? })
    }

    /// `EINVAL` unless `l_pid` is 0 (F_OFD_SETLK and its kind).
    pub fn check_no_process(bytes: &[u8; Self::SIZE]) -> Result<()> {
        if bytes[24..28] == [0; 4] { Ok(()) } else { Err(Errno::EINVAL) }
    }
}

/// F_GETLK's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundLock {
    /// What is in the way: `None` if nothing is.
    pub(super) conflict: Option<(Owner, LockKind, Range)>,
}

impl FoundLock {
    /// Changes the structure that was asked with: only its type (F_UNLCK) if nothing is in the way. A lock of a description has
    /// the process −1.
    pub fn encode(&self, bytes: &mut [u8; LockRequest::SIZE]) {
        let Some((owner, kind, range)) = self.conflict else {
            bytes[..2].copy_from_slice(&(linux::F_UNLCK as u16).to_le_bytes());
            return;
        };
        let kind = if kind == LockKind::Shared { linux::F_RDLCK } else { linux::F_WRLCK };
        let process = match owner {
            Owner::Process(process) => process,
            Owner::Description(_) => u32::MAX,
        };
        bytes[..2].copy_from_slice(&(kind as u16).to_le_bytes());
        bytes[2..4].copy_from_slice(&(linux::SEEK_SET as u16).to_le_bytes());
        bytes[8..16].copy_from_slice(&range.first.to_le_bytes());
        bytes[16..24].copy_from_slice(&range.length().to_le_bytes());
        bytes[24..28].copy_from_slice(&process.to_le_bytes());
    }
}
