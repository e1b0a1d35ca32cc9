//! mount(2), umount2(2), pivot_root(2): tmpfs and proc, binding and moving. There is one tree for all processes, and nothing
//! propagates.

use super::Call;
use crate::memory::{Shown, SizedStore};
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::inode::{Attributes, Kind};
use chestnut_linux_files::page::PageStore;
use chestnut_linux_files::tmpfs;
use chestnut_linux_files::vfs::{At, Follow, Location, Restrictions, UnmountFlags};
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::general as linux;

const CWD: At = At::WorkingDirectory;
/// Bytes of options that are looked at.
const OPTIONS_MAX: usize = 4096;
/// The upper half that old programs set.
const MAGIC: u32 = 0xc0ed_0000;
const MAGIC_MASK: u32 = 0xffff_0000;
/// What every mount does anyway: times as MS_RELATIME has them, nothing said in the log.
const USUAL: u32 = linux::MS_SILENT | linux::MS_RELATIME;

/// mount(source, target, type, flags, options)
pub fn mount(call: &Call) -> Result<u64> {
    let mut flags = call.word(3) as u32;
    if flags & MAGIC_MASK == MAGIC {
        flags &= !MAGIC_MASK;
    }
    let kind = match call.word(2) {
        0 => Vec::new(),
        address => call.space().read_path(address)?,
    };
    let options = match call.word(4) {
        0 => Vec::new(),
        address => call.space().read_string(address, OPTIONS_MAX, Errno::EINVAL)?,
    };
    let target = call.path(1)?;
    let place = call.server.vfs.lookup(&call.caller(), CWD, &target, Follow::Yes)?;
    if !call.is_privileged() {
        return Err(Errno::EPERM);
    }
    let restrictions = Restrictions::from_bits_truncate(flags);
    let flags = flags & !(USUAL | restrictions.bits());
    let propagation = linux::MS_SHARED | linux::MS_PRIVATE | linux::MS_SLAVE | linux::MS_UNBINDABLE;
    if flags & linux::MS_REMOUNT != 0 {
        return remount(call, &place, flags & !linux::MS_REMOUNT, restrictions, &options);
    }
    if flags & linux::MS_BIND != 0 {
        if flags & !(linux::MS_BIND | linux::MS_REC) != 0 {
            return Err(Errno::EINVAL);
        }
        let source = source(call)?;
        let mounted = call.server.vfs.bind(&call.caller(), &source, &place, flags & linux::MS_REC != 0)?;
        // Linux leaves the new mount as the old one is; whoever asks for more gets it here at once.
        mounted.restrict(mounted.restrictions() | restrictions)?;
        return Ok(0);
    }
    if !restrictions.is_empty() && flags != 0 {
        return Err(Errno::EINVAL);
    }
    if flags & propagation != 0 {
        return set_propagation(&place, flags);
    }
    if flags & linux::MS_MOVE != 0 {
        if flags != linux::MS_MOVE {
            return Err(Errno::EINVAL);
        }
        let source = source(call)?;
        call.server.vfs.move_mount(&call.caller(), &source, &place)?;
        return Ok(0);
    }
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    make(call, &place, &kind, &options)?.restrict(restrictions)?;
    Ok(0)
}

fn source(call: &Call) -> Result<Rc<Location>> {
    let path = call.path(0)?;
    call.server.vfs.lookup(&call.caller(), CWD, &path, Follow::Yes)
}

/// Other restrictions for a mount; whether it can be written, with MS_BIND for this mount alone, else for all of its file system.
/// A file system keeps all its options. `EBUSY` if something is open for writing that then couldn't be.
fn remount(call: &Call, place: &Rc<Location>, flags: u32, restrictions: Restrictions, options: &[u8]) -> Result<u64> {
    let known = flags & !linux::MS_BIND == 0 && (options.is_empty() || options == b"rw");
    if !place.is_mount_root() || !known {
        return Err(Errno::EINVAL);
    }
    let concerned = match flags {
        0 => call.server.vfs.mounts_of(place).collect(),
        _ => vec![place.clone()],
    };
    let read_only = restrictions & Restrictions::READ_ONLY;
    if !read_only.is_empty() && concerned.iter().any(|mount| is_written(call, mount)) {
        return Err(Errno::EBUSY);
    }
    for mount in concerned {
        mount.restrict((mount.restrictions() - Restrictions::READ_ONLY) | read_only)?;
    }
    place.restrict(restrictions)?;
    Ok(0)
}

/// Has anybody a file of a mount open, or mapped, for writing?
fn is_written(call: &Call, mount: &Rc<Location>) -> bool {
    let inside = |location: &Rc<Location>| Rc::ptr_eq(&location.mount(), mount);
    call.server.table.processes().iter().any(|process| {
        let descriptors = process.descriptors();
        let open = descriptors.borrow().iter().any(|(_, descriptor)| {
            let file = &descriptor.file;
            file.is_writable() && file.inode().kind() == Kind::Regular && inside(file.location())
        });
        let mut mapped = false;
        process.space().each_area(|_, area, _| {
            mapped |= matches!(&area.shown, Shown::File { location, writes: Some(_), .. } if inside(location));
        });
        open || mapped
    })
}

/// Every mount is private.
fn set_propagation(place: &Location, flags: u32) -> Result<u64> {
    let private = flags & !linux::MS_REC == linux::MS_PRIVATE;
    if place.is_mount_root() && private { Ok(0) } else { Err(Errno::EINVAL) }
}

/// The root of a new mount.
fn make(call: &Call, place: &Rc<Location>, kind: &[u8], options: &[u8]) -> Result<Rc<Location>> {
    let server = call.server;
    if !place.inode().is_directory() {
        return Err(Errno::ENOTDIR);
    }
    match kind {
        b"tmpfs" => {
            let options = TmpfsOptions::parse(options)?;
            let store: Rc<dyn PageStore> = match options.pages {
                Some(pages) => Rc::new(SizedStore::new(&server.memory.store, pages)),
                None => server.memory.store.clone(),
            };
            let filesystem = tmpfs::filesystem(server.files.new_device()?, server.clock.clone(), store);
            let root = tmpfs::root(&filesystem, options.permissions);
            let (user, group) = (Some(options.user), Some(options.group));
            root.set_attributes(&Attributes { permissions: None, user, group });
            server.files.add_filesystem(&filesystem);
            server.vfs.mount(place, root)
        }
        b"proc" | b"sysfs" if options.is_empty() => {
            let root = if kind == b"proc" { crate::procfs::root } else { crate::sysfs::root };
            let root = root(server, server.files.new_device()?);
            server.files.add_filesystem(&root.filesystem);
            server.vfs.mount(place, root)
        }
        b"proc" | b"sysfs" => Err(Errno::EINVAL),
        _ => Err(Errno::ENODEV),
    }
}

/// Options of tmpfs(5).
#[derive(Debug, PartialEq, Eq)]
struct TmpfsOptions {
    permissions: u32,
    user: u32,
    group: u32,
    /// `size` and `nr_blocks`; `None` for as many as there are.
    pages: Option<u64>,
}

impl TmpfsOptions {
    /// `EINVAL` for others than mode, uid, gid, size and nr_blocks.
    fn parse(text: &[u8]) -> Result<Self> {
        let mut options = Self { permissions: 0o1777, user: 0, group: 0, pages: None };
        for option in text.split(|&byte| byte == b',').filter(|option| !option.is_empty()) {
            let option = core::str::from_utf8(option).map_err(|_| Errno::EINVAL)?;
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let number = || value.parse::<u32>().map_err(|_| Errno::EINVAL);
            match name {
                "rw" if value.is_empty() => {}
                "mode" => {
                    options.permissions = u32::from_str_radix(value, 8).map_err(|_| Errno::EINVAL)? & 0o7777;
                }
                "uid" => options.user = number()?,
                "gid" => options.group = number()?,
                "size" => options.pages = limit(amount(value)?.div_ceil(crate::memory::PAGE)),
                "nr_blocks" => options.pages = limit(amount(value)?),
                _ => return Err(Errno::EINVAL),
            }
        }
        Ok(options)
    }
}

/// 0 is no limit.
fn limit(pages: u64) -> Option<u64> {
    (pages != 0).then_some(pages)
}

/// A number with k, m or g behind it.
fn amount(text: &str) -> Result<u64> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 20),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| Errno::EINVAL)?;
    number.checked_mul(1 << shift).ok_or(Errno::EINVAL)
}

/// umount2(target, flags)
pub fn umount2(call: &Call) -> Result<u64> {
    let flags = UnmountFlags::from_argument(call.half(1))?;
    if !call.is_privileged() {
        return Err(Errno::EPERM);
    }
    let follow = if flags.contains(UnmountFlags::NO_FOLLOW) { Follow::No } else { Follow::Yes };
    let place = call.server.vfs.lookup(&call.caller(), CWD, &call.path(0)?, follow)?;
    call.server.vfs.unmount(&call.caller(), &place, flags)?;
    Ok(0)
}

/// pivot_root(new, old): all processes at the old root or working there go to the new one.
pub fn pivot_root(call: &Call) -> Result<u64> {
    if !call.is_privileged() {
        return Err(Errno::EPERM);
    }
    let (new, put_old) = {
        let caller = call.caller();
        let vfs = &call.server.vfs;
        let new = vfs.lookup(&caller, CWD, &call.path(0)?, Follow::Yes)?;
        let put_old = vfs.lookup(&caller, CWD, &call.path(1)?, Follow::Yes)?;
        vfs.check_directory(&caller, &new)?;
        vfs.check_directory(&caller, &put_old)?;
        (new, put_old)
    };
    let old = call.server.vfs.pivot(&call.caller(), &new, &put_old)?;
    for process in call.server.table.processes() {
        let mut caller = process.caller.borrow_mut();
        if Rc::ptr_eq(&caller.root, &old) {
            caller.root = new.clone();
        }
        if Rc::ptr_eq(&caller.working_directory, &old) {
            caller.working_directory = new.clone();
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_tmpfs() {
        let options = TmpfsOptions::parse(b"rw,size=10k,mode=755,uid=7,gid=8").unwrap();
        assert_eq!(options, TmpfsOptions { permissions: 0o755, user: 7, group: 8, pages: Some(3) });
        assert_eq!(TmpfsOptions::parse(b"nr_blocks=1m").unwrap().pages, Some(1 << 20));
        assert_eq!(TmpfsOptions::parse(b"size=0").unwrap().pages, None);
        for wrong in [&b"size="[..], b"size=-1", b"size=99999999999g", b"mode=9", b"ro", b"huge=always", b"size=50%"] {
            assert_eq!(TmpfsOptions::parse(wrong), Err(Errno::EINVAL));
        }
    }
}
