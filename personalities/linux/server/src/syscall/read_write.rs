//! read(2), write(2), and all calls that move bytes between a program's memory and one file.

use super::terminals::{Access, job_control};
use super::{Call, Outcome, direct, messages, pieces, pipes};
use crate::memory::{Buffers, Iovec, UserSink, UserSource};
use crate::process::Thread;
use crate::process::limits;
use crate::process::parked::{self, may_park};
use crate::process::signal::{Detail, Signal, SignalInfo, code};
use crate::server::Server;
use alloc::rc::Rc;
use chestnut_linux_files::buffer::Source;
use chestnut_linux_files::inode::Body;
use chestnut_linux_files::open::{Attempt, OpenFile, OpenFlags, Waiting as Retry, Whence};
use chestnut_linux_files::terminal::Use;
use chestnut_linux_files::{Errno, Result};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use linux_raw_sys::general as linux;

/// RWF_NOAPPEND, RWF_ATOMIC and RWF_DONTCACHE, which the header crate leaves out.
const NO_APPEND: u32 = 0x20;

/// read(fd, buf, count)
pub fn read(call: &Call) -> Outcome {
    let file = match call.file(0) {
        Ok(file) => file,
        Err(error) => return Outcome::fails(error),
    };
    if let Some(count) = direct::read(call, &file, file.offset()) {
        file.advance(count);
        return Outcome::Done(count as u64);
    }
    read_file(call, file, Iovec::one(call.word(1), call.word(2)), false).into()
}

/// readv(fd, iov, iovcnt)
pub fn readv(call: &Call) -> Result<Outcome> {
    read_vector(call, vector(call)?, false)
}

/// pread64(fd, buf, count, offset)
pub fn pread64(call: &Call) -> Outcome {
    let file = match call.file(0) {
        Ok(file) => file,
        Err(error) => return Outcome::fails(error),
    };
    match direct::read(call, &file, call.word(3)) {
        Some(count) => Outcome::Done(count as u64),
        None => read_at(call, file, Iovec::one(call.word(1), call.word(2)), false).into(),
    }
}

/// preadv(fd, iov, iovcnt, offset low, offset high): on 64 bits the low half is the offset.
pub fn preadv(call: &Call) -> Result<Outcome> {
    let vector = vector(call)?;
    read_at(call, call.file(0)?, vector, false)
}

/// preadv2(fd, iov, iovcnt, offset low, offset high, flags)
pub fn preadv2(call: &Call) -> Result<Outcome> {
    // What there is to be read is in memory: priority and freshness are as they should be.
    let known = linux::RWF_HIPRI | linux::RWF_DSYNC | linux::RWF_SYNC | linux::RWF_NOWAIT;
    if call.half(5) & !known != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let now = call.half(5) & linux::RWF_NOWAIT != 0;
    let vector = vector(call)?;
    if call.word(3) == u64::MAX { read_vector(call, vector, now) } else { read_at(call, call.file(0)?, vector, now) }
}

/// write(fd, buf, count)
pub fn write(call: &Call) -> Outcome {
    let file = match call.file(0) {
        Ok(file) => file,
        Err(error) => return Outcome::fails(error),
    };
    if let Some(count) = direct::write(call, &file, file.offset()) {
        file.advance(count);
        return Outcome::Done(count as u64);
    }
    write_file(call, file, Iovec::one(call.word(1), call.word(2)), false).into()
}

/// writev(fd, iov, iovcnt)
pub fn writev(call: &Call) -> Result<Outcome> {
    write_vector(call, vector(call)?, false)
}

/// pwrite64(fd, buf, count, offset)
pub fn pwrite64(call: &Call) -> Outcome {
    let file = match call.file(0) {
        Ok(file) => file,
        Err(error) => return Outcome::fails(error),
    };
    match direct::write(call, &file, call.word(3)) {
        Some(count) => Outcome::Done(count as u64),
        None => write_at(call, file, Iovec::one(call.word(1), call.word(2)), Append::AsOpened, false).into(),
    }
}

/// pwritev(fd, iov, iovcnt, offset low, offset high)
pub fn pwritev(call: &Call) -> Result<Outcome> {
    let vector = vector(call)?;
    write_at(call, call.file(0)?, vector, Append::AsOpened, false)
}

/// pwritev2(fd, iov, iovcnt, offset low, offset high, flags)
pub fn pwritev2(call: &Call) -> Result<Outcome> {
    let flags = call.half(5);
    // What is written is as safe as it will ever be: to synchronise is to do nothing.
    let known =
        linux::RWF_HIPRI | linux::RWF_DSYNC | linux::RWF_SYNC | linux::RWF_NOWAIT | linux::RWF_APPEND | NO_APPEND;
    if flags & !known != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let append = match (flags & linux::RWF_APPEND != 0, flags & NO_APPEND != 0) {
        (true, true) => return Err(Errno::EINVAL),
        (true, false) => Append::Yes,
        (false, true) => Append::No,
        (false, false) => Append::AsOpened,
    };
    let now = flags & linux::RWF_NOWAIT != 0;
    let vector = vector(call)?;
    if call.word(3) != u64::MAX {
        return write_at(call, call.file(0)?, vector, append, now);
    }
    let file = call.file(0)?;
    match append {
        Append::Yes if file.is_writable() && file.is_seekable() => {
            file.seek(Whence::End, 0)?;
        }
        Append::No if file.is_seekable() => {
            let mut source = UserSource::new(&call.space(), vector);
            let mut attempt = attempt(call, &file, now);
            let written = file.try_write_at(&mut attempt, file.offset(), &mut source);
            let count = written.map_err(|error| failed(call, &attempt, error))?;
            file.seek(Whence::Current, count as i64)?;
            return Ok(Outcome::value(count as u64));
        }
        _ => {}
    }
    write_vector(call, vector, now)
}

fn vector(call: &Call) -> Result<Buffers> {
    call.space().read_vector(call.word(1), call.word(2)).map(Buffers::from)
}

fn is_socket(file: &OpenFile) -> bool {
    matches!(file.inode().body, Body::Socket(_)) && !file.is_path()
}

/// read(2) and readv(2); with `now` without waiting.
#[inline]
pub fn read_vector(call: &Call, vector: Buffers, now: bool) -> Result<Outcome> {
    read_file(call, call.file(0)?, vector, now)
}

#[inline(never)]
fn read_file(call: &Call, file: Rc<OpenFile>, vector: Buffers, now: bool) -> Result<Outcome> {
    if file.is_special() {
        if let Some(pipe) = file.pipe() {
            if let Some(piece) = vector.only()
                && let Some(outcome) = pipes::read(call, &file, pipe, piece, now)
            {
                return Ok(outcome);
            }
        } else if let Access::Denied(outcome) = job_control(call, &file, Use::Read) {
            return Ok(outcome);
        } else if is_socket(&file) {
            return messages::read(call, file, vector, now);
        }
    }
    if pieces::is_long(&file, &vector) {
        let attempt = reading(&file, now);
        return Ok(pieces::read(call, file, vector, attempt, None));
    }
    let mut sink = UserSink::new(&call.space(), vector);
    let mut attempt = reading(&file, now);
    match file.try_read(&mut attempt, &mut sink) {
        Err(Errno::EAGAIN) if !attempt.nonblocking => {
            if matches!(file.inode().body, Body::Fifo(_)) && may_park(call) {
                return Ok(parked::Read::park(call, file, None, sink));
            }
            Ok(call.wait(Read::new(file, sink)))
        }
        result => Ok(result.map(|count| count as u64).into()),
    }
}

/// A read that waits.
pub struct Read {
    file: Rc<OpenFile>,
    sink: UserSink,
    waiting: Retry,
}

impl Read {
    pub fn new(file: Rc<OpenFile>, sink: UserSink) -> Self {
        let waiting = Retry::new(file.attempt());
        Self { file, sink, waiting }
    }
}

impl Future for Read {
    type Output = Result<u64>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { file, sink, waiting } = &mut *self;
        file.poll_read(context, waiting, sink).map(|result| result.map(|count| count as u64))
    }
}

#[inline(never)]
fn read_at(call: &Call, file: Rc<OpenFile>, vector: Buffers, now: bool) -> Result<Outcome> {
    let offset = call.word(3);
    if pieces::is_long(&file, &vector) && offset <= i64::MAX as u64 {
        let attempt = reading(&file, now);
        return Ok(pieces::read(call, file, vector, attempt, Some(offset)));
    }
    let mut sink = UserSink::new(&call.space(), vector);
    let mut attempt = reading(&file, now);
    match file.try_read_at(&mut attempt, offset, &mut sink) {
        Err(Errno::EAGAIN) if !attempt.nonblocking => {
            Ok(call.wait(async move { file.read_at(offset, &mut sink).await.map(|count| count as u64) }))
        }
        result => Ok(result.map(|count| count as u64).into()),
    }
}

/// The first try of a call that reads: O_NONBLOCK or RWF_NOWAIT.
fn reading(file: &OpenFile, now: bool) -> Attempt {
    let mut attempt = file.attempt();
    attempt.nonblocking |= now;
    attempt
}

/// The same for one that writes, with RLIMIT_FSIZE.
fn attempt(call: &Call, file: &OpenFile, now: bool) -> Attempt {
    Attempt { size_limit: size_limit(call), ..reading(file, now) }
}

/// RLIMIT_FSIZE, if there is one.
pub fn size_limit(call: &Call) -> Option<u64> {
    let limit = call.process().limits.borrow().soft(limits::FILE_SIZE);
    (limit != limits::INFINITY).then_some(limit)
}

/// Whether a file may be made so long by truncating it up or allocating: `EFBIG`, with SIGXFSZ, beyond RLIMIT_FSIZE.
pub fn check_size(call: &Call, now: u64, wanted: u64) -> Result<()> {
    if wanted > now && size_limit(call).is_some_and(|limit| wanted > limit) {
        signal_too_large(call.server, call.thread);
        return Err(Errno::EFBIG);
    }
    Ok(())
}

/// The signals that come with errors of writing.
fn failed(call: &Call, attempt: &Attempt, error: Errno) -> Errno {
    signal_failure(call.server, call.thread, attempt.size_limit, error);
    error
}

/// SIGPIPE comes with EPIPE, SIGXFSZ with the EFBIG of a limit.
pub fn signal_failure(server: &Server, thread: &Rc<Thread>, limit: Option<u64>, error: Errno) {
    match error {
        Errno::EPIPE => signal_broken_pipe(server, thread),
        Errno::EFBIG if limit.is_some() => signal_too_large(server, thread),
        _ => {}
    }
}

pub fn signal_broken_pipe(server: &Server, thread: &Rc<Thread>) {
    let detail = Detail::Sender { pid: thread.process.pid, uid: thread.process.ids.get().user };
    server.signal_thread(thread, SignalInfo { signal: Signal::PIPE, code: code::USER, detail });
}

fn signal_too_large(server: &Server, thread: &Rc<Thread>) {
    let detail = Detail::Sender { pid: thread.process.pid, uid: thread.process.ids.get().user };
    server.signal_thread(thread, SignalInfo { signal: Signal::XFSZ, code: code::USER, detail });
}

/// write(2) and writev(2); with `now` without waiting.
#[inline]
pub fn write_vector(call: &Call, vector: Buffers, now: bool) -> Result<Outcome> {
    write_file(call, call.file(0)?, vector, now)
}

#[inline(never)]
fn write_file(call: &Call, file: Rc<OpenFile>, vector: Buffers, now: bool) -> Result<Outcome> {
    if file.is_special() {
        if let Some(pipe) = file.pipe() {
            if let Some(piece) = vector.only()
                && let Some(outcome) = pipes::write(call, &file, pipe, piece)
            {
                return Ok(outcome);
            }
        } else if let Access::Denied(outcome) = job_control(call, &file, Use::Write) {
            return Ok(outcome);
        } else if is_socket(&file) {
            return messages::write(call, file, vector, now);
        }
    }
    if pieces::is_long_write(&file, &vector) {
        let attempt = attempt(call, &file, now);
        return Ok(pieces::write(call, file, vector, attempt, None));
    }
    let mut source = UserSource::new(&call.space(), vector.clone());
    let mut attempt = attempt(call, &file, now);
    match file.try_write(&mut attempt, &mut source) {
        Err(Errno::EAGAIN) if !attempt.nonblocking => {
            // Nothing is written yet; what a file may have taken from the source already is given to it again.
            let source = UserSource::new(&call.space(), vector);
            Ok(write_on(call, file, source, 0))
        }
        Ok(count) if count > 0 && !attempt.nonblocking && source.remaining() > 0 && file.file().writes_everything() => {
            Ok(write_on(call, file, source, count as u64))
        }
        Err(error) => Err(failed(call, &attempt, error)),
        Ok(count) => Ok(Outcome::value(count as u64)),
    }
}

/// Waits until the rest is written too.
fn write_on(call: &Call, file: Rc<OpenFile>, mut source: UserSource, before: u64) -> Outcome {
    let moved = source.moved();
    let (server, thread) = (call.server, call.thread.clone());
    let future = async move {
        match file.write(&mut source).await {
            Ok(count) => Ok(before + count as u64),
            Err(_) if before > 0 => Ok(before),
            Err(error) => {
                signal_failure(server, &thread, None, error);
                Err(error)
            }
        }
    };
    call.later(future, true, Some(moved))
}

/// Where a write with an offset goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Append {
    /// To the end if the file was opened so (pwrite(2), BUGS).
    AsOpened,
    Yes,
    No,
}

#[inline(never)]
fn write_at(call: &Call, file: Rc<OpenFile>, vector: Buffers, append: Append, now: bool) -> Result<Outcome> {
    let offset = call.word(3);
    if append == Append::AsOpened && offset <= i64::MAX as u64 && pieces::is_long_write(&file, &vector) {
        let attempt = attempt(call, &file, now);
        return Ok(pieces::write(call, file, vector, attempt, Some(offset)));
    }
    let mut source = UserSource::new(&call.space(), vector);
    let mut attempt = attempt(call, &file, now);
    let appends = match append {
        Append::AsOpened => file.flags().contains(OpenFlags::APPEND),
        append => append == Append::Yes,
    };
    if offset > i64::MAX as u64 {
        return Err(Errno::EINVAL);
    }
    let at =
        if appends && file.is_writable() && file.is_seekable() { file.file().seek(Whence::End, 0, 0)? } else { offset };
    match file.try_write_at(&mut attempt, at, &mut source) {
        Err(Errno::EAGAIN) if !attempt.nonblocking => {
            let moved = source.moved();
            let future = async move { file.write_at(offset, &mut source).await.map(|count| count as u64) };
            Ok(call.later(future, true, Some(moved)))
        }
        Err(error) => Err(failed(call, &attempt, error)),
        Ok(count) => Ok(Outcome::value(count as u64)),
    }
}
