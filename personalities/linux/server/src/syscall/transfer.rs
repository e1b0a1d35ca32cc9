//! Calls that move bytes from file to file: sendfile(2), splice(2), tee(2), vmsplice(2), copy_file_range(2).

use super::read_write::{self, signal_failure, size_limit};
use super::{Call, Outcome};
use crate::memory::AddressSpace;
use alloc::rc::Rc;
use chestnut_linux_files::transfer::{End, copy_range, send_file, splice as splice_ends, tee as tee_ends};
use chestnut_linux_files::{Errno, Result};
use core::cell::Cell;
use core::future::poll_fn;
use core::pin::pin;
use linux_raw_sys::general as linux;

/// All flags of splice(2): moving and gifting pages are hints, and more to come is a socket's affair that this domain has not.
const SPLICE_FLAGS: u32 = linux::SPLICE_F_MOVE | linux::SPLICE_F_NONBLOCK | linux::SPLICE_F_MORE | linux::SPLICE_F_GIFT;

/// Bytes that sendfile and copy_file_range move at a time: they may move fewer than they are asked to, and others want to be served, too.
const MOST: usize = 1 << 20;

/// A place in a file that an argument points at: `None` for null.
fn offset_at(space: &AddressSpace, address: u64) -> Result<Option<u64>> {
    if address == 0 {
        return Ok(None);
    }
    let offset = space.read_u64(address)?;
    if offset > i64::MAX as u64 { Err(Errno::EINVAL) } else { Ok(Some(offset)) }
}

/// Stores where such a place is afterwards.
fn put_offset(space: &AddressSpace, address: u64, before: Option<u64>, moved: usize) -> Result<()> {
    match before {
        Some(before) => space.write_u64(address, before + moved as u64),
        None => Ok(()),
    }
}

/// Waits for a transfer; `moved` counts meanwhile, and is what an interrupted one returns.
fn wait(call: &Call, moved: Rc<Cell<u64>>, future: impl Future<Output = Result<u64>> + 'static) -> Outcome {
    call.later(future, true, Some(moved))
}

/// Runs a transfer, and after each step notes how far it has come and where the offsets are: a signal may drop it at any of them.
async fn followed(
    transfer: impl Future<Output = Result<usize>>,
    moved: &Cell<usize>,
    note: impl Fn(usize) -> Result<()>,
) -> Result<usize> {
    let mut transfer = pin!(transfer);
    let mut noted = 0;
    poll_fn(move |context| {
        let step = transfer.as_mut().poll(context);
        if moved.get() != noted || step.is_ready() {
            noted = moved.get();
            if let Err(error) = note(noted) {
                return core::task::Poll::Ready(Err(error));
            }
        }
        step
    })
    .await
}

/// sendfile(out, in, offset, count)
pub fn sendfile(call: &Call) -> Result<Outcome> {
    let (target, source) = (call.file(0)?, call.file(1)?);
    let (address, count) = (call.word(2), (call.word(3) as usize).min(MOST));
    let space = call.space();
    let start = offset_at(&space, address)?;
    let (server, thread, limit) = (call.server, call.thread.clone(), size_limit(call));
    let total = Rc::new(Cell::new(0));
    let counter = total.clone();
    Ok(wait(call, total, async move {
        let moved = Cell::new(0);
        let to = End::new(&target, None).limited(limit);
        let transfer = send_file(to, End::new(&source, start), count, &moved);
        let note = |so_far: usize| {
            counter.set(so_far as u64);
            put_offset(&space, address, start, so_far)
        };
        let result = followed(transfer, &moved, note).await;
        result.map(|count| count as u64).inspect_err(|&error| signal_failure(server, &thread, limit, error))
    }))
}

/// splice(in, in offset, out, out offset, length, flags)
pub fn splice(call: &Call) -> Result<Outcome> {
    let (flags, count) = (call.half(5), call.word(4) as usize);
    if flags & !SPLICE_FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    if count == 0 {
        return Ok(Outcome::value(0u64));
    }
    let (source, target) = (call.file(0)?, call.file(2)?);
    let (source_address, target_address) = (call.word(1), call.word(3));
    let space = call.space();
    if source_address != 0 && source.pipe().is_some() || target_address != 0 && target.pipe().is_some() {
        return Err(Errno::ESPIPE);
    }
    let (from, to) = (offset_at(&space, source_address)?, offset_at(&space, target_address)?);
    let (server, thread, limit) = (call.server, call.thread.clone(), size_limit(call));
    let impatient = flags & linux::SPLICE_F_NONBLOCK != 0;
    let total = Rc::new(Cell::new(0));
    let counter = total.clone();
    Ok(wait(call, total, async move {
        let moved = Cell::new(0);
        let target_end = End::new(&target, to).limited(limit);
        let transfer = splice_ends(End::new(&source, from), target_end, count, impatient, &moved);
        let note = |so_far: usize| {
            counter.set(so_far as u64);
            put_offset(&space, source_address, from, so_far)?;
            put_offset(&space, target_address, to, so_far)
        };
        let result = followed(transfer, &moved, note).await;
        result.map(|count| count as u64).inspect_err(|&error| signal_failure(server, &thread, limit, error))
    }))
}

/// tee(in, out, length, flags)
pub fn tee(call: &Call) -> Result<Outcome> {
    let (flags, count) = (call.half(3), call.word(2) as usize);
    if flags & !SPLICE_FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    if count == 0 {
        return Ok(Outcome::value(0u64));
    }
    let (source, target) = (call.file(0)?, call.file(1)?);
    let (server, thread) = (call.server, call.thread.clone());
    let impatient = flags & linux::SPLICE_F_NONBLOCK != 0;
    Ok(call.wait(async move {
        let result = tee_ends(&source, &target, count, impatient).await;
        result.map(|count| count as u64).inspect_err(|&error| signal_failure(server, &thread, None, error))
    }))
}

/// vmsplice(fd, iov, count, flags): copies between memory and a pipe, which is what a program that leaves its pages alone sees.
pub fn vmsplice(call: &Call) -> Result<Outcome> {
    let flags = call.half(3);
    if flags & !SPLICE_FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    let file = call.file(0)?;
    if file.pipe().is_none() {
        return Err(Errno::EBADF);
    }
    let vector = call.space().read_vector(call.word(1), call.word(2))?;
    if vector.iter().all(|piece| piece.length == 0) {
        return Ok(Outcome::value(0u64));
    }
    let impatient = flags & linux::SPLICE_F_NONBLOCK != 0;
    if file.is_writable() {
        read_write::write_vector(call, vector.into(), impatient)
    } else {
        read_write::read_vector(call, vector.into(), impatient)
    }
}

/// copy_file_range(in, in offset, out, out offset, length, flags)
pub fn copy_file_range(call: &Call) -> Result<u64> {
    if call.half(5) != 0 {
        return Err(Errno::EINVAL);
    }
    let (source, target, count) = (call.file(0)?, call.file(2)?, (call.word(4) as usize).min(MOST));
    let (source_address, target_address) = (call.word(1), call.word(3));
    let (space, limit) = (call.space(), size_limit(call));
    let (from, to) = (offset_at(&space, source_address)?, offset_at(&space, target_address)?);
    let moved = copy_range(End::new(&source, from), End::new(&target, to).limited(limit), count);
    let moved = moved.inspect_err(|&error| signal_failure(call.server, call.thread, limit, error))?;
    put_offset(&space, source_address, from, moved)?;
    put_offset(&space, target_address, to, moved)?;
    Ok(moved as u64)
}
