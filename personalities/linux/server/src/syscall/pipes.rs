//! read(2) and write(2) of a few bytes by a pipe, the short way.
//!
//! Bytes that lie in one page which the server has found lately go straight between it and the pipe, or past the pipe to the one reader who waits
//! for them. Everything else, and every error, is left to the long way of [`super::read_write`]; nothing has happened then.

use super::{Call, Outcome};
use crate::memory::{Iovec, PAGE};
use crate::process::Thread;
use crate::process::parked::may_park;
use crate::process::pipe_read::PipeRead;
use alloc::rc::Rc;
use chestnut_linux_files::open::{OpenFile, OpenFlags};
use chestnut_linux_files::pipe::Pipe;

/// `now`: without waiting.
#[inline]
pub fn read(call: &Call, file: &Rc<OpenFile>, pipe: &Pipe, into: Iovec, now: bool) -> Option<Outcome> {
    if into.length == 0 || !file.is_readable() {
        return None;
    }
    if pipe.is_dry() {
        let waits = !now && !file.flags().contains(OpenFlags::NONBLOCKING) && may_park(call);
        return if waits { Some(PipeRead::park(call, file.clone(), pipe, into)) } else { None };
    }
    let offset = (into.base % PAGE) as usize;
    let count = pipe.take_short(into.length as usize, |bytes| {
        let window = call.process().space.borrow().window_to_write(into.base, bytes.len());
        window.is_some_and(|window| {
            window.write(offset, bytes);
            true
        })
    })?;
    file.has_been_read(count);
    Some(Outcome::Done(count as u64))
}

#[inline]
pub fn write(call: &Call, file: &Rc<OpenFile>, pipe: &Pipe, from: Iovec) -> Option<Outcome> {
    let (offset, length) = ((from.base % PAGE) as usize, from.length as usize);
    if length == 0 || !file.is_writable() {
        return None;
    }
    // Looked at before anybody is told anything.
    let window = call.process().space.borrow().window_to_read(from.base, length)?;
    let reader = pipe.only_reader();
    let reader = reader.as_ref().and_then(|reader| reader.as_any()?.downcast_ref::<Thread>());
    let is_handed_over = reader.is_some_and(|reader| PipeRead::end(reader, window, offset, length));
    if !is_handed_over && !pipe.put_short(length, |room| window.read(offset, room)) {
        return None;
    }
    file.has_been_written(length);
    Some(Outcome::Done(length as u64))
}
