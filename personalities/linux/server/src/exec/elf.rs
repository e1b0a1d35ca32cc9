//! What execve needs to know of an ELF file, checked: nothing that is returned overflows or leaves the user's addresses.

use crate::memory::{PAGE, Protection, USER_END, USER_START, page_down};
use alloc::vec::Vec;
use chestnut_linux_files::{Errno, Result};
use elf::abi;
use elf::endian::LittleEndian;
use elf::file::{Class, ELF64_EHDR_TAILSIZE, FileHeader, parse_ident};
use elf::parse::ParseAt;
use elf::segment::ProgramHeader;

/// Bytes of an ELF header.
pub const HEADER_BYTES: usize = abi::EI_NIDENT + ELF64_EHDR_TAILSIZE;
const SEGMENT_BYTES: usize = 56;
/// Longest name of an interpreter.
const MAX_NAME: u64 = 4096;

/// An executable's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Addresses are relative to wherever it is put (ET_DYN).
    pub relocatable: bool,
    pub entry: u64,
    /// Where the program headers are in the file, in bytes.
    pub segments_offset: u64,
    pub segments: usize,
}

impl Header {
    pub const fn segments_bytes(&self) -> usize {
        self.segments * SEGMENT_BYTES
    }
}

/// Part of a file that is mapped: all addresses as in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub address: u64,
    /// Bytes in memory; those beyond `file_bytes` are zeros.
    pub bytes: u64,
    pub offset: u64,
    pub file_bytes: u64,
    pub protection: Protection,
}

impl Segment {
    pub const fn end(&self) -> u64 {
        self.address + self.bytes
    }
}

/// What an executable's program headers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub header: Header,
    /// By address, not overlapping, at least one.
    pub segments: Vec<Segment>,
    /// File offset and bytes of the name of the program that shall load this one.
    pub interpreter: Option<(u64, u64)>,
    /// Where the program headers are in memory, if a segment holds them.
    pub headers_address: Option<u64>,
    pub executable_stack: bool,
    /// The largest alignment that a segment asks for.
    pub alignment: u64,
}

impl Image {
    /// First page of the first segment and end of the last.
    pub fn extent(&self) -> (u64, u64) {
        let first = self.segments.first().map_or(0, |segment| page_down(segment.address));
        (first, self.segments.last().map_or(0, Segment::end))
    }
}

/// Reads the header at a file's beginning. `ENOEXEC` unless it is an executable or a shared object of this machine.
pub fn header(head: &[u8]) -> Result<Header> {
    let head = head.get(..HEADER_BYTES).ok_or(Errno::ENOEXEC)?;
    let (ident, tail) = head.split_at(abi::EI_NIDENT);
    let ident = parse_ident::<LittleEndian>(ident).map_err(|_| Errno::ENOEXEC)?;
    let header = FileHeader::parse_tail(ident, tail).map_err(|_| Errno::ENOEXEC)?;
    let kind = matches!(header.e_type, abi::ET_EXEC | abi::ET_DYN);
    let machine = header.class == Class::ELF64 && header.e_machine == abi::EM_X86_64;
    let segments = usize::from(header.e_phnum);
    let table = usize::from(header.e_phentsize) == SEGMENT_BYTES && segments > 0 && segments * SEGMENT_BYTES <= 65536;
    if !kind || !machine || !table || header.e_phoff > i64::MAX as u64 {
        return Err(Errno::ENOEXEC);
    }
    let relocatable = header.e_type == abi::ET_DYN;
    Ok(Header { relocatable, entry: header.e_entry, segments_offset: header.e_phoff, segments })
}

/// Reads the program headers, `table`, of a file with that header.
pub fn image(header: Header, table: &[u8]) -> Result<Image> {
    let mut image = Image {
        header,
        segments: Vec::new(),
        interpreter: None,
        headers_address: None,
        executable_stack: false,
        alignment: PAGE,
    };
    let mut at = 0;
    for _ in 0..header.segments {
        let row = ProgramHeader::parse_at(LittleEndian, Class::ELF64, &mut at, table).map_err(|_| Errno::ENOEXEC)?;
        match row.p_type {
            abi::PT_LOAD if row.p_memsz > 0 => image.add(&row)?,
            abi::PT_INTERP if image.interpreter.is_none() => {
                if row.p_filesz < 2 || row.p_filesz > MAX_NAME {
                    return Err(Errno::ENOEXEC);
                }
                image.interpreter = Some((row.p_offset, row.p_filesz));
            }
            abi::PT_GNU_STACK => image.executable_stack = row.p_flags & abi::PF_X != 0,
            _ => {}
        }
    }
    if image.segments.is_empty() {
        return Err(Errno::ENOEXEC);
    }
    if !header.relocatable && image.segments[0].address < USER_START {
        return Err(Errno::EPERM);
    }
    Ok(image)
}

impl Image {
    fn add(&mut self, row: &ProgramHeader) -> Result<()> {
        let end = row.p_vaddr.checked_add(row.p_memsz).filter(|&end| end <= USER_END - PAGE).ok_or(Errno::ENOEXEC)?;
        let file_end =
            row.p_offset.checked_add(row.p_filesz).filter(|&end| end <= i64::MAX as u64).ok_or(Errno::ENOEXEC)?;
        let misaligned = row.p_vaddr % PAGE != row.p_offset % PAGE;
        let overlaps = self.segments.last().is_some_and(|last| row.p_vaddr < last.end());
        if row.p_filesz > row.p_memsz || misaligned || overlaps {
            return Err(Errno::ENOEXEC);
        }
        let mut protection = Protection::empty();
        protection.set(Protection::READ, row.p_flags & abi::PF_R != 0);
        protection.set(Protection::WRITE, row.p_flags & abi::PF_W != 0);
        protection.set(Protection::EXECUTE, row.p_flags & abi::PF_X != 0);
        let table = self.header.segments_offset;
        if table >= row.p_offset
            && table + self.header.segments_bytes() as u64 <= file_end
            && self.headers_address.is_none()
        {
            self.headers_address = Some(row.p_vaddr + (table - row.p_offset));
        }
        if row.p_align.is_power_of_two() && row.p_align <= 1 << 30 {
            self.alignment = self.alignment.max(row.p_align);
        }
        self.segments.push(Segment {
            address: row.p_vaddr,
            bytes: end - row.p_vaddr,
            offset: row.p_offset,
            file_bytes: row.p_filesz,
            protection,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(kind: u16, rows: &[[u64; 7]]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(&62u16.to_le_bytes());
        bytes.extend_from_slice(&1u32.to_le_bytes());
        for word in [0x40_1000u64, 64, 0] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&0u32.to_le_bytes());
        for half in [64, 56, rows.len() as u16, 0, 0, 0] {
            bytes.extend_from_slice(&half.to_le_bytes());
        }
        for &[kind_and_flags, words @ ..] in rows {
            bytes.extend_from_slice(&kind_and_flags.to_le_bytes());
            for word in words {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
        }
        bytes
    }
    const fn row(kind: u32, flags: u32, offset: u64, address: u64, file: u64, memory: u64) -> [u64; 7] {
        [kind as u64 | (flags as u64) << 32, offset, address, address, file, memory, 0x1000]
    }
    fn read(bytes: &[u8]) -> Result<Image> {
        let header = header(bytes)?;
        image(header, &bytes[64..])
    }

    #[test]
    fn segments_interpreter_and_header_address() {
        let bytes = file(
            2,
            &[
                row(1, 5, 0, 0x40_0000, 0x1234, 0x1234),
                row(3, 4, 0x200, 0x40_0200, 28, 28),
                row(1, 6, 0x2008, 0x40_3008, 8, 0x5000),
            ],
        );
        let image = read(&bytes).unwrap();
        assert_eq!(image.segments.len(), 2);
        assert_eq!(image.segments[0].protection, Protection::READ | Protection::EXECUTE);
        assert_eq!((image.interpreter, image.headers_address), (Some((0x200, 28)), Some(0x40_0040)));
        assert_eq!(image.extent(), (0x40_0000, 0x40_8008));
        assert!(!image.header.relocatable && image.header.entry == 0x40_1000);
    }

    #[test]
    fn malformed_files_are_refused() {
        let good = row(1, 5, 0, 0x40_0000, 0x100, 0x100);
        assert!(read(&file(2, &[good])).is_ok());
        let bad = [
            file(1, &[good]),
            file(2, &[]),
            file(2, &[row(1, 5, 0x10, 0x40_0000, 1, 1)]),
            file(2, &[row(1, 5, 0, 0x40_0000, 0x200, 0x100)]),
            file(2, &[row(1, 5, 0, USER_END - 0x1000, 0x2000, 0x2000)]),
            file(2, &[row(1, 5, 0, 0x40_0000, 1, u64::MAX)]),
            file(2, &[row(1, 5, u64::MAX - 0xfff, 0x40_0000, 0x2000, 0x2000)]),
            file(2, &[good, row(1, 5, 0, 0x40_0000, 1, 1)]),
            file(2, &[row(3, 4, 0, 0, 1, 1), good]),
            file(2, &[good])[..100].to_vec(),
            b"\x7fELF".to_vec(),
        ];
        for (index, bytes) in bad.iter().enumerate() {
            assert_eq!(read(bytes), Err(Errno::ENOEXEC), "file {index}");
        }
        assert_eq!(read(&file(2, &[row(1, 5, 0, 0, 1, 1)])), Err(Errno::EPERM));
        assert!(read(&file(3, &[row(1, 5, 0, 0, 1, 1)])).unwrap().header.relocatable);
        let mut other_machine = file(2, &[good]);
        other_machine[18] = 40;
        assert_eq!(read(&other_machine), Err(Errno::ENOEXEC));
    }
}
