//! Extended attributes (xattr(7)): setxattr(2), getxattr(2), listxattr(2), removexattr(2) in their forms for paths, links and
//! descriptors.

use super::Call;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::attribute::{NAME_MAX, SetMode, VALUE_MAX};
use chestnut_linux_files::inode::Inode;
use chestnut_linux_files::vfs::{At, Follow, Location};
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::general as linux;

fn by_path(call: &Call, follow: Follow) -> Result<Rc<Location>> {
    call.server.vfs.lookup(&call.caller(), At::WorkingDirectory, &call.path(0)?, follow)
}
fn by_descriptor(call: &Call) -> Result<Rc<Location>> {
    let file = call.file(0)?;
    if file.is_path() { Err(Errno::EBADF) } else { Ok(file.location().clone()) }
}

/// The name that an argument points at: `ERANGE` if it is empty or too long.
fn name(call: &Call) -> Result<Vec<u8>> {
    let name = call.space().read_string(call.word(1), NAME_MAX + 1, Errno::ERANGE)?;
    if name.is_empty() { Err(Errno::ERANGE) } else { Ok(name) }
}

/// setxattr(path, name, value, size, flags)
pub fn setxattr(call: &Call) -> Result<u64> {
    set(call, || by_path(call, Follow::Yes))
}
/// lsetxattr(path, name, value, size, flags)
pub fn lsetxattr(call: &Call) -> Result<u64> {
    set(call, || by_path(call, Follow::No))
}
/// fsetxattr(fd, name, value, size, flags)
pub fn fsetxattr(call: &Call) -> Result<u64> {
    set(call, || by_descriptor(call))
}
fn set(call: &Call, find: impl FnOnce() -> Result<Rc<Location>>) -> Result<u64> {
    let mode = match call.half(4) {
        0 => SetMode::Either,
        linux::XATTR_CREATE => SetMode::Create,
        linux::XATTR_REPLACE => SetMode::Replace,
        _ => return Err(Errno::EINVAL),
    };
    let name = name(call)?;
    let size = call.word(3);
    if size > VALUE_MAX as u64 {
        return Err(Errno::E2BIG);
    }
    let mut value = vec![0; size as usize];
    call.space().read(call.word(2), &mut value)?;
    let location = find()?;
    call.server.vfs.set_attribute(&call.caller(), &location, &name, &value, mode)?;
    Ok(0)
}

/// getxattr(path, name, value, size)
pub fn getxattr(call: &Call) -> Result<u64> {
    get(call, || by_path(call, Follow::Yes))
}
/// lgetxattr(path, name, value, size)
pub fn lgetxattr(call: &Call) -> Result<u64> {
    get(call, || by_path(call, Follow::No))
}
/// fgetxattr(fd, name, value, size)
pub fn fgetxattr(call: &Call) -> Result<u64> {
    get(call, || by_descriptor(call))
}
fn get(call: &Call, find: impl FnOnce() -> Result<Rc<Location>>) -> Result<u64> {
    let name = name(call)?;
    let location = find()?;
    let value = location.inode().attribute(&call.caller().credentials, &name)?;
    put(call, call.word(2), call.word(3), &value)
}

/// listxattr(path, list, size)
pub fn listxattr(call: &Call) -> Result<u64> {
    list(call, by_path(call, Follow::Yes)?.inode())
}
/// llistxattr(path, list, size)
pub fn llistxattr(call: &Call) -> Result<u64> {
    list(call, by_path(call, Follow::No)?.inode())
}
/// flistxattr(fd, list, size)
pub fn flistxattr(call: &Call) -> Result<u64> {
    list(call, by_descriptor(call)?.inode())
}
fn list(call: &Call, inode: &Inode) -> Result<u64> {
    let names = inode.attribute_names(&call.caller().credentials);
    put(call, call.word(1), call.word(2), &names)
}

/// Stores an answer; a size of 0 only asks for its length. `ERANGE` if it doesn't fit.
fn put(call: &Call, address: u64, size: u64, bytes: &[u8]) -> Result<u64> {
    match size {
        0 => {}
        size if size < bytes.len() as u64 => return Err(Errno::ERANGE),
        _ => call.space().write(address, bytes)?,
    }
    Ok(bytes.len() as u64)
}

/// removexattr(path, name)
pub fn removexattr(call: &Call) -> Result<u64> {
    remove(call, || by_path(call, Follow::Yes))
}
/// lremovexattr(path, name)
pub fn lremovexattr(call: &Call) -> Result<u64> {
    remove(call, || by_path(call, Follow::No))
}
/// fremovexattr(fd, name)
pub fn fremovexattr(call: &Call) -> Result<u64> {
    remove(call, || by_descriptor(call))
}
fn remove(call: &Call, find: impl FnOnce() -> Result<Rc<Location>>) -> Result<u64> {
    let name = name(call)?;
    let location = find()?;
    call.server.vfs.remove_attribute(&call.caller(), &location, &name)?;
    Ok(0)
}
