//! The kernel's part of every address space: the window onto physical memory, and the kernel's image.
//!
//! Guarantees: text is executable and read-only, read-only data neither, everything else not executable, and the window
//! has no second mapping of the image; the page below the kernel's stack is unmapped; RAM is cached, the interrupt
//! controllers' pages aren't; user mode can touch none of it. Translations are global and as large as the processor
//! and the memory map allow.
//!
//! Relies on the boot tables, which map the first 4 GiB of physical memory at the window's address.

use super::regions::{Region, Regions};
use crate::arch;
use chestnut_abi::layout::{KERNEL_IMAGE, KERNEL_WINDOW};
use core::cell::Cell;

const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const WRITE_THROUGH: u64 = 1 << 3;
const CACHE_DISABLED: u64 = 1 << 4;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;

const PAGE: u64 = 1 << 12;
const LARGE_PAGE: u64 = 1 << 21;
const HUGE_PAGE: u64 = 1 << 30;
/// Entries of the window's PDPT that map physical memory; the last two are the image's.
const WINDOW_ENTRIES: usize = 510;
/// Physical memory beyond this can't be mapped, and so not used.
pub const WINDOW_SIZE: u64 = WINDOW_ENTRIES as u64 * HUGE_PAGE;
/// Physical memory that the boot tables map.
pub const EARLY_SIZE: u64 = 4 * HUGE_PAGE;

#[repr(C, align(4096))]
struct Table([Cell<u64>; 512]);

// SAFETY: page tables are only written by boot, before there is anything else (see `arch`'s `SingleCore`).
unsafe impl Sync for Table {}

static PML4: Table = Table([const { Cell::new(0) }; 512]);
static WINDOW: Table = Table([const { Cell::new(0) }; 512]);
static IMAGE_DIRECTORY: Table = Table([const { Cell::new(0) }; 512]);
static IMAGE_PAGES: Table = Table([const { Cell::new(0) }; 512]);

impl Table {
    /// The physical address of a table that is part of the image.
    fn image_address(&self) -> u64 {
        (&raw const *self as u64).wrapping_sub(KERNEL_IMAGE)
    }

    fn set(&self, index: usize, entry: u64) {
        if let Some(slot) = self.0.get(index) {
            slot.set(entry);
        }
    }
}

/// Bounds of the image's parts, as the linker script defines them.
pub struct ImageLayout {
    /// Physical addresses of everything that stays: text to the end of data.
    pub physical: Region,
    /// Virtual.
    pub text: Region,
    pub read_only: Region,
    pub data: Region,
    pub stack_guard: Region,
}

impl ImageLayout {
    pub fn get() -> Self {
        // SAFETY: the linker script defines them; only their addresses are taken.
        unsafe extern "C" {
            static image_start: u8;
            static text_end: u8;
            static read_only_end: u8;
            static stack_guard: u8;
            static image_end: u8;
        }
        let [start, text, read_only, guard, end] = [
            (&raw const image_start) as u64,
            (&raw const text_end) as u64,
            (&raw const read_only_end) as u64,
            (&raw const stack_guard) as u64,
            (&raw const image_end) as u64,
        ];
        Self {
            physical: Region::new(start.wrapping_sub(KERNEL_IMAGE), end.wrapping_sub(KERNEL_IMAGE)),
            text: Region::new(start, text),
            read_only: Region::new(text, read_only),
            data: Region::new(read_only, end),
            stack_guard: Region::sized(guard, PAGE),
        }
    }
}

/// What the window has to show.
struct Plan<'a> {
    /// RAM, in whole pages.
    ram: &'a Regions,
    /// The interrupt controllers' pages.
    devices: &'a [u64],
    /// Physical addresses of the kernel's image.
    image: Region,
    /// Where page tables are taken from.
    tables: &'a mut Regions,
}

impl Plan<'_> {
    /// A zeroed page table from free RAM that the boot tables map.
    fn table(&mut self) -> Result<(u64, &'static Table), &'static str> {
        let paddr = self.tables.take(PAGE, 12, EARLY_SIZE).ok_or("there is no memory for the kernel's page tables")?;
        // SAFETY: a free page that has just been taken out of the free list, mapped writable by the boot tables; it
        // is a page table from here on.
        let table = unsafe { &*((KERNEL_WINDOW + paddr) as *const Table) };
        table.0.iter().for_each(|entry| entry.set(0));
        Ok((paddr, table))
    }

    /// Whether there is anything to show in `range`.
    fn is_wanted(&self, range: Region) -> bool {
        self.ram.overlaps(range) || self.devices.iter().any(|page| range.contains(Region::sized(*page, PAGE)))
    }

    /// Whether `range` can be one translation.
    fn is_uniform(&self, range: Region) -> bool {
        self.ram.contains(range) && !self.image.overlaps(range)
    }

    /// The window's PDPT entry for a GiB of physical memory.
    fn huge_entry(&mut self, start: u64, flags: u64) -> Result<u64, &'static str> {
        let range = Region::sized(start, HUGE_PAGE);
        if arch::has_1g_pages() && self.is_uniform(range) {
            return Ok(start | flags | LARGE);
        }
        if !self.is_wanted(range) {
            return Ok(0);
        }
        let (paddr, directory) = self.table()?;
        for (start, slot) in (start..).step_by(LARGE_PAGE as usize).zip(&directory.0) {
            slot.set(self.large_entry(start, flags)?);
        }
        Ok(paddr | PRESENT | WRITABLE)
    }

    /// The page-directory entry for 2 MiB of physical memory.
    fn large_entry(&mut self, start: u64, flags: u64) -> Result<u64, &'static str> {
        let range = Region::sized(start, LARGE_PAGE);
        if self.is_uniform(range) {
            return Ok(start | flags | LARGE);
        }
        if !self.is_wanted(range) {
            return Ok(0);
        }
        let (paddr, table) = self.table()?;
        for (start, slot) in (start..).step_by(PAGE as usize).zip(&table.0) {
            let page = Region::sized(start, PAGE);
            slot.set(if self.devices.contains(&start) {
                start | flags | WRITE_THROUGH | CACHE_DISABLED
            } else if self.is_uniform(page) {
                start | flags
            } else {
                0
            });
        }
        Ok(paddr | PRESENT | WRITABLE)
    }
}

/// Builds the final tables and loads them. `ram` is all RAM in whole pages, `devices` the pages of the interrupt
/// controllers; page tables are taken out of `free`.
pub fn build(ram: &Regions, devices: &[u64], free: &mut Regions) -> Result<(), &'static str> {
    let image = ImageLayout::get();
    let data = PRESENT | WRITABLE | NO_EXECUTE | arch::global_bit();
    let mut plan = Plan { ram, devices, image: image.physical, tables: free };
    for (index, start) in (0..WINDOW_ENTRIES).zip((0..).step_by(HUGE_PAGE as usize)) {
        WINDOW.set(index, plan.huge_entry(start, data)?);
    }
    for (start, slot) in (KERNEL_IMAGE..).step_by(PAGE as usize).zip(&IMAGE_PAGES.0) {
        let page = Region::sized(start, PAGE);
        let entry = start.wrapping_sub(KERNEL_IMAGE) | PRESENT | arch::global_bit();
        slot.set(if image.text.contains(page) {
            entry
        } else if image.read_only.contains(page) {
            entry | NO_EXECUTE
        } else if image.data.contains(page) && !image.stack_guard.contains(page) {
            entry | WRITABLE | NO_EXECUTE
        } else {
            0
        });
    }
    IMAGE_DIRECTORY.set(0, IMAGE_PAGES.image_address() | PRESENT | WRITABLE);
    WINDOW.set(WINDOW_ENTRIES, IMAGE_DIRECTORY.image_address() | PRESENT | WRITABLE);
    let entry = WINDOW.image_address() | PRESENT | WRITABLE;
    PML4.set(511, entry);
    // SAFETY: the image keeps its addresses, with the rights that its parts need; all RAM is in the window.
    unsafe { arch::adopt_kernel_root(PML4.image_address(), entry) };
    Ok(())
}
