//! open(2), creat(2), openat(2).

use alloc::rc::Rc;

use super::lookup::{Last, Resolve, Walk};
use super::{At, Location, Vfs};
use crate::caller::Caller;
use crate::inode::{Access, Body, Inode, Kind, OpenRequest, Template, TemplateBody};
use crate::inotify::{self, Mask};
use crate::open::{DirectoryFile, File, OpenFile, OpenFlags, RegularFile, Unopened};
use crate::{Errno, Result};

impl Vfs {
    /// Opens, and creates with O_CREAT or O_TMPFILE; `mode` is then the new file's, less the umask. Await
    /// [`OpenFile::opened`] before giving out the descriptor.
    pub fn open(&self, caller: &Caller, at: At, path: &[u8], flags: OpenFlags, mode: u32) -> Result<Rc<OpenFile>> {
        self.open_restricted(caller, at, path, flags, mode, Resolve::empty())
    }

    /// openat2(2): the same by a lookup that may not do everything.
    pub fn open_restricted(
        &self,
        caller: &Caller,
        at: At,
        path: &[u8],
        flags: OpenFlags,
        mode: u32,
        resolve: Resolve,
    ) -> Result<Rc<OpenFile>> {
        let flags = effective(flags)?;
        let mut walk = Walk::restricted(caller, at, path, resolve)?;
        loop {
            let last = walk.reach_last()?;
            if flags.contains(OpenFlags::CREATE) && last.slash && last.is_plain() {
                return Err(Errno::EISDIR);
            }
            let found = match walk.step(&last.name) {
                Err(Errno::ENOENT) if flags.contains(OpenFlags::CREATE) && last.is_plain() => {
                    return self.create(caller, &walk.here, &last, flags, mode);
                }
                found => found?,
            };
            if flags.contains(OpenFlags::CREATE | OpenFlags::EXCLUSIVE) {
                return Err(Errno::EEXIST);
            }
            if found.inode().is_symlink() && (last.slash || !flags.contains(OpenFlags::NO_FOLLOW)) {
                walk.follow(&found, last.slash)?;
                continue;
            }
            if last.slash && !found.inode().is_directory() {
                return Err(Errno::ENOTDIR);
            }
            if flags.contains(OpenFlags::CREATE) && found.inode().is_directory() {
                return Err(Errno::EISDIR);
            }
            if flags.contains(OpenFlags::TEMPORARY) {
                return self.open_temporary(caller, &found, flags, mode);
            }
            return self.open_location(caller, &found, flags);
        }
    }

    /// Opens what is already found, with the checks of open(2); for /proc/self/fd, execve(2) and the server's own needs.
    pub fn open_location(&self, caller: &Caller, location: &Rc<Location>, flags: OpenFlags) -> Result<Rc<OpenFile>> {
        let inode = location.inode();
        if flags.contains(OpenFlags::DIRECTORY) && !inode.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        if flags.contains(OpenFlags::PATH) {
            return Ok(OpenFile::new(Rc::new(Unopened), location.clone(), flags));
        }
        let changes = flags.writable() || flags.contains(OpenFlags::TRUNCATE);
        match inode.kind() {
            Kind::Symlink => return Err(Errno::ELOOP),
            Kind::Directory if changes => return Err(Errno::EISDIR),
            _ => {}
        }
        location.check_device()?;
        if changes {
            location.check_contents_writable()?;
        }
        inode.check(&caller.credentials, wanted_access(flags))?;
        if flags.contains(OpenFlags::NO_ACCESS_TIME) {
            inode.check_owner(&caller.credentials)?;
        }
        if flags.contains(OpenFlags::TRUNCATE) && inode.contents().is_some() {
            inode.truncate(0)?;
            let opened = self.open_unchecked(caller, location, flags)?;
            inotify::tell(location, Mask::MODIFY);
            return Ok(opened);
        }
        self.open_unchecked(caller, location, flags)
    }

    /// Opens without asking for permission: what has just been made.
    fn open_unchecked(&self, caller: &Caller, location: &Rc<Location>, flags: OpenFlags) -> Result<Rc<OpenFile>> {
        let inode = location.inode();
        let request = OpenRequest { caller, flags, location };
        let file: Rc<dyn File> = match &inode.body {
            Body::Regular(_) => Rc::new(RegularFile::new(inode.clone())),
            Body::Directory(_) => Rc::new(DirectoryFile),
            Body::Generated(openable) => openable.open(&request)?,
            Body::Fifo(pipe) => pipe.open(flags)?,
            Body::Device { number, block } => self.device(*block, *number)?.open(&request)?,
            Body::Socket(_) | Body::Anonymous => return Err(Errno::ENXIO),
            Body::Symlink(_) | Body::Link(_) => return Err(Errno::ELOOP),
        };
        inotify::tell(location, Mask::OPEN);
        let opened = OpenFile::new(file, location.clone(), flags | OpenFlags::LARGE_FILE);
        if caller.credentials.privileged {
            opened.keep_set_id();
        }
        Ok(opened)
    }

    fn create(
        &self,
        caller: &Caller,
        directory: &Rc<Location>,
        last: &Last<'_>,
        flags: OpenFlags,
        mode: u32,
    ) -> Result<Rc<OpenFile>> {
        let made = self.make_in(caller, directory, &last.name, TemplateBody::Regular, mode)?;
        self.open_unchecked(caller, &made, flags)
    }

    fn open_temporary(
        &self,
        caller: &Caller,
        directory: &Rc<Location>,
        flags: OpenFlags,
        mode: u32,
    ) -> Result<Rc<OpenFile>> {
        let names = directory.inode().directory()?;
        directory.check_writable()?;
        directory.inode().check(&caller.credentials, Access::WRITE | Access::EXECUTE)?;
        let template = template(caller, directory.inode(), TemplateBody::Regular, mode);
        let inode = names.new_inode(template).map_err(|_| Errno::EOPNOTSUPP)?;
        inode.set_links(0);
        if !flags.contains(OpenFlags::EXCLUSIVE) {
            inode.set_linkable(true);
        }
        self.open_unchecked(caller, &directory.nameless(inode), flags - OpenFlags::DIRECTORY)
    }
}

/// The flags that count: O_PATH makes most others meaningless. `EINVAL` for combinations that open(2) refuses.
fn effective(flags: OpenFlags) -> Result<OpenFlags> {
    if flags.contains(OpenFlags::PATH) {
        return Ok(flags & (OpenFlags::PATH | OpenFlags::DIRECTORY | OpenFlags::NO_FOLLOW | OpenFlags::CLOSE_ON_EXEC));
    }
    if flags.contains(OpenFlags::TEMPORARY) {
        // O_TMPFILE is two bits, and useless without writing.
        let sensible = flags.contains(OpenFlags::DIRECTORY) && flags.writable() && !flags.contains(OpenFlags::CREATE);
        return if sensible { Ok(flags) } else { Err(Errno::EINVAL) };
    }
    if flags.contains(OpenFlags::CREATE | OpenFlags::DIRECTORY) {
        return Err(Errno::EINVAL);
    }
    Ok(flags)
}

fn wanted_access(flags: OpenFlags) -> Access {
    // The access mode 3 asks for both permissions and gives neither.
    let both = !flags.readable() && !flags.writable();
    let mut access = Access::empty();
    access.set(Access::READ, flags.readable() || both);
    access.set(Access::WRITE, flags.writable() || both || flags.contains(OpenFlags::TRUNCATE));
    access
}

/// A new inode's owner and mode (open(2), mkdir(2), inode(7)): the caller's, less the umask; in a set-group-id directory its
/// group, which directories hand on.
pub(super) fn template(caller: &Caller, directory: &Inode, body: TemplateBody, mode: u32) -> Template {
    use crate::inode::mode::SET_GROUP;
    let mut permissions = mode & 0o7777 & !caller.umask;
    let mut group = caller.credentials.group;
    if matches!(body, TemplateBody::Symlink(_)) {
        permissions = 0o777;
    }
    if directory.permissions() & SET_GROUP != 0 {
        group = directory.group();
        if matches!(body, TemplateBody::Directory) {
            permissions |= SET_GROUP;
        }
    }
    Template { body, permissions, user: caller.credentials.user, group }
}
