//! A ring of single bytes: a stream, as between a UART and a terminal.

use super::{Broken, Consumer, Memory, Producer};

/// Writes a stream.
#[derive(Debug)]
pub struct ByteProducer(Producer);

/// Reads a stream.
#[derive(Debug)]
pub struct ByteConsumer(Consumer);

impl ByteProducer {
    /// Goes on where the memory's tail says.
    pub fn attach(memory: Memory) -> Self {
        Self(Producer::attach(memory))
    }

    /// How many bytes can be written now.
    pub fn room(&self) -> Result<usize, Broken> {
        self.0.room().map(|room| room as usize)
    }

    /// Writes as much as there is room for; returns how many bytes that was.
    pub fn write(&mut self, data: &[u8]) -> Result<usize, Broken> {
        let count = data.len().min(self.room()?);
        self.0.put(&data[..count]);
        self.0.publish();
        Ok(count)
    }

    /// After writing: whether the consumer sleeps and must be signalled. Asking forgets it.
    pub fn wakes(&self) -> bool {
        self.0.wakes()
    }

    /// Before waiting for room: announces it; true if there still is none, so that waiting is right.
    pub fn sleeps(&self) -> Result<bool, Broken> {
        self.0.sleeps(1)
    }
}

impl ByteConsumer {
    /// Goes on where the memory's head says.
    pub fn attach(memory: Memory) -> Self {
        Self(Consumer::attach(memory))
    }

    /// How often a producer has attached: another number than before says that it is another producer.
    pub fn producers(&self) -> u32 {
        self.0.producers()
    }

    /// How many bytes can be read now.
    pub fn available(&self) -> Result<usize, Broken> {
        self.0.available().map(|count| count as usize)
    }

    /// Takes as much as there is and fits into `data`; returns how many bytes that was.
    pub fn read(&mut self, data: &mut [u8]) -> Result<usize, Broken> {
        let count = self.peek(data)?;
        self.0.take(count as u32);
        Ok(count)
    }

    /// Copies without taking, so that what is not [acknowledged](Self::acknowledge) survives a restart of this side.
    pub fn peek(&self, data: &mut [u8]) -> Result<usize, Broken> {
        let count = data.len().min(self.available()?);
        self.0.copy(0, &mut data[..count]);
        Ok(count)
    }

    /// Takes `count` bytes, or as many as there are.
    pub fn acknowledge(&mut self, count: usize) -> Result<(), Broken> {
        let available = self.0.available()?;
        self.0.take(available.min(count as u32));
        Ok(())
    }

    /// After reading: whether the producer sleeps and must be signalled. Asking forgets it.
    pub fn wakes(&self) -> bool {
        self.0.wakes()
    }

    /// Before waiting for bytes: announces it; true if there still are none, so that waiting is right.
    pub fn sleeps(&self) -> Result<bool, Broken> {
        self.0.sleeps()
    }
}
