//! Paging structures of four levels: 1 page table, 2 page directory, 3 page-directory pointer table, 4 the root (PML4).
//!
//! Only data and its encoding are here; `walk` goes through them.

use crate::mem::{PhysAddr, Ref};
use chestnut_abi::object::VmAttributes;
use core::cell::Cell;
use core::sync::atomic::AtomicU64;

/// Levels of tables.
pub const LEVELS: u8 = 4;

#[repr(C, align(4096))]
pub struct Table([Cell<u64>; 512]);

/// One entry of a table, as the processor reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry(pub u64);

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const WRITE_THROUGH: u64 = 1 << 3;
const CACHE_DISABLE: u64 = 1 << 4;
const LARGE: u64 = 1 << 7;
const PAT_SMALL: u64 = 1 << 7;
const PAT_LARGE: u64 = 1 << 12;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

impl Entry {
    pub const EMPTY: Self = Self(0);

    /// An entry that names a table. Tables allow everything; the frame's entry decides.
    pub const fn table(physical: PhysAddr) -> Self {
        Self(physical & ADDRESS | PRESENT | WRITABLE | USER)
    }

    /// A leaf at `level`. `user` false makes the page the kernel's only; `attributes` are `VmAttributes`.
    #[inline(always)]
    pub fn frame(physical: PhysAddr, level: u8, user: bool, writable: bool, attributes: u64) -> Self {
        let (large, pat) = if level > 1 { (LARGE, PAT_LARGE) } else { (0, PAT_SMALL) };
        let flag = |set: bool, bit: u64| if set { bit } else { 0 };
        let attribute = |attribute: u64, bit: u64| (attributes & attribute) / attribute * bit;
        Self(
            physical & ADDRESS
                | PRESENT
                | large
                | flag(user, USER)
                | flag(writable, WRITABLE)
                | attribute(VmAttributes::WRITE_THROUGH, WRITE_THROUGH)
                | attribute(VmAttributes::CACHE_DISABLED, CACHE_DISABLE)
                | attribute(VmAttributes::WRITE_COMBINING, pat)
                | attribute(VmAttributes::EXECUTE_NEVER, NO_EXECUTE),
        )
    }

    pub const fn is_present(self) -> bool {
        self.0 & PRESENT != 0
    }
    /// Whether the entry, found at `level`, maps a frame rather than naming a table.
    pub const fn is_leaf(self, level: u8) -> bool {
        level == 1 || self.0 & LARGE != 0
    }
    /// The table that the entry, found above level 1, names, if it does.
    #[inline(always)]
    pub const fn next_table(self) -> Option<PhysAddr> {
        if self.0 & (PRESENT | LARGE) == PRESENT { Some(self.0 & ADDRESS) } else { None }
    }
    /// The table or frame that it names; for a frame above level 1 the PAT bit is left out.
    pub const fn address(self, level: u8) -> PhysAddr {
        let mask = if level > 1 && self.is_leaf(level) { ADDRESS & !PAT_LARGE } else { ADDRESS };
        self.0 & mask
    }
}

/// Entry of a root table, in the kernel's half, not present for the processor: the table's own physical address while it stands for
/// an address space, else 0. So whoever has the table knows whether it may be loaded, even after its ASID pool is gone.
const OWN_ADDRESS: usize = 256;

/// Where it stands what a thread's address space is: in a root table, or nowhere. Cleared when the slot is emptied that names the table.
#[repr(transparent)]
pub struct Loadable(Cell<usize>);

/// What there is to load without an address space: 0. Nobody writes it.
static NOWHERE: AtomicU64 = AtomicU64::new(0);

impl Loadable {
    /// What to load in CR3; 0 if there is no address space.
    #[inline(always)]
    pub fn loadable(&self) -> PhysAddr {
        // SAFETY: the word of a table that lives, as a TCB's slot names it, or the static one. A TCB's initialisation sets it first.
        unsafe { &*core::ptr::with_exposed_provenance::<Cell<u64>>(self.0.get()) }.get()
    }
    /// As this root table says; or nothing.
    pub fn set(&self, root: Option<Ref<Table>>) {
        self.0.set(Self::word(root));
    }
    /// Whether it was set to this.
    pub fn is(&self, root: Option<Ref<Table>>) -> bool {
        self.0.get() == Self::word(root)
    }
    fn word(root: Option<Ref<Table>>) -> usize {
        root.map_or((&raw const NOWHERE).expose_provenance(), |root| {
            (&raw const root.get().0[OWN_ADDRESS]).expose_provenance()
        })
    }
}

impl Table {
    /// What to load in CR3 for this root table; 0 if it stands for no address space.
    #[inline(always)]
    pub fn loadable(&self) -> PhysAddr {
        self.0[OWN_ADDRESS].get()
    }
    /// Says that this root table, at `physical`, stands for an address space; with 0, that it no longer does.
    pub fn set_loadable(&self, physical: PhysAddr) {
        self.0[OWN_ADDRESS].set(physical);
    }

    pub fn entry(&self, index: usize) -> Entry {
        Entry(self.0[index % 512].get())
    }
    pub fn set(&self, index: usize, entry: Entry) {
        self.0[index % 512].set(entry.0);
    }
}

/// Bytes that one entry of a table at `level` spans, as a power of two.
pub const fn span_bits(level: u8) -> u64 {
    12 + 9 * (level.saturating_sub(1) as u64)
}

/// Which entry of a table at `level` an address belongs to.
pub const fn index(address: u64, level: u8) -> usize {
    (address >> span_bits(level)) as usize & 511
}
