//! IPC buffers: memory that user code writes while the kernel reads it (on other cores, later). So the kernel makes volatile copies of single
//! words and never a reference.
#![allow(unsafe_code)]

use crate::arch;
use crate::mem::Ref;
use crate::object::{Kernel, Tcb};
use core::marker::PhantomData;

/// Words in a buffer.
const WORDS: usize = 128;

/// A thread's IPC buffer, reached through the kernel window.
#[derive(Clone, Copy)]
pub struct Buffer<'k> {
    start: usize,
    entered: PhantomData<&'k ()>,
}

impl<'k> Buffer<'k> {
    /// The buffer of a thread, if it has one: a frame of RAM that the thread itself may read and, for `writable`, write.
    #[inline(always)]
    pub fn of(k: Kernel<'k>, thread: Ref<'k, Tcb>, writable: bool) -> Option<Self> {
        let _ = k;
        let cache = thread.buffer.get();
        let start = if writable { cache.writable() } else { cache.readable() };
        start.map(|start| Self { start, entered: PhantomData })
    }

    /// The word at `index`, below 128.
    #[inline]
    pub fn read(self, index: usize) -> u64 {
        // SAFETY: the frame capability in the TCB's slot keeps the frame alive while its decoded form is cached, the buffer's 1024 aligned
        // bytes lie inside it, and a volatile read of one word is all that happens to memory that users write.
        unsafe { self.pointer(index).read_volatile() }
    }

    #[inline]
    pub fn write(self, index: usize, value: u64) {
        // SAFETY: as for `read`.
        unsafe { self.pointer(index).write_volatile(value) }
    }

    /// Copies `count` words from `first` on from another buffer: none beyond word 127.
    #[inline(always)]
    pub fn copy_words(self, from: Self, first: usize, count: usize) {
        let (source, target) = (from.base().wrapping_add(first), self.base().wrapping_add(first));
        // SAFETY: as for `read` and `write`, no index being beyond 127; and the processor, not Rust's code, reads and writes.
        unsafe { arch::copy_words(source, target, count.min(WORDS.saturating_sub(first))) }
    }

    #[inline]
    fn base(self) -> *mut u64 {
        core::ptr::with_exposed_provenance_mut(self.start)
    }

    #[inline(always)]
    fn pointer(self, index: usize) -> *mut u64 {
        self.base().wrapping_add(index % WORDS)
    }
}
