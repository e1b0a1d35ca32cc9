//! The root task's ELF file: checked before anything of it is used.
//!
//! A root task is a static ELF64 executable for x86_64, loaded at its own addresses. Its pages are handed to it as
//! 4 KiB frames in address order. As programs for this interface expect frame n to lie n pages after the first, holes
//! between segments are filled with zero frames, unless a hole is so large that it must be meant as one.

use super::regions::{Region, Regions};
use chestnut_abi::layout::USER_END;
use elf::ElfBytes;
use elf::abi::{EM_X86_64, ET_EXEC, PT_INTERP, PT_LOAD};
use elf::endian::LittleEndian;

const PAGE_BITS: u32 = 12;
/// Holes from this size on stay holes.
const HOLE: u64 = 4 << 20;

/// A checked root task.
pub struct RootImage<'m> {
    elf: ElfBytes<'m, LittleEndian>,
    /// Where its first thread begins.
    pub entry: u64,
    /// The pages that it covers, filled holes included.
    pub pages: Regions,
}

/// One loadable segment: `data` goes to `vaddr`, and zeros after it.
pub struct Segment<'m> {
    pub vaddr: u64,
    pub data: &'m [u8],
}

impl<'m> RootImage<'m> {
    /// Checks the file; the error says what is wrong with it. `room` bytes after its last page must be free for what
    /// the kernel puts there.
    pub fn parse(file: &'m [u8], room: u64) -> Result<Self, &'static str> {
        if !file.starts_with(b"\x7fELF\x02\x01") {
            return Err("the root task is no little-endian ELF64 file");
        }
        let elf =
            ElfBytes::<LittleEndian>::minimal_parse(file).map_err(|_| "the root task's ELF headers are broken")?;
        if elf.ehdr.e_machine != EM_X86_64 {
            return Err("the root task is not for x86_64");
        }
        if elf.ehdr.e_type != ET_EXEC {
            return Err("the root task is no static executable (position-independent ones aren't loaded)");
        }
        let mut pages = Regions::new();
        let mut entry_found = false;
        for header in elf.segments().ok_or("the root task has no program headers")? {
            if header.p_type == PT_INTERP {
                return Err("the root task wants a dynamic linker");
            }
            if header.p_type != PT_LOAD || header.p_memsz == 0 {
                continue;
            }
            if header.p_filesz > header.p_memsz || elf.segment_data(&header).is_err() {
                return Err("a segment of the root task reaches beyond its file");
            }
            let end = header.p_vaddr.checked_add(header.p_memsz).and_then(|end| end.checked_add(room));
            if end.is_none_or(|end| end > USER_END) {
                return Err("a segment of the root task lies beyond user addresses");
            }
            let region = Region::sized(header.p_vaddr, header.p_memsz);
            entry_found |= region.contains(Region::sized(elf.ehdr.e_entry, 1));
            pages.add(region.grown(PAGE_BITS)).map_err(|_| "the root task has too many segments")?;
        }
        if !entry_found {
            return Err("the root task's entry point lies in none of its segments");
        }
        let holes =
            pages.gaps(Region::new(0, Self::end_of(&pages))).map_err(|_| "the root task has too many segments")?;
        for hole in holes.iter().filter(|hole| hole.start != 0 && hole.size() < HOLE) {
            pages.add(hole).map_err(|_| "the root task has too many segments")?;
        }
        Ok(Self { entry: elf.ehdr.e_entry, elf, pages })
    }

    fn end_of(pages: &Regions) -> u64 {
        pages.iter().last().map_or(0, |last| last.end)
    }

    /// The first address after its last page.
    pub fn end(&self) -> u64 {
        Self::end_of(&self.pages)
    }

    /// Its contents.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'m>> {
        let loads = self.elf.segments().into_iter().flatten().filter(|header| header.p_type == PT_LOAD);
        loads.filter_map(|header| Some(Segment { vaddr: header.p_vaddr, data: self.elf.segment_data(&header).ok()? }))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    /// An executable with one header per (vaddr, bytes in the file, bytes in memory).
    pub fn executable(entry: u64, segments: &[(u64, u64, u64)]) -> Vec<u8> {
        let mut file = Vec::from(*b"\x7fELF\x02\x01\x01");
        file.resize(16, 0);
        file.extend(2u16.to_le_bytes());
        file.extend(62u16.to_le_bytes());
        file.extend(1u32.to_le_bytes());
        file.extend(entry.to_le_bytes());
        file.extend(64u64.to_le_bytes());
        file.extend(0u64.to_le_bytes());
        file.extend(0u32.to_le_bytes());
        for word in [64u16, 56, segments.len() as u16, 64, 0, 0] {
            file.extend(word.to_le_bytes());
        }
        for (vaddr, in_file, in_memory) in segments {
            file.extend(1u32.to_le_bytes());
            file.extend(7u32.to_le_bytes());
            for word in [0, *vaddr, *vaddr, *in_file, *in_memory, 4096] {
                file.extend(word.to_le_bytes());
            }
        }
        file.resize(8192, 0xaa);
        file
    }

    fn error(file: &[u8]) -> &'static str {
        RootImage::parse(file, 0x3000).err().unwrap_or("")
    }

    #[test]
    fn small_holes_are_filled_and_large_ones_stay() {
        let file = executable(0x40_0010, &[(0x40_0000, 100, 100), (0x60_0800, 16, 0x1000), (0x1000_0000, 1, 1)]);
        let image = RootImage::parse(&file, 0x3000).unwrap();
        let pages: Vec<_> = image.pages.iter().collect();
        assert_eq!(pages, [Region::new(0x40_0000, 0x60_2000), Region::new(0x1000_0000, 0x1000_1000)]);
        assert_eq!(image.end(), 0x1000_1000);
        let lengths: Vec<_> = image.segments().map(|s| (s.vaddr, s.data.len())).collect();
        assert_eq!(lengths, [(0x40_0000, 100), (0x60_0800, 16), (0x1000_0000, 1)]);
    }

    #[test]
    fn what_cannot_be_loaded_is_refused_with_its_reason() {
        assert_eq!(error(b"MZ"), "the root task is no little-endian ELF64 file");
        assert_eq!(error(b"\x7fELF\x02\x01"), "the root task's ELF headers are broken");
        assert!(error(&executable(0, &[(0x1000, 9000, 9000)])).contains("beyond its file"));
        assert!(error(&executable(0, &[(0x1000, 2, 1)])).contains("beyond its file"));
        assert!(error(&executable(0, &[(u64::MAX - 5, 1, 1)])).contains("beyond user addresses"));
        assert!(error(&executable(0, &[(USER_END - 0x3000, 1, 1)])).contains("beyond user addresses"));
        assert!(error(&executable(0x5000, &[(0x1000, 1, 1)])).contains("entry point"));
        assert!(error(&executable(0x5000, &[])).contains("entry point"));
        let mut dynamic = executable(0x1000, &[(0x1000, 1, 1)]);
        dynamic[16] = 3;
        assert!(error(&dynamic).contains("static executable"));
    }
}
