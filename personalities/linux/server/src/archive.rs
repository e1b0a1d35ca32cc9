//! The boot archive as the server reads it: a tar file whose entries under `root/` become the root file system.

use alloc::vec::Vec;
use chestnut_linux_files::caller::Caller;
use chestnut_linux_files::clock::Timestamp;
use chestnut_linux_files::tmpfs::{ArchiveEntry, ArchiveKind, populate};
use chestnut_linux_files::vfs::Vfs;
use chestnut_linux_files::{Errno, Result};
use chestnut_manifest::archive::ROOT_FILES;
use tar_no_std::{CorruptDataError, PosixHeader, TarArchiveRef, TypeFlag};

const BLOCK: usize = 512;
/// Where the modification time is in a header: 12 octal digits.
const MODIFIED: core::ops::Range<usize> = 136..148;

/// A checked tar file.
pub struct Archive {
    bytes: &'static [u8],
    tar: TarArchiveRef<'static>,
}

/// One entry: its path, its header, its bytes.
struct Entry {
    path: Vec<u8>,
    header: &'static PosixHeader,
    raw_header: &'static [u8],
    data: &'static [u8],
}

impl Archive {
    pub fn new(bytes: &'static [u8]) -> core::result::Result<Self, CorruptDataError> {
        Ok(Self { bytes, tar: TarArchiveRef::new(bytes)? })
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        let bytes = self.bytes;
        self.tar.headers().map(move |(block, header)| {
            let start = block * BLOCK;
            let size = { header.size }.as_number::<usize>().unwrap_or(0);
            let data = bytes.get(start + BLOCK..).and_then(|rest| rest.get(..size)).unwrap_or_default();
            let raw_header = bytes.get(start..start + BLOCK).unwrap_or_default();
            Entry { path: path_of(raw_header), header, raw_header, data }
        })
    }

    /// The bytes of a regular file.
    pub fn file(&self, path: &str) -> Option<&'static [u8]> {
        self.entries().find(|entry| entry.path == path.as_bytes()).map(|entry| entry.data)
    }
}

/// A field of a header up to its first zero.
fn text(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|&byte| byte == 0).unwrap_or(field.len())]
}

/// Prefix and name (ustar).
fn path_of(header: &[u8]) -> Vec<u8> {
    let (name, prefix) = (text(header.get(..100).unwrap_or_default()), text(header.get(345..500).unwrap_or_default()));
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

fn octal(field: &[u8]) -> u64 {
    field.iter().filter(|byte| (b'0'..=b'7').contains(byte)).fold(0, |number, byte| number * 8 + u64::from(byte - b'0'))
}

/// Puts the archive's root files into the tree.
pub fn fill(vfs: &Vfs, archive: &Archive) -> Result<()> {
    let caller = Caller { umask: 0, ..Caller::root(vfs.root()) };
    for entry in archive.entries() {
        let Some(path) = entry.path.strip_prefix(ROOT_FILES.as_bytes()) else { continue };
        let path = path.strip_suffix(b"/").unwrap_or(path);
        if path.is_empty() {
            continue;
        }
        let link = text(entry.raw_header.get(157..257).unwrap_or_default());
        let kind = match { entry.header.typeflag }.try_to_type_flag() {
            Ok(TypeFlag::REGTYPE | TypeFlag::AREGTYPE | TypeFlag::CONTTYPE) => ArchiveKind::Regular(entry.data),
            Ok(TypeFlag::DIRTYPE) => ArchiveKind::Directory,
            Ok(TypeFlag::SYMTYPE) => ArchiveKind::Symlink(link),
            Ok(TypeFlag::LINK) => ArchiveKind::HardLink(link.strip_prefix(ROOT_FILES.as_bytes()).unwrap_or(link)),
            other => {
                log::warn!("/{}: a kind of archive entry that is not supported: {other:?}", entry.path.escape_ascii());
                return Err(Errno::EINVAL);
            }
        };
        let number = |range: core::ops::Range<usize>| octal(entry.raw_header.get(range).unwrap_or_default());
        populate(
            vfs,
            &caller,
            &ArchiveEntry {
                path,
                kind,
                permissions: number(100..108) as u32 & 0o7777,
                user: number(108..116) as u32,
                group: number(116..124) as u32,
                modified: Timestamp { seconds: number(MODIFIED) as i64, nanoseconds: 0 },
            },
        )?;
    }
    Ok(())
}
