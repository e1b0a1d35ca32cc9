//! Calls on descriptors: open(2), close(2), lseek(2), dup(2), fcntl(2), pipe(2), and their relatives.

use super::read_write::check_size;
use super::{Call, Outcome, locks, owners};
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::inode::{Body, Inode, Kind};
use chestnut_linux_files::open::{EventCounter, OpenFile, OpenFlags, Whence};
use chestnut_linux_files::page::Contents;
use chestnut_linux_files::pipe::pipe as make_pipe;
use chestnut_linux_files::vfs::{At, Follow, Location, Resolve};
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::general as linux;

/// open(path, flags, mode)
pub fn open(call: &Call) -> Result<Outcome> {
    open_at(call, At::WorkingDirectory, call.path(0)?, call.half(1), call.half(2))
}

/// creat(path, mode)
pub fn creat(call: &Call) -> Result<Outcome> {
    let flags = linux::O_CREAT | linux::O_WRONLY | linux::O_TRUNC;
    open_at(call, At::WorkingDirectory, call.path(0)?, flags, call.half(1))
}

/// openat(dirfd, path, flags, mode)
pub fn openat(call: &Call) -> Result<Outcome> {
    let path = call.path(1)?;
    open_at(call, call.at(0, &path)?, path, call.half(2), call.half(3))
}

fn open_at(call: &Call, at: At, path: Vec<u8>, flags: u32, mode: u32) -> Result<Outcome> {
    let flags = OpenFlags::from_argument(flags) | OpenFlags::LARGE_FILE;
    // A file isn't made for an open that fails for want of a number.
    call.process().descriptors().borrow().check_room()?;
    let file = call.server.vfs.open(&call.caller(), at, &path, flags, mode)?;
    give_out(call, file, flags)
}

/// Bytes of `struct open_how` as it is known here, and the most that a program may claim.
const HOW: u64 = 24;
const HOW_MAX: u64 = 4096;

/// openat2(dirfd, path, how, size)
pub fn openat2(call: &Call) -> Result<Outcome> {
    let (space, address, size) = (call.space(), call.word(2), call.word(3));
    if size < HOW {
        return Err(Errno::EINVAL);
    }
    if size > HOW_MAX {
        return Err(Errno::E2BIG);
    }
    let mut bytes = alloc::vec![0; size as usize];
    space.read(address, &mut bytes)?;
    let (how, newer) = bytes.split_at(HOW as usize);
    if newer.iter().any(|&byte| byte != 0) {
        return Err(Errno::E2BIG);
    }
    let word = |at: usize| how[at..at + 8].iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    let flags = u32::try_from(word(0)).ok().and_then(OpenFlags::from_bits).ok_or(Errno::EINVAL)?;
    let resolve = u32::try_from(word(16)).ok().and_then(Resolve::from_bits).ok_or(Errno::EINVAL)?;
    let makes = flags.intersects(OpenFlags::CREATE | OpenFlags::TEMPORARY);
    let mode = u32::try_from(word(8)).ok().filter(|&mode| mode & !0o7777 == 0 && (makes || mode == 0));
    let mode = mode.ok_or(Errno::EINVAL)?;
    let known = OpenFlags::PATH | OpenFlags::DIRECTORY | OpenFlags::NO_FOLLOW | OpenFlags::CLOSE_ON_EXEC;
    if resolve.contains(Resolve::BENEATH | Resolve::IN_ROOT)
        || flags.contains(OpenFlags::PATH) && !known.contains(flags)
    {
        return Err(Errno::EINVAL);
    }
    if resolve.contains(Resolve::CACHED) && (makes || flags.contains(OpenFlags::TRUNCATE)) {
        return Err(Errno::EAGAIN);
    }
    let path = call.path(1)?;
    // A descriptor counts even for an absolute path where that begins at it.
    let at = match resolve.contains(Resolve::IN_ROOT) {
        true => At::descriptor(&call.process().descriptors().borrow(), call.int(0))?,
        false => call.at(0, &path)?,
    };
    call.process().descriptors().borrow().check_room()?;
    let flags = flags | OpenFlags::LARGE_FILE;
    let file = call.server.vfs.open_restricted(&call.caller(), at, &path, flags, mode, resolve)?;
    give_out(call, file, flags)
}

/// name_to_handle_at(dirfd, path, handle, mount id, flags): no file system here gives out handles.
pub fn name_to_handle_at(call: &Call) -> Result<u64> {
    const KNOWN: u32 = linux::AT_SYMLINK_FOLLOW | linux::AT_EMPTY_PATH;
    if call.half(4) & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    let path = call.path(1)?;
    let follow = if call.half(4) & linux::AT_SYMLINK_FOLLOW != 0 { Follow::Yes } else { Follow::No };
    let at = call.at(0, &path)?;
    if call.half(4) & linux::AT_EMPTY_PATH != 0 {
        call.server.vfs.lookup_or_self(&call.caller(), at, &path, follow)?;
    } else {
        call.server.vfs.lookup(&call.caller(), at, &path, follow)?;
    }
    Err(Errno::EOPNOTSUPP)
}

/// open_by_handle_at(mount fd, handle, flags): so none is known.
pub fn open_by_handle_at(call: &Call) -> Result<u64> {
    if !call.is_privileged() {
        return Err(Errno::EPERM);
    }
    call.file(0)?;
    Err(Errno::ESTALE)
}

/// Gives a file that was just opened its descriptor, once the open is complete.
pub fn give_out(call: &Call, file: Rc<OpenFile>, flags: OpenFlags) -> Result<Outcome> {
    if let Some(terminal) = file.terminal()
        && !flags.contains(OpenFlags::NO_CONTROLLING_TERMINAL)
    {
        let caller = call.caller_copy();
        terminal.opened_by(&caller);
    }
    let close_on_exec = flags.contains(OpenFlags::CLOSE_ON_EXEC);
    let descriptors = call.process().descriptors();
    if file.file().opened() == Err(Errno::EAGAIN) {
        return Ok(call.wait(async move {
            file.opened().await?;
            descriptors.borrow_mut().insert(file, close_on_exec).map(|number| number as u64)
        }));
    }
    file.file().opened()?;
    Ok(descriptors.borrow_mut().insert(file, close_on_exec).map(|number| number as u64).into())
}

/// close(fd)
pub fn close(call: &Call) -> Result<u64> {
    let closed = call.process().files.borrow().borrow_mut().close(call.int(0))?;
    closed.closed_by(call.process().pid);
    Ok(0)
}

const CLOSE_RANGE_UNSHARE: u32 = 2;
const CLOSE_RANGE_CLOEXEC: u32 = 4;

/// close_range(first, last, flags)
pub fn close_range(call: &Call) -> Result<u64> {
    let flags = call.half(2);
    if flags & !(CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE) != 0 {
        return Err(Errno::EINVAL);
    }
    if flags & CLOSE_RANGE_UNSHARE != 0 {
        call.process().separate_descriptors();
    }
    let only_mark = flags & CLOSE_RANGE_CLOEXEC != 0;
    let closed = call.process().descriptors().borrow_mut().close_range(call.half(0), call.half(1), only_mark)?;
    call.closed(closed);
    Ok(0)
}

/// lseek(fd, offset, whence)
pub fn lseek(call: &Call) -> Result<u64> {
    let whence = Whence::from_argument(call.half(2));
    let file = call.file(0)?;
    file.seek(whence?, call.word(1) as i64)
}

/// dup(fd)
pub fn dup(call: &Call) -> Result<u64> {
    call.process().files.borrow().borrow_mut().duplicate(call.int(0)).map(|number| number as u64)
}

/// dup2(old, new)
pub fn dup2(call: &Call) -> Result<u64> {
    duplicate_to(call, false, false)
}

/// dup3(old, new, flags)
pub fn dup3(call: &Call) -> Result<u64> {
    if call.half(2) & !linux::O_CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    duplicate_to(call, call.half(2) != 0, true)
}

fn duplicate_to(call: &Call, close_on_exec: bool, different: bool) -> Result<u64> {
    let (old, new) = (call.int(0), call.int(1));
    let closed = call.process().descriptors().borrow_mut().duplicate_to(old, new, close_on_exec, different)?;
    call.closed(closed);
    Ok(new as u64)
}

/// Of fcntl(2), newer than the header crate.
const F_DUPFD_QUERY: u32 = 1027;

/// fcntl(fd, command, argument)
pub fn fcntl(call: &Call) -> Result<Outcome> {
    let (file, command) = (call.file(0)?, call.half(1));
    if locks::is_command(command) {
        return locks::control(call, file);
    }
    if !file.is_path()
        && let Some(result) = owners::control(call, &file, command)
    {
        return result.map(Outcome::value);
    }
    control(call, file, command).map(Outcome::value)
}

fn control(call: &Call, file: Rc<OpenFile>, command: u32) -> Result<u64> {
    let (number, argument) = (call.int(0), call.word(2));
    let descriptors = call.process().descriptors();
    match command {
        linux::F_DUPFD | linux::F_DUPFD_CLOEXEC => {
            let close_on_exec = command == linux::F_DUPFD_CLOEXEC;
            let new = descriptors.borrow_mut().insert_from(argument as i32, file, close_on_exec)?;
            Ok(new as u64)
        }
        F_DUPFD_QUERY => {
            let other = call.file_of(argument as i32)?;
            Ok(Rc::ptr_eq(&file, &other).into())
        }
        linux::F_GETFD => Ok(descriptors.borrow().entry(number)?.close_on_exec.into()),
        linux::F_SETFD => {
            let close_on_exec = argument & u64::from(linux::FD_CLOEXEC) != 0;
            descriptors.borrow_mut().set_close_on_exec(number, close_on_exec)?;
            Ok(0)
        }
        linux::F_GETFL => Ok(file.flags().bits().into()),
        _ if file.is_path() => Err(Errno::EBADF),
        linux::F_SETFL => {
            let flags = changed_flags(&file, argument as u32)?;
            if flags.contains(OpenFlags::ASYNC) {
                owners::own_terminal(call, &file);
            }
            file.set_asynchronous(flags.contains(OpenFlags::ASYNC), number)?;
            file.set_flags(flags)?;
            Ok(0)
        }
        linux::F_GETPIPE_SZ => file.pipe().map(|pipe| pipe.capacity() as u64).ok_or(Errno::EBADF),
        linux::F_SETPIPE_SZ => {
            let pipe = file.pipe().ok_or(Errno::EBADF)?;
            pipe.set_capacity(argument as u32 as usize, call.is_privileged()).map(|size| size as u64)
        }
        linux::F_GET_SEALS => Ok(file.seals()?.bits().into()),
        linux::F_ADD_SEALS => {
            file.add_seals(argument as u32)?;
            Ok(0)
        }
        // No lease can be had; so none is there.
        linux::F_GETLEASE => Ok(linux::F_UNLCK.into()),
        _ => Err(Errno::EINVAL),
    }
}

/// F_SETFL's flags: `EINVAL` for a pipe's O_DIRECT, as it keeps no packets.
fn changed_flags(file: &OpenFile, flags: u32) -> Result<OpenFlags> {
    let flags = OpenFlags::from_argument(flags);
    let packets = flags.contains(OpenFlags::DIRECT) && file.pipe().is_some();
    if packets { Err(Errno::EINVAL) } else { Ok(flags) }
}

/// pipe(fds)
pub fn pipe(call: &Call) -> Result<u64> {
    make_pipe_with(call, 0)
}

/// pipe2(fds, flags)
pub fn pipe2(call: &Call) -> Result<u64> {
    make_pipe_with(call, call.half(1))
}

fn make_pipe_with(call: &Call, flags: u32) -> Result<u64> {
    // O_DIRECT (packets) is refused: reading would not keep the boundaries.
    if flags & !(linux::O_CLOEXEC | linux::O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let flags = OpenFlags::from_argument(flags);
    let (user, group) = {
        let caller = call.caller();
        (caller.credentials.user, caller.credentials.group)
    };
    let ends = make_pipe(&call.server.nameless, user, group, flags)?;
    insert_pair(call, ends, flags.contains(OpenFlags::CLOSE_ON_EXEC), call.word(0))
}

/// Gives two files descriptors and stores those at an address, or does neither.
pub fn insert_pair(call: &Call, files: [Rc<OpenFile>; 2], close_on_exec: bool, address: u64) -> Result<u64> {
    let descriptors = call.process().descriptors();
    let numbers = descriptors.borrow_mut().insert_pair(files, close_on_exec)?;
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&numbers[0].to_le_bytes());
    bytes[4..].copy_from_slice(&numbers[1].to_le_bytes());
    if let Err(error) = call.space().write(address, &bytes) {
        for number in numbers {
            let closed = descriptors.borrow_mut().close(number);
            drop(closed);
        }
        return Err(error);
    }
    Ok(0)
}

/// eventfd(initial)
pub fn eventfd(call: &Call) -> Result<u64> {
    make_eventfd(call, 0)
}

/// eventfd2(initial, flags)
pub fn eventfd2(call: &Call) -> Result<u64> {
    make_eventfd(call, call.half(1))
}

fn make_eventfd(call: &Call, flags: u32) -> Result<u64> {
    if flags & !(linux::EFD_SEMAPHORE | linux::O_CLOEXEC | linux::O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let counter = Rc::new(EventCounter::new(call.half(0), flags & linux::EFD_SEMAPHORE != 0));
    let status = OpenFlags::READ_WRITE | (OpenFlags::from_argument(flags) & OpenFlags::NONBLOCKING);
    let file = OpenFile::anonymous(&call.server.nameless, counter, b"anon_inode:[eventfd]", status);
    let close_on_exec = flags & linux::O_CLOEXEC != 0;
    call.install(file, close_on_exec)
}

/// An empty regular file without a name.
pub fn shared_memory(call: &Call, label: &[u8]) -> Rc<Location> {
    let (user, group) = {
        let caller = call.caller();
        (caller.credentials.user, caller.credentials.group)
    };
    let contents = Contents::new(call.server.nameless.store.clone());
    let inode = Inode::new(&call.server.nameless, Body::Regular(contents), 0o777, user, group);
    Location::detached(inode, label)
}

/// ftruncate(fd, length)
pub fn ftruncate(call: &Call) -> Result<u64> {
    let length = u64::try_from(call.word(1) as i64).map_err(|_| Errno::EINVAL)?;
    let file = call.file(0)?;
    if file.is_writable() {
        check_size(call, file.metadata().size, length)?;
    }
    file.truncate(length)?;
    Ok(0)
}

/// truncate(path, length)
pub fn truncate(call: &Call) -> Result<u64> {
    let length = u64::try_from(call.word(1) as i64).map_err(|_| Errno::EINVAL)?;
    let path = call.path(0)?;
    let location = call.server.vfs.lookup(&call.caller(), At::WorkingDirectory, &path, Follow::Yes)?;
    // May end the process (SIGXFSZ), which looks at its ids.
    check_size(call, location.inode().metadata().size, length)?;
    call.server.vfs.truncate(&call.caller(), &location, length)?;
    Ok(0)
}

/// fallocate(fd, mode, offset, length)
pub fn fallocate(call: &Call) -> Result<u64> {
    let (file, mode, offset, length) = (call.file(0)?, call.half(1), call.word(2) as i64, call.word(3) as i64);
    if file.is_writable() && mode & linux::FALLOC_FL_KEEP_SIZE == 0 {
        let end = offset.checked_add(length).and_then(|end| u64::try_from(end).ok());
        check_size(call, file.metadata().size, end.unwrap_or(0))?;
    }
    file.allocate(mode, offset, length)?;
    Ok(0)
}

/// fsync(fd), fdatasync(fd): files live in memory, so what was written is as safe as it will ever be.
pub fn fsync(call: &Call) -> Result<u64> {
    let file = call.file(0)?;
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    if has_storage(&file) { Ok(0) } else { Err(Errno::EINVAL) }
}

/// What a file system would keep for it.
fn has_storage(file: &OpenFile) -> bool {
    matches!(file.inode().kind(), Kind::Regular | Kind::Directory | Kind::BlockDevice)
}

/// sync_file_range(fd, offset, length, flags): likewise.
pub fn sync_file_range(call: &Call) -> Result<u64> {
    let known = linux::SYNC_FILE_RANGE_WAIT_BEFORE | linux::SYNC_FILE_RANGE_WRITE | linux::SYNC_FILE_RANGE_WAIT_AFTER;
    let (file, offset, length) = (call.file(0)?, call.word(1) as i64, call.word(2) as i64);
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    if call.half(3) & !known != 0 || offset < 0 || length < 0 || offset.checked_add(length).is_none() {
        return Err(Errno::EINVAL);
    }
    if has_storage(&file) { Ok(0) } else { Err(Errno::ESPIPE) }
}

/// sync(): likewise.
pub fn sync(_: &Call) -> Result<u64> {
    Ok(0)
}

/// syncfs(fd): likewise.
pub fn syncfs(call: &Call) -> Result<u64> {
    if call.file(0)?.is_path() { Err(Errno::EBADF) } else { Ok(0) }
}

/// fadvise64(fd, offset, length, advice): advice, which needs not be taken.
pub fn fadvise64(call: &Call) -> Result<u64> {
    let file = call.file(0)?;
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    if file.inode().kind() == Kind::Fifo {
        return Err(Errno::ESPIPE);
    }
    let valid = (call.word(2) as i64) >= 0 && call.half(3) <= linux::POSIX_FADV_NOREUSE;
    if valid { Ok(0) } else { Err(Errno::EINVAL) }
}

/// readahead(fd, offset, count): what is in memory need not be read ahead.
pub fn readahead(call: &Call) -> Result<u64> {
    let file = call.file(0)?;
    if !file.is_readable() {
        return Err(Errno::EBADF);
    }
    if file.inode().contents().is_some() { Ok(0) } else { Err(Errno::EINVAL) }
}
