//! Open directories: getdents64(2).
//!
//! Offsets are cookies: 0 is before `.`, 1 before `..`, 2 before the first name; a name's own cookie is after it. They are
//! the directory's, so reading goes on correctly whatever is made and removed in between.

use alloc::vec::Vec;

use super::{Attempt, File, OpenFile, Whence};
use crate::buffer::Sink;
use crate::inode::{Kind, Listed};
use crate::inotify::{self, Mask};
use crate::{Errno, Result};

pub(crate) struct DirectoryFile;

impl File for DirectoryFile {
    fn read(&self, _: &mut Attempt, _: u64, _: &mut dyn Sink) -> Result<usize> {
        Err(Errno::EISDIR)
    }

    fn seek(&self, whence: Whence, offset: i64, current: u64) -> Result<u64> {
        match whence {
            Whence::Start | Whence::Current => whence.resolve(offset, current, 0),
            _ => Err(Errno::EINVAL),
        }
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn seeks_plainly(&self) -> bool {
        true
    }
}

/// Bytes of a `linux_dirent64` before the name: inode, offset, length, type.
const HEADER: usize = 8 + 8 + 2 + 1;
/// Bytes that are gathered before they are put.
const GATHERED: usize = 4096;

impl OpenFile {
    /// Calls `emit` for each entry from the current offset on, `.` and `..` first, until it returns false; the offset then is
    /// before the entry that wasn't wanted. `emit` doesn't come back to the directory. `ENOTDIR`, `EBADF`, `ENOENT` if the directory has
    /// been removed.
    pub fn list(&self, emit: &mut dyn FnMut(&Listed<'_>) -> bool) -> Result<()> {
        if self.is_path() {
            return Err(Errno::EBADF);
        }
        let directory = self.inode().directory()?;
        if self.location().is_removed() {
            return Err(Errno::ENOENT);
        }
        let own = self.inode().number;
        let above = self.location().parent().map_or(own, |parent| parent.inode().number);
        for (name, number, cookie) in [(&b"."[..], own, 1), (b"..", above, 2)] {
            if self.offset.get() < cookie {
                if !emit(&Listed { name, number, kind: Kind::Directory, cookie }) {
                    return Ok(());
                }
                self.offset.set(cookie);
            }
        }
        directory.list(self.offset.get(), &mut |listed| {
            let wanted = emit(listed);
            if wanted {
                self.offset.set(listed.cookie);
            }
            wanted
        })?;
        self.inode().stamp_accessed();
        inotify::tell(self.location(), Mask::ACCESS);
        Ok(())
    }

    /// getdents64(2): fills `sink` with `linux_dirent64` structures. 0 at the end, `EINVAL` if not even one fits.
    pub fn list_encoded(&self, sink: &mut dyn Sink) -> Result<usize> {
        self.list_records(sink, |length, listed| Record {
            length: (HEADER + length + 1).next_multiple_of(8),
            first: Some(listed.kind.directory_entry_type()),
            last: None,
        })
    }

    /// getdents(2), of old: `linux_dirent` structures, whose type is their last byte, behind the name.
    pub fn list_encoded_old(&self, sink: &mut dyn Sink) -> Result<usize> {
        self.list_records(sink, |length, listed| Record {
            length: (HEADER - 1 + length + 2).next_multiple_of(8),
            first: None,
            last: Some(listed.kind.directory_entry_type()),
        })
    }

    /// Fills `sink` with records: number, cookie and length are in both formats' first 18 bytes. Records are gathered and put many at
    /// a time.
    fn list_records(&self, sink: &mut dyn Sink, shape: impl Fn(usize, &Listed) -> Record) -> Result<usize> {
        // What the sink has room for, beyond what has been gathered.
        let mut room = sink.remaining();
        let mut gathered = Gathered { bytes: Vec::new(), length: 0, written: 0, before: self.offset.get() };
        let mut failure = None;
        self.list(&mut |listed| {
            if listed.name.len() > crate::vfs::NAME_MAX {
                failure = Some(Errno::EINVAL);
                return false;
            }
            let record = shape(listed.name.len(), listed);
            if record.length > room {
                failure = Some(Errno::EINVAL);
                return false;
            }
            if gathered.length + record.length > gathered.bytes.len() {
                if !gathered.put(sink) {
                    failure = Some(Errno::EFAULT);
                    return false;
                }
                // Mostly there is nothing to gather but once.
                gathered.bytes.resize(room.min(GATHERED), 0);
            }
            room -= record.length;
            gathered.add(listed, &record);
            true
        })?;
        if failure != Some(Errno::EFAULT) && !gathered.put(sink) {
            failure = Some(Errno::EFAULT);
        }
        if failure == Some(Errno::EFAULT) {
            // What was gathered and can't be had is read again.
            self.offset.set(gathered.before);
        }
        match failure {
            Some(error) if gathered.written == 0 => Err(error),
            _ => Ok(gathered.written),
        }
    }
}

/// What differs between the formats of a record: its length, and where the type is.
struct Record {
    length: usize,
    first: Option<u8>,
    last: Option<u8>,
}

/// Records on their way to a sink.
struct Gathered {
    /// Room for them, zeros at first.
    bytes: Vec<u8>,
    length: usize,
    written: usize,
    /// The offset behind the last record that was written.
    before: u64,
}

impl Gathered {
    /// Adds a record, for which there is room.
    #[inline]
    fn add(&mut self, listed: &Listed<'_>, record: &Record) {
        let start = self.length;
        self.length += record.length;
        let Some(bytes) = self.bytes.get_mut(start..self.length) else { return };
        // What is behind the name.
        if let Some(tail) = bytes.last_chunk_mut::<16>() {
            *tail = [0; 16];
        }
        let Some((head, rest)) = bytes.split_first_chunk_mut::<{ HEADER - 1 }>() else { return };
        head[0..8].copy_from_slice(&listed.number.to_le_bytes());
        head[8..16].copy_from_slice(&listed.cookie.to_le_bytes());
        head[16..18].copy_from_slice(&(record.length as u16).to_le_bytes());
        let rest = match (record.first, rest) {
            (Some(kind), [first, rest @ ..]) => {
                *first = kind;
                rest
            }
            (_, rest) => rest,
        };
        rest[..listed.name.len()].copy_from_slice(listed.name);
        if let (Some(kind), Some(last)) = (record.last, rest.last_mut()) {
            *last = kind;
        }
    }

    /// Puts what there is; false if not all of it could be. Whole records count.
    fn put(&mut self, sink: &mut dyn Sink) -> bool {
        if self.length == 0 {
            return true;
        }
        let gathered = &self.bytes[..self.length];
        let stored = sink.put(gathered).unwrap_or(0);
        let mut at = 0;
        while let Some(head) = gathered[at..].first_chunk::<18>() {
            let length = usize::from(u16::from_le_bytes([head[16], head[17]]));
            if at + length > stored {
                break;
            }
            at += length;
            self.before = u64::from_le_bytes(core::array::from_fn(|index| head[8 + index]));
        }
        self.written += at;
        core::mem::take(&mut self.length) == at
    }
}
