//! What root is told at the start: bootinfo, its extra chunks, and the archive behind root's own image.

use crate::{
    failure::{Doing, Result, wrong},
    image::PAGE,
};
use chestnut_manifest::{
    Manifest,
    archive::{ADDRESS, HEADER_BYTES, MANIFEST},
};
use chestnut_runtime::{
    abi::{
        BootInfo,
        bootinfo::{ChunkHeader, SlotRegion, UntypedDesc, chunk},
    },
    cap::Frame,
};
use tar_no_std::{TarArchiveRef, TarFormatString};

/// What root starts from.
pub struct Boot {
    pub info: &'static BootInfo,
    pub manifest: Manifest,
    /// Ticks of the time-stamp counter per microsecond.
    pub tsc_mhz: u32,
    /// The RSDP, empty if the kernel found none.
    pub rsdp: &'static [u8],
    pub archive: Archive,
}

/// The boot archive: a tar file, and the frames it is in.
#[derive(Clone)]
pub struct Archive {
    tar: TarArchiveRef<'static>,
    /// Bytes of the tar file.
    pub bytes: u64,
    /// Slot of the first frame; the others follow.
    first_frame: u64,
}

impl Archive {
    /// The contents of a file.
    pub fn file(&self, name: &str) -> Result<&'static [u8]> {
        // Entries' names are at most 100 bytes here; longer ones belong to the Linux root file system.
        let entry = self.tar.entries().find(|entry| is_named(&entry.filename(), name));
        entry.map(|entry| entry.data()).ok_or_else(|| wrong(format_args!("the boot archive has no file {name}")))
    }

    /// The frames of the tar file, in order.
    pub fn frames(&self) -> impl Iterator<Item = Frame> + use<> {
        (self.first_frame..self.first_frame + self.bytes.div_ceil(PAGE)).map(Frame)
    }
}

fn is_named<const N: usize>(entry: &TarFormatString<N>, name: &str) -> bool {
    entry.as_str().is_ok_and(|entry| entry.strip_prefix("./").unwrap_or(entry) == name)
}

/// Reads everything that is there at the start.
pub fn read(info: &'static BootInfo) -> Result<Boot> {
    let extra = core::ptr::from_ref(info).addr() as u64 + PAGE;
    // SAFETY: the kernel maps `extra_len` bytes of chunks from the page after bootinfo on, and never writes them again.
    let extra = unsafe { core::slice::from_raw_parts(extra as *const u8, info.extra_len as usize) };
    let tsc_mhz = find_chunk(extra, chunk::X86_TSC_FREQ)
        .and_then(|bytes| bytes.first_chunk())
        .map(|bytes| u32::from_le_bytes(*bytes))
        .ok_or_else(|| wrong("the kernel does not say how fast the time-stamp counter is"))?;
    let rsdp = find_chunk(extra, chunk::X86_ACPI_RSDP).unwrap_or(&[]);
    let archive = archive(&info.user_image_frames).doing("opening the boot archive")?;
    let manifest = archive.file(MANIFEST)?;
    let manifest: Manifest =
        postcard::from_bytes(manifest).map_err(|error| wrong(format_args!("the manifest: {error}")))?;
    Ok(Boot { info, manifest, tsc_mhz, rsdp, archive })
}

/// Bytes of RAM that the machine has: all physical memory up to the end of the last RAM that the kernel gave away, but for what it gave
/// away as device memory in between. So what the kernel, the boot loader's modules and root itself lie in counts, too; of the
/// first MiB, which is a device by the interface, nothing is in use.
pub fn machine_memory(info: &BootInfo) -> u64 {
    let count = (info.untyped.end - info.untyped.start) as usize;
    let untypeds = info.untyped_list.get(..count).unwrap_or(&info.untyped_list);
    let end = |untyped: &UntypedDesc| untyped.paddr.saturating_add(1 << untyped.size_bits);
    let top = untypeds.iter().filter(|untyped| untyped.is_device == 0).map(end).max().unwrap_or(0);
    let devices = untypeds.iter().filter(|untyped| untyped.is_device != 0 && untyped.paddr < top);
    top - devices.map(|untyped| end(untyped).min(top) - untyped.paddr).sum::<u64>()
}

/// The contents of the first chunk of a kind. Chunks that can't be end the search.
fn find_chunk(mut extra: &[u8], kind: u64) -> Option<&[u8]> {
    const HEADER: usize = size_of::<ChunkHeader>();
    loop {
        let id = u64::from_le_bytes(*extra.first_chunk()?);
        let length = u64::from_le_bytes(*extra.get(8..)?.first_chunk()?) as usize;
        let contents = extra.get(HEADER..length)?;
        if id == kind {
            return Some(contents);
        }
        extra = &extra[length..];
    }
}

/// The archive in the last pages of root's image.
fn archive(frames: &SlotRegion) -> Result<Archive> {
    let header = ADDRESS as *const u64;
    // SAFETY: the launcher puts a page there that holds the length; an image without one ends here with a page fault, which
    // is what can be said about it.
    let bytes = unsafe { header.read() };
    let pages = HEADER_BYTES as u64 / PAGE + bytes.div_ceil(PAGE);
    if bytes == 0 || pages > frames.end - frames.start {
        return Err(wrong(format_args!("{bytes} bytes of archive can't be in root's image")));
    }
    // SAFETY: the launcher maps the tar file's bytes after the header page, read-only, in root's image.
    let tar = unsafe { core::slice::from_raw_parts((ADDRESS as usize + HEADER_BYTES) as *const u8, bytes as usize) };
    let tar = TarArchiveRef::new(tar).map_err(|error| wrong(format_args!("not a tar file: {error}")))?;
    Ok(Archive { tar, bytes, first_frame: frames.end - bytes.div_ceil(PAGE) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn chunks(parts: &[(u64, u64, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (id, length, contents) in parts {
            bytes.extend_from_slice(&id.to_le_bytes());
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(contents);
        }
        bytes
    }

    #[test]
    fn a_chunk_is_found_behind_others() {
        let bytes = chunks(&[(3, 20, b"RSDP"), (5, 20, &[0xe8, 3, 0, 0]), (0, 16, b"")]);
        assert_eq!(find_chunk(&bytes, chunk::X86_TSC_FREQ), Some(&[0xe8, 3, 0, 0][..]));
        assert_eq!(find_chunk(&bytes, chunk::X86_ACPI_RSDP), Some(&b"RSDP"[..]));
        assert_eq!(find_chunk(&bytes, chunk::FDT), None);
    }

    #[test]
    fn ram_is_what_is_no_device_below_the_last_of_it() {
        let mut info: BootInfo = BootInfo {
            extra_len: 0,
            node_id: 0,
            num_nodes: 1,
            num_iopt_levels: u64::MAX,
            ipc_buffer: 0,
            empty: SlotRegion::default(),
            shared_frames: SlotRegion::default(),
            user_image_frames: SlotRegion::default(),
            user_image_paging: SlotRegion::default(),
            io_space_caps: SlotRegion::default(),
            extra_bi_pages: SlotRegion::default(),
            init_cnode_size_bits: 12,
            init_domain: 0,
            sched_control: SlotRegion::default(),
            untyped: SlotRegion { start: 100, end: 104 },
            untyped_list: [UntypedDesc::default(); 230],
        };
        let untyped =
            |paddr, size_bits, is_device| UntypedDesc { paddr, size_bits, is_device, ..UntypedDesc::default() };
        let list = [untyped(0, 20, 1), untyped(4 << 20, 22, 0), untyped(8 << 20, 20, 1), untyped(16 << 20, 24, 0)];
        info.untyped_list[..4].copy_from_slice(&list);
        // What isn't listed: 3 MiB after the first device, 7 MiB after the second.
        assert_eq!(machine_memory(&info), 30 << 20);
        // A device that begins in it and ends behind it, and what isn't counted.
        info.untyped_list[2] = untyped(31 << 20, 30, 1);
        info.untyped_list[4] = untyped(1 << 40, 30, 0);
        assert_eq!(machine_memory(&info), 30 << 20);
    }

    #[test]
    fn chunks_that_can_not_be_end_the_search() {
        assert_eq!(find_chunk(&chunks(&[(1, 0, b""), (5, 20, b"abcd")]), 5), None);
        assert_eq!(find_chunk(&chunks(&[(1, 15, b""), (5, 20, b"abcd")]), 5), None);
        assert_eq!(find_chunk(&chunks(&[(5, 21, b"abcd")]), 5), None);
        assert_eq!(find_chunk(&chunks(&[(5, u64::MAX, b"abcd")]), 5), None);
        assert_eq!(find_chunk(&[], 5), None);
    }
}
