//! Address-space identifiers. Mapped frames and tables remember an ASID, not a PML4: when a PML4 is deleted, what was mapped in
//! it finds nothing at its ASID and needs no visit.

use super::vspace::Table;
use crate::mem::Link;
use chestnut_abi::object::{ASID_POOL_BITS, ASID_POOL_COUNT_BITS, ASID_POOL_INDEX_BITS};

/// 512 address spaces.
#[repr(C, align(4096))]
pub struct AsidPool([Link<Table>; 1 << ASID_POOL_INDEX_BITS]);

const _: () = assert!(size_of::<AsidPool>() == 1 << ASID_POOL_BITS);

impl AsidPool {
    pub fn entry(&self, asid: u64) -> &Link<Table> {
        &self.0[asid as usize % (1 << ASID_POOL_INDEX_BITS)]
    }
    pub fn entries(&self) -> impl Iterator<Item = &Link<Table>> {
        self.0.iter()
    }
    /// The first index without an address space. Index 0 of the first pool is ASID 0, "none", and stays empty.
    pub fn free_index(&self, base: u64) -> Option<u64> {
        let free = |&(index, link): &(usize, &Link<Table>)| link.is_none() && base + index as u64 != 0;
        self.0.iter().enumerate().find(free).map(|(index, _)| index as u64)
    }
}

/// The pools.
pub struct AsidTable([Link<AsidPool>; 1 << ASID_POOL_COUNT_BITS]);

impl AsidTable {
    pub const fn new() -> Self {
        Self([const { Link::NONE }; 1 << ASID_POOL_COUNT_BITS])
    }
    /// The place of the pool that an ASID belongs to.
    pub fn pool(&self, asid: u64) -> &Link<AsidPool> {
        &self.0[(asid >> ASID_POOL_INDEX_BITS) as usize % (1 << ASID_POOL_COUNT_BITS)]
    }
    /// First ASID of the first place without a pool.
    pub fn free_base(&self) -> Option<u64> {
        self.0.iter().position(Link::is_none).map(|index| (index as u64) << ASID_POOL_INDEX_BITS)
    }
}

impl Default for AsidTable {
    fn default() -> Self {
        Self::new()
    }
}
