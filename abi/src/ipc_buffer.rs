//! The IPC buffer: 1 KiB of a thread's memory through which long messages and capability transfers go.

use crate::message::{MAX_EXTRA_CAPS, MAX_LENGTH};

/// 2^10 bytes, and aligned to that.
pub const SIZE_BITS: u64 = 10;

#[derive(Clone, Copy, Debug)]
#[repr(C, align(1024))]
pub struct IpcBuffer {
    pub tag: u64,
    /// All message words; the first four travel in registers and are not copied here by the kernel.
    pub msg: [u64; MAX_LENGTH],
    pub user_data: u64,
    /// Sending: capability addresses. Received: badges of unwrapped capabilities.
    pub caps_or_badges: [u64; MAX_EXTRA_CAPS],
    /// Where a transferred capability goes: a CNode, an index in it, and how many bits of the index count.
    pub receive_cnode: u64,
    pub receive_index: u64,
    pub receive_depth: u64,
}

/// Offsets in words of what the kernel reads and writes.
pub const MSG_WORD: usize = 1;
pub const CAPS_WORD: usize = 122;
pub const RECEIVE_CNODE_WORD: usize = 125;
pub const RECEIVE_INDEX_WORD: usize = 126;
pub const RECEIVE_DEPTH_WORD: usize = 127;

const _: () = {
    use core::mem::{offset_of, size_of};
    assert!(size_of::<IpcBuffer>() == 1 << SIZE_BITS);
    assert!(offset_of!(IpcBuffer, msg) == MSG_WORD * 8);
    assert!(offset_of!(IpcBuffer, user_data) == 968);
    assert!(offset_of!(IpcBuffer, caps_or_badges) == CAPS_WORD * 8);
    assert!(offset_of!(IpcBuffer, receive_cnode) == RECEIVE_CNODE_WORD * 8);
    assert!(offset_of!(IpcBuffer, receive_index) == RECEIVE_INDEX_WORD * 8);
    assert!(offset_of!(IpcBuffer, receive_depth) == RECEIVE_DEPTH_WORD * 8);
};
