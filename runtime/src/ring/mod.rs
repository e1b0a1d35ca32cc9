//! Rings: queues in memory that two processes share, for one producer and one consumer.
//!
//! The other side is not trusted. It may write anything at any time into the memory; what it can achieve is to spoil the
//! stream that it takes part in. Each side keeps its own index in private memory, checks the other's against it at
//! every use, and turns a nonsensical one into [`Broken`]. Data are copied byte by byte with atomic loads and
//! stores, so no reference to shared data exists.
//!
//! Layout of the memory (little endian):
//! | bytes | what | written by |
//! |---|---|---|
//! | 0–3 | head: elements taken, modulo 2^32 | consumer |
//! | 4–7 | 1 while the consumer sleeps until there is something | consumer (1), producer (0) |
//! | 64–67 | tail: elements put, modulo 2^32 | producer |
//! | 68–71 | 1 while the producer sleeps until there is room | producer (1), consumer (0) |
//! | 72–75 | how often a producer has attached, modulo 2^32 | producer |
//! | 128– | the elements: the largest power of two of bytes that fits | producer |
//!
//! All zero is an empty ring. A side that is restarted attaches to the memory and goes on where its index says. The
//! consumer can see that the producer is another one than before.
//!
//! **Sleeping.** A side that finds nothing to do says so ([`Consumer::sleeps`], [`Producer::sleeps`]), which looks once
//! more; only if that still finds nothing may it wait. The other side asks after its work whether to signal
//! ([`Producer::wakes`], [`Consumer::wakes`]). Both the announcement and the question are ordered after the index
//! (sequentially consistent), so at least one side sees the other and no wake-up is lost.

mod bytes;
mod descriptors;

pub use bytes::{ByteConsumer, ByteProducer};
pub use descriptors::{Descriptor, DescriptorConsumer, DescriptorProducer};

use core::{
    fmt,
    ptr::NonNull,
    sync::atomic::{AtomicU8, AtomicU32, Ordering::*},
};

/// Bytes before the elements.
pub const HEADER_BYTES: usize = 128;
const HEAD: usize = 0;
const CONSUMER_SLEEPS: usize = 4;
const TAIL: usize = 64;
const PRODUCER_SLEEPS: usize = 68;
const PRODUCERS: usize = 72;

/// The other side wrote an index that can't be: the stream is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the other side of a ring wrote an index that can't be")
    }
}

/// The shared memory of a ring of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    base: NonNull<u8>,
    /// Bytes of elements, a power of two.
    capacity: u32,
}

impl Memory {
    /// The ring in `bytes` bytes at `base`.
    ///
    /// # Safety
    /// The memory is mapped, readable and writable, for as long as the value or one made from it is used, and everybody
    /// in this program accesses it as a ring only. What other programs do with it does not matter.
    ///
    /// # Panics
    /// If `base` is not aligned to 64 bytes, or there is no room for elements.
    pub unsafe fn new(base: *mut u8, bytes: usize) -> Self {
        let base = NonNull::new(base).expect("a ring's memory is not at address 0");
        assert!((base.as_ptr() as usize).is_multiple_of(64), "a ring's memory is aligned to 64 bytes");
        let room = bytes.saturating_sub(HEADER_BYTES).min(1 << 31);
        assert!(room >= 16, "{bytes} bytes are too few for a ring");
        Self { base, capacity: 1 << room.ilog2() }
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: the offsets used are multiples of 4 within the header; `new`'s caller promised memory for the life
        // of the value; atomics may be shared with whoever else writes.
        unsafe { AtomicU32::from_ptr(self.base.as_ptr().add(offset).cast()) }
    }

    /// The byte with this running number.
    fn byte(&self, number: u32) -> &AtomicU8 {
        let offset = HEADER_BYTES + (number & (self.capacity - 1)) as usize;
        // SAFETY: the mask keeps the offset within the elements; otherwise as in `word`.
        unsafe { AtomicU8::from_ptr(self.base.as_ptr().add(offset)) }
    }
}

/// What the two sides have in common, counted in bytes: the side's own index, and the other's as far as it can be believed.
#[derive(Debug)]
struct Side {
    memory: Memory,
    own: u32,
}

/// The side that writes.
#[derive(Debug)]
struct Producer(Side);

/// The side that reads.
#[derive(Debug)]
struct Consumer(Side);

impl Producer {
    fn attach(memory: Memory) -> Self {
        memory.word(PRODUCERS).fetch_add(1, SeqCst);
        Self(Side { memory, own: memory.word(TAIL).load(SeqCst) })
    }

    /// Bytes that may be written now.
    fn room(&self) -> Result<u32, Broken> {
        let Side { memory, own } = self.0;
        let used = own.wrapping_sub(memory.word(HEAD).load(Acquire));
        memory.capacity.checked_sub(used).ok_or(Broken)
    }

    /// Writes bytes that there is room for.
    fn put(&mut self, data: &[u8]) {
        let Side { memory, own } = &mut self.0;
        for &byte in data {
            memory.byte(*own).store(byte, Relaxed);
            *own = own.wrapping_add(1);
        }
    }

    /// Lets the consumer see what was put.
    fn publish(&self) {
        self.0.memory.word(TAIL).store(self.0.own, SeqCst);
    }

    /// Whether the consumer sleeps and is to be signalled, which is forgotten by asking.
    fn wakes(&self) -> bool {
        self.0.memory.word(CONSUMER_SLEEPS).swap(0, SeqCst) != 0
    }

    /// Announces sleep; true if there still are fewer than `needed` bytes of room.
    fn sleeps(&self, needed: u32) -> Result<bool, Broken> {
        self.0.memory.word(PRODUCER_SLEEPS).store(1, SeqCst);
        let head = self.0.memory.word(HEAD).load(SeqCst);
        let used = self.0.own.wrapping_sub(head);
        let room = self.0.memory.capacity.checked_sub(used).ok_or(Broken)?;
        Ok(room < needed)
    }
}

impl Consumer {
    fn attach(memory: Memory) -> Self {
        Self(Side { memory, own: memory.word(HEAD).load(SeqCst) })
    }

    /// How often a producer has attached: another number than before says that it is another producer.
    fn producers(&self) -> u32 {
        self.0.memory.word(PRODUCERS).load(SeqCst)
    }

    /// Bytes that may be read now.
    fn available(&self) -> Result<u32, Broken> {
        let Side { memory, own } = self.0;
        let used = memory.word(TAIL).load(Acquire).wrapping_sub(own);
        if used <= memory.capacity { Ok(used) } else { Err(Broken) }
    }

    /// Copies bytes that are available, from `skip` bytes ahead, without taking them.
    fn copy(&self, skip: u32, data: &mut [u8]) {
        let mut number = self.0.own.wrapping_add(skip);
        for byte in data {
            *byte = self.0.memory.byte(number).load(Relaxed);
            number = number.wrapping_add(1);
        }
    }

    /// Takes `count` bytes that are available: the producer may overwrite them.
    fn take(&mut self, count: u32) {
        self.0.own = self.0.own.wrapping_add(count);
        self.0.memory.word(HEAD).store(self.0.own, SeqCst);
    }

    /// Whether the producer sleeps and is to be signalled, which is forgotten by asking.
    fn wakes(&self) -> bool {
        self.0.memory.word(PRODUCER_SLEEPS).swap(0, SeqCst) != 0
    }

    /// Announces sleep; true if there still is nothing.
    fn sleeps(&self) -> Result<bool, Broken> {
        self.0.memory.word(CONSUMER_SLEEPS).store(1, SeqCst);
        let used = self.0.memory.word(TAIL).load(SeqCst).wrapping_sub(self.0.own);
        if used <= self.0.memory.capacity { Ok(used == 0) } else { Err(Broken) }
    }
}

#[cfg(test)]
mod tests;
