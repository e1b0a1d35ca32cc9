//! Reads and writes of one buffer that are over at once: of a file's pages and a program's pages that are there. That is what nearly all of
//! them are, and they need no position in a list of buffers, no future, nothing that is held while others run.
//!
//! `None` says that something is different; then the long way does everything from the start, and tells of errors ([`super::read_write`]).

use super::pieces::PIECE;
use super::{Call, read_write};
use crate::memory::{FramePage, Intent};
use chestnut_linux_files::open::OpenFile;

/// The call's second and third arguments, if so much is moved in one piece.
#[inline]
fn buffer(call: &Call) -> Option<(u64, usize)> {
    let (address, length) = (call.word(1), call.word(2));
    (length <= PIECE).then_some((address, length as usize))
}

/// pread(2)
#[inline(always)]
pub fn read(call: &Call, file: &OpenFile, offset: u64) -> Option<usize> {
    let (address, length) = buffer(call)?;
    let space = call.process().space.borrow();
    file.read_pages(offset, length, |page, part| {
        let Some(source) = FramePage::window_of(page) else { return false };
        space.each_present(
            address.wrapping_add(part.done as u64),
            part.length,
            Intent::Write,
            |window, at, done, length| {
                window.copy_from(at, source, part.within + done, length);
            },
        )
    })
}

/// pwrite(2)
#[inline(always)]
pub fn write(call: &Call, file: &OpenFile, offset: u64) -> Option<usize> {
    let (address, length) = buffer(call)?;
    let space = call.process().space.borrow();
    file.write_pages(offset, length, read_write::size_limit(call), |page, part| {
        let Some(target) = FramePage::window_of(page) else { return false };
        space.each_present(
            address.wrapping_add(part.done as u64),
            part.length,
            Intent::Read,
            |window, at, done, length| {
                target.copy_from(part.within + done, window, at, length);
            },
        )
    })
}
