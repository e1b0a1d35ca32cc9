//! Where the HPET is: the ACPI table named so says it.
//!
//! The crate `acpi` reads the tables. It wants physical memory "mapped"; it gets copies, made page by page by whoever can
//! read physical memory, so that no table can change while it is read and nothing stays mapped.

use acpi::{AcpiHandler, AcpiTables, HpetInfo, PhysicalMapping};
use alloc::alloc::{alloc_zeroed, dealloc, handle_alloc_error};
use core::{alloc::Layout, fmt, ptr::NonNull};

/// Longest table that is read. Firmware that says more is wrong.
const MAX_TABLE: usize = 1 << 20;
/// Bytes of the header that every table has.
const HEADER_BYTES: usize = 36;
/// Bytes of the RSDP's first version, and of the second.
const RSDP_BYTES: [usize; 2] = [20, 36];

/// Why the HPET was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// The kernel passed no RSDP, or no valid one.
    NoRsdp,
    /// The tables say nothing of an HPET.
    NoTable,
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRsdp => "no valid RSDP",
            Self::NoTable => "no HPET in the ACPI tables",
        })
    }
}

/// The physical address of the HPET's registers. `read` copies physical memory (zeroes where it can't); `rsdp` is the RSDP
/// itself.
pub fn find(rsdp: &[u8], read: &dyn Fn(u64, &mut [u8])) -> Result<u64, NotFound> {
    let (revision, tables) = root_table(rsdp).ok_or(NotFound::NoRsdp)?;
    // SAFETY: the address comes from a valid RSDP, and whatever is there is copied before it is looked at.
    let tables = unsafe { AcpiTables::from_rsdt(Copies(read), revision, tables) }.map_err(|_| NotFound::NoRsdp)?;
    let info = HpetInfo::new(&tables).map_err(|_| NotFound::NoTable)?;
    if info.base_address == 0 { Err(NotFound::NoTable) } else { Ok(info.base_address as u64) }
}

/// Revision and the address of RSDT or XSDT.
fn root_table(rsdp: &[u8]) -> Option<(u8, usize)> {
    let [first, second] = RSDP_BYTES;
    let valid = |bytes: &[u8]| bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) == 0;
    if rsdp.get(..8)? != b"RSD PTR " || !valid(rsdp.get(..first)?) {
        return None;
    }
    let revision = rsdp[15];
    if revision == 0 {
        let address = u32::from_le_bytes(rsdp[16..20].try_into().ok()?);
        return Some((0, address as usize));
    }
    let rsdp = rsdp.get(..second).filter(|bytes| valid(bytes))?;
    let address = u64::from_le_bytes(rsdp[24..32].try_into().ok()?);
    Some((revision, address as usize))
}

/// "Maps" tables by copying them to the heap.
#[derive(Clone, Copy)]
struct Copies<'a>(&'a dyn Fn(u64, &mut [u8]));

impl Copies<'_> {
    fn layout(size: usize) -> Layout {
        // At least as much as the crate's largest type of a table's fixed part, should a table be too short for it.
        let size = size.clamp(4 * HEADER_BYTES, MAX_TABLE);
        Layout::from_size_align(size, 16).expect("the size is limited, the alignment is right")
    }
}

impl AcpiHandler for Copies<'_> {
    unsafe fn map_physical_region<T>(&self, physical_address: usize, size: usize) -> PhysicalMapping<Self, T> {
        let layout = Self::layout(size);
        // SAFETY: the layout's size is not 0.
        let memory = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(memory) else { handle_alloc_error(layout) };
        // SAFETY: just allocated, zeroed, and nobody else's.
        let bytes = unsafe { core::slice::from_raw_parts_mut(memory, layout.size()) };
        let bytes = &mut bytes[..size.min(MAX_TABLE)];
        (self.0)(physical_address as u64, bytes);
        // The crate believes the length in a table's header. One that can't be makes this no table at all.
        let length = bytes.get(4..8).and_then(|length| length.try_into().ok()).map_or(0, u32::from_le_bytes);
        if !(HEADER_BYTES..=MAX_TABLE).contains(&(length as usize)) {
            bytes.fill(0);
        }
        // SAFETY: the memory is `size` bytes, or `MAX_TABLE` if that is more, but then the header was refused before; it
        // holds any of the crate's types, which are plain numbers.
        unsafe { PhysicalMapping::new(physical_address, start.cast(), size, size, *self) }
    }

    fn unmap_physical_region<T>(region: &PhysicalMapping<Self, T>) {
        // SAFETY: allocated by `map_physical_region` with the layout for this size.
        unsafe { dealloc(region.virtual_start().as_ptr().cast(), Self::layout(region.mapped_length())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{vec, vec::Vec};

    fn with_checksum(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
        bytes[at] = 0;
        bytes[at] = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
        bytes
    }

    fn rsdp(revision: u8, rsdt: u32, xsdt: u64) -> Vec<u8> {
        let mut bytes = vec![0; 36];
        bytes[..8].copy_from_slice(b"RSD PTR ");
        bytes[15] = revision;
        bytes[16..20].copy_from_slice(&rsdt.to_le_bytes());
        bytes[20] = 36;
        bytes[24..32].copy_from_slice(&xsdt.to_le_bytes());
        let first = with_checksum(bytes[..20].to_vec(), 8);
        bytes[..20].copy_from_slice(&first);
        with_checksum(bytes, 32)
    }

    fn table(signature: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 36];
        bytes[..4].copy_from_slice(signature);
        bytes[4..8].copy_from_slice(&(36 + body.len() as u32).to_le_bytes());
        bytes.extend_from_slice(body);
        with_checksum(bytes, 9)
    }

    /// Physical memory from 0x1000 on: a table of tables with entries of 4 or 8 bytes, another table, and the HPET's.
    fn memory(wide: bool) -> Vec<u8> {
        let mut body = vec![1, 0, 0, 0, 0, 64, 0, 0];
        body.extend_from_slice(&0xfed0_0000u64.to_le_bytes());
        body.extend_from_slice(&[0, 0, 0, 0]);
        let mut memory = vec![0; 0x3000];
        let entries: Vec<u8> = if wide {
            [0x2000u64, 0x2ff0].iter().flat_map(|entry| entry.to_le_bytes()).collect()
        } else {
            [0x2000u32, 0x2ff0].iter().flat_map(|entry| entry.to_le_bytes()).collect()
        };
        let placed = [
            (0x1004, table(if wide { b"XSDT" } else { b"RSDT" }, &entries)),
            (0x2000, table(b"APIC", &[9; 20])),
            (0x2ff0, table(b"HPET", &body)),
        ];
        for (address, table) in placed {
            memory[address - 0x1000..address - 0x1000 + table.len()].copy_from_slice(&table);
        }
        memory
    }

    fn reader(memory: Vec<u8>) -> impl Fn(u64, &mut [u8]) {
        move |address, bytes: &mut [u8]| {
            for (index, byte) in bytes.iter_mut().enumerate() {
                *byte = memory.get(address as usize - 0x1000 + index).copied().unwrap_or(0);
            }
        }
    }

    #[test]
    fn the_address_is_found_by_both_kinds_of_tables() {
        assert_eq!(find(&rsdp(0, 0x1004, 0), &reader(memory(false))), Ok(0xfed0_0000));
        assert_eq!(find(&rsdp(2, 0, 0x1004), &reader(memory(true))), Ok(0xfed0_0000));
        assert_eq!(find(&rsdp(0, 0x1004, 0)[..20], &reader(memory(false))), Ok(0xfed0_0000));
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut none = memory(true);
        none[0x1ff0..0x1ff4].copy_from_slice(b"XXXX");
        assert_eq!(find(&rsdp(2, 0, 0x1004), &reader(none)), Err(NotFound::NoTable));
        assert_eq!(find(&[], &reader(memory(true))), Err(NotFound::NoRsdp));
        let mut broken = rsdp(2, 0, 0x1004);
        broken[30] ^= 1;
        assert_eq!(find(&broken, &reader(memory(true))), Err(NotFound::NoRsdp));
    }

    #[test]
    fn nonsense_in_the_tables_is_survived() {
        let mut nonsense = memory(true);
        for length in [0u32, 8, 35, 1 << 20, (1 << 20) + 1, u32::MAX] {
            nonsense[8..12].copy_from_slice(&length.to_le_bytes());
            assert!(find(&rsdp(2, 0, 0x1004), &reader(nonsense.clone())).is_err(), "length {length}");
        }
        assert_eq!(find(&rsdp(2, 0, 0x1004), &|_, _| {}), Err(NotFound::NoRsdp));
    }
}
