//! What a boot loader tells, whichever protocol it speaks.

use super::physical::{u32_at, u64_at};
use super::regions::Region;

/// Longest command line that is read, in bytes.
pub const MAX_COMMAND_LINE: u64 = 2048;

/// What every boot protocol gives in the end.
#[derive(Clone, Copy, Debug)]
pub struct BootLoaderInfo<'m> {
    /// The protocol's name.
    pub protocol: &'static str,
    pub memory: MemoryMap<'m>,
    /// The root task's ELF file.
    pub module: Option<Region>,
    /// Without the final 0.
    pub command_line: &'m [u8],
    /// Physical address of the ACPI root pointer, if the loader knows it.
    pub rsdp: Option<u64>,
}

/// One range of the memory map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryRange {
    pub region: Region,
    /// Usable RAM; everything else is firmware's, a device's or unknown.
    pub is_ram: bool,
}

/// The memory map as PVH and multiboot2 both have it, after the firmware call that it comes from: entries of `stride`
/// bytes with address (8 bytes), size (8), kind (4; 1 = usable RAM).
#[derive(Clone, Copy, Debug)]
pub struct MemoryMap<'m> {
    pub bytes: &'m [u8],
    pub stride: usize,
}

impl<'m> MemoryMap<'m> {
    const KIND_RAM: u32 = 1;

    /// The ranges that are whole and not empty.
    pub fn iter(self) -> impl Iterator<Item = MemoryRange> + 'm {
        let entries = self.bytes.chunks(self.stride.max(1));
        let ranges = entries.filter_map(|entry| {
            let region = Region::sized(u64_at(entry, 0)?, u64_at(entry, 8)?);
            Some(MemoryRange { region, is_ram: u32_at(entry, 16)? == Self::KIND_RAM })
        });
        ranges.filter(|range| !range.region.is_empty())
    }
}
