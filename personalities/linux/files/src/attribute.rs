//! Extended attributes (xattr(7)) as tmpfs has them: `user.` on files and directories, `trusted.` for the privileged, and
//! `security.`, which only they set. Access control lists (`system.`) there are none.
//!
//! They take server memory, so a file system has [`ROOM`] bytes for all of its attributes.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::caller::{Caller, Credentials};
use crate::inode::{Access, Inode, Kind, mode};
use crate::inotify::{self, Mask};
use crate::vfs::{Location, Vfs};
use crate::{Errno, Result};

/// Bytes of a name.
pub const NAME_MAX: usize = 255;
/// Bytes of a value.
pub const VALUE_MAX: usize = 65536;
/// Bytes that all attributes of one file system may take; `ENOSPC` beyond.
pub const ROOM: usize = 1 << 20;
/// What an attribute costs besides its bytes.
const OVERHEAD: usize = 128;

/// XATTR_CREATE, XATTR_REPLACE, or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetMode {
    Either,
    /// `EEXIST` if it is there.
    Create,
    /// `ENODATA` if it isn't.
    Replace,
}

/// An inode's attributes.
#[derive(Default)]
pub(crate) struct ExtendedAttributes(RefCell<Values>);

/// By name.
type Values = BTreeMap<Box<[u8]>, Box<[u8]>>;

impl ExtendedAttributes {
    /// Bytes that they are charged with.
    pub(crate) fn cost(&self) -> usize {
        self.0.borrow().iter().map(|(name, value)| cost(name, value)).sum()
    }
}

fn cost(name: &[u8], value: &[u8]) -> usize {
    name.len() + value.len() + OVERHEAD
}

/// The part before the first dot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Space {
    User,
    Trusted,
    Security,
}

impl Space {
    /// `EOPNOTSUPP` for others, `EINVAL` for a name that is only a prefix.
    fn of(name: &[u8]) -> Result<Self> {
        for (prefix, space) in
            [(&b"user."[..], Self::User), (b"trusted.", Self::Trusted), (b"security.", Self::Security)]
        {
            if let Some(rest) = name.strip_prefix(prefix) {
                return if rest.is_empty() { Err(Errno::EINVAL) } else { Ok(space) };
            }
        }
        Err(Errno::EOPNOTSUPP)
    }
}

impl Inode {
    /// getxattr(2): `ENODATA` if it isn't there or is nothing for the caller, `EACCES` without read permission on a `user.` one,
    /// `EOPNOTSUPP` for an unknown prefix and file systems without attributes.
    pub fn attribute(&self, credentials: &Credentials, name: &[u8]) -> Result<Vec<u8>> {
        let space = Space::of(name)?;
        self.check_has_attributes()?;
        match space {
            Space::User if !self.takes_user_attributes() => return Err(Errno::ENODATA),
            Space::User => self.check(credentials, Access::READ)?,
            Space::Trusted if !credentials.privileged => return Err(Errno::ENODATA),
            _ => {}
        }
        let attributes = self.extended_attributes.0.borrow();
        attributes.get(name).map(|value| value.to_vec()).ok_or(Errno::ENODATA)
    }

    /// listxattr(2): the names that the caller may know of, each with a zero behind it.
    pub fn attribute_names(&self, credentials: &Credentials) -> Vec<u8> {
        let mut names = Vec::new();
        for name in self.extended_attributes.0.borrow().keys() {
            if credentials.privileged || !name.starts_with(b"trusted.") {
                names.extend_from_slice(name);
                names.push(0);
            }
        }
        names
    }

    fn check_has_attributes(&self) -> Result<()> {
        // What comes and goes by itself (/proc, /dev/pts) has none, and nor has what has no name.
        if self.filesystem.stable_names && self.kind() != Kind::Anonymous { Ok(()) } else { Err(Errno::EOPNOTSUPP) }
    }

    fn takes_user_attributes(&self) -> bool {
        matches!(self.kind(), Kind::Regular | Kind::Directory)
    }

    /// May the caller change an attribute of this name?
    fn check_attribute_change(&self, credentials: &Credentials, name: &[u8]) -> Result<()> {
        let space = Space::of(name)?;
        self.check_has_attributes()?;
        match space {
            Space::User => {
                if !self.takes_user_attributes() {
                    return Err(Errno::EPERM);
                }
                // In a sticky directory that everybody may write to, others could leave them to the owner.
                let sticky = self.kind() == Kind::Directory && self.permissions() & mode::STICKY != 0;
                if sticky {
                    self.check_owner(credentials)?;
                }
                self.check(credentials, Access::WRITE)
            }
            _ if credentials.privileged => Ok(()),
            _ => Err(Errno::EPERM),
        }
    }

    /// Puts a value there or takes it away, and accounts for that.
    fn change_attribute(&self, name: &[u8], value: Option<&[u8]>) -> Result<()> {
        let mut attributes = self.extended_attributes.0.borrow_mut();
        let before = attributes.get(name).map_or(0, |old| cost(name, old));
        let after = value.map_or(0, |value| cost(name, value));
        let used = self.filesystem.attribute_bytes.get() - before + after;
        if after > before && used > ROOM {
            return Err(Errno::ENOSPC);
        }
        self.filesystem.attribute_bytes.set(used);
        match value {
            Some(value) => attributes.insert(name.into(), value.into()),
            None => attributes.remove(name),
        };
        drop(attributes);
        self.stamp_changed();
        Ok(())
    }
}

impl Vfs {
    /// setxattr(2): `EPERM` or `EACCES`, `EEXIST`, `ENODATA`, `E2BIG`, `ENOSPC`, and `EOPNOTSUPP` as [`Inode::attribute`] has it.
    pub fn set_attribute(
        &self,
        caller: &Caller,
        location: &Location,
        name: &[u8],
        value: &[u8],
        mode: SetMode,
    ) -> Result<()> {
        let inode = location.inode();
        location.check_writable()?;
        inode.check_attribute_change(&caller.credentials, name)?;
        if value.len() > VALUE_MAX {
            return Err(Errno::E2BIG);
        }
        let known = inode.extended_attributes.0.borrow().contains_key(name);
        match mode {
            SetMode::Create if known => return Err(Errno::EEXIST),
            SetMode::Replace if !known => return Err(Errno::ENODATA),
            _ => inode.change_attribute(name, Some(value))?,
        }
        inotify::tell(location, Mask::ATTRIBUTES);
        Ok(())
    }

    /// removexattr(2): `ENODATA` if it isn't there.
    pub fn remove_attribute(&self, caller: &Caller, location: &Location, name: &[u8]) -> Result<()> {
        let inode = location.inode();
        location.check_writable()?;
        inode.check_attribute_change(&caller.credentials, name)?;
        if !inode.extended_attributes.0.borrow().contains_key(name) {
            return Err(Errno::ENODATA);
        }
        inode.change_attribute(name, None)?;
        inotify::tell(location, Mask::ATTRIBUTES);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;
    use alloc::rc::Rc;
    use alloc::vec;

    fn world() -> (World, Rc<Location>) {
        let world = World::new();
        world.write("/f", "");
        let file = world.find("/f").unwrap();
        (world, file)
    }

    #[test]
    fn what_is_set_is_found_and_listed() {
        let (world, file) = world();
        let set = |name: &[u8], value: &[u8], mode| world.vfs.set_attribute(&world.caller, &file, name, value, mode);
        let root = Credentials::root();
        assert_eq!(file.inode().attribute(&root, b"user.a"), Err(Errno::ENODATA));
        set(b"user.a", b"1", SetMode::Either).unwrap();
        assert_eq!(set(b"user.a", b"2", SetMode::Create), Err(Errno::EEXIST));
        assert_eq!(set(b"user.b", b"2", SetMode::Replace), Err(Errno::ENODATA));
        set(b"user.a", b"22", SetMode::Replace).unwrap();
        set(b"trusted.t", b"", SetMode::Create).unwrap();
        assert_eq!(file.inode().attribute(&root, b"user.a").unwrap(), b"22");
        assert_eq!(file.inode().attribute_names(&root), b"trusted.t\0user.a\0");
        assert_eq!(file.inode().attribute_names(&Credentials::user(1, 1)), b"user.a\0");
        assert_eq!(file.inode().attribute(&Credentials::user(1, 1), b"trusted.t"), Err(Errno::ENODATA));
        assert_eq!(set(b"system.posix_acl_access", b"", SetMode::Either), Err(Errno::EOPNOTSUPP));
        assert_eq!(set(b"user.", b"", SetMode::Either), Err(Errno::EINVAL));
        world.vfs.remove_attribute(&world.caller, &file, b"user.a").unwrap();
        assert_eq!(world.vfs.remove_attribute(&world.caller, &file, b"user.a"), Err(Errno::ENODATA));
    }

    #[test]
    fn others_change_nothing() {
        let (world, file) = world();
        let other = world.user(7, 7);
        let set = |name: &[u8]| world.vfs.set_attribute(&other, &file, name, b"", SetMode::Either);
        assert_eq!((set(b"user.a"), set(b"trusted.a")), (Err(Errno::EACCES), Err(Errno::EPERM)));
        world.vfs.make_symlink(&world.caller, b"f", crate::vfs::At::WorkingDirectory, b"/link").unwrap();
        let link = world.vfs.lookup(&world.caller, crate::vfs::At::WorkingDirectory, b"/link", crate::vfs::Follow::No);
        let link = link.unwrap();
        let set = world.vfs.set_attribute(&world.caller, &link, b"user.a", b"", SetMode::Either);
        assert_eq!(set, Err(Errno::EPERM));
    }

    #[test]
    fn all_of_a_file_system_have_only_so_much_room() {
        let (world, file) = world();
        let value = vec![1; VALUE_MAX];
        let set =
            |file: &Location, name: &[u8]| world.vfs.set_attribute(&world.caller, file, name, &value, SetMode::Either);
        let mut count = 0u8;
        while set(&file, &[b"user.".as_slice(), &[b'a' + count]].concat()).is_ok() {
            count += 1;
        }
        assert_eq!(usize::from(count), ROOM / (VALUE_MAX + 6 + OVERHEAD));
        world.write("/g", "");
        let other = world.find("/g").unwrap();
        assert_eq!(set(&other, b"user.z"), Err(Errno::ENOSPC));
        // Replacing what is there needs no more; and what is gone gives its room back.
        set(&file, b"user.a").unwrap();
        world.unlink("/f").unwrap();
        drop(file);
        set(&other, b"user.z").unwrap();
    }
}
