//! Pages, and the contents of regular files, which are made of them.
//!
//! A file's bytes live in pages that the server can map into processes, so that `read`, `write` and every mapping see the
//! same memory. This crate never sees a page's bytes as a Rust slice, because a process may be writing them: bytes are
//! copied in and out by the store's own volatile copies.

mod contents;
mod direct;
mod map;
#[cfg(test)]
mod tests;

pub use contents::{Contents, Observer, SIZE_MAX};
pub use direct::Part;

use alloc::rc::Rc;
use core::any::Any;
use core::ops::Range;

use crate::Result;

/// Bytes in a page.
pub const PAGE_SIZE: usize = 4096;

/// One page of memory; dropping the last handle gives it back.
pub trait Page: Any {
    /// Names the page to the server; unique among living pages.
    fn id(&self) -> u64;
    /// Copies bytes out of the page. `offset + into.len()` is at most [`PAGE_SIZE`].
    fn read(&self, offset: usize, into: &mut [u8]);
    /// Copies bytes into the page.
    fn write(&self, offset: usize, bytes: &[u8]);
    /// Makes bytes zero. A server that can see the page's memory overrides this.
    fn clear(&self, range: Range<usize>) {
        let zeros = [0; 256];
        let mut at = range.start;
        while at < range.end {
            let part = (range.end - at).min(zeros.len());
            self.write(at, &zeros[..part]);
            at += part;
        }
    }
}

/// A shared handle to a page. The server gets its own type back by `(&*page as &dyn Any).downcast_ref::<ItsPage>()`.
pub type PageRef = Rc<dyn Page>;

/// Where pages come from.
pub trait PageStore {
    /// A page full of zeros; `ENOSPC` when the allowance for files is used up, `ENOMEM` when memory is.
    fn allocate(&self) -> Result<PageRef>;
    /// The same with whatever was in it before: the caller overwrites all of it, or drops it, before anybody else sees it. A store that can't do that
    /// gives zeros.
    fn allocate_dirty(&self) -> Result<PageRef> {
        self.allocate()
    }
    /// A page of zeros for bytes of the boot image, which the file has anyway: no allowance counts it.
    fn allocate_for_image(&self) -> Result<PageRef> {
        self.allocate()
    }
    /// How many pages could be allocated now, for statfs(2).
    fn available(&self) -> u64;
    /// How many there are in all.
    fn total(&self) -> u64;
    /// Whether there is memory for what a file system remembers of one more name or inode.
    fn takes_names(&self) -> bool {
        true
    }
}
