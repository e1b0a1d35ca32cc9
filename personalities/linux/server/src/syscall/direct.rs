//! Reads and writes of one buffer that are over at once: of a file's pages and a program's pages that are there. That is what nearly all of
//! them are, and they need no position in a list of buffers, no future, nothing that is held while others run.
//!
//! `None` says that something is different; then the long way does everything from the start, and tells of errors ([`super::read_write`]).

use super::pieces::PIECE;
use super::{Call, read_write};
use crate::memory::{AddressSpace, FramePage, USER_END};
use chestnut_linux_files::open::OpenFile;
use chestnut_linux_files::page::Page;

/// The call's second and third arguments, if so much is moved in one piece, and from or to where programs have memory.
#[inline]
fn buffer(call: &Call) -> Option<(u64, usize)> {
    let (address, length) = (call.word(1), call.word(2));
    (length <= PIECE && address <= USER_END - length).then_some((address, length as usize))
}

/// pread(2)
#[inline]
pub fn read(call: &Call, file: &OpenFile, offset: u64) -> Option<usize> {
    let (address, length) = buffer(call)?;
    let space = call.process().space.borrow();
    file.read_pages(offset, length, |page, part| {
        put(&space, address.wrapping_add(part.done as u64), page, part.within, part.length)
    })
}

/// pwrite(2)
#[inline]
pub fn write(call: &Call, file: &OpenFile, offset: u64) -> Option<usize> {
    let (address, length) = buffer(call)?;
    let space = call.process().space.borrow();
    file.write_pages(offset, length, read_write::size_limit(call), |page, part| {
        take(&space, address.wrapping_add(part.done as u64), page, part.within, part.length)
    })
}

#[inline(always)]
fn put(space: &AddressSpace, address: u64, page: &dyn Page, within: usize, length: usize) -> bool {
    let Some(window) = FramePage::window_of(page) else { return false };
    space.put_piece(address, window.piece(within, length))
}

#[inline(never)]
fn take(space: &AddressSpace, address: u64, page: &dyn Page, within: usize, length: usize) -> bool {
    let Some(window) = FramePage::window_of(page) else { return false };
    space.take_piece(address, window.piece(within, length))
}
