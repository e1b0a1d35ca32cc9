//! Access to the calling thread's IPC buffer, word by word.
//!
//! The buffer's address is set once at start ([`set_address`]). The kernel reads and writes the buffer during system
//! calls, so each access is a volatile copy of one word and no reference into it ever exists. Indices beyond the buffer
//! are a bug of the caller and panic.

use chestnut_abi::{
    IpcBuffer,
    ipc_buffer::{CAPS_WORD, MSG_WORD, RECEIVE_CNODE_WORD, RECEIVE_DEPTH_WORD, RECEIVE_INDEX_WORD},
    message::{MAX_EXTRA_CAPS, MAX_LENGTH},
};

const WORDS: usize = size_of::<IpcBuffer>() / 8;

#[cfg(not(test))]
mod address {
    use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    static ADDRESS: AtomicUsize = AtomicUsize::new(0);

    pub fn set(address: usize) {
        ADDRESS.store(address, Relaxed);
    }
    #[inline(always)]
    pub fn get() -> *mut u64 {
        ADDRESS.load(Relaxed) as *mut u64
    }
}

/// Says where the thread's IPC buffer is mapped.
///
/// # Safety
/// `address` is that of a readable and writable IPC buffer, aligned to its size, which nothing else uses from now on.
pub unsafe fn set_address(address: usize) {
    address::set(address);
}

/// Where the IPC buffer is mapped; 0 before it was set.
pub fn address() -> usize {
    address::get() as usize
}

#[inline]
fn read(index: usize) -> u64 {
    let base = address::get();
    assert!(index < WORDS && !base.is_null(), "no IPC buffer, or a word beyond it");
    // SAFETY: `set_address`'s caller promised a buffer of WORDS words at `base`; the index is below that.
    unsafe { base.add(index).read_volatile() }
}

#[inline]
fn write(index: usize, value: u64) {
    let base = address::get();
    assert!(index < WORDS && !base.is_null(), "no IPC buffer, or a word beyond it");
    // SAFETY: as in `read`.
    unsafe { base.add(index).write_volatile(value) }
}

/// Message word `index` (0–119). The first four travel in registers: the kernel neither reads nor writes them here.
#[inline]
pub fn message_word(index: usize) -> u64 {
    assert!(index < MAX_LENGTH);
    read(MSG_WORD + index)
}

/// Sets message word `index` (0–119).
#[inline]
pub fn set_message_word(index: usize, value: u64) {
    assert!(index < MAX_LENGTH);
    write(MSG_WORD + index, value);
}

/// Names the capability to be sent as number `index` (0–2).
#[inline]
pub fn set_cap(index: usize, cap: u64) {
    assert!(index < MAX_EXTRA_CAPS);
    write(CAPS_WORD + index, cap);
}

/// Badge of received capability `index` (0–2), where the message says that it was unwrapped.
#[inline]
pub fn received_badge(index: usize) -> u64 {
    assert!(index < MAX_EXTRA_CAPS);
    read(CAPS_WORD + index)
}

/// Says which slot a received capability goes to: `index`, of which `depth` bits count, in the CNode at `cnode`.
pub fn set_receive_slot(cnode: u64, index: u64, depth: u64) {
    write(RECEIVE_CNODE_WORD, cnode);
    write(RECEIVE_INDEX_WORD, index);
    write(RECEIVE_DEPTH_WORD, depth);
}

/// In unit tests each test has a buffer of its own.
#[cfg(test)]
mod address {
    use std::{boxed::Box, cell::Cell, thread_local};

    thread_local! {
        static ADDRESS: Cell<*mut u64> = Cell::new(Box::leak(Box::new([0u64; super::WORDS])).as_mut_ptr());
    }

    pub fn set(address: usize) {
        ADDRESS.set(address as *mut u64);
    }
    pub fn get() -> *mut u64 {
        ADDRESS.get()
    }
}
