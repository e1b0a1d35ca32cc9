//! Reading what firmware and boot loader left in memory, bounds and all.
//!
//! The parsers of `boot` see memory only through [`Physical`], so that tests can feed them anything.

/// Physical memory as the parsers see it.
pub trait Physical {
    /// `length` bytes at physical address `paddr`, if that memory can be read.
    fn bytes(&self, paddr: u64, length: u64) -> Option<&[u8]>;
}

/// The little-endian number at `offset`, if it lies within `bytes`.
pub fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|b| u16::from_le_bytes(*b))
}
pub fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|b| u32::from_le_bytes(*b))
}
pub fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().map(|b| u64::from_le_bytes(*b))
}

/// Memory of tests: one run of bytes at an address.
#[cfg(test)]
pub struct Fake {
    pub base: u64,
    pub contents: std::vec::Vec<u8>,
}

#[cfg(test)]
extern crate std;

#[cfg(test)]
impl Physical for Fake {
    fn bytes(&self, paddr: u64, length: u64) -> Option<&[u8]> {
        let start = usize::try_from(paddr.checked_sub(self.base)?).ok()?;
        self.contents.get(start..start.checked_add(usize::try_from(length).ok()?)?)
    }
}

#[cfg(test)]
impl Fake {
    pub fn new(base: u64, size: usize) -> Self {
        Self { base, contents: std::vec![0; size] }
    }
    pub fn put(&mut self, paddr: u64, bytes: &[u8]) {
        let start = (paddr - self.base) as usize;
        self.contents[start..start + bytes.len()].copy_from_slice(bytes);
    }
}
