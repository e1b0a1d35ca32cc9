//! Calls on descriptors: read(2), write(2), open(2), close(2), lseek(2), dup(2), fcntl(2), pipe(2), and their relatives.

use super::terminals::{Access, job_control};
use super::{Call, Outcome, Waiting};
use crate::memory::{Iovec, UserSink, UserSource};
use crate::process::signal::{Detail, Signal, SignalInfo, code};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::buffer::{SliceSink, SliceSource, Source};
use chestnut_linux_files::inode::{Body, Inode};
use chestnut_linux_files::open::{EventCounter, OpenFile, OpenFlags, RegularFile, Whence};
use chestnut_linux_files::page::Contents;
use chestnut_linux_files::pipe::pipe as make_pipe;
use chestnut_linux_files::terminal::Use;
use chestnut_linux_files::vfs::{At, Location};
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::general as linux;

/// Bytes that sendfile moves between looks at signals.
const SENDFILE_CHUNK: usize = 16_384;

/// read(fd, buf, count)
pub fn read(call: &Call) -> Result<Outcome> {
    read_vector(call, Iovec::one(call.word(1), call.word(2)))
}

/// readv(fd, iov, iovcnt)
pub fn readv(call: &Call) -> Result<Outcome> {
    let vector = call.space().read_vector(call.word(1), call.word(2))?;
    read_vector(call, vector)
}

fn read_vector(call: &Call, vector: Vec<Iovec>) -> Result<Outcome> {
    let file = call.file(0)?;
    if let Access::Denied(outcome) = job_control(call, &file, Use::Read) {
        return Ok(outcome);
    }
    let mut sink = UserSink::new(&call.space(), vector);
    let mut attempt = file.attempt();
    match file.try_read(&mut attempt, &mut sink) {
        Err(Errno::EAGAIN) if !attempt.nonblocking => {
            Ok(call.wait(async move { file.read(&mut sink).await.map(|count| count as u64) }))
        }
        result => Ok(result.map(|count| count as u64).into()),
    }
}

/// pread64(fd, buf, count, offset)
pub fn pread64(call: &Call) -> Result<Outcome> {
    read_at(call, Iovec::one(call.word(1), call.word(2)))
}

/// preadv(fd, iov, iovcnt, offset low, offset high): on 64 bits the low half is the offset.
pub fn preadv(call: &Call) -> Result<Outcome> {
    let vector = call.space().read_vector(call.word(1), call.word(2))?;
    read_at(call, vector)
}

fn read_at(call: &Call, vector: Vec<Iovec>) -> Result<Outcome> {
    let (file, offset) = (call.file(0)?, call.word(3));
    let mut sink = UserSink::new(&call.space(), vector);
    Ok(call.wait(async move { file.read_at(offset, &mut sink).await.map(|count| count as u64) }))
}

/// write(fd, buf, count)
pub fn write(call: &Call) -> Result<Outcome> {
    write_vector(call, Iovec::one(call.word(1), call.word(2)), true)
}

/// The same for send(2) with MSG_NOSIGNAL: EPIPE comes alone.
pub fn write_without_signal(call: &Call) -> Result<Outcome> {
    write_vector(call, Iovec::one(call.word(1), call.word(2)), false)
}

/// writev(fd, iov, iovcnt)
pub fn writev(call: &Call) -> Result<Outcome> {
    let vector = call.space().read_vector(call.word(1), call.word(2))?;
    write_vector(call, vector, true)
}

fn write_vector(call: &Call, vector: Vec<Iovec>, signals: bool) -> Result<Outcome> {
    let file = call.file(0)?;
    if let Access::Denied(outcome) = job_control(call, &file, Use::Write) {
        return Ok(outcome);
    }
    let mut source = UserSource::new(&call.space(), vector.clone());
    let mut attempt = file.attempt();
    match file.try_write(&mut attempt, &mut source) {
        Err(Errno::EAGAIN) if !attempt.nonblocking => {
            // Nothing is written yet; what a file may have taken from the source already is given to it again.
            let source = UserSource::new(&call.space(), vector);
            Ok(write_on(call, file, source, 0, signals))
        }
        Ok(count) if count > 0 && !attempt.nonblocking && source.remaining() > 0 && file.file().writes_everything() => {
            Ok(write_on(call, file, source, count as u64, signals))
        }
        Err(error) if signals => Err(broken_pipe(call, error)),
        Err(error) => Err(error),
        Ok(count) => Ok(Outcome::value(count as u64)),
    }
}

/// Waits until the rest is written too.
fn write_on(call: &Call, file: Rc<OpenFile>, mut source: UserSource, before: u64, signals: bool) -> Outcome {
    let moved = source.moved();
    let (server, thread) = (call.server, call.thread.clone());
    let future = async move {
        match file.write(&mut source).await {
            Ok(count) => Ok(before + count as u64),
            Err(_) if before > 0 => Ok(before),
            Err(error) => {
                if error == Errno::EPIPE && signals {
                    server.signal_thread(&thread, pipe_signal(&thread));
                }
                Err(error)
            }
        }
    };
    Outcome::Later(Waiting { future: Box::pin(future), restarts: true, moved: Some(moved) })
}

fn pipe_signal(thread: &crate::process::Thread) -> SignalInfo {
    let detail = Detail::Sender { pid: thread.process.pid, uid: thread.process.ids.get().user };
    SignalInfo { signal: Signal::PIPE, code: code::USER, detail }
}

/// EPIPE comes with SIGPIPE.
fn broken_pipe(call: &Call, error: Errno) -> Errno {
    if error == Errno::EPIPE {
        call.server.signal_thread(&call.thread, pipe_signal(&call.thread));
    }
    error
}

/// pwrite64(fd, buf, count, offset)
pub fn pwrite64(call: &Call) -> Result<Outcome> {
    write_at(call, Iovec::one(call.word(1), call.word(2)))
}

/// pwritev(fd, iov, iovcnt, offset low, offset high)
pub fn pwritev(call: &Call) -> Result<Outcome> {
    let vector = call.space().read_vector(call.word(1), call.word(2))?;
    write_at(call, vector)
}

fn write_at(call: &Call, vector: Vec<Iovec>) -> Result<Outcome> {
    let (file, offset) = (call.file(0)?, call.word(3));
    let mut source = UserSource::new(&call.space(), vector);
    let moved = source.moved();
    let future = async move { file.write_at(offset, &mut source).await.map(|count| count as u64) };
    Ok(Outcome::Later(Waiting { future: Box::pin(future), restarts: true, moved: Some(moved) }))
}

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
    let file = call.server.vfs.open(&call.caller(), at, &path, flags, mode)?;
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
    // The file is dropped after the table is no longer borrowed.
    let closed = call.process().descriptors().borrow_mut().close(call.int(0))?;
    drop(closed);
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
        let own = call.process().descriptors().borrow().clone();
        *call.process().files.borrow_mut() = Rc::new(core::cell::RefCell::new(own));
    }
    let only_mark = flags & CLOSE_RANGE_CLOEXEC != 0;
    let closed = call.process().descriptors().borrow_mut().close_range(call.half(0), call.half(1), only_mark)?;
    drop(closed);
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
    call.process().descriptors().borrow_mut().duplicate(call.int(0)).map(|number| number as u64)
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
    drop(closed);
    Ok(new as u64)
}

/// fcntl(fd, command, argument)
pub fn fcntl(call: &Call) -> Result<u64> {
    let (number, argument) = (call.int(0), call.word(2));
    let descriptors = call.process().descriptors();
    let file = call.file(0)?;
    match call.half(1) {
        command @ (linux::F_DUPFD | linux::F_DUPFD_CLOEXEC) => {
            let close_on_exec = command == linux::F_DUPFD_CLOEXEC;
            let new = descriptors.borrow_mut().insert_from(argument as i32, file, close_on_exec)?;
            Ok(new as u64)
        }
        linux::F_GETFD => Ok(descriptors.borrow().entry(number)?.close_on_exec.into()),
        linux::F_SETFD => {
            let close_on_exec = argument & u64::from(linux::FD_CLOEXEC) != 0;
            descriptors.borrow_mut().set_close_on_exec(number, close_on_exec)?;
            Ok(0)
        }
        linux::F_GETFL => Ok(file.flags().bits().into()),
        linux::F_SETFL => {
            file.set_flags(OpenFlags::from_argument(argument as u32))?;
            Ok(0)
        }
        linux::F_GETPIPE_SZ => file.pipe().map(|pipe| pipe.capacity() as u64).ok_or(Errno::EBADF),
        linux::F_SETPIPE_SZ => {
            let pipe = file.pipe().ok_or(Errno::EBADF)?;
            pipe.set_capacity(argument as u32 as usize, call.is_privileged()).map(|size| size as u64)
        }
        // Locks between processes are not there yet; saying otherwise would lose data.
        _ => Err(Errno::EINVAL),
    }
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
    call.process().descriptors().borrow_mut().insert(file, close_on_exec).map(|number| number as u64)
}

/// memfd_create(name, flags)
pub fn memfd_create(call: &Call) -> Result<u64> {
    let flags = call.half(1);
    if flags & !linux::MFD_CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    let name = call.space().read_string(call.word(0), 250, Errno::EINVAL)?;
    let location = shared_memory(call, &[b"/memfd:", &name[..], b" (deleted)"].concat());
    let file = Rc::new(RegularFile::new(location.inode().clone()));
    let status = OpenFlags::READ_WRITE | OpenFlags::LARGE_FILE;
    let file = OpenFile::new(file, location, status);
    let close_on_exec = flags & linux::MFD_CLOEXEC != 0;
    call.process().descriptors().borrow_mut().insert(file, close_on_exec).map(|number| number as u64)
}

/// An empty regular file without a name.
pub fn shared_memory(call: &Call, label: &[u8]) -> Rc<Location> {
    let (user, group) = {
        let caller = call.caller();
        (caller.credentials.user, caller.credentials.group)
    };
    let contents = Contents::new(call.server.memory.store.clone());
    let inode = Inode::new(&call.server.nameless, Body::Regular(contents), 0o777, user, group);
    Location::detached(inode, label)
}

/// ftruncate(fd, length)
pub fn ftruncate(call: &Call) -> Result<u64> {
    let length = u64::try_from(call.word(1) as i64).map_err(|_| Errno::EINVAL)?;
    call.file(0)?.truncate(length)?;
    Ok(0)
}

/// truncate(path, length)
pub fn truncate(call: &Call) -> Result<u64> {
    let length = u64::try_from(call.word(1) as i64).map_err(|_| Errno::EINVAL)?;
    let path = call.path(0)?;
    let caller = call.caller();
    let follow = chestnut_linux_files::vfs::Follow::Yes;
    let location = call.server.vfs.lookup(&caller, At::WorkingDirectory, &path, follow)?;
    call.server.vfs.truncate(&caller, &location, length)?;
    Ok(0)
}

/// fallocate(fd, mode, offset, length)
pub fn fallocate(call: &Call) -> Result<u64> {
    call.file(0)?.allocate(call.half(1), call.word(2) as i64, call.word(3) as i64)?;
    Ok(0)
}

/// fsync(fd), fdatasync(fd): files live in memory, so what was written is as safe as it will ever be.
pub fn fsync(call: &Call) -> Result<u64> {
    let file = call.file(0)?;
    if file.is_seekable() { Ok(0) } else { Err(Errno::EINVAL) }
}

/// sync(): likewise.
pub fn sync(_: &Call) -> Result<u64> {
    Ok(0)
}

/// syncfs(fd): likewise.
pub fn syncfs(call: &Call) -> Result<u64> {
    call.file(0)?;
    Ok(0)
}

/// fadvise64(fd, offset, length, advice): advice, which needs not be taken.
pub fn fadvise64(call: &Call) -> Result<u64> {
    let file = call.file(0)?;
    match call.half(3) {
        0..=5 if file.is_seekable() => Ok(0),
        0..=5 => Err(Errno::ESPIPE),
        _ => Err(Errno::EINVAL),
    }
}

/// readahead(fd, offset, count): what is in memory need not be read ahead.
pub fn readahead(call: &Call) -> Result<u64> {
    let file = call.file(0)?;
    if !file.is_readable() {
        return Err(Errno::EBADF);
    }
    if file.is_seekable() { Ok(0) } else { Err(Errno::EINVAL) }
}

/// sendfile(out, in, offset, count)
pub fn sendfile(call: &Call) -> Result<Outcome> {
    let (target, source) = (call.file(0)?, call.file(1)?);
    let (offset_address, count) = (call.word(2), call.word(3).min(0x7fff_f000) as usize);
    if !source.is_readable() || !target.is_writable() {
        return Err(Errno::EBADF);
    }
    if !source.is_seekable() {
        return Err(Errno::EINVAL);
    }
    let space = call.space();
    let start = if offset_address == 0 { None } else { Some(space.read_u64(offset_address)?) };
    if start.is_some_and(|start| start > i64::MAX as u64) {
        return Err(Errno::EINVAL);
    }
    let (server, thread) = (call.server, call.thread.clone());
    Ok(call.wait(async move {
        let mut buffer = vec![0; SENDFILE_CHUNK.min(count.max(1))];
        let mut moved = 0;
        let mut failure = None;
        while moved < count && failure.is_none() {
            let part = buffer.len().min(count - moved);
            let at = match start {
                Some(start) => start + moved as u64,
                None => source.offset(),
            };
            let mut sink = SliceSink::new(&mut buffer[..part]);
            let got = match source.read_at(at, &mut sink).await {
                Ok(0) => break,
                Ok(got) => got,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            };
            match target.write(&mut SliceSource::new(&buffer[..got])).await {
                Ok(put) => {
                    moved += put;
                    if start.is_none() {
                        source.seek(Whence::Start, (at + put as u64) as i64)?;
                    }
                    if put < got {
                        break;
                    }
                }
                Err(error) => failure = Some(error),
            }
        }
        if let Some(start) = start {
            space.write_u64(offset_address, start + moved as u64)?;
        }
        match failure {
            Some(error) if moved == 0 => {
                if error == Errno::EPIPE {
                    server.signal_thread(&thread, pipe_signal(&thread));
                }
                Err(error)
            }
            _ => Ok(moved as u64),
        }
    }))
}

/// flock(fd, operation): locks are not there yet, except that unlocking what is not locked succeeds.
pub fn flock(call: &Call) -> Result<u64> {
    call.file(0)?;
    match call.half(1) & !linux::LOCK_NB {
        linux::LOCK_UN => Ok(0),
        linux::LOCK_SH | linux::LOCK_EX => Err(Errno::ENOLCK),
        _ => Err(Errno::EINVAL),
    }
}
