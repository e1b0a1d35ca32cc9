//! The heap: an allocator for blocks of any size, and lists of small blocks before it.
//!
//! A server allocates little things all the time, and frees them soon: what a call waits for, a path, a list of buffers. A freed
//! block of up to [`LARGEST`] bytes is kept in the list of its size and handed out again from there, which takes a dozen instructions
//! instead of a hundred and more. Each list keeps at most [`KEPT`] blocks, and all of them go back when memory runs out: so nothing
//! that was freed is ever missing.
//!
//! `unsafe`: lists run through the blocks themselves. Invariant: a block in the list of class `n` was allocated from the
//! allocator behind with that class's layout, and nobody else uses it.

mod source;

use core::alloc::{GlobalAlloc, Layout};
use core::ptr;
use source::Growing;
pub use source::More;
use spinning_top::Spinlock;
use talc::TalcLock;

/// Sizes of classes are multiples of this, and so are addresses of blocks: bytes.
const STEP: usize = 16;
/// Bytes of the largest block that is kept.
const LARGEST: usize = 512;
const CLASSES: usize = LARGEST / STEP;
/// Blocks of one class that are kept.
const KEPT: u32 = 32;

/// An allocator of memory that it is given. Spinning locks are enough where one thread uses it, and never contended then.
pub struct Heap {
    lists: Spinlock<[List; CLASSES]>,
    behind: TalcLock<spinning_top::RawSpinlock, Growing>,
}

/// What a heap holds, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Handed out.
    pub used: usize,
    /// Given to the allocator, in all.
    pub claimed: usize,
    /// Blocks handed out.
    pub pieces: usize,
}

/// Free blocks of one size; each begins with the address of the next.
#[derive(Clone, Copy)]
struct List {
    first: *mut u8,
    length: u32,
}

// SAFETY: the blocks are memory that no thread owns.
unsafe impl Send for List {}

impl List {
    const EMPTY: List = List { first: ptr::null_mut(), length: 0 };

    #[inline]
    fn take(&mut self) -> Option<*mut u8> {
        if self.first.is_null() {
            return None;
        }
        let block = self.first;
        // SAFETY: by the invariant the block is ours, and `give` wrote an address to its beginning.
        self.first = unsafe { block.cast::<*mut u8>().read() };
        self.length -= 1;
        Some(block)
    }

    /// False if the list is full.
    ///
    /// # Safety
    /// The block is of this class and used by nobody any more.
    #[inline]
    unsafe fn give(&mut self, block: *mut u8) -> bool {
        if self.length == KEPT {
            return false;
        }
        // SAFETY: the caller gives the block away; it has room for an address, at a multiple of 16.
        unsafe { block.cast::<*mut u8>().write(self.first) };
        self.first = block;
        self.length += 1;
        true
    }
}

#[inline]
fn class_of(layout: Layout) -> Option<usize> {
    (layout.size() <= LARGEST && layout.size() > 0 && layout.align() <= STEP).then(|| (layout.size() - 1) / STEP)
}

/// What blocks of a class are allocated with.
#[inline]
fn class_layout(class: usize) -> Layout {
    // SAFETY: the size is at most 512, the alignment a power of two.
    unsafe { Layout::from_size_align_unchecked((class + 1) * STEP, STEP) }
}

impl Default for Heap {
    fn default() -> Heap {
        Heap::new()
    }
}

impl Heap {
    /// Without memory.
    pub const fn new() -> Heap {
        Heap { lists: Spinlock::new([List::EMPTY; CLASSES]), behind: TalcLock::new(Growing::NOT) }
    }

    /// Gives it memory; false if it is too little to be of use.
    ///
    /// # Safety
    /// The memory is mapped, readable and writable, and used by nobody else from now on.
    pub unsafe fn claim(&self, start: *mut u8, bytes: usize) -> bool {
        // SAFETY: the caller promises what `claim` asks for.
        unsafe { self.behind.lock().claim(start, bytes) }.is_some()
    }

    /// Asks `more` from now on when an allocation finds no room.
    ///
    /// # Safety
    /// `more` allocates nothing and frees nothing, and what it returns is mapped, readable and writable, and used by nobody else.
    pub unsafe fn grow_by(&self, more: More) {
        self.behind.lock().source.grow_by(more);
    }

    /// What it holds. Blocks that the lists keep are free.
    pub fn usage(&self) -> Usage {
        let (mut pieces, mut bytes) = (0, 0);
        for (class, list) in self.lists.lock().iter().enumerate() {
            pieces += list.length as usize;
            bytes += list.length as usize * class_layout(class).size();
        }
        let behind = self.behind.lock();
        let counters = behind.counters();
        Usage {
            used: counters.allocated_bytes - bytes,
            claimed: counters.claimed_bytes,
            pieces: counters.allocation_count - pieces,
        }
    }

    /// Bytes that are free, without those that the lists keep.
    pub fn free_bytes(&self) -> usize {
        self.behind.lock().counters().available_bytes
    }

    /// From behind the lists; if nothing is left there, once more with all that they keep.
    fn allocate(&self, layout: Layout) -> *mut u8 {
        // SAFETY: callers pass layouts of more than 0 bytes.
        let block = unsafe { self.behind.alloc(layout) };
        if !block.is_null() {
            return block;
        }
        let mut lists = core::mem::replace(&mut *self.lists.lock(), [List::EMPTY; CLASSES]);
        for (class, list) in lists.iter_mut().enumerate() {
            while let Some(block) = list.take() {
                // SAFETY: by the invariant it was allocated there with this layout.
                unsafe { self.behind.dealloc(block, class_layout(class)) };
            }
        }
        // SAFETY: as above.
        unsafe { self.behind.alloc(layout) }
    }
}

// SAFETY: a block comes from a list, which by the invariant nobody else uses and is large enough, or from an allocator that keeps
// this trait's promises; it goes back to where its layout says that it came from.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class_of(layout) else { return self.allocate(layout) };
        let kept = self.lists.lock()[class].take();
        kept.unwrap_or_else(|| self.allocate(class_layout(class)))
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let behind = match class_of(layout) {
            // SAFETY: the caller gives the block back, with the layout that it was allocated with.
            Some(class) if unsafe { self.lists.lock()[class].give(block) } => return,
            Some(class) => class_layout(class),
            None => layout,
        };
        // SAFETY: it was allocated there with this layout.
        unsafe { self.behind.dealloc(block, behind) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size, rounded up to the alignment, doesn't overflow.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let (from, to) = (class_of(layout), class_of(new));
        if from.is_some() && from == to {
            return block;
        }
        if from.is_none() && to.is_none() {
            // SAFETY: the caller's promises; the block came from there with this layout.
            let moved = unsafe { self.behind.realloc(block, layout, size) };
            if !moved.is_null() {
                return moved;
            }
        }
        // SAFETY: `size` is more than 0; both blocks have the bytes that are copied, and are distinct.
        unsafe {
            let moved = self.alloc(new);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn heap(bytes: usize) -> Heap {
        let heap = Heap::new();
        let memory = vec![0u8; bytes].leak();
        // SAFETY: the memory was just made and is nobody else's.
        assert!(unsafe { heap.claim(memory.as_mut_ptr(), memory.len()) });
        heap
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).expect("a layout")
    }

    #[test]
    fn a_freed_block_is_used_again_by_what_is_of_its_class() {
        let heap = heap(64 << 10);
        // SAFETY: each block is freed once, with the layout it was allocated with.
        unsafe {
            let first = heap.alloc(layout(40, 8));
            heap.dealloc(first, layout(40, 8));
            let other = heap.alloc(layout(64, 8));
            assert_ne!(first, other);
            let same = heap.alloc(layout(33, 16));
            assert_eq!(first, same);
            heap.dealloc(other, layout(64, 8));
            heap.dealloc(same, layout(33, 16));
        }
    }

    #[test]
    fn what_the_lists_keep_comes_back_when_memory_runs_out() {
        let heap = heap(16 << 10);
        let small = layout(500, 8);
        // SAFETY: as above.
        unsafe {
            let blocks: Vec<*mut u8> =
                core::iter::from_fn(|| Some(heap.alloc(small)).filter(|block| !block.is_null())).collect();
            assert!(blocks.len() > 20 && blocks.len() < KEPT as usize, "{}", blocks.len());
            for block in blocks {
                heap.dealloc(block, small);
            }
            let large = layout(12 << 10, 8);
            let block = heap.alloc(large);
            assert!(!block.is_null());
            heap.dealloc(block, large);
        }
    }

    #[test]
    fn blocks_keep_their_bytes_while_they_grow_and_shrink_and_never_overlap() {
        let heap = heap(256 << 10);
        let sizes = [1, 16, 17, 100, 512, 513, 3000, 600, 30, 8];
        let mut blocks: Vec<(*mut u8, usize, u8)> = Vec::new();
        // SAFETY: as above, and only bytes inside blocks are touched.
        unsafe {
            for mark in 0..20u8 {
                let block = heap.alloc(layout(sizes[0], 8));
                block.write(mark);
                blocks.push((block, sizes[0], mark));
            }
            for size in sizes {
                for (block, now, mark) in &mut blocks {
                    *block = heap.realloc(*block, layout(*now, 8), size);
                    assert!(!block.is_null());
                    for index in 0..size.min(*now) {
                        assert_eq!(block.add(index).read(), *mark);
                    }
                    ptr::write_bytes(*block, *mark, size);
                    *now = size;
                }
            }
            for (block, now, _) in blocks {
                heap.dealloc(block, layout(now, 8));
            }
        }
    }

    #[test]
    fn what_is_used_is_counted_and_more_memory_is_asked_for() {
        fn more(bytes: usize) -> Option<(*mut u8, usize)> {
            let memory = vec![0u8; bytes.max(64 << 10)].leak();
            Some((memory.as_mut_ptr(), memory.len()))
        }
        let heap = heap(16 << 10);
        let empty = heap.usage();
        let (large, small) = (layout(100 << 10, 8), layout(40, 8));
        // SAFETY: as above; `more` is the host's allocator, which knows nothing of this one.
        unsafe {
            assert!(heap.alloc(large).is_null());
            heap.grow_by(more);
            let (one, other) = (heap.alloc(large), heap.alloc(small));
            assert!(!one.is_null() && !other.is_null());
            let usage = heap.usage();
            assert_eq!((usage.pieces, usage.used), (empty.pieces + 2, empty.used + (100 << 10) + 48));
            assert!(usage.claimed > empty.claimed + (100 << 10));
            heap.dealloc(one, large);
            heap.dealloc(other, small);
            assert_eq!((heap.usage().used, heap.usage().pieces), (empty.used, empty.pieces));
        }
    }

    #[test]
    fn alignment_beyond_the_classes_is_kept() {
        let heap = heap(64 << 10);
        let page = layout(64, 4096);
        // SAFETY: as above.
        unsafe {
            let block = heap.alloc(page);
            assert_eq!(block.addr() % 4096, 0);
            heap.dealloc(block, page);
        }
    }
}
