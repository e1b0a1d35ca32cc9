//! The running thread's IPC buffer, word by word.
//!
//! Threads of a test have it at the bottom of the block that their stack is in, so RSP tells where; the driver's is where the kernel put it.

use super::fixed::{BLOCK_BYTES, BLOCK_COUNT, BLOCKS};
use chestnut_abi::ipc_buffer::{CAPS_WORD, MSG_WORD, RECEIVE_CNODE_WORD, RECEIVE_DEPTH_WORD, RECEIVE_INDEX_WORD};

/// Address of the running thread's buffer.
pub fn address() -> u64 {
    let stack: u64;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mov {}, rsp", out(reg) stack, options(nomem, nostack, preserves_flags)) };
    if (BLOCKS..BLOCKS + BLOCK_COUNT * BLOCK_BYTES).contains(&stack) {
        stack & !(BLOCK_BYTES - 1)
    } else {
        chestnut_runtime::ipc_buffer::address() as u64
    }
}

/// The word at `index` of the buffer (0–127).
pub fn read(index: usize) -> u64 {
    // SAFETY: the buffer is mapped as long as its thread lives, and only accessed by volatile copies.
    unsafe { (address() as *const u64).add(index & 127).read_volatile() }
}

/// Sets the word at `index` of the buffer.
pub fn write(index: usize, value: u64) {
    // SAFETY: as above.
    unsafe { (address() as *mut u64).add(index & 127).write_volatile(value) }
}

pub fn word(index: usize) -> u64 {
    read(MSG_WORD + index)
}

pub fn set_word(index: usize, value: u64) {
    write(MSG_WORD + index, value);
}

/// Names a capability to be sent, or sets what a received badge will overwrite.
pub fn set_cap(index: usize, cap: u64) {
    write(CAPS_WORD + index, cap);
}

/// Badge of an unwrapped capability.
pub fn badge(index: usize) -> u64 {
    read(CAPS_WORD + index)
}

/// Where a received capability is to go.
pub fn set_receive_slot(cnode: u64, index: u64, depth: u64) {
    write(RECEIVE_CNODE_WORD, cnode);
    write(RECEIVE_INDEX_WORD, index);
    write(RECEIVE_DEPTH_WORD, depth);
}
