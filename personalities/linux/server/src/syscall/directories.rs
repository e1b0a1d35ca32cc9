//! Calls on names: directories, links, renaming, working and root directory.

use super::Call;
use crate::memory::{Iovec, UserSink};
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::devfs::device_number;
use chestnut_linux_files::inode::Kind;
use chestnut_linux_files::vfs::{At, Follow, Location, NodeKind, RenameFlags};
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::general as linux;

const CWD: At = At::WorkingDirectory;

/// getcwd(buf, size)
pub fn getcwd(call: &Call) -> Result<u64> {
    let mut path = {
        let caller = call.caller();
        caller.working_directory.working_directory_path(&caller.root)?
    };
    path.push(0);
    if path.len() as u64 > call.word(1) {
        return Err(Errno::ERANGE);
    }
    call.space().write(call.word(0), &path)?;
    Ok(path.len() as u64)
}

/// chdir(path)
pub fn chdir(call: &Call) -> Result<u64> {
    let path = call.path(0)?;
    let location = call.server.vfs.lookup(&call.caller(), CWD, &path, Follow::Yes)?;
    change_directory(call, location)
}

/// fchdir(fd)
pub fn fchdir(call: &Call) -> Result<u64> {
    let location = call.file(0)?.location().clone();
    change_directory(call, location)
}

fn change_directory(call: &Call, location: Rc<Location>) -> Result<u64> {
    call.server.vfs.check_directory(&call.caller(), &location)?;
    call.process().caller.borrow_mut().working_directory = location;
    Ok(0)
}

/// chroot(path)
pub fn chroot(call: &Call) -> Result<u64> {
    let path = call.path(0)?;
    let location = call.server.vfs.lookup(&call.caller(), CWD, &path, Follow::Yes)?;
    call.server.vfs.check_directory(&call.caller(), &location)?;
    if !call.is_privileged() {
        return Err(Errno::EPERM);
    }
    call.process().caller.borrow_mut().root = location;
    Ok(0)
}

/// mkdir(path, mode)
pub fn mkdir(call: &Call) -> Result<u64> {
    make_directory(call, CWD, call.path(0)?, call.half(1))
}
/// mkdirat(dirfd, path, mode)
pub fn mkdirat(call: &Call) -> Result<u64> {
    let path = call.path(1)?;
    make_directory(call, call.at(0, &path)?, path, call.half(2))
}
fn make_directory(call: &Call, at: At, path: Vec<u8>, mode: u32) -> Result<u64> {
    call.server.vfs.make_directory(&call.caller(), at, &path, mode)?;
    Ok(0)
}

/// mknod(path, mode, device)
pub fn mknod(call: &Call) -> Result<u64> {
    make_node(call, CWD, call.path(0)?, call.half(1), call.word(2))
}
/// mknodat(dirfd, path, mode, device)
pub fn mknodat(call: &Call) -> Result<u64> {
    let path = call.path(1)?;
    make_node(call, call.at(0, &path)?, path, call.half(2), call.word(3))
}
fn make_node(call: &Call, at: At, path: Vec<u8>, mode: u32, device: u64) -> Result<u64> {
    // The system call takes the 32-bit form of a device number: major in bits 8-19, minor in 0-7 and 20-31.
    let device = device_number((device >> 8) as u32 & 0xfff, (device & 0xff) as u32 | (device >> 12) as u32 & 0xf_ff00);
    let kind = match mode & 0o170000 {
        0 => NodeKind::Regular,
        kind if kind == Kind::Regular as u32 => NodeKind::Regular,
        kind if kind == Kind::Fifo as u32 => NodeKind::Fifo,
        kind if kind == Kind::Socket as u32 => NodeKind::Socket,
        kind if kind == Kind::CharacterDevice as u32 => NodeKind::CharacterDevice(device),
        kind if kind == Kind::BlockDevice as u32 => NodeKind::BlockDevice(device),
        kind if kind == Kind::Directory as u32 => return Err(Errno::EPERM),
        _ => return Err(Errno::EINVAL),
    };
    call.server.vfs.make_node(&call.caller(), at, &path, kind, mode & 0o7777)?;
    Ok(0)
}

/// rmdir(path)
pub fn rmdir(call: &Call) -> Result<u64> {
    call.server.vfs.remove_directory(&call.caller(), CWD, &call.path(0)?)?;
    Ok(0)
}

/// unlink(path)
pub fn unlink(call: &Call) -> Result<u64> {
    call.server.vfs.unlink(&call.caller(), CWD, &call.path(0)?)?;
    Ok(0)
}

/// unlinkat(dirfd, path, flags)
pub fn unlinkat(call: &Call) -> Result<u64> {
    let path = call.path(1)?;
    let at = call.at(0, &path)?;
    match call.half(2) {
        0 => call.server.vfs.unlink(&call.caller(), at, &path)?,
        linux::AT_REMOVEDIR => call.server.vfs.remove_directory(&call.caller(), at, &path)?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// link(old, new)
pub fn link(call: &Call) -> Result<u64> {
    make_link(call, CWD, call.path(0)?, CWD, call.path(1)?, 0)
}
/// linkat(olddirfd, old, newdirfd, new, flags)
pub fn linkat(call: &Call) -> Result<u64> {
    let (old, new) = (call.path(1)?, call.path(3)?);
    make_link(call, call.at(0, &old)?, old, call.at(2, &new)?, new, call.half(4))
}
fn make_link(call: &Call, old_at: At, old: Vec<u8>, new_at: At, new: Vec<u8>, flags: u32) -> Result<u64> {
    if flags & !(linux::AT_SYMLINK_FOLLOW | linux::AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let follow = if flags & linux::AT_SYMLINK_FOLLOW != 0 { Follow::Yes } else { Follow::No };
    let caller = call.caller();
    let location = if flags & linux::AT_EMPTY_PATH != 0 {
        call.server.vfs.lookup_or_self(&caller, old_at, &old, follow)?
    } else {
        call.server.vfs.lookup(&caller, old_at, &old, follow)?
    };
    call.server.vfs.link(&caller, &location, new_at, &new)?;
    Ok(0)
}

/// symlink(target, path)
pub fn symlink(call: &Call) -> Result<u64> {
    call.server.vfs.make_symlink(&call.caller(), &call.path(0)?, CWD, &call.path(1)?)?;
    Ok(0)
}
/// symlinkat(target, dirfd, path)
pub fn symlinkat(call: &Call) -> Result<u64> {
    let path = call.path(2)?;
    call.server.vfs.make_symlink(&call.caller(), &call.path(0)?, call.at(1, &path)?, &path)?;
    Ok(0)
}

/// readlink(path, buf, size)
pub fn readlink(call: &Call) -> Result<u64> {
    read_link(call, CWD, call.path(0)?, 1)
}
/// readlinkat(dirfd, path, buf, size)
pub fn readlinkat(call: &Call) -> Result<u64> {
    let path = call.path(1)?;
    read_link(call, call.at(0, &path)?, path, 2)
}
fn read_link(call: &Call, at: At, path: Vec<u8>, buffer: usize) -> Result<u64> {
    let size = call.int(buffer + 1);
    if size <= 0 {
        return Err(Errno::EINVAL);
    }
    let caller = call.caller();
    let location = match at {
        // An empty path names the descriptor itself, opened with O_PATH | O_NOFOLLOW.
        At::Location(location) if path.is_empty() => location,
        at => call.server.vfs.lookup(&caller, at, &path, Follow::No)?,
    };
    let mut text = call.server.vfs.read_link(&caller, &location)?;
    text.truncate(size as usize);
    call.space().write(call.word(buffer), &text)?;
    Ok(text.len() as u64)
}

/// rename(old, new)
pub fn rename(call: &Call) -> Result<u64> {
    rename_from(call, CWD, call.path(0)?, CWD, call.path(1)?, 0)
}
/// renameat(olddirfd, old, newdirfd, new)
pub fn renameat(call: &Call) -> Result<u64> {
    let (old, new) = (call.path(1)?, call.path(3)?);
    rename_from(call, call.at(0, &old)?, old, call.at(2, &new)?, new, 0)
}
/// renameat2(olddirfd, old, newdirfd, new, flags)
pub fn renameat2(call: &Call) -> Result<u64> {
    let (old, new) = (call.path(1)?, call.path(3)?);
    rename_from(call, call.at(0, &old)?, old, call.at(2, &new)?, new, call.half(4))
}
fn rename_from(call: &Call, old_at: At, old: Vec<u8>, new_at: At, new: Vec<u8>, flags: u32) -> Result<u64> {
    let flags = RenameFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    call.server.vfs.rename(&call.caller(), old_at, &old, new_at, &new, flags)?;
    Ok(0)
}

/// Bytes of entries that one call returns: others want to be served, too.
const MOST_ENTRIES: u64 = 16 << 10;

/// getdents64(fd, buf, size)
pub fn getdents64(call: &Call) -> Result<u64> {
    let file = call.file(0)?;
    let mut sink = UserSink::new(&call.space(), Iovec::one(call.word(1), u64::from(call.half(2)).min(MOST_ENTRIES)));
    file.list_encoded(&mut sink).map(|count| count as u64)
}

/// getdents(fd, buf, size): the form of old, which dietlibc calls.
pub fn getdents(call: &Call) -> Result<u64> {
    let file = call.file(0)?;
    let mut sink = UserSink::new(&call.space(), Iovec::one(call.word(1), u64::from(call.half(2)).min(MOST_ENTRIES)));
    file.list_encoded_old(&mut sink).map(|count| count as u64)
}

/// umask(mask)
pub fn umask(call: &Call) -> Result<u64> {
    let mut caller = call.process().caller.borrow_mut();
    Ok(core::mem::replace(&mut caller.umask, call.half(0) & 0o777).into())
}
