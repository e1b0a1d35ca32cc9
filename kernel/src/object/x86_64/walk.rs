//! From an address space to the table that an address belongs to.
//!
//! `unsafe`: a present entry that isn't a leaf names a table. Invariant: only invocations on this kernel's paging capabilities write
//! entries, a table's deletion clears the entry that names it first, and the kernel's own entries (root index 511) are never
//! walked, user addresses being in the lower half.

use super::vspace::{LEVELS, Table, index};
use crate::mem::Ref;
use crate::object::Kernel;

impl<'k> Kernel<'k> {
    /// The root table of an address space; none for ASID 0 or one whose root or pool is gone.
    pub fn vspace(self, asid: u64) -> Option<Ref<'k, Table>> {
        if asid == 0 {
            return None;
        }
        self.asids.pool(asid).get(self)?.entry(asid).get(self)
    }
}

/// How far a walk came.
#[derive(Clone, Copy)]
pub struct Walk<'k> {
    /// The table reached.
    pub table: Ref<'k, Table>,
    /// Its level: the one asked for, or a higher one whose entry is empty or a leaf.
    pub level: u8,
}

/// Walks from `root` towards the table at `level`, at least 1, that an address belongs to.
#[inline(always)]
pub fn walk<'k>(k: Kernel<'k>, root: Ref<'k, Table>, address: u64, level: u8) -> Walk<'k> {
    let mut table = root;
    // Levels that the compiler knows: each is a shift by a constant.
    for above in [LEVELS, LEVELS - 1, LEVELS - 2] {
        let next = if above > level { table.entry(index(address, above)).next_table() } else { None };
        let Some(next) = next else { return Walk { table, level: above } };
        // SAFETY: by the module's invariant a present entry that isn't a leaf names a live table.
        table = unsafe { Ref::at(k.entry(), next) };
    }
    Walk { table, level: 1 }
}
