//! The PVH boot protocol: what Xen's `start_info.h` and the emulator's direct kernel boot hand over.
//!
//! EBX holds the physical address of a start-info structure; nothing else is defined, so its magic number is what tells
//! the protocol. Every address in it is checked before it is read.

use super::info::{BootLoaderInfo, MAX_COMMAND_LINE, MemoryMap};
use super::physical::{Physical, u32_at, u64_at};
use super::regions::Region;

pub const MAGIC: u32 = 0x336e_c578;
const INFO_SIZE: u64 = 56;
const MODULE_SIZE: u64 = 32;
const RANGE_SIZE: u64 = 24;

/// Whether a PVH start-info structure lies at `paddr`.
pub fn is_start_info(memory: &impl Physical, paddr: u64) -> bool {
    memory.bytes(paddr, 4).and_then(|bytes| u32_at(bytes, 0)) == Some(MAGIC)
}

/// Reads the start-info structure at `paddr`. The error says what is wrong with it.
pub fn parse(memory: &impl Physical, paddr: u64) -> Result<BootLoaderInfo<'_>, &'static str> {
    let info = memory.bytes(paddr, INFO_SIZE).ok_or("the PVH start info is outside memory")?;
    let word = |offset| u32_at(info, offset).unwrap_or(0);
    let long = |offset| u64_at(info, offset).unwrap_or(0);
    if word(0) != MAGIC {
        return Err("the PVH start info lacks its magic number");
    }
    if word(4) < 1 {
        return Err("the PVH start info is of version 0, which has no memory map");
    }
    let module = match word(12) {
        0 => None,
        1 => {
            let entry = memory.bytes(long(16), MODULE_SIZE).ok_or("the PVH module list is outside memory")?;
            Some(Region::sized(u64_at(entry, 0).unwrap_or(0), u64_at(entry, 8).unwrap_or(0)))
        }
        _ => return Err("there is more than one boot module: only the root task is wanted"),
    };
    let command_line = match long(24) {
        0 => &[],
        address => text(memory, address).ok_or("the PVH command line is outside memory or too long")?,
    };
    let map_size = u64::from(word(48)) * RANGE_SIZE;
    let map = memory.bytes(long(40), map_size).ok_or("the PVH memory map is outside memory")?;
    let rsdp = Some(long(32)).filter(|address| *address != 0);
    let memory = MemoryMap { bytes: map, stride: RANGE_SIZE as usize };
    Ok(BootLoaderInfo { protocol: "PVH", memory, module, command_line, rsdp })
}

/// The bytes from `paddr` up to a 0.
fn text(memory: &impl Physical, paddr: u64) -> Option<&[u8]> {
    let length = (0..MAX_COMMAND_LINE).find(|i| memory.bytes(paddr + i, 1) == Some(&[0]))?;
    memory.bytes(paddr, length)
}

#[cfg(test)]
mod tests {
    use super::super::physical::Fake;
    use super::*;

    fn start_info() -> Fake {
        let mut memory = Fake::new(0x1000, 0x1000);
        memory.put(0x1000, &MAGIC.to_le_bytes());
        memory.put(0x1004, &1u32.to_le_bytes());
        memory.put(0x100c, &1u32.to_le_bytes());
        memory.put(0x1010, &0x1100u64.to_le_bytes());
        memory.put(0x1018, &0x1200u64.to_le_bytes());
        memory.put(0x1020, &0xf_0000u64.to_le_bytes());
        memory.put(0x1028, &0x1300u64.to_le_bytes());
        memory.put(0x1030, &2u32.to_le_bytes());
        memory.put(0x1100, &0x40_0000u64.to_le_bytes());
        memory.put(0x1108, &0x1234u64.to_le_bytes());
        memory.put(0x1200, b"log=info\0");
        memory.put(0x1300, &0u64.to_le_bytes());
        memory.put(0x1308, &0x9_fc00u64.to_le_bytes());
        memory.put(0x1310, &1u32.to_le_bytes());
        memory.put(0x1318, &0x9_fc00u64.to_le_bytes());
        memory.put(0x1320, &0x400u64.to_le_bytes());
        memory.put(0x1328, &2u32.to_le_bytes());
        memory
    }

    #[test]
    fn a_good_start_info_is_read() {
        let memory = start_info();
        assert!(is_start_info(&memory, 0x1000));
        let info = parse(&memory, 0x1000).unwrap();
        assert_eq!(info.module, Some(Region::sized(0x40_0000, 0x1234)));
        assert_eq!(info.command_line, b"log=info");
        assert_eq!(info.rsdp, Some(0xf_0000));
        let mut ranges = info.memory.iter().map(|range| (range.region, range.is_ram));
        assert_eq!(ranges.next(), Some((Region::new(0, 0x9_fc00), true)));
        assert_eq!(ranges.next(), Some((Region::new(0x9_fc00, 0xa_0000), false)));
        assert_eq!(ranges.next(), None);
    }

    #[test]
    fn wrong_magic_and_wild_pointers_are_told_apart() {
        let mut memory = start_info();
        memory.put(0x1028, &0xdead_0000u64.to_le_bytes());
        assert_eq!(parse(&memory, 0x1000).unwrap_err(), "the PVH memory map is outside memory");
        let mut memory = start_info();
        memory.put(0x1030, &u32::MAX.to_le_bytes());
        assert_eq!(parse(&memory, 0x1000).unwrap_err(), "the PVH memory map is outside memory");
        let mut memory = start_info();
        memory.put(0x1010, &u64::MAX.to_le_bytes());
        assert_eq!(parse(&memory, 0x1000).unwrap_err(), "the PVH module list is outside memory");
        let mut memory = start_info();
        memory.put(0x1018, &0x1fffu64.to_le_bytes());
        memory.put(0x1fff, b"x");
        assert_eq!(parse(&memory, 0x1000).unwrap_err(), "the PVH command line is outside memory or too long");
        memory.put(0x1000, &[0]);
        assert!(!is_start_info(&memory, 0x1000));
        assert!(parse(&memory, 0x1000).is_err());
        assert!(parse(&memory, 0).is_err());
    }
}
