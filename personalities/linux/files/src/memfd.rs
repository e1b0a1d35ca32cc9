//! memfd_create(2), and the seals of fcntl(2) ("file sealing").
//!
//! Seals are kept by the inode and asked for by everything that changes contents. A write that F_SEAL_GROW forbids in part is
//! refused whole. Mappings are the server's: before each shared mapping that may be written it takes a
//! [`WritableMapping`] and keeps it as long as the mapping; so F_SEAL_WRITE finds out that there is one (`EBUSY`).

use alloc::rc::Rc;

use bitflags::bitflags;
use linux_raw_sys::general as linux;

use crate::caller::Caller;
use crate::inode::{Body, Filesystem, Inode};
use crate::open::{OpenFile, OpenFlags, RegularFile};
use crate::page::Contents;
use crate::vfs::Location;
use crate::{Errno, Result};

bitflags! {
    /// F_SEAL_… of fcntl(2).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Seals: u32 {
        /// No more seals. All files but memfds with MFD_ALLOW_SEALING have it.
        const SEAL = linux::F_SEAL_SEAL;
        const SHRINK = linux::F_SEAL_SHRINK;
        const GROW = linux::F_SEAL_GROW;
        const WRITE = linux::F_SEAL_WRITE;
        /// Only what is mapped for writing already may write.
        const FUTURE_WRITE = linux::F_SEAL_FUTURE_WRITE;
        /// The execute permissions stay as they are.
        const EXECUTE = 0x20;
    }
}

/// Bytes of a name.
const NAME_MAX: usize = 249;

/// memfd_create(2): MFD_CLOEXEC is the descriptor table's. `EINVAL` for a name that is too long and flags that are unknown or contradict
/// each other; huge pages there are none (`ENODEV`). `filesystem` is a tmpfs.
pub fn create(filesystem: &Rc<Filesystem>, caller: &Caller, name: &[u8], flags: u32) -> Result<Rc<OpenFile>> {
    const NO_EXECUTE: u32 = 0x8;
    const EXECUTE: u32 = 0x10;
    const KNOWN: u32 = linux::MFD_CLOEXEC | linux::MFD_ALLOW_SEALING | NO_EXECUTE | EXECUTE;
    if flags & linux::MFD_HUGETLB != 0 {
        return Err(Errno::ENODEV);
    }
    if flags & !KNOWN != 0 || flags & (NO_EXECUTE | EXECUTE) == NO_EXECUTE | EXECUTE || name.len() > NAME_MAX {
        return Err(Errno::EINVAL);
    }
    let (permissions, seals) = match flags {
        flags if flags & NO_EXECUTE != 0 => (0o666, Seals::EXECUTE),
        flags if flags & linux::MFD_ALLOW_SEALING != 0 => (0o777, Seals::empty()),
        _ => (0o777, Seals::SEAL),
    };
    filesystem.check_room()?;
    let body = Body::Regular(Contents::new(filesystem.store.clone()));
    let inode = Inode::new(filesystem, body, permissions, caller.credentials.user, caller.credentials.group);
    inode.set_links(0);
    inode.seals.set(seals);
    let label = [b"/memfd:", name, b" (deleted)"].concat();
    let file = Rc::new(RegularFile::new(inode.clone()));
    Ok(OpenFile::new(file, Location::detached(inode, &label), OpenFlags::READ_WRITE | OpenFlags::LARGE_FILE))
}

impl OpenFile {
    /// F_GET_SEALS: `EINVAL` for what can have none.
    pub fn seals(&self) -> Result<Seals> {
        self.inode().contents().filter(|_| !self.is_path()).ok_or(Errno::EINVAL)?;
        Ok(self.inode().seals.get())
    }

    /// F_ADD_SEALS: `EINVAL` for unknown ones, `EPERM` if the file isn't open for writing or takes no more, `EBUSY` for F_SEAL_WRITE
    /// while it is mapped for writing.
    pub fn add_seals(&self, seals: u32) -> Result<()> {
        let seals = Seals::from_bits(seals).ok_or(Errno::EINVAL)?;
        let known = self.seals()?;
        if !self.is_writable() || known.contains(Seals::SEAL) {
            return Err(Errno::EPERM);
        }
        if seals.contains(Seals::WRITE) && self.inode().writable_mappings.get() > 0 {
            return Err(Errno::EBUSY);
        }
        self.inode().seals.set(known | seals);
        Ok(())
    }
}

impl Inode {
    /// Some change to the contents may be forbidden.
    #[inline]
    pub(crate) fn has_seals(&self) -> bool {
        self.seals.get().intersects(Seals::WRITE | Seals::FUTURE_WRITE | Seals::GROW)
    }

    /// `EPERM` if a seal forbids what shall be done to the contents.
    pub(crate) fn check_seals(&self, writes: bool, grows: bool, shrinks: bool) -> Result<()> {
        let mut forbidden = Seals::empty();
        forbidden.set(Seals::WRITE | Seals::FUTURE_WRITE, writes);
        forbidden.set(Seals::GROW, grows);
        forbidden.set(Seals::SHRINK, shrinks);
        if self.seals.get().intersects(forbidden) { Err(Errno::EPERM) } else { Ok(()) }
    }

    pub(crate) fn check_execute_seal(&self, permissions: u32) -> Result<()> {
        let changes = (permissions ^ self.permissions()) & 0o111 != 0;
        if changes && self.seals.get().contains(Seals::EXECUTE) { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// For a shared mapping with PROT_WRITE, or one of a writable file that mprotect(2) may make so: keep it as long as the mapping.
    /// `EPERM` by a seal.
    pub fn map_for_writing(self: &Rc<Self>) -> Result<WritableMapping> {
        self.check_seals(true, false, false)?;
        self.writable_mappings.set(self.writable_mappings.get() + 1);
        Ok(WritableMapping(self.clone()))
    }
}

/// A file is mapped for writing.
pub struct WritableMapping(Rc<Inode>);

impl Clone for WritableMapping {
    /// Fork doubles mappings, sealed since or not.
    fn clone(&self) -> Self {
        self.0.writable_mappings.set(self.0.writable_mappings.get() + 1);
        WritableMapping(self.0.clone())
    }
}

impl Drop for WritableMapping {
    fn drop(&mut self) {
        self.0.writable_mappings.set(self.0.writable_mappings.get() - 1);
    }
}

#[cfg(test)]
mod tests;
