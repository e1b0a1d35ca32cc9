//! Where things are in the boot archive, and where the archive is in root's image.
//!
//! The launcher appends the archive to root's ELF file as one more read-only `PT_LOAD` segment. It begins with a header
//! page, so that the archive itself (a tar file) starts on a page of its own and can be mapped elsewhere by its frames.

/// Virtual address of the archive's segment in the root task: the header page. 256 MiB, above root's own image.
pub const ADDRESS: u64 = 0x1000_0000;
/// Bytes before the tar file. The first eight are the tar file's length in bytes, little endian; the others are zero.
pub const HEADER_BYTES: usize = 4096;

/// The [`Manifest`](crate::Manifest), encoded with postcard.
pub const MANIFEST: &str = "chestnut/manifest";
/// The [`RunRequest`](crate::RunRequest), encoded with postcard.
pub const RUN: &str = "chestnut/run";
/// A service's ELF file is at this prefix followed by [`Service::binary`](crate::Service::binary).
pub const BINARIES: &str = "chestnut/bin/";
/// The Linux root file system's files, links and folders have this prefix.
pub const ROOT_FILES: &str = "root/";
