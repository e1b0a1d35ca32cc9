//! An inode's attributes: what stat(2) shows, and how chmod, chown and utimensat change it.
//!
//! Nothing here checks permissions; that is `permission`, and the callers in `vfs`.

use super::{Body, Inode};
use crate::clock::Timestamp;
use crate::page::PAGE_SIZE;

/// The bits of `st_mode` (inode(7)).
pub mod mode {
    pub const TYPE: u32 = 0o170000;
    pub const SET_USER: u32 = 0o4000;
    pub const SET_GROUP: u32 = 0o2000;
    pub const STICKY: u32 = 0o1000;
    pub const GROUP_EXECUTE: u32 = 0o010;
}

/// A file's type; the value is that of the type bits of `st_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    Anonymous = 0,
    Fifo = 0o010000,
    CharacterDevice = 0o020000,
    Directory = 0o040000,
    BlockDevice = 0o060000,
    Regular = 0o100000,
    Symlink = 0o120000,
    Socket = 0o140000,
}

impl Kind {
    /// `d_type` of getdents64(2).
    pub fn directory_entry_type(self) -> u8 {
        (self as u32 >> 12) as u8
    }
}

/// What stat(2) and statx(2) tell. The server encodes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub device: u64,
    pub number: u64,
    pub kind: Kind,
    /// 07777
    pub permissions: u32,
    pub links: u32,
    pub user: u32,
    pub group: u32,
    /// `st_rdev`
    pub represents: u64,
    /// Bytes.
    pub size: u64,
    /// Units of 512 bytes that are really there.
    pub blocks: u64,
    /// Bytes, the best unit of I/O.
    pub block_size: u32,
    pub accessed: Timestamp,
    pub modified: Timestamp,
    pub changed: Timestamp,
    pub created: Timestamp,
}

impl Metadata {
    /// `st_mode`: type and permission bits.
    pub fn mode(&self) -> u32 {
        self.kind as u32 | self.permissions
    }
}

/// What utimensat(2) does with a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUpdate {
    /// UTIME_OMIT
    Keep,
    /// UTIME_NOW, or no times given
    Now,
    To(Timestamp),
}

/// Changes to make at once; `None` leaves as it is.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    pub permissions: Option<u32>,
    pub user: Option<u32>,
    pub group: Option<u32>,
}

impl Inode {
    pub fn metadata(&self) -> Metadata {
        let (size, blocks) = match &self.body {
            Body::Regular(contents) => (contents.size(), contents.resident_pages() * (PAGE_SIZE as u64 / 512)),
            Body::Symlink(text) => (text.len() as u64, 0),
            Body::Generated(openable) => (openable.size(), 0),
            _ => (0, 0),
        };
        let represents = match self.body {
            Body::Device { number, .. } => number,
            _ => 0,
        };
        Metadata {
            device: self.filesystem.device,
            number: self.number,
            kind: self.kind(),
            permissions: self.permissions.get(),
            links: self.links.get(),
            user: self.user.get(),
            group: self.group.get(),
            represents,
            size,
            blocks,
            block_size: PAGE_SIZE as u32,
            accessed: self.accessed.get(),
            modified: self.modified.get(),
            changed: self.changed.get(),
            created: self.created,
        }
    }

    pub fn permissions(&self) -> u32 {
        self.permissions.get()
    }

    pub fn user(&self) -> u32 {
        self.user.get()
    }

    pub fn group(&self) -> u32 {
        self.group.get()
    }

    pub fn links(&self) -> u32 {
        self.links.get()
    }

    /// Sets the number of links: the `vfs` counts them as it makes and removes names.
    pub fn set_links(&self, links: u32) {
        self.links.set(links);
    }

    /// May link(2) give it a name? Not once its last name is gone, except after O_TMPFILE.
    pub fn is_linkable(&self) -> bool {
        self.links.get() > 0 || self.linkable.get()
    }

    /// O_TMPFILE without O_EXCL, until it has a name.
    pub(crate) fn set_linkable(&self, linkable: bool) {
        self.linkable.set(linkable);
    }

    /// Applies changes and stamps the change time.
    pub fn set_attributes(&self, attributes: &Attributes) {
        if let Some(permissions) = attributes.permissions {
            self.permissions.set(permissions & 0o7777);
        }
        if let Some(user) = attributes.user {
            self.user.set(user);
        }
        if let Some(group) = attributes.group {
            self.group.set(group);
        }
        self.stamp_changed();
    }

    pub fn set_times(&self, accessed: TimeUpdate, modified: TimeUpdate) {
        let now = self.filesystem.clock.stamp();
        for (cell, update) in [(&self.accessed, accessed), (&self.modified, modified)] {
            match update {
                TimeUpdate::Keep => {}
                TimeUpdate::Now => cell.set(now),
                TimeUpdate::To(time) => cell.set(time),
            }
        }
        self.changed.set(now);
    }

    /// Contents were read. As with `relatime`, stamped only if older than the last change or a day old, and if it `may` be.
    #[inline]
    pub(crate) fn stamp_accessed_if(&self, may: impl FnOnce() -> bool) {
        let now = self.filesystem.clock.stamp();
        let old = self.accessed.get();
        if old != now
            && (old <= self.modified.get() || old <= self.changed.get() || now.seconds - old.seconds >= 24 * 3600)
            && may()
        {
            self.accessed.set(now);
        }
    }

    /// The same without conditions.
    pub fn stamp_accessed(&self) {
        self.stamp_accessed_if(|| true);
    }

    /// Contents were changed.
    #[inline]
    pub fn stamp_modified(&self) {
        let now = self.filesystem.clock.stamp();
        self.modified.set(now);
        self.changed.set(now);
    }

    /// Attributes were changed.
    pub fn stamp_changed(&self) {
        self.changed.set(self.filesystem.clock.stamp());
    }

    /// A write by somebody unprivileged takes the set-id bits away (write(2), inode(7)).
    pub fn drop_set_id(&self) {
        let permissions = self.permissions.get();
        let mut kept = permissions & !mode::SET_USER;
        if permissions & mode::GROUP_EXECUTE != 0 {
            kept &= !mode::SET_GROUP;
        }
        self.permissions.set(kept);
    }
}

impl Inode {
    /// Cuts or grows a regular file: `EISDIR`, or `EINVAL` for what has no size; `EPERM` by a seal.
    pub fn truncate(&self, size: u64) -> crate::Result<()> {
        match &self.body {
            Body::Regular(contents) => {
                self.check_seals(false, size > contents.size(), size < contents.size())?;
                contents.set_size(size)?;
            }
            Body::Directory(_) => return Err(crate::Errno::EISDIR),
            _ => return Err(crate::Errno::EINVAL),
        }
        self.stamp_modified();
        Ok(())
    }
}
