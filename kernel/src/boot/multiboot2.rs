//! The multiboot2 protocol: what GRUB and other loaders of real PCs hand over, by BIOS or UEFI.
//!
//! EAX holds a magic number, EBX the physical address of a list of tags; this reads those that boot wants. The header
//! that makes a loader accept the kernel lies beside the entry code (`main/start.rs`). Every address and length is
//! checked. Source: the Multiboot2 Specification, version 2.0, sections 3.3 and 3.6.

use super::info::{BootLoaderInfo, MAX_COMMAND_LINE, MemoryMap};
use super::physical::{Physical, u32_at};
use super::regions::Region;

/// What EAX holds.
pub const MAGIC: u32 = 0x36d7_6289;
/// The list's own length and a reserved word.
const FIXED_SIZE: u64 = 8;
/// Kind and length, before what each tag is about.
const TAG_SIZE: u64 = 8;
const TAG_ALIGNMENT: u64 = 8;
/// Longest list that is read, in bytes.
const MAX_SIZE: u64 = 1 << 20;
/// Bytes of a memory map's entry that are read; there may be more.
const RANGE_SIZE: usize = 20;

/// Kinds of tags.
mod tag {
    pub const END: u32 = 0;
    pub const COMMAND_LINE: u32 = 1;
    pub const MODULE: u32 = 3;
    pub const MEMORY_MAP: u32 = 6;
    /// A copy of the ACPI root pointer, as of ACPI 1.0 and as of 2.0.
    pub const RSDP_1: u32 = 14;
    pub const RSDP_2: u32 = 15;
}

/// Reads the list of tags at `paddr`. The error says what is wrong with it.
pub fn parse(memory: &impl Physical, paddr: u64) -> Result<BootLoaderInfo<'_>, &'static str> {
    const OUTSIDE: &str = "the multiboot2 information is outside memory";
    let length = memory.bytes(paddr, FIXED_SIZE).and_then(|bytes| u32_at(bytes, 0)).ok_or(OUTSIDE)?;
    let length = u64::from(length);
    if !(FIXED_SIZE..=MAX_SIZE).contains(&length) {
        return Err("the multiboot2 information has an impossible length");
    }
    let end = paddr.checked_add(length).ok_or(OUTSIDE)?;
    let mut info = BootLoaderInfo {
        protocol: "multiboot2",
        memory: MemoryMap { bytes: &[], stride: RANGE_SIZE },
        module: None,
        command_line: &[],
        rsdp: None,
    };
    let mut at = paddr + FIXED_SIZE;
    // Without an end tag the list's length ends it.
    while end - at >= TAG_SIZE {
        let head = memory.bytes(at, TAG_SIZE).ok_or(OUTSIDE)?;
        let (kind, size) = (u32_at(head, 0).unwrap_or(tag::END), u64::from(u32_at(head, 4).unwrap_or(0)));
        if kind == tag::END {
            break;
        }
        if size < TAG_SIZE || size > end - at {
            return Err("a multiboot2 tag has an impossible length");
        }
        let body = memory.bytes(at + TAG_SIZE, size - TAG_SIZE).ok_or(OUTSIDE)?;
        read(&mut info, kind, body, at + TAG_SIZE)?;
        // The last tag's padding may lie beyond the list.
        at += size.next_multiple_of(TAG_ALIGNMENT).min(end - at);
    }
    if info.memory.bytes.is_empty() {
        return Err("the multiboot2 information has no memory map");
    }
    Ok(info)
}

/// Takes over what one tag says. `paddr` is where its `body` lies.
fn read<'m>(info: &mut BootLoaderInfo<'m>, kind: u32, body: &'m [u8], paddr: u64) -> Result<(), &'static str> {
    match kind {
        tag::COMMAND_LINE => {
            let length = body.iter().position(|byte| *byte == 0).unwrap_or(body.len());
            info.command_line = body
                .get(..length)
                .filter(|text| text.len() as u64 <= MAX_COMMAND_LINE)
                .ok_or("the multiboot2 command line is too long")?;
        }
        tag::MODULE => {
            let (Some(start), Some(end)) = (u32_at(body, 0), u32_at(body, 4)) else {
                return Err("a multiboot2 module tag is too short");
            };
            if info.module.replace(Region::new(start.into(), end.into())).is_some() {
                return Err("there is more than one boot module: only the root task is wanted");
            }
        }
        tag::MEMORY_MAP => {
            let stride = u32_at(body, 0).unwrap_or(0) as usize;
            if stride < RANGE_SIZE {
                return Err("the multiboot2 memory map has entries of an impossible length");
            }
            info.memory = MemoryMap { bytes: body.get(8..).unwrap_or(&[]), stride };
        }
        tag::RSDP_2 => info.rsdp = Some(paddr),
        tag::RSDP_1 => info.rsdp = info.rsdp.or(Some(paddr)),
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::physical::Fake;
    use super::*;
    extern crate std;
    use std::vec::Vec;

    const AT: u64 = 0x1000;

    fn tag(kind: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(kind.to_le_bytes());
        bytes.extend((body.len() as u32 + 8).to_le_bytes());
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(8), 0xee);
        bytes
    }

    fn module(start: u32, end: u32) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend(start.to_le_bytes());
        body.extend(end.to_le_bytes());
        body.extend(b"root task\0");
        tag(tag::MODULE, &body)
    }

    /// Two ranges in entries of 24 bytes.
    fn memory_map() -> Vec<u8> {
        let mut body = Vec::new();
        body.extend(24u32.to_le_bytes());
        body.extend(0u32.to_le_bytes());
        for (start, size, kind) in [(0u64, 0x9_fc00u64, 1u32), (0x9_fc00, 0x400, 3)] {
            body.extend(start.to_le_bytes());
            body.extend(size.to_le_bytes());
            body.extend(kind.to_le_bytes());
            body.extend([0; 4]);
        }
        tag(tag::MEMORY_MAP, &body)
    }

    fn list(tags: &[Vec<u8>]) -> Fake {
        let tags = tags.concat();
        let mut memory = Fake::new(AT, 0x1000);
        memory.put(AT, &(tags.len() as u32 + 8).to_le_bytes());
        memory.put(AT + 8, &tags);
        memory
    }

    fn error(tags: &[Vec<u8>]) -> &'static str {
        parse(&list(tags), AT).err().unwrap_or("")
    }

    #[test]
    fn a_good_list_is_read() {
        let tags = [
            tag(tag::COMMAND_LINE, b"log=info\0"),
            tag(99, b"unknown"),
            tag(tag::RSDP_2, &[2; 36]),
            tag(tag::RSDP_1, &[1; 20]),
            module(0x1_0000, 0x2_3456),
            memory_map(),
            tag(tag::END, &[]),
            module(1, 2),
        ];
        let memory = list(&tags);
        let info = parse(&memory, AT).unwrap();
        assert_eq!(info.command_line, b"log=info");
        assert_eq!(info.module, Some(Region::new(0x1_0000, 0x2_3456)));
        assert_eq!(memory.bytes(info.rsdp.unwrap(), 36), Some(&[2; 36][..]));
        let ranges: Vec<_> = info.memory.iter().map(|range| (range.region, range.is_ram)).collect();
        assert_eq!(ranges, [(Region::new(0, 0x9_fc00), true), (Region::new(0x9_fc00, 0xa_0000), false)]);
    }

    #[test]
    fn an_old_root_pointer_counts_where_there_is_no_new_one() {
        let memory = list(&[tag(tag::RSDP_1, &[1; 20]), memory_map()]);
        let rsdp = parse(&memory, AT).unwrap().rsdp;
        assert_eq!(memory.bytes(rsdp.unwrap(), 20), Some(&[1; 20][..]));
    }

    #[test]
    fn broken_lists_are_refused_with_their_reason() {
        assert!(error(&[]).contains("no memory map"));
        assert!(error(&[module(1, 2), module(3, 4), memory_map()]).contains("more than one boot module"));
        assert!(error(&[tag(tag::MODULE, &[0; 4])]).contains("too short"));
        assert!(error(&[tag(tag::MEMORY_MAP, &[1, 0, 0, 0, 0, 0, 0, 0])]).contains("entries of an impossible length"));
        assert!(error(&[tag(tag::COMMAND_LINE, &[b'x'; 3000])]).contains("too long"));
        let mut memory = list(&[memory_map()]);
        for length in [0u32, 7, 4000] {
            memory.put(AT + 12, &length.to_le_bytes());
            assert_eq!(parse(&memory, AT).unwrap_err(), "a multiboot2 tag has an impossible length");
        }
        for length in [0u32, 7, u32::MAX] {
            memory.put(AT, &length.to_le_bytes());
            assert!(parse(&memory, AT).unwrap_err().contains("impossible length"));
        }
        assert!(parse(&memory, 0).unwrap_err().contains("outside memory"));
        assert!(parse(&memory, AT + 0xffc).unwrap_err().contains("outside memory"));
    }
}
