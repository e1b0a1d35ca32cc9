//! Frames of 4 KiB: who holds them, and reading and writing them through the server's window.
//!
//! Each frame has a master capability, mapped once in the server's window when it is made and never destroyed; what
//! processes see is mapped by copies of it (see [`super::space`]). A [`Frame`] is a counted handle; when the last one is
//! dropped the frame is used again.
//!
//! Clients may write their pages at any time, so there is never a Rust reference into a frame: bytes are copied in and out
//! through raw pointers, words by volatile or atomic accesses, and every value is checked after the copy.

use super::kernel::Kernel;
use super::window::Window;
use super::{Count, OutOfMemory, Slot};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::ptr;

pub const BYTES: usize = 4096;
/// Frames made by one retype.
const BATCH: usize = 64;

/// All frames.
pub struct Frames {
    kernel: &'static Kernel,
    entries: RefCell<Vec<Entry>>,
    /// Indices of frames that nobody holds.
    free: RefCell<Vec<u32>>,
    /// The kernel has no memory for more.
    exhausted: Cell<bool>,
    /// Frames that could still be made, as far as known.
    total: usize,
    /// Numbers that never change: none, and one.
    constant: [Holders; 2],
}

/// How many hold a frame. The number stays where it is as long as the server lives, so who looks at one frame again and again needs no look at
/// all of them.
#[derive(Clone, Copy)]
pub struct Holders(&'static Cell<u32>);

impl Holders {
    /// Whether just one does.
    #[inline]
    pub fn is_one(self) -> bool {
        self.0.get() == 1
    }
}

#[derive(Clone, Copy)]
struct Entry {
    master: Slot,
    window: Window,
    holders: &'static Cell<u32>,
    /// A copy of the master capability that maps nothing now, or 0.
    spare: Slot,
}

impl Frames {
    pub fn new(kernel: &'static Kernel) -> Self {
        Self {
            kernel,
            // For all there can be: while memory comes to its end is no time to move these to a larger place.
            entries: RefCell::new(Vec::with_capacity(kernel.frames_available())),
            free: RefCell::new(Vec::with_capacity(kernel.frames_available())),
            exhausted: Cell::new(false),
            total: kernel.frames_available(),
            constant: [0, 1].map(|holders| Holders(Box::leak(Box::new(Cell::new(holders))))),
        }
    }

    /// A frame with whatever its last holder left in it: the caller overwrites all of it before anybody else sees it.
    pub fn allocate_dirty(&'static self) -> Result<Frame, OutOfMemory> {
        if self.free.borrow().is_empty() {
            self.grow()?;
        }
        let index = self.free.borrow_mut().pop().ok_or(OutOfMemory)?;
        self.entries.borrow()[index as usize].holders.set(1);
        Ok(Frame { frames: self, index })
    }

    /// A frame full of zeros.
    pub fn allocate(&'static self) -> Result<Frame, OutOfMemory> {
        let frame = self.allocate_dirty()?;
        frame.clear();
        Ok(frame)
    }

    /// One more share in the frame of this index; `None` if nobody holds it, or if it should be `alone` and several do.
    #[inline]
    pub fn hold(&'static self, index: u32, alone: bool) -> Option<Frame> {
        let holders = self.entries.borrow().get(index as usize)?.holders;
        if holders.get() == 0 || (alone && holders.get() != 1) {
            return None;
        }
        holders.set(holders.get() + 1);
        Some(Frame { frames: self, index })
    }

    fn grow(&self) -> Result<(), OutOfMemory> {
        if self.exhausted.get() {
            return Err(OutOfMemory);
        }
        let mut entries = self.entries.borrow_mut();
        let mut free = self.free.borrow_mut();
        // Frames are never given back, nor are these.
        let counts: &'static [Cell<u32>; BATCH] = Box::leak(Box::new([const { Cell::new(0) }; BATCH]));
        let mut counts = counts.iter();
        let made = self.kernel.make_frames(BATCH, |master, window| {
            let Some(holders) = counts.next() else { return };
            free.push(entries.len() as u32);
            entries.push(Entry { master, window: Window::new(window), holders, spare: 0 });
        });
        if made == 0 {
            self.exhausted.set(true);
            return Err(OutOfMemory);
        }
        Ok(())
    }

    /// Frames that can still be allocated, about.
    pub fn available(&self) -> usize {
        self.free.borrow().len() + if self.exhausted.get() { 0 } else { self.kernel.frames_available() }
    }
    /// Frames there were at the start, about.
    pub const fn total(&self) -> usize {
        self.total
    }
    pub(super) fn counts(&self) -> Count {
        Count { made: self.entries.borrow().len(), used: self.in_use() }
    }
    /// Capabilities of frames that nobody holds, and spare copies of all.
    pub(super) fn idle_slots(&self) -> usize {
        let spares = self.entries.borrow().iter().filter(|entry| entry.spare != 0).count();
        self.free.borrow().len() + spares
    }
    /// Frames held by somebody.
    pub fn in_use(&self) -> usize {
        self.entries.borrow().len() - self.free.borrow().len()
    }
}

/// One holder's share in a frame.
pub struct Frame {
    frames: &'static Frames,
    index: u32,
}

impl Clone for Frame {
    fn clone(&self) -> Self {
        let holders = self.entry().holders;
        holders.set(holders.get() + 1);
        Self { frames: self.frames, index: self.index }
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        let holders = self.entry().holders;
        holders.set(holders.get() - 1);
        if holders.get() == 0 {
            self.frames.free.borrow_mut().push(self.index);
        }
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

impl Frame {
    fn entry(&self) -> Entry {
        self.frames.entries.borrow()[self.index as usize]
    }

    /// Names the frame among all frames.
    pub const fn index(&self) -> u32 {
        self.index
    }
    /// How many hold it: 1 means that it may be changed without anybody else noticing.
    pub fn holders(&self) -> u32 {
        self.entry().holders.get()
    }
    /// The same for later looks, while somebody holds it.
    pub fn holder_count(&self) -> Holders {
        Holders(self.entry().holders)
    }
    /// A number of which it is always, or never, true that it is one.
    pub const fn constant_count(&self, is_one: bool) -> Holders {
        self.frames.constant[is_one as usize]
    }
    /// The capability that is mapped in the server's window.
    pub(super) fn master(&self) -> Slot {
        self.entry().master
    }

    /// Its memory, for a look at it now.
    #[inline]
    pub fn window(&self) -> Window {
        self.entry().window
    }

    /// A capability for mapping the frame somewhere.
    pub(super) fn take_copy(&self) -> Result<Slot, OutOfMemory> {
        let mut entries = self.frames.entries.borrow_mut();
        let entry = &mut entries[self.index as usize];
        match core::mem::take(&mut entry.spare) {
            0 => self.frames.kernel.copy(entry.master),
            spare => Ok(spare),
        }
    }
    /// Takes such a capability back, unmapped.
    pub(super) fn give_copy(&self, copy: Slot) {
        let mut entries = self.frames.entries.borrow_mut();
        let entry = &mut entries[self.index as usize];
        if entry.spare == 0 {
            entry.spare = copy;
        } else {
            self.frames.kernel.delete(copy);
        }
    }

    /// See [`Window::read`].
    pub fn read(&self, offset: usize, into: &mut [u8]) {
        self.window().read(offset, into);
    }
    /// See [`Window::write`].
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        self.window().write(offset, bytes);
    }
    /// See [`Window::copy_from`].
    pub fn copy_from(&self, offset: usize, source: &Self, source_offset: usize, length: usize) {
        self.window().copy_from(offset, source.window(), source_offset, length);
    }
    /// See [`Window::clear_part`].
    pub fn clear_part(&self, offset: usize, length: usize) {
        self.window().clear_part(offset, length);
    }

    pub fn clear(&self) {
        self.clear_part(0, BYTES);
    }

    /// The word at `offset`.
    ///
    /// # Panics
    /// If `offset` is not a multiple of 8 inside the frame.
    pub fn word(&self, offset: usize) -> u64 {
        assert!(offset < BYTES && offset.is_multiple_of(8));
        // SAFETY: an aligned word inside the window's mapping of the frame.
        unsafe { ptr::read_volatile(self.window().start().add(offset).cast()) }
    }
    /// Stores a word at `offset`.
    ///
    /// # Panics
    /// If `offset` is not a multiple of 8 inside the frame.
    pub fn set_word(&self, offset: usize, value: u64) {
        assert!(offset < BYTES && offset.is_multiple_of(8));
        // SAFETY: as in `word`; the window is mapped for writing.
        unsafe { ptr::write_volatile(self.window().start().add(offset).cast(), value) }
    }

    /// See [`Window::update32`].
    pub fn update32(&self, offset: usize, change: impl FnMut(u32) -> u32) -> u32 {
        self.window().update32(offset, change)
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernel::Kernel;
    use super::*;

    fn frames(count: usize) -> &'static Frames {
        Box::leak(Box::new(Frames::new(Kernel::hosted(count))))
    }

    #[test]
    fn frames_come_back_when_the_last_holder_goes() {
        let frames = frames(2);
        let first = frames.allocate().unwrap();
        let shared = first.clone();
        let _second = frames.allocate().unwrap();
        assert!(frames.allocate().is_err());
        drop(first);
        assert_eq!((shared.holders(), frames.allocate().is_err()), (1, true));
        shared.write(0, b"left over");
        drop(shared);
        let again = frames.allocate().unwrap();
        let mut bytes = [1; 9];
        again.read(0, &mut bytes);
        assert_eq!(bytes, [0; 9]);
    }

    #[test]
    fn bytes_words_and_atomics_see_the_same_memory() {
        let frames = frames(2);
        let (one, two) = (frames.allocate().unwrap(), frames.allocate().unwrap());
        one.write(4088, &7u64.to_le_bytes());
        assert_eq!((one.word(4088), one.window().load32(4088)), (7, 7));
        assert_eq!(one.update32(4088, |old| old * 2), 7);
        two.copy_from(0, &one, 4088, 8);
        assert_eq!(two.word(0), 14);
    }

    #[test]
    #[should_panic(expected = "read of 2 bytes")]
    fn reading_past_the_end_is_refused() {
        frames(1).allocate().unwrap().read(4095, &mut [0; 2]);
    }
}
