//! splice(2) and tee(2): one end, or both, is a pipe.

use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;

use super::{End, MOST, PIECE, outcome};
use crate::open::{OpenFile, OpenFlags};
use crate::pipe::Pipe;
use crate::wait::{Events, WaitQueue, retry};
use crate::{Errno, Result};

/// splice(2): moves what there is, at least a byte unless the source has ended. Waits for a pipe unless `nonblocking`
/// (SPLICE_F_NONBLOCK) or its O_NONBLOCK, for the other file as its O_NONBLOCK says.
///
/// `EBADF`; `EINVAL` if neither is a pipe, both are the same, an offset is given for a file without offsets, or the target has
/// O_APPEND; `ESPIPE` for an offset in a pipe; `EPIPE` (the server sends SIGPIPE).
pub async fn splice(from: End<'_>, to: End<'_>, count: usize, nonblocking: bool, moved: &Cell<usize>) -> Result<usize> {
    from.check_readable()?;
    to.check_writable()?;
    for end in [from, to] {
        match end.offset {
            Some(_) if end.file.pipe().is_some() => return Err(Errno::ESPIPE),
            Some(_) if !end.file.is_seekable() => return Err(Errno::EINVAL),
            _ => {}
        }
    }
    let count = count.min(MOST);
    let result = match (from.file.pipe(), to.file.pipe()) {
        (None, None) => return Err(Errno::EINVAL),
        (Some(one), Some(other)) if Rc::ptr_eq(one, other) => return Err(Errno::EINVAL),
        _ if to.file.flags().contains(OpenFlags::APPEND) => return Err(Errno::EINVAL),
        _ if count == 0 => return Ok(0),
        (Some(pipe), _) => out_of(pipe, from, to, count, nonblocking, moved).await,
        (None, Some(pipe)) => into(pipe, from, to, count, nonblocking, moved).await,
    };
    outcome(moved, result)
}

/// tee(2): copies from pipe to pipe, and leaves the bytes where they are. `EINVAL` unless both are pipes, and different ones.
pub async fn tee(from: &OpenFile, to: &OpenFile, count: usize, nonblocking: bool) -> Result<usize> {
    let (from, to) = (End::new(from, None), End::new(to, None));
    from.check_readable()?;
    to.check_writable()?;
    let (Some(source), Some(target)) = (from.file.pipe(), to.file.pipe()) else { return Err(Errno::EINVAL) };
    if Rc::ptr_eq(source, target) {
        return Err(Errno::EINVAL);
    }
    if count == 0 {
        return Ok(0);
    }
    let impatient = nonblocking || from.is_impatient() || to.is_impatient();
    let attempt = || {
        let copied = source.peek(count).and_then(|bytes| match bytes.len() {
            0 => Ok(0),
            length => target.append(&bytes[..length.min(target.check_room()?)]),
        });
        if impatient { Ok(copied) } else { copied.map(Ok) }
    };
    wait(&[from, to], attempt).await
}

/// From a pipe to whatever.
async fn out_of(
    pipe: &Rc<Pipe>,
    from: End<'_>,
    to: End<'_>,
    count: usize,
    nonblocking: bool,
    moved: &Cell<usize>,
) -> Result<()> {
    while moved.get() < count {
        let wanted = PIECE.min(count - moved.get());
        // Only the first byte is waited for, but its way out for all that was begun.
        let impatient = nonblocking || moved.get() > 0;
        let attempt = || {
            let bytes = match pipe.peek(wanted) {
                Err(Errno::EAGAIN) if impatient || from.is_impatient() => return Ok(Err(Errno::EAGAIN)),
                bytes => bytes?,
            };
            if bytes.is_empty() {
                return Ok(Ok(0));
            }
            let written = match to.file.pipe() {
                Some(target) => target.check_room().and_then(|room| target.append(&bytes[..bytes.len().min(room)])),
                None => to.write(moved.get(), &bytes),
            };
            let target_impatient = to.is_impatient() || (to.file.pipe().is_some() && impatient);
            match written {
                Err(Errno::EAGAIN) if target_impatient => Ok(Err(Errno::EAGAIN)),
                written => {
                    pipe.consume(written?);
                    Ok(written)
                }
            }
        };
        let written = wait(&[from, to], attempt).await?;
        if written == 0 {
            break;
        }
        moved.set(moved.get() + written);
    }
    Ok(())
}

/// From a file that is no pipe into a pipe.
async fn into(
    pipe: &Rc<Pipe>,
    from: End<'_>,
    to: End<'_>,
    count: usize,
    nonblocking: bool,
    moved: &Cell<usize>,
) -> Result<()> {
    let mut piece = vec![0; PIECE.min(count)];
    while moved.get() < count {
        let wanted = piece.len().min(count - moved.get());
        let more = moved.get() > 0;
        let attempt = || {
            let room = match pipe.check_room() {
                Err(Errno::EAGAIN) if nonblocking || more || to.is_impatient() => return Ok(Err(Errno::EAGAIN)),
                room => room?,
            };
            let found = match from.read(moved.get(), &mut piece[..wanted.min(room)]) {
                Err(Errno::EAGAIN) if more || from.is_impatient() => return Ok(Err(Errno::EAGAIN)),
                found => found?,
            };
            Ok(pipe.append(&piece[..found]))
        };
        let written = wait(&[from, to], attempt).await?;
        if written == 0 {
            break;
        }
        moved.set(moved.get() + written);
    }
    Ok(())
}

impl End<'_> {
    /// O_NONBLOCK.
    fn is_impatient(&self) -> bool {
        self.file.attempt().nonblocking
    }
}

/// Tries until there is an answer: `Err(EAGAIN)` means to wait for either file, `Ok(Err(EAGAIN))` that nobody shall.
async fn wait(ends: &[End<'_>], attempt: impl FnMut() -> Result<Result<usize>>) -> Result<usize> {
    let queues: Vec<&WaitQueue> = ends.iter().filter_map(|end| end.file.waiters()).collect();
    let clock = ends[0].file.inode().filesystem.clock.clone();
    retry(&queues, Events::all(), &clock, None, attempt).await?
}
