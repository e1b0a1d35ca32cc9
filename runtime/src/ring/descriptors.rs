//! A ring of descriptors: pieces of another shared memory, as between a network driver and its client.

use super::{Broken, Consumer, HEADER_BYTES, Memory, Producer};

/// A piece of shared memory and a number to recognise it by. What offset and length mean, and whether they are in
/// range, the reader checks: the ring only carries them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// Bytes from the start of the data memory.
    pub offset: u64,
    /// Bytes.
    pub length: u32,
    pub tag: u32,
}

const BYTES: u32 = 16;
const _: () = assert!(HEADER_BYTES.is_multiple_of(BYTES as usize));

impl Descriptor {
    fn to_bytes(self) -> [u8; BYTES as usize] {
        let mut bytes = [0; BYTES as usize];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.length.to_le_bytes());
        bytes[12..].copy_from_slice(&self.tag.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; BYTES as usize]) -> Self {
        let number = u128::from_le_bytes(bytes);
        Self { offset: number as u64, length: (number >> 64) as u32, tag: (number >> 96) as u32 }
    }

    /// The piece as a range of indices, if it lies within data memory of `bytes` bytes.
    pub fn range(self, bytes: usize) -> Option<core::ops::Range<usize>> {
        let start = usize::try_from(self.offset).ok()?;
        let end = start.checked_add(self.length as usize)?;
        (end <= bytes).then_some(start..end)
    }
}

/// Writes descriptors.
#[derive(Debug)]
pub struct DescriptorProducer(Producer);

/// Reads descriptors.
#[derive(Debug)]
pub struct DescriptorConsumer(Consumer);

impl DescriptorProducer {
    /// Goes on where the memory's tail says; [`Broken`] if that is within a descriptor.
    pub fn attach(memory: Memory) -> Result<Self, Broken> {
        let producer = Producer::attach(memory);
        if producer.0.own.is_multiple_of(BYTES) { Ok(Self(producer)) } else { Err(Broken) }
    }

    /// Puts a descriptor; false if there is no room.
    pub fn put(&mut self, descriptor: Descriptor) -> Result<bool, Broken> {
        if self.0.room()? < BYTES {
            return Ok(false);
        }
        self.0.put(&descriptor.to_bytes());
        self.0.publish();
        Ok(true)
    }

    /// After putting: whether the consumer sleeps and must be signalled. Asking forgets it.
    pub fn wakes(&self) -> bool {
        self.0.wakes()
    }

    /// Before waiting for room: announces it; true if there still is none, so that waiting is right.
    pub fn sleeps(&self) -> Result<bool, Broken> {
        self.0.sleeps(BYTES)
    }
}

impl DescriptorConsumer {
    /// Goes on where the memory's head says; [`Broken`] if that is within a descriptor.
    pub fn attach(memory: Memory) -> Result<Self, Broken> {
        let consumer = Consumer::attach(memory);
        if consumer.0.own.is_multiple_of(BYTES) { Ok(Self(consumer)) } else { Err(Broken) }
    }

    /// Takes the next descriptor, if there is one.
    pub fn take(&mut self) -> Result<Option<Descriptor>, Broken> {
        let available = self.0.available()?;
        if !available.is_multiple_of(BYTES) {
            return Err(Broken);
        }
        if available == 0 {
            return Ok(None);
        }
        let mut bytes = [0; BYTES as usize];
        self.0.copy(0, &mut bytes);
        self.0.take(BYTES);
        Ok(Some(Descriptor::from_bytes(bytes)))
    }

    /// After taking: whether the producer sleeps and must be signalled. Asking forgets it.
    pub fn wakes(&self) -> bool {
        self.0.wakes()
    }

    /// Before waiting for descriptors: announces it; true if there still are none, so that waiting is right.
    pub fn sleeps(&self) -> Result<bool, Broken> {
        self.0.sleeps()
    }
}
