//! The two things that the kernel wants from ACPI: where the local APIC is and where the I/O APICs are.
//!
//! Own code, because only the root pointer, one list of tables and one table are read, and a kernel that can't panic
//! can't use a crate that asserts. Lengths and checksums are checked; a table that fails is as good as absent.
//! Source: ACPI specification 6.5, chapter 5.2.

use super::physical::{Physical, u16_at, u32_at, u64_at};

/// Most I/O APICs and source overrides that are reported.
pub const MAX_IOAPICS: usize = 4;
pub const MAX_OVERRIDES: usize = 16;
/// Bytes of a root pointer since ACPI 2.0.
pub const RSDP_SIZE: usize = 36;
const RSDP_SIZE_1: u64 = 20;
const HEADER_SIZE: usize = 36;
const MAX_TABLE_SIZE: u64 = 1 << 20;

/// An I/O APIC: its physical address, and the number that its pin 0 has among global system interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApic {
    pub address: u64,
    pub first_interrupt: u32,
}

/// A legacy interrupt that isn't wired to the pin of its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    pub legacy: u8,
    pub interrupt: u32,
    /// Bits 0–1: polarity (1 high, 3 low); bits 2–3: trigger (1 edge, 3 level); 0: as the bus has it.
    pub flags: u16,
}

/// What the multiple APIC description table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Madt {
    pub lapic: u64,
    pub ioapics: [Option<IoApic>; MAX_IOAPICS],
    pub overrides: [Option<Override>; MAX_OVERRIDES],
    pub processors: usize,
}

fn sums_to_zero(bytes: &[u8]) -> bool {
    bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) == 0
}

fn is_rsdp(memory: &impl Physical, paddr: u64) -> bool {
    memory.bytes(paddr, RSDP_SIZE_1).is_some_and(|bytes| bytes.starts_with(b"RSD PTR ") && sums_to_zero(bytes))
}

/// The root pointer's address: as the loader says, else found where a PC's firmware puts it.
pub fn find_rsdp(memory: &impl Physical, told: Option<u64>) -> Option<u64> {
    let found = || (0xe_0000u64..0x10_0000).step_by(16).find(|paddr| is_rsdp(memory, *paddr));
    told.filter(|paddr| is_rsdp(memory, *paddr)).or_else(found)
}

/// A copy of the root pointer, zeros where an old one is shorter.
pub fn copy_rsdp(memory: &impl Physical, rsdp: u64) -> [u8; RSDP_SIZE] {
    let mut copy = [0; RSDP_SIZE];
    let old = memory.bytes(rsdp, RSDP_SIZE_1).unwrap_or(&[]);
    let is_long = old.get(15).is_some_and(|revision| *revision >= 2);
    let bytes = if is_long { memory.bytes(rsdp, RSDP_SIZE as u64).unwrap_or(old) } else { old };
    for (to, from) in copy.iter_mut().zip(bytes) {
        *to = *from;
    }
    copy
}

/// A whole table with a good checksum.
fn table(memory: &impl Physical, paddr: u64) -> Option<&[u8]> {
    let length = u32_at(memory.bytes(paddr, HEADER_SIZE as u64)?, 4)?.into();
    if length < HEADER_SIZE as u64 || length > MAX_TABLE_SIZE {
        return None;
    }
    memory.bytes(paddr, length).filter(|bytes| sums_to_zero(bytes))
}

/// Finds and reads the MADT. The error says what is missing.
pub fn madt(memory: &impl Physical, rsdp: u64) -> Result<Madt, &'static str> {
    let root = copy_rsdp(memory, rsdp);
    let extended = u64_at(&root, 24).filter(|address| *address != 0).and_then(|address| table(memory, address));
    let tables = match extended {
        Some(bytes) => (bytes, 8),
        None => (table(memory, u32_at(&root, 16).unwrap_or(0).into()).ok_or("ACPI has no valid list of tables")?, 4),
    };
    let (list, width) = tables;
    let entries = list.get(HEADER_SIZE..).unwrap_or(&[]).chunks_exact(width);
    let addresses = entries.filter_map(|e| u64_at(e, 0).or_else(|| u32_at(e, 0).map(u64::from)));
    let found = addresses.filter_map(|address| table(memory, address)).find(|bytes| bytes.starts_with(b"APIC"));
    parse_madt(found.ok_or("ACPI has no valid MADT")?)
}

fn parse_madt(bytes: &[u8]) -> Result<Madt, &'static str> {
    let mut madt = Madt {
        lapic: u32_at(bytes, HEADER_SIZE).ok_or("the MADT is too short")?.into(),
        ioapics: [None; MAX_IOAPICS],
        overrides: [None; MAX_OVERRIDES],
        processors: 0,
    };
    let mut rest = bytes.get(HEADER_SIZE + 8..).unwrap_or(&[]);
    while let [kind, length, ..] = *rest {
        let length = usize::from(length);
        let Some(entry) = rest.get(..length).filter(|entry| entry.len() >= 2) else {
            return Err("an entry of the MADT has a wrong length");
        };
        read_entry(&mut madt, kind, entry);
        rest = rest.get(length..).unwrap_or(&[]);
    }
    Ok(madt)
}

/// Takes over one entry; one that is too short for its kind, or of no interest, is passed over.
fn read_entry(madt: &mut Madt, kind: u8, entry: &[u8]) -> Option<()> {
    match kind {
        0 => madt.processors += (u32_at(entry, 4)? & 1) as usize,
        1 => {
            let ioapic = IoApic { address: u32_at(entry, 4)?.into(), first_interrupt: u32_at(entry, 8)? };
            *madt.ioapics.iter_mut().find(|slot| slot.is_none())? = Some(ioapic);
        }
        2 => {
            let (legacy, flags) = (*entry.get(3)?, u16_at(entry, 8)?);
            let source = Override { legacy, interrupt: u32_at(entry, 4)?, flags };
            *madt.overrides.iter_mut().find(|slot| slot.is_none())? = Some(source);
        }
        5 => madt.lapic = u64_at(entry, 4)?,
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::physical::Fake;
    use super::*;
    extern crate std;
    use std::vec::Vec;

    fn sum(bytes: &mut [u8], at: usize) {
        bytes[at] = 0;
        bytes[at] = bytes.iter().fold(0u8, |s, b| s.wrapping_sub(*b));
    }

    fn build_table(signature: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::from(*signature);
        bytes.extend(((HEADER_SIZE + body.len()) as u32).to_le_bytes());
        bytes.resize(HEADER_SIZE, 0);
        bytes.extend(body);
        sum(&mut bytes, 9);
        bytes
    }

    fn machine(madt: &[u8]) -> Fake {
        let mut memory = Fake::new(0xe_0000, 0x2_0000);
        let mut rsdp = Vec::from(*b"RSD PTR ");
        rsdp.resize(20, 0);
        rsdp[16..20].copy_from_slice(&0xf_0000u32.to_le_bytes());
        sum(&mut rsdp, 8);
        memory.put(0xe_5550, &rsdp);
        let list = [0xf_8000u32.to_le_bytes(), 0xf_1000u32.to_le_bytes()].concat();
        memory.put(0xf_0000, &build_table(b"RSDT", &list));
        memory.put(0xf_1000, madt);
        memory
    }

    fn good_madt() -> Vec<u8> {
        let mut body = Vec::from(0xfee0_0000u32.to_le_bytes());
        body.extend([1, 0, 0, 0]);
        body.extend([0, 8, 0, 0, 1, 0, 0, 0]);
        body.extend([1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0]);
        body.extend([2, 10, 0, 0, 2, 0, 0, 0, 0, 0]);
        body.extend([0x7f, 3, 9]);
        build_table(b"APIC", &body)
    }

    #[test]
    fn a_good_madt_is_found_by_scanning_and_read() {
        let memory = machine(&good_madt());
        let rsdp = find_rsdp(&memory, None).unwrap();
        assert_eq!(rsdp, 0xe_5550);
        assert_eq!(find_rsdp(&memory, Some(0xe_0000)), Some(rsdp));
        let madt = madt(&memory, rsdp).unwrap();
        assert_eq!((madt.lapic, madt.processors), (0xfee0_0000, 1));
        assert_eq!(madt.ioapics[0], Some(IoApic { address: 0xfec0_0000, first_interrupt: 0 }));
        assert_eq!(madt.ioapics[1], None);
        assert_eq!(madt.overrides[0], Some(Override { legacy: 0, interrupt: 2, flags: 0 }));
    }

    #[test]
    fn a_broken_checksum_is_as_good_as_no_table() {
        let mut table = good_madt();
        *table.last_mut().unwrap() ^= 1;
        let memory = machine(&table);
        assert_eq!(madt(&memory, 0xe_5550), Err("ACPI has no valid MADT"));
        assert_eq!(madt(&memory, 0xe_0000), Err("ACPI has no valid list of tables"));
    }

    #[test]
    fn an_entry_of_length_zero_or_beyond_the_table_is_an_error() {
        for tail in [[0u8, 0, 0], [0, 200, 0], [1, 1, 0]] {
            let body = [&[0u8; 8][..], &tail[..]].concat();
            assert!(parse_madt(&build_table(b"APIC", &body)).is_err(), "{tail:?}");
        }
        let short = build_table(b"APIC", &[0, 0, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0]);
        assert_eq!(parse_madt(&short).unwrap().ioapics[0], None);
    }
}
