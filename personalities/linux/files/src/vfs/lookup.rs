//! Path lookup (path_resolution(7)).
//!
//! A [`Walk`] goes along a path up to its last component; what happens to that one is the system call's affair. Symbolic links
//! on the way are put in front of what remains of the path, so nothing recurses.

use alloc::borrow::Cow;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::ops::Range;

use bitflags::bitflags;
use linux_raw_sys::general as linux;

use super::{Location, NAME_MAX, PATH_MAX, Vfs};
use crate::caller::Caller;
use crate::inode::{Access, Body, Target};
use crate::open::Descriptors;
use crate::{Errno, Result};

/// Symbolic links followed in one lookup.
const LINKS_MAX: u32 = 40;

/// Where a relative path begins.
#[derive(Clone)]
pub enum At {
    /// AT_FDCWD, and all calls without a descriptor.
    WorkingDirectory,
    /// What a directory descriptor leads to.
    Location(Rc<Location>),
}

impl At {
    /// From a `dirfd` argument: `EBADF` if it is neither AT_FDCWD nor open. Give it only with a relative or empty path: for
    /// an absolute one `dirfd` isn't looked at.
    pub fn descriptor(descriptors: &Descriptors, number: i32) -> Result<At> {
        if number == linux_raw_sys::general::AT_FDCWD {
            return Ok(At::WorkingDirectory);
        }
        Ok(At::Location(descriptors.get(number)?.location().clone()))
    }

    /// The same for a given path: an absolute one doesn't look at `number`.
    pub fn for_path(descriptors: &Descriptors, number: i32, path: &[u8]) -> Result<At> {
        if path.starts_with(b"/") { Ok(At::WorkingDirectory) } else { Self::descriptor(descriptors, number) }
    }

    fn location(self, caller: &Caller) -> Rc<Location> {
        match self {
            At::WorkingDirectory => caller.working_directory.clone(),
            At::Location(location) => location,
        }
    }
}

/// What happens to a symbolic link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    Yes,
    /// AT_SYMLINK_NOFOLLOW, O_NOFOLLOW, lstat(2).
    No,
}

bitflags! {
    /// RESOLVE_… of openat2(2): what a lookup may not do.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Resolve: u32 {
        /// Enter or leave a mount: `EXDEV`.
        const NO_CROSSING = linux::RESOLVE_NO_XDEV;
        /// Follow links that lead straight to a place (/proc/PID/fd): `ELOOP`.
        const NO_MAGIC_LINKS = linux::RESOLVE_NO_MAGICLINKS;
        /// Follow any links: `ELOOP`.
        const NO_LINKS = linux::RESOLVE_NO_SYMLINKS;
        /// Leave the directory where it begins: `EXDEV`.
        const BENEATH = linux::RESOLVE_BENEATH;
        /// The same, but that directory is the root meanwhile.
        const IN_ROOT = linux::RESOLVE_IN_ROOT;
        /// Wait for a disk, of which there is none.
        const CACHED = linux::RESOLVE_CACHED;
    }
}

impl Vfs {
    /// What `path` leads to. `ENOENT` (also for an empty path: AT_EMPTY_PATH is [`Vfs::lookup_or_self`]), `ENOTDIR`, `EACCES`,
    /// `ELOOP` after 40 symbolic links, `ENAMETOOLONG`.
    pub fn lookup(&self, caller: &Caller, at: At, path: &[u8], follow: Follow) -> Result<Rc<Location>> {
        let mut walk = Walk::new(caller, at, path)?;
        loop {
            let last = walk.reach_last()?;
            let found = walk.step(&last.name)?;
            if found.inode().is_symlink() && (follow == Follow::Yes || last.slash) {
                walk.follow(&found, last.slash)?;
            } else if last.slash && !found.inode().is_directory() {
                return Err(Errno::ENOTDIR);
            } else {
                return Ok(found);
            }
        }
    }

    /// The same, but an empty path means `at` itself (AT_EMPTY_PATH).
    pub fn lookup_or_self(&self, caller: &Caller, at: At, path: &[u8], follow: Follow) -> Result<Rc<Location>> {
        if path.is_empty() { Ok(at.location(caller)) } else { self.lookup(caller, at, path, follow) }
    }
}

/// A lookup under way.
pub(super) struct Walk<'a> {
    caller: &'a Caller,
    /// The directory reached so far.
    pub(super) here: Rc<Location>,
    rest: Cow<'a, [u8]>,
    /// How much of `rest` is done.
    done: usize,
    links: u32,
    resolve: Resolve,
    /// Where it began.
    base: Rc<Location>,
}

/// The last component of a path.
pub(super) struct Last<'a> {
    /// Empty if the path was only slashes, or a link led straight to its target: then `here` is meant.
    pub(super) name: Cow<'a, [u8]>,
    /// Slashes came after it, so it must be a directory.
    pub(super) slash: bool,
}

impl Last<'_> {
    /// A name that can be made or removed.
    pub(super) fn is_plain(&self) -> bool {
        !matches!(&*self.name, b"" | b"." | b"..")
    }
}

impl<'a> Walk<'a> {
    /// `ENOENT` for an empty path, `ENAMETOOLONG` for one of more than [`PATH_MAX`] bytes with its zero.
    pub(super) fn new(caller: &'a Caller, at: At, path: &'a [u8]) -> Result<Self> {
        Self::restricted(caller, at, path, Resolve::empty())
    }

    /// The same for a lookup that may not do everything. `EXDEV` for an absolute path with [`Resolve::BENEATH`].
    pub(super) fn restricted(caller: &'a Caller, at: At, path: &'a [u8], resolve: Resolve) -> Result<Self> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        if path.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let here = match path[0] == b'/' {
            true if resolve.contains(Resolve::BENEATH) => return Err(Errno::EXDEV),
            true if !resolve.contains(Resolve::IN_ROOT) => caller.root.top(),
            _ => at.location(caller),
        };
        Ok(Walk { caller, base: here.clone(), here, rest: Cow::Borrowed(path), done: 0, links: 0, resolve })
    }

    /// Goes on to the directory of the last component.
    pub(super) fn reach_last(&mut self) -> Result<Last<'a>> {
        loop {
            let leading = self.slashes();
            let name = self.component();
            let trailing = self.slashes();
            if self.done == self.rest.len() {
                let slash = trailing || (leading && name.is_empty());
                let name = match &self.rest {
                    Cow::Borrowed(path) => Cow::Borrowed(&path[name]),
                    Cow::Owned(path) => Cow::Owned(path[name].to_vec()),
                };
                return Ok(Last { slash, name });
            }
            let found = self.step(&self.rest[name])?;
            if found.inode().is_symlink() {
                self.follow(&found, true)?;
            } else {
                self.here = found;
            }
        }
    }

    /// What `name` leads to from here, without following links. `ENOTDIR` and `EACCES` if this directory can't be searched.
    pub(super) fn step(&self, name: &[u8]) -> Result<Rc<Location>> {
        if name.is_empty() {
            return Ok(self.here.clone());
        }
        let directory = self.here.inode().directory()?;
        self.here.inode().check(&self.caller.credentials, Access::EXECUTE)?;
        match name {
            b"." => return Ok(self.here.clone()),
            b".." => return self.above().and_then(|above| self.check_crossing(above)),
            _ if name.len() > NAME_MAX => return Err(Errno::ENAMETOOLONG),
            _ => {}
        }
        let filesystem = &self.here.inode().filesystem;
        if !filesystem.names_last() {
            return self.check_crossing(self.here.adopt(name, directory.lookup(name)?).into_top());
        }
        if let Some(known) = filesystem.recent.find(&self.here, name) {
            return self.check_crossing(known.into_top());
        }
        let found = match self.here.child(name) {
            Some(known) => known,
            None => self.here.adopt(name, directory.lookup(name)?),
        };
        filesystem.recent.keep(&self.here, name, &found);
        self.check_crossing(found.into_top())
    }

    #[inline]
    fn check_crossing(&self, found: Rc<Location>) -> Result<Rc<Location>> {
        let crosses = || !Rc::ptr_eq(&found.mount(), &self.here.mount());
        if self.resolve.contains(Resolve::NO_CROSSING) && crosses() { Err(Errno::EXDEV) } else { Ok(found) }
    }

    /// Puts a link's target in front of the rest of the path.
    pub(super) fn follow(&mut self, link: &Rc<Location>, slash: bool) -> Result<()> {
        self.links += 1;
        if self.links > LINKS_MAX || self.resolve.contains(Resolve::NO_LINKS) {
            return Err(Errno::ELOOP);
        }
        let target = match &link.inode().body {
            Body::Symlink(text) => Target::Path(text.to_vec()),
            Body::Link(link) => link.target(self.caller)?,
            _ => return Err(Errno::EINVAL),
        };
        let behind = self.rest[self.done..].to_vec();
        self.done = 0;
        let mut rest = match target {
            Target::Path(text) if text.is_empty() => return Err(Errno::ENOENT),
            Target::Path(text) => text,
            Target::Location(_) if self.resolve.contains(Resolve::NO_MAGIC_LINKS) => return Err(Errno::ELOOP),
            Target::Location(_) if self.is_scoped() => return Err(Errno::EXDEV),
            Target::Location(location) => {
                self.here = self.check_crossing(location)?;
                Vec::new()
            }
        };
        if rest.first() == Some(&b'/') {
            self.here = match self.resolve {
                resolve if resolve.contains(Resolve::BENEATH) => return Err(Errno::EXDEV),
                resolve if resolve.contains(Resolve::IN_ROOT) => self.base.clone(),
                _ => self.check_crossing(self.caller.root.top())?,
            };
        }
        if slash {
            rest.push(b'/');
        }
        rest.extend_from_slice(&behind);
        self.rest = Cow::Owned(rest);
        // Links may add up; a path that a program gives may not be longer, nor may one that links make.
        if self.rest.len() >= 2 * PATH_MAX { Err(Errno::ENAMETOOLONG) } else { Ok(()) }
    }

    fn is_scoped(&self) -> bool {
        self.resolve.intersects(Resolve::BENEATH | Resolve::IN_ROOT)
    }

    fn above(&self) -> Result<Rc<Location>> {
        if self.is_scoped() && Rc::ptr_eq(&self.here, &self.base) {
            let stays = self.resolve.contains(Resolve::IN_ROOT);
            return if stays { Ok(self.here.clone()) } else { Err(Errno::EXDEV) };
        }
        if Rc::ptr_eq(&self.here, &self.caller.root.top()) {
            return Ok(self.here.clone());
        }
        Ok(self.here.parent().map_or_else(|| self.here.clone(), |parent| parent.top()))
    }

    fn slashes(&mut self) -> bool {
        let start = self.done;
        while self.rest.get(self.done) == Some(&b'/') {
            self.done += 1;
        }
        self.done > start
    }

    fn component(&mut self) -> Range<usize> {
        let start = self.done;
        let rest = &self.rest[self.done..];
        let length = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
        self.done += length;
        start..self.done
    }
}
