//! Cutting free memory into untypeds: naturally aligned powers of two, as few as possible.

use super::regions::{Region, Regions};
use chestnut_abi::bootinfo::{MAX_UNTYPEDS, UntypedDesc};
use chestnut_abi::object::{MAX_UNTYPED_BITS, MIN_UNTYPED_BITS};

/// The untypeds that the root task gets, ascending by address, RAM before devices.
pub struct Untypeds {
    list: [UntypedDesc; MAX_UNTYPEDS],
    length: usize,
    /// Bytes that had to be left out because the list was full.
    pub lost: u64,
}

impl Untypeds {
    pub fn new(ram: &Regions, devices: &Regions) -> Self {
        let empty = UntypedDesc { paddr: 0, size_bits: 0, is_device: 0, padding: [0; 6] };
        let mut untypeds = Self { list: [empty; MAX_UNTYPEDS], length: 0, lost: 0 };
        for (regions, is_device) in [(ram, 0), (devices, 1)] {
            for region in regions.iter() {
                blocks(region).for_each(|(paddr, size_bits)| {
                    untypeds.insert(UntypedDesc { paddr, size_bits, is_device, padding: [0; 6] });
                });
            }
        }
        untypeds
    }

    /// Appends; when the list is full, the smallest one has to go.
    fn insert(&mut self, new: UntypedDesc) {
        if let Some(slot) = self.list.get_mut(self.length) {
            *slot = new;
            self.length += 1;
            return;
        }
        let smallest = self.list.iter().enumerate().min_by_key(|(_, untyped)| untyped.size_bits);
        let mut carried = new;
        if let Some((index, _)) = smallest.filter(|(_, smallest)| smallest.size_bits < new.size_bits) {
            for slot in self.list.iter_mut().skip(index).rev() {
                core::mem::swap(slot, &mut carried);
            }
        }
        self.lost += 1 << carried.size_bits;
    }

    pub fn as_slice(&self) -> &[UntypedDesc] {
        self.list.get(..self.length).unwrap_or(&[])
    }
}

/// The naturally aligned powers of two that make up a region: address and size in bits.
fn blocks(region: Region) -> impl Iterator<Item = (u64, u8)> {
    let mut rest = region;
    core::iter::from_fn(move || {
        let by_alignment = rest.start.trailing_zeros();
        let by_size = rest.size().checked_ilog2()?;
        let bits = by_alignment.min(by_size).min(MAX_UNTYPED_BITS as u32);
        if u64::from(bits) < MIN_UNTYPED_BITS {
            return None;
        }
        let paddr = rest.start;
        rest.start = paddr.saturating_add(1 << bits);
        Some((paddr, bits as u8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    #[test]
    fn blocks_are_aligned_cover_everything_and_are_few() {
        let found: Vec<_> = blocks(Region::new(0x3000, 0x14000)).collect();
        assert_eq!(found, [(0x3000, 12), (0x4000, 14), (0x8000, 15), (0x10000, 14)]);
        assert_eq!(blocks(Region::new(0, 1 << 47)).collect::<Vec<_>>(), [(0, 47)]);
        assert_eq!(blocks(Region::new(0, 0x10_0000)).collect::<Vec<_>>(), [(0, 20)]);
        assert_eq!(blocks(Region::new(0x1000, 0x1000)).count(), 0);
    }

    #[test]
    fn the_smallest_go_when_the_list_is_full() {
        let mut ram = Regions::new();
        for i in 0..60u64 {
            // Four blocks each: 4 KiB, 8 KiB, 16 KiB, 4 KiB.
            ram.add(Region::sized(i * 0x10000 + 0x1000, 0x8000)).unwrap();
        }
        let mut devices = Regions::new();
        devices.add(Region::new(1 << 40, 1 << 41)).unwrap();
        let untypeds = Untypeds::new(&ram, &devices);
        let list = untypeds.as_slice();
        assert_eq!(list.len(), MAX_UNTYPEDS);
        assert_eq!(untypeds.lost, 11 * 0x1000);
        assert!(list.is_sorted_by_key(|u| (u.is_device, u.paddr)));
        assert_eq!(list.last().map(|u| (u.paddr, u.size_bits, u.is_device)), Some((1 << 40, 40, 1)));
    }
}
