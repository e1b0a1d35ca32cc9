//! How large a block the heap can still give. Free bytes alone don't tell: they may lie in pieces between others' memory.

use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::cell::Cell;

/// What was found out last.
#[derive(Default)]
pub struct Probe {
    /// How much was free then.
    free: Cell<usize>,
    block: Cell<usize>,
    known: Cell<bool>,
}

/// What is free changes by so much before it matters.
const MUCH: usize = 64 << 10;

impl Probe {
    /// The first of `sizes` that fits; `free` bytes are free, and the heap can grow by `room` at one place.
    pub fn largest_block(&self, free: usize, room: usize, sizes: &[usize]) -> usize {
        if let Some(&size) = sizes.first().filter(|&&size| room >= size) {
            return size;
        }
        if !self.known.get() || self.free.get().abs_diff(free) >= MUCH {
            self.free.set(free);
            self.block.set(sizes.iter().copied().find(|&size| fits(size)).unwrap_or(0));
            self.known.set(true);
        }
        self.block.get()
    }
}

/// Whether a block of so many bytes can be had now.
pub fn fits(bytes: usize) -> bool {
    let Some(layout) = Layout::from_size_align(bytes.max(1), 16).ok() else { return false };
    // SAFETY: the layout's size isn't 0. The block is given back as it was got, unused.
    unsafe {
        let block = alloc(layout);
        if !block.is_null() {
            dealloc(block, layout);
        }
        !block.is_null()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_looked_for_anew_only_when_much_has_changed() {
        let probe = Probe::default();
        assert_eq!(probe.largest_block(0, 100, &[100, 10]), 100);
        assert_eq!(probe.largest_block(0, 50, &[usize::MAX / 4, 4096]), 4096);
        // Still what was found then.
        assert_eq!(probe.largest_block(1, 50, &[8192, 16]), 4096);
        assert_eq!(probe.largest_block(MUCH, 50, &[8192, 16]), 8192);
    }
}
