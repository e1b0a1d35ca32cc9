//! IPC buffers: memory that user code writes while the kernel reads it (on other cores, later). So the kernel makes volatile copies of single
//! words and never a reference.
#![allow(unsafe_code)]

use crate::cap::{Kind, VmRights};
use crate::mem::{Entry, PhysAddr, Ref};
use crate::object::{Kernel, Tcb, TcbSlot};

/// Words in a buffer.
const WORDS: usize = 128;

/// A thread's IPC buffer, reached through the kernel window.
#[derive(Clone, Copy)]
pub struct Buffer<'k> {
    entry: Entry<'k>,
    physical: PhysAddr,
}

impl<'k> Buffer<'k> {
    /// The buffer of a thread, if it has one: a frame of RAM that the thread itself may read and, for `writable`, write.
    pub fn of(k: Kernel<'k>, thread: Ref<'k, Tcb>, writable: bool) -> Option<Self> {
        Self::find(k, thread, writable)
    }

    /// The buffers of a sender and of a receiver, if both have one.
    #[inline(always)]
    pub fn both(k: Kernel<'k>, sender: Ref<'k, Tcb>, receiver: Ref<'k, Tcb>) -> Option<(Self, Self)> {
        Some((Self::find(k, sender, false)?, Self::find(k, receiver, true)?))
    }

    #[inline(always)]
    fn find(k: Kernel<'k>, thread: Ref<'k, Tcb>, writable: bool) -> Option<Self> {
        let frame = thread.slot(TcbSlot::IpcBuffer).cap();
        if frame.kind() != Kind::Frame || frame.frame_is_device() {
            return None;
        }
        match frame.vm_rights() {
            VmRights::ReadWrite => {}
            VmRights::ReadOnly if !writable => {}
            _ => return None,
        }
        let offset = thread.ipc_buffer.get() & ((1 << frame.frame_size().bits()) - 1);
        Some(Self { entry: k.entry(), physical: frame.address() + offset })
    }

    /// The word at `index`, below 128.
    #[inline]
    pub fn read(self, index: usize) -> u64 {
        // SAFETY: the frame capability in the TCB's slot keeps the frame alive, the setter checked that the buffer's 1024 aligned
        // bytes lie inside it, and a volatile read of one word is all that happens to memory that users write.
        unsafe { self.pointer(index).read_volatile() }
    }

    #[inline]
    pub fn write(self, index: usize, value: u64) {
        // SAFETY: as for `read`.
        unsafe { self.pointer(index).write_volatile(value) }
    }

    /// Copies `count` words from `first` on from another buffer: none beyond word 127.
    #[inline]
    pub fn copy_words(self, from: Self, first: usize, count: usize) {
        for index in first..(first + count).min(WORDS) {
            // SAFETY: as for `read` and `write`, the index being below 128.
            unsafe { self.base().wrapping_add(index).write_volatile(from.base().wrapping_add(index).read_volatile()) }
        }
    }

    #[inline]
    fn base(self) -> *mut u64 {
        core::ptr::with_exposed_provenance_mut(self.entry.address(self.physical))
    }

    fn pointer(self, index: usize) -> *mut u64 {
        core::ptr::with_exposed_provenance_mut(self.entry.address(self.physical + (index as u64 & 127) * 8))
    }
}
