//! The server's view of a frame's memory.
//!
//! Every frame is mapped in the server's window from when it is made, for as long as the server lives. So looking at a frame's memory
//! takes no share in it: a [`Window`] is good for whatever is done before somebody could give the frame up, which is until the next
//! change of the space or the file that holds it. What it shows after that is memory still, but somebody else's.
//!
//! `unsafe`: programs write to the same memory at any time, so no reference to it is ever made, only copies. Invariant: the address
//! is that of a frame's whole mapping in the window, readable and writable.

use super::frame::BYTES;
use alloc::vec::Vec;
use core::arch::asm;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

/// Where the server sees a frame.
#[derive(Clone, Copy)]
pub struct Window(*mut u8);

/// Whether so many bytes from `offset` lie inside a frame.
#[inline]
const fn fits(offset: usize, length: usize) -> bool {
    offset <= BYTES && length <= BYTES - offset
}

impl Window {
    /// `start` is where a whole frame is mapped for good.
    #[inline]
    pub(super) const fn new(start: *mut u8) -> Self {
        Self(start)
    }

    /// Copies `into.len()` bytes from `offset`.
    ///
    /// # Panics
    /// If that passes the frame's end.
    #[inline]
    pub fn read(self, offset: usize, into: &mut [u8]) {
        assert!(fits(offset, into.len()), "read of {} bytes at {offset}", into.len());
        // SAFETY: the range lies inside the mapping. `into` is the server's own memory, which never overlaps the window.
        unsafe { ptr::copy_nonoverlapping(self.0.add(offset), into.as_mut_ptr(), into.len()) }
    }

    /// Copies `bytes` to `offset`.
    ///
    /// # Panics
    /// If that passes the frame's end.
    #[inline]
    pub fn write(self, offset: usize, bytes: &[u8]) {
        assert!(fits(offset, bytes.len()), "write of {} bytes at {offset}", bytes.len());
        // SAFETY: as in `read`; the window is mapped for writing.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.0.add(offset), bytes.len()) }
    }

    /// Appends `length` bytes from `offset` to `into`, which has room for them.
    ///
    /// # Panics
    /// If there is no such room, or if that passes the frame's end.
    pub fn append_to(self, offset: usize, length: usize, into: &mut Vec<u8>) {
        let room = into.spare_capacity_mut();
        assert!(fits(offset, length) && length <= room.len(), "append of {length} bytes at {offset}");
        // SAFETY: as in `read`; the room is the vector's own, and its length grows by what has been written.
        unsafe {
            ptr::copy_nonoverlapping(self.0.add(offset), room.as_mut_ptr().cast(), length);
            into.set_len(into.len() + length);
        }
    }

    /// Copies `length` bytes of another frame (or of this one: the ranges may overlap).
    ///
    /// # Panics
    /// If either range passes its frame's end.
    #[inline]
    pub fn copy_from(self, offset: usize, source: Self, source_offset: usize, length: usize) {
        assert!(fits(offset, length) && fits(source_offset, length));
        // SAFETY: both ranges lie inside frames that the window maps; `copy` allows overlap.
        unsafe { ptr::copy(source.0.add(source_offset), self.0.add(offset), length) }
    }

    /// Bytes that are to be copied one after the other.
    ///
    /// # Panics
    /// If they pass the frame's end.
    #[inline]
    pub fn piece(self, offset: usize, length: usize) -> Piece {
        assert!(fits(offset, length), "piece of {length} bytes at {offset}");
        // SAFETY: the offset lies inside the mapping.
        Piece { frame: self, next: unsafe { self.0.add(offset) }, left: length }
    }

    /// Fills `length` bytes from `offset` with zeros.
    ///
    /// # Panics
    /// If that passes the frame's end.
    #[inline]
    pub fn clear_part(self, offset: usize, length: usize) {
        assert!(fits(offset, length));
        // SAFETY: the range lies inside the mapping.
        unsafe { ptr::write_bytes(self.0.add(offset), 0, length) }
    }

    /// The half word at `offset`, which a program may be changing by atomic instructions: its futexes.
    ///
    /// # Panics
    /// If `offset` is not a multiple of 4 inside the frame.
    #[inline]
    pub fn load32(self, offset: usize) -> u32 {
        self.atomic32(offset).load(Ordering::SeqCst)
    }

    /// Replaces it with `change(old)` in one atomic step and returns the old value.
    ///
    /// # Panics
    /// If `offset` is not a multiple of 4 inside the frame.
    pub fn update32(self, offset: usize, mut change: impl FnMut(u32) -> u32) -> u32 {
        let cell = self.atomic32(offset);
        let mut old = cell.load(Ordering::SeqCst);
        loop {
            match cell.compare_exchange(old, change(old), Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return old,
                Err(now) => old = now,
            }
        }
    }

    #[inline]
    fn atomic32(&self, offset: usize) -> &AtomicU32 {
        assert!(offset < BYTES && offset.is_multiple_of(4));
        // SAFETY: aligned, inside the mapping, and an atomic may change under a shared reference. The mapping stays for ever; the
        // reference lives no longer than one access.
        unsafe { AtomicU32::from_ptr(self.0.add(offset).cast()) }
    }

    /// Where it begins, for structures that are shared with programs.
    pub(super) const fn start(self) -> *mut u8 {
        self.0
    }
}

/// What is left of a range of bytes in one frame.
///
/// Invariant: `left` bytes from `next` on lie inside `frame`.
pub struct Piece {
    frame: Window,
    next: *mut u8,
    left: usize,
}

impl Piece {
    /// Bytes.
    #[inline]
    pub const fn left(&self) -> usize {
        self.left
    }

    /// Copies the next ones to `offset` of a frame, as many as there is room for up to its end. Returns how many.
    #[inline]
    pub fn put(&mut self, target: Window, offset: usize) -> usize {
        let (length, there) = self.meet(target, offset);
        // SAFETY: by `meet`.
        unsafe { copy(self.next, there, length, self.frame.0 != target.0) };
        self.advance(length);
        length
    }

    /// Fills the next ones with those that are at `offset` of a frame, as many as there are up to its end. Returns how many.
    #[inline]
    pub fn take(&mut self, source: Window, offset: usize) -> usize {
        let (length, there) = self.meet(source, offset);
        // SAFETY: by `meet`.
        unsafe { copy(there, self.next, length, self.frame.0 != source.0) };
        self.advance(length);
        length
    }

    /// How many bytes there are both here and in `other` from `offset` on, and where those are.
    #[inline]
    fn meet(&self, other: Window, offset: usize) -> (usize, *mut u8) {
        assert!(offset < BYTES);
        // SAFETY: the offset lies inside the mapping.
        (self.left.min(BYTES - offset), unsafe { other.0.add(offset) })
    }
    #[inline]
    fn advance(&mut self, length: usize) {
        self.left -= length;
        // SAFETY: no more than was left: inside the mapping, or at its end.
        self.next = unsafe { self.next.add(length) };
    }
}

/// Copies `length` bytes; `apart` says that the two places are in different frames.
///
/// # Safety
/// So many bytes from `from` on lie inside one frame that the window maps, and so do those from `to` on.
#[inline]
unsafe fn copy(from: *mut u8, to: *mut u8, length: usize, apart: bool) {
    if apart && (from.addr() | to.addr() | length).is_multiple_of(size_of::<u64>()) {
        // Mostly these are words, and then it is the instruction itself: others need twenty more to find that out.
        // SAFETY: as the caller says; the direction flag is clear, as the ABI has it.
        unsafe {
            asm!(
                "rep movsq",
                inout("rcx") length / size_of::<u64>() => _,
                inout("rsi") from => _,
                inout("rdi") to => _,
                options(nostack, preserves_flags)
            );
        }
        return;
    }
    // SAFETY: as the caller says; they may overlap.
    unsafe { ptr::copy(from, to, length) }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{BYTES, Frames};
    use super::super::kernel::Kernel;
    use std::boxed::Box;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn bytes_are_appended_to_what_has_room() {
        let frames = Box::leak(Box::new(Frames::new(Kernel::hosted(1))));
        let frame = frames.allocate().unwrap();
        frame.write(4090, b"abcdef");
        let mut bytes = Vec::with_capacity(16);
        bytes.push(b'-');
        frame.window().append_to(4091, 5, &mut bytes);
        assert_eq!(bytes, b"-bcdef");
    }

    #[test]
    fn bytes_and_words_are_copied_piece_by_piece_within_a_frame_and_between_two() {
        let frames = Box::leak(Box::new(Frames::new(Kernel::hosted(2))));
        let (one, two) = (frames.allocate().unwrap(), frames.allocate().unwrap());
        let pattern: Vec<u8> = (0..BYTES).map(|at| (at % 251) as u8).collect();
        for (at, from, length) in [
            (8, 16, 4080),
            (0, 0, 4096),
            (16, 8, 64),
            (3, 8, 64),
            (8, 8, 63),
            (4095, 0, 9),
            (4000, 8, 800),
            (8, 4096, 0),
        ] {
            // What fits behind `at`.
            let fits = length.min(BYTES - at);
            for (source, target) in [(&one, &two), (&one, &one)] {
                for take in [false, true] {
                    two.clear();
                    one.write(0, &pattern);
                    let mut expected = vec![0; BYTES];
                    target.read(0, &mut expected);
                    let (moved, left) = if take {
                        let mut piece = target.window().piece(from, length);
                        expected[from..from + fits].copy_from_slice(&pattern[at..at + fits]);
                        (piece.take(source.window(), at), piece.left())
                    } else {
                        let mut piece = source.window().piece(from, length);
                        expected[at..at + fits].copy_from_slice(&pattern[from..from + fits]);
                        (piece.put(target.window(), at), piece.left())
                    };
                    let mut bytes = vec![1; BYTES];
                    target.read(0, &mut bytes);
                    assert!(bytes == expected, "{at} {from} {length} {take}");
                    assert_eq!((moved, left), (fits, length - fits));
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "piece of 2 bytes")]
    fn a_piece_ends_with_its_frame() {
        let frames = Box::leak(Box::new(Frames::new(Kernel::hosted(1))));
        frames.allocate().unwrap().window().piece(BYTES - 1, 2);
    }

    #[test]
    #[should_panic(expected = "append of 2 bytes")]
    fn nothing_is_appended_without_room() {
        let frames = Box::leak(Box::new(Frames::new(Kernel::hosted(1))));
        frames.allocate().unwrap().window().append_to(0, 2, &mut Vec::new());
    }
}
