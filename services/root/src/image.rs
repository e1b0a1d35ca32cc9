//! ELF files as pages: which page holds what, and what may be done with it.
//!
//! Only static executables are services: no dynamic section, no interpreter. A page that two segments share gets the
//! rights of both.

use crate::failure::{Result, wrong};
use alloc::{collections::BTreeMap, vec::Vec};
use chestnut_runtime::abi::{layout::USER_END, object::PAGE_BITS};
use elf::{
    ElfBytes,
    abi::{EM_X86_64, ET_EXEC, PF_W, PF_X, PT_DYNAMIC, PT_INTERP, PT_LOAD, PT_TLS},
    endian::LittleEndian,
};

/// Bytes.
pub const PAGE: u64 = 1 << PAGE_BITS;

/// A page of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page<'a> {
    pub writable: bool,
    pub executable: bool,
    /// What is not zero: where in the page it begins, and the bytes.
    pub contents: Vec<(usize, &'a [u8])>,
}

/// A program: where it begins, and its pages by address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    pub entry: u64,
    pub pages: BTreeMap<u64, Page<'a>>,
}

impl<'a> Image<'a> {
    /// Lays an ELF file out in pages.
    pub fn parse(file: &'a [u8]) -> Result<Self> {
        let elf = ElfBytes::<LittleEndian>::minimal_parse(file).map_err(|error| wrong(format_args!("ELF: {error}")))?;
        if elf.ehdr.e_machine != EM_X86_64 || elf.ehdr.e_type != ET_EXEC {
            return Err(wrong("ELF: not a static executable for x86_64"));
        }
        let mut image = Self { entry: elf.ehdr.e_entry, pages: BTreeMap::new() };
        for header in elf.segments().into_iter().flatten() {
            match header.p_type {
                PT_DYNAMIC | PT_INTERP | PT_TLS => {
                    return Err(wrong("ELF: dynamic linking and thread-local storage are not for services"));
                }
                PT_LOAD => {
                    let bytes = elf.segment_data(&header).map_err(|error| wrong(format_args!("ELF: {error}")))?;
                    image.add(&header, bytes)?;
                }
                _ => {}
            }
        }
        if image.pages.is_empty() { Err(wrong("ELF: nothing to load")) } else { Ok(image) }
    }

    fn add(&mut self, header: &elf::segment::ProgramHeader, bytes: &'a [u8]) -> Result<()> {
        let start = header.p_vaddr;
        let end = start.checked_add(header.p_memsz).filter(|&end| end <= USER_END);
        let end = end.ok_or_else(|| wrong("ELF: a segment lies beyond the user's half"))?;
        if bytes.len() as u64 > header.p_memsz {
            return Err(wrong("ELF: a segment is longer in the file than in memory"));
        }
        let first = start & !(PAGE - 1);
        for address in (first..end).step_by(PAGE as usize) {
            let page = self.pages.entry(address).or_default();
            page.writable |= header.p_flags & PF_W != 0;
            page.executable |= header.p_flags & PF_X != 0;
            // The file's bytes that fall into this page.
            let from = address.max(start);
            let to = (address + PAGE).min(start + bytes.len() as u64);
            if from < to {
                let contents = &bytes[(from - start) as usize..(to - start) as usize];
                page.contents.push(((from - address) as usize, contents));
            }
        }
        Ok(())
    }

    /// Where these instructions are, somewhere within a page of code.
    pub fn find_code(&self, code: &[u8]) -> Option<u64> {
        let executable = self.pages.iter().filter(|(_, page)| page.executable);
        let mut parts = executable.flat_map(|(address, page)| page.contents.iter().map(move |part| (address, part)));
        parts.find_map(|(address, (at, bytes))| {
            let found = bytes.windows(code.len()).position(|window| window == code)?;
            Some(address + (at + found) as u64)
        })
    }

    /// The first address after the image, on a page boundary.
    pub fn end(&self) -> u64 {
        self.pages.last_key_value().map_or(0, |(address, _)| address + PAGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    const HEADER: usize = 64;
    const PROGRAM_HEADER: usize = 56;

    /// An ELF file of segments (address, flags, bytes, bytes in memory, type).
    fn elf(segments: &[(u64, u32, &[u8], u64, u32)]) -> Vec<u8> {
        let mut file = vec![0; HEADER + PROGRAM_HEADER * segments.len()];
        file[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
        file[16..18].copy_from_slice(&2u16.to_le_bytes());
        file[18..20].copy_from_slice(&62u16.to_le_bytes());
        file[20..24].copy_from_slice(&1u32.to_le_bytes());
        file[24..32].copy_from_slice(&0x40_1234u64.to_le_bytes());
        file[32..40].copy_from_slice(&(HEADER as u64).to_le_bytes());
        file[52..54].copy_from_slice(&(HEADER as u16).to_le_bytes());
        file[54..56].copy_from_slice(&(PROGRAM_HEADER as u16).to_le_bytes());
        file[56..58].copy_from_slice(&(segments.len() as u16).to_le_bytes());
        for (index, &(address, flags, bytes, memory, kind)) in segments.iter().enumerate() {
            let offset = file.len() as u64;
            file.extend_from_slice(bytes);
            let at = HEADER + PROGRAM_HEADER * index;
            file[at..at + 4].copy_from_slice(&kind.to_le_bytes());
            file[at + 4..at + 8].copy_from_slice(&flags.to_le_bytes());
            for (word, value) in [offset, address, address, bytes.len() as u64, memory, 4096].into_iter().enumerate() {
                file[at + 8 + 8 * word..at + 16 + 8 * word].copy_from_slice(&value.to_le_bytes());
            }
        }
        file
    }

    #[test]
    fn segments_become_pages_with_their_rights() {
        let text = [7u8; 5000];
        let file = elf(&[(0x40_0f00, PF_X | 4, &text, 5000, PT_LOAD), (0x40_4010, PF_W | 4, &[1, 2], 0x1ff0, PT_LOAD)]);
        let image = Image::parse(&file).unwrap();
        assert_eq!(image.entry, 0x40_1234);
        assert_eq!(image.end(), 0x40_6000);
        let pages: Vec<_> = image
            .pages
            .iter()
            .map(|(address, page)| {
                let contents: Vec<_> = page.contents.iter().map(|(at, bytes)| (*at, bytes.len())).collect();
                (*address, page.writable, page.executable, contents)
            })
            .collect();
        assert_eq!(
            pages,
            [
                (0x40_0000, false, true, vec![(0xf00, 0x100)]),
                (0x40_1000, false, true, vec![(0, 4096)]),
                (0x40_2000, false, true, vec![(0, 5000 - 4096 - 0x100)]),
                (0x40_4000, true, false, vec![(0x10, 2)]),
                (0x40_5000, true, false, vec![]),
            ]
        );
    }

    #[test]
    fn a_page_of_two_segments_has_both_contents() {
        let file = elf(&[(0x40_0000, 4, &[1; 16], 16, PT_LOAD), (0x40_0800, PF_W | 4, &[2; 16], 16, PT_LOAD)]);
        let image = Image::parse(&file).unwrap();
        let page = &image.pages[&0x40_0000];
        assert!(page.writable && !page.executable);
        assert_eq!(page.contents, [(0, &[1; 16][..]), (0x800, &[2; 16][..])]);
    }

    #[test]
    fn what_is_no_static_executable_is_refused() {
        assert!(Image::parse(b"\x7fELF").is_err());
        assert!(Image::parse(&elf(&[])).is_err());
        assert!(Image::parse(&elf(&[(0x40_0000, 4, &[0; 8], 8, PT_DYNAMIC)])).is_err());
        assert!(Image::parse(&elf(&[(USER_END - 4096, 4, &[0; 8], 8192, PT_LOAD)])).is_err());
        assert!(Image::parse(&elf(&[(u64::MAX - 4096, 4, &[0; 8], 8192, PT_LOAD)])).is_err());
        assert!(Image::parse(&elf(&[(0x40_0000, 4, &[0; 8], 4, PT_LOAD)])).is_err());
        let mut shared = elf(&[(0x40_0000, 4, &[0; 8], 8, PT_LOAD)]);
        shared[16] = 3;
        assert!(Image::parse(&shared).is_err());
    }
}
