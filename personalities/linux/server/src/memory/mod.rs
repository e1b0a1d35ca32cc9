//! Memory of Linux programs: address spaces with demand paging and copy-on-write, and the page cache.
//!
//! [`area`] knows ranges, [`space`] knows pages (kept in [`pages`]), `fault` answers faults, `kept` spares
//! the next program what the last one was shown, `recent` spares the server
//! looking pages up again, [`map`] holds the calls that change areas, [`user`] is how
//! the server reads and writes a program's memory, `locked` counts what mlock(2) locks, [`store`] gives the file systems their pages. Everything here
//! stands on frames that count their holders: a page may be changed in place exactly when nobody else holds its frame.

pub mod area;
mod fault;
mod foresight;
mod fork;
pub mod inspect;
mod kept;
mod locked;
mod map;
mod pages;
mod recent;
mod space;
mod store;
#[cfg(test)]
mod tests;
pub mod user;

pub use area::{Behaviour, Protection};
pub use kept::KeptSpaces;
pub use locked::{FutureLocks, kilobytes};
pub use map::{MapRequest, Place, Remap};
pub use space::{AddressSpace, Fault, Intent, Marks, Shown};
pub use store::{FramePage, FrameStore, NamelessStore, SizedStore};
pub use user::{Buffers, Iovec, UserArgument, UserSink, UserSource};

use crate::capability::{Capabilities, Frame, OutOfMemory};
use alloc::rc::Rc;

pub const PAGE: u64 = 4096;

/// First address that a program can't have: the end of the lower half, less one page (see `abi::layout`).
pub const USER_END: u64 = chestnut_abi::layout::USER_END;
/// mmap_min_addr: nothing is mapped below, so that null pointers fault.
pub const USER_START: u64 = 0x1_0000;

/// What all address spaces share.
pub struct Memory {
    pub capabilities: &'static Capabilities,
    /// What every page shows that has been read and never written.
    pub zero: Frame,
    pub store: Rc<FrameStore>,
    /// What ended programs have left for the next ones.
    pub kept: KeptSpaces,
}

impl Memory {
    pub fn new(capabilities: &'static Capabilities) -> Result<Rc<Self>, OutOfMemory> {
        let zero = capabilities.frames.allocate()?;
        Ok(Rc::new(Self {
            capabilities,
            zero,
            store: Rc::new(FrameStore::new(capabilities)),
            kept: KeptSpaces::default(),
        }))
    }
}

pub const fn page_down(address: u64) -> u64 {
    address & !(PAGE - 1)
}
/// Rounds up to whole pages; `None` if that passes 2^64.
pub const fn page_up(address: u64) -> Option<u64> {
    match address.checked_add(PAGE - 1) {
        Some(sum) => Some(page_down(sum)),
        None => None,
    }
}
