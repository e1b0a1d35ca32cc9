//! Static ELF programs as the guest gets them: only what is loaded. And with a segment appended, which is how the boot archive becomes
//! a part of the root task's image, the one file that the kernel loads.
//!
//! Segments and their contents stay as they are; section headers and symbols, which no loader reads, are left out: they would be most
//! of the guest's boot image and stay in its memory. Relies on `object` for reading and writing.

use anyhow::{Context, Result, bail};
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader as _};
use object::write::elf::{FileHeader as NewFileHeader, ProgramHeader, Writer};
use object::{Endianness, LittleEndian};

const PAGE_BYTES: u64 = 4096;

/// `program` without anything that isn't loaded.
pub fn loadable(program: &[u8]) -> Result<Vec<u8>> {
    let headers = program_headers(program)?;
    let contents: Result<Vec<&[u8]>> = headers.iter().map(|header| contents_of(program, header)).collect();
    write(program, headers, &contents?)
}

/// `program` with one more read-only `PT_LOAD` segment, which holds `data` at `address` (a page boundary).
pub fn append_segment(program: &[u8], address: u64, data: &[u8]) -> Result<Vec<u8>> {
    let headers = program_headers(program)?;
    let pages = (data.len() as u64).next_multiple_of(PAGE_BYTES);
    for header in headers.iter().filter(|header| header.p_type == elf::PT_LOAD) {
        if header.p_vaddr < address + pages && address < header.p_vaddr + header.p_memsz {
            bail!(
                "the program's segment at {:#x} to {:#x} reaches into {address:#x} to {:#x}, where the archive goes",
                header.p_vaddr,
                header.p_vaddr + header.p_memsz,
                address + pages
            );
        }
    }
    let mut contents: Vec<&[u8]> = Vec::new();
    for header in &headers {
        contents.push(contents_of(program, header)?);
    }
    contents.push(data);
    let mut headers = headers;
    headers.push(ProgramHeader {
        p_type: elf::PT_LOAD,
        p_flags: elf::PF_R,
        p_offset: 0,
        p_vaddr: address,
        p_paddr: address,
        p_filesz: data.len() as u64,
        p_memsz: pages,
        p_align: PAGE_BYTES,
    });
    write(program, headers, &contents)
}

/// The program headers, without those that say where the header table itself is.
fn program_headers(program: &[u8]) -> Result<Vec<ProgramHeader>> {
    let header = file_header(program)?;
    let table = header.program_headers(LittleEndian, program).context("reading the program headers")?;
    let field = LittleEndian;
    Ok(table
        .iter()
        .filter(|entry| entry.p_type(field) != elf::PT_PHDR)
        .map(|entry| ProgramHeader {
            p_type: entry.p_type(field),
            p_flags: entry.p_flags(field),
            p_offset: entry.p_offset(field),
            p_vaddr: entry.p_vaddr(field),
            p_paddr: entry.p_paddr(field),
            p_filesz: entry.p_filesz(field),
            p_memsz: entry.p_memsz(field),
            p_align: entry.p_align(field),
        })
        .collect())
}

fn file_header(program: &[u8]) -> Result<&FileHeader64<LittleEndian>> {
    let header = FileHeader64::<LittleEndian>::parse(program).context("this is not a 64-bit ELF file")?;
    if header.e_machine(LittleEndian) != elf::EM_X86_64 || header.e_type(LittleEndian) != elf::ET_EXEC {
        bail!("this is not a static ELF program for x86_64 with fixed addresses (ET_EXEC)");
    }
    Ok(header)
}

fn contents_of<'p>(program: &'p [u8], header: &ProgramHeader) -> Result<&'p [u8]> {
    let start = usize::try_from(header.p_offset)?;
    let end = start.checked_add(usize::try_from(header.p_filesz)?).context("a segment's size is absurd")?;
    program.get(start..end).context("a segment reaches beyond the end of the file")
}

/// Writes headers, then each `PT_LOAD` segment at an offset that is congruent to its address modulo its alignment.
fn write(program: &[u8], mut headers: Vec<ProgramHeader>, contents: &[&[u8]]) -> Result<Vec<u8>> {
    let entry = file_header(program)?.e_entry(LittleEndian);
    let mut bytes = Vec::new();
    let mut writer = Writer::new(Endianness::Little, true, &mut bytes);
    writer.reserve_file_header();
    writer.reserve_program_headers(u32::try_from(headers.len())?);
    let before = headers.clone();
    for header in headers.iter_mut().filter(|header| header.p_type == elf::PT_LOAD) {
        let align = header.p_align.max(1);
        let here = writer.reserved_len();
        let offset = here + (header.p_vaddr + align - here % align) % align;
        writer.reserve_until(offset);
        writer.reserve(header.p_filesz, 1);
        header.p_offset = offset;
    }
    follow_loads(&mut headers, &before);
    writer.write_file_header(&NewFileHeader {
        os_abi: elf::OsAbi(0),
        abi_version: 0,
        e_type: elf::ET_EXEC,
        e_machine: elf::EM_X86_64,
        e_entry: entry,
        e_flags: elf::FileFlags(0),
    })?;
    writer.write_align_program_headers();
    for header in &headers {
        writer.write_program_header(header);
    }
    for (header, data) in headers.iter().zip(contents).filter(|(header, _)| header.p_type == elf::PT_LOAD) {
        writer.pad_until(header.p_offset);
        writer.write(data);
    }
    Ok(bytes)
}

/// Other headers (thread-local storage, notes) name bytes inside a `PT_LOAD` segment, which has moved.
fn follow_loads(headers: &mut [ProgramHeader], before: &[ProgramHeader]) {
    let moved: Vec<(ProgramHeader, u64)> = before
        .iter()
        .zip(headers.iter())
        .filter(|(old, _)| old.p_type == elf::PT_LOAD)
        .map(|(old, new)| (old.clone(), new.p_offset))
        .collect();
    for header in headers.iter_mut().filter(|header| header.p_type != elf::PT_LOAD) {
        let holder = moved
            .iter()
            .find(|(load, _)| (load.p_offset..load.p_offset + load.p_filesz.max(1)).contains(&header.p_offset));
        header.p_offset = holder.map_or(0, |(load, offset)| offset + (header.p_offset - load.p_offset));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(address: u64, offset: u64, bytes: u64, kind: elf::ProgramType) -> ProgramHeader {
        ProgramHeader {
            p_type: kind,
            p_flags: elf::PF_R | elf::PF_X,
            p_offset: offset,
            p_vaddr: address,
            p_paddr: address,
            p_filesz: bytes,
            p_memsz: bytes + 100,
            p_align: PAGE_BYTES,
        }
    }

    /// A program with two segments and thread-local storage in the second.
    fn program() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(Endianness::Little, true, &mut bytes);
        writer.reserve_file_header();
        writer.reserve_program_headers(3);
        writer
            .write_file_header(&NewFileHeader {
                os_abi: elf::OsAbi(0),
                abi_version: 0,
                e_type: elf::ET_EXEC,
                e_machine: elf::EM_X86_64,
                e_entry: 0x40_0010,
                e_flags: elf::FileFlags(0),
            })
            .expect("header");
        writer.write_align_program_headers();
        writer.write_program_header(&segment(0x40_0000, 0, 0x1000, elf::PT_LOAD));
        writer.write_program_header(&segment(0x40_1234, 0x1234, 4, elf::PT_LOAD));
        writer.write_program_header(&segment(0x40_1236, 0x1236, 2, elf::PT_TLS));
        bytes.resize(0x1234, 7);
        bytes.extend(b"data");
        bytes
    }

    #[test]
    fn keeps_segments_and_adds_one() {
        let image = append_segment(&program(), 0x1000_0000, b"archive").expect("appends");
        let headers = program_headers(&image).expect("reads");
        assert_eq!(file_header(&image).expect("header").e_entry(LittleEndian), 0x40_0010);
        let addresses: Vec<u64> = headers.iter().map(|header| header.p_vaddr).collect();
        assert_eq!(addresses, [0x40_0000, 0x40_1234, 0x40_1236, 0x1000_0000]);
        assert_eq!(contents_of(&image, &headers[0]).expect("contents"), &program()[..0x1000]);
        assert_eq!(contents_of(&image, &headers[1]).expect("contents"), b"data");
        assert_eq!(contents_of(&image, &headers[2]).expect("contents"), b"ta");
        assert_eq!(contents_of(&image, &headers[3]).expect("contents"), b"archive");
        for header in headers.iter().filter(|header| header.p_type == elf::PT_LOAD) {
            assert_eq!(header.p_offset % PAGE_BYTES, header.p_vaddr % PAGE_BYTES);
        }
        assert_eq!((headers[3].p_flags, headers[3].p_memsz), (elf::PF_R, PAGE_BYTES));
    }

    #[test]
    fn what_is_not_loaded_is_left_out() {
        let program = [&program()[..], &[9; 100_000]].concat();
        let small = loadable(&program).expect("a program");
        assert!(small.len() < 12_000, "{}", small.len());
        let headers = program_headers(&small).expect("reads");
        assert_eq!(contents_of(&small, &headers[0]).expect("contents")[64..], program[64..0x1000]);
        assert_eq!(contents_of(&small, &headers[2]).expect("contents"), b"ta");
        assert_eq!(file_header(&small).expect("header").e_entry(LittleEndian), 0x40_0010);
    }

    #[test]
    fn refuses_an_overlap_and_what_is_no_program() {
        let error = append_segment(&program(), 0x40_1000, b"archive").expect_err("overlaps");
        assert!(error.to_string().contains("where the archive goes"), "{error}");
        assert!(append_segment(b"#!/bin/sh\n", 0x1000_0000, b"archive").is_err());
    }
}
