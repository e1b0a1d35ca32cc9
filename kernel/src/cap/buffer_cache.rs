//! An IPC buffer decoded from the frame capability that a TCB holds for it: where the kernel reaches it and whether it may be written.
//!
//! Invariant: a TCB holds such a cache only while its buffer slot holds the frame capability that it was decoded from; the one function that
//! empties slots drops it (`Cap::IN_TCB` tells it which capabilities are concerned).
#![forbid(unsafe_code)]

use super::{Cap, Kind, VmRights};
use crate::mem::Entry;
use chestnut_abi::ipc_buffer::SIZE_BITS;

/// The buffer's address, which is aligned, and [`WRITABLE`]; 0 if there is no buffer.
#[derive(Clone, Copy, Default)]
pub struct BufferCache(usize);

const WRITABLE: usize = 1;

impl BufferCache {
    /// Decodes a frame that is to hold a buffer whose user address is `address`. It must be RAM that the thread itself may read.
    pub fn of(entry: Entry, frame: Cap, address: u64) -> Self {
        if frame.kind() != Kind::Frame || frame.frame_is_device() {
            return Self::default();
        }
        let writable = match frame.vm_rights() {
            VmRights::ReadWrite => WRITABLE,
            VmRights::ReadOnly => 0,
            VmRights::KernelOnly => return Self::default(),
        };
        let offset = address & ((1 << frame.frame_size().bits()) - 1);
        let start = entry.address(frame.address() + offset) >> SIZE_BITS << SIZE_BITS;
        Self(start | writable)
    }

    /// Where the buffer is, if there is one that may be read.
    #[inline(always)]
    pub fn readable(self) -> Option<usize> {
        if self.0 == 0 { None } else { Some(self.0 & !WRITABLE) }
    }

    /// Where the buffer is, if there is one that may be written.
    #[inline(always)]
    pub fn writable(self) -> Option<usize> {
        if self.0 & WRITABLE == 0 { None } else { Some(self.0 & !WRITABLE) }
    }
}
