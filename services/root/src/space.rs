//! An address space under construction: maps frames and makes the paging structures above them as they are needed.

use crate::{
    arena::Arena,
    failure::{Doing, Result},
    image::PAGE,
    resources::Resources,
};
use alloc::collections::BTreeSet;
use chestnut_runtime::{
    abi::{
        CapRights, ObjectType,
        object::{LARGE_PAGE_BITS, VmAttributes},
    },
    cap::{Frame, PageDirectory, PageTable, Pdpt, VSpace},
};

/// Address bits that one entry of a page-directory-pointer table, and one of a PML4, covers.
const DIRECTORY_BITS: u64 = 30;
const PDPT_BITS: u64 = 39;

/// What may be done with mapped memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub writable: bool,
    pub executable: bool,
    /// Device registers: not cached.
    pub device: bool,
}

impl Access {
    pub const READ: Self = Self { writable: false, executable: false, device: false };
    pub const READ_WRITE: Self = Self { writable: true, executable: false, device: false };
    pub const DEVICE: Self = Self { writable: true, executable: false, device: true };

    fn rights(self) -> CapRights {
        if self.writable { CapRights::READ_WRITE } else { CapRights::READ }
    }

    fn attributes(self) -> u64 {
        let cache = if self.device { VmAttributes::UNCACHEABLE } else { VmAttributes::WRITE_BACK };
        if self.executable { cache } else { cache | VmAttributes::EXECUTE_NEVER }
    }
}

/// The address space of a service, and which paging structures it has.
#[derive(Debug)]
pub struct Space {
    pub vspace: VSpace,
    /// Log2 of what the structure covers, and which multiple of that.
    structures: BTreeSet<(u64, u64)>,
}

impl Space {
    pub fn new(vspace: VSpace) -> Self {
        Self { vspace, structures: BTreeSet::new() }
    }

    /// Maps frames of 4 KiB one after the other.
    pub fn map(
        &mut self,
        frames: impl IntoIterator<Item = Frame>,
        address: u64,
        access: Access,
        arena: &mut Arena,
        resources: &mut Resources,
    ) -> Result<()> {
        for (frame, address) in frames.into_iter().zip((address..).step_by(PAGE as usize)) {
            self.prepare(address, LARGE_PAGE_BITS, arena, resources)?;
            frame
                .map(self.vspace, address, access.rights(), access.attributes())
                .doing(format_args!("mapping a page at {address:#x}"))?;
        }
        Ok(())
    }

    /// Maps frames of 2 MiB one after the other.
    pub fn map_large(
        &mut self,
        frames: impl IntoIterator<Item = Frame>,
        address: u64,
        access: Access,
        arena: &mut Arena,
        resources: &mut Resources,
    ) -> Result<()> {
        for (frame, address) in frames.into_iter().zip((address..).step_by(1 << LARGE_PAGE_BITS)) {
            self.prepare(address, DIRECTORY_BITS, arena, resources)?;
            frame
                .map(self.vspace, address, access.rights(), access.attributes())
                .doing(format_args!("mapping a large page at {address:#x}"))?;
        }
        Ok(())
    }

    /// Makes the structures around `address` that cover 2^`lowest` bytes or more.
    fn prepare(&mut self, address: u64, lowest: u64, arena: &mut Arena, resources: &mut Resources) -> Result<()> {
        let levels = [
            (PDPT_BITS, ObjectType::X86Pdpt),
            (DIRECTORY_BITS, ObjectType::X86PageDirectory),
            (LARGE_PAGE_BITS, ObjectType::X86PageTable),
        ];
        for (bits, object) in levels.into_iter().filter(|(bits, _)| *bits >= lowest) {
            if self.structures.insert((bits, address >> bits)) {
                let slot = arena.object(resources, object, 0)?;
                let attributes = VmAttributes::WRITE_BACK;
                match object {
                    ObjectType::X86Pdpt => Pdpt(slot).map(self.vspace, address, attributes),
                    ObjectType::X86PageDirectory => PageDirectory(slot).map(self.vspace, address, attributes),
                    _ => PageTable(slot).map(self.vspace, address, attributes),
                }
                .doing(format_args!("mapping a paging structure at {address:#x}"))?;
            }
        }
        Ok(())
    }
}

/// Hands out addresses from below, with an unmapped page after each piece.
#[derive(Debug)]
pub struct Layout {
    next: u64,
}

impl Layout {
    pub fn new(start: u64) -> Self {
        Self { next: start.next_multiple_of(PAGE) }
    }

    /// An address for `bytes` bytes, a multiple of `alignment`; the page before it stays unmapped.
    pub fn place(&mut self, bytes: u64, alignment: u64) -> u64 {
        let address = (self.next + PAGE).next_multiple_of(alignment);
        self.next = address + bytes.next_multiple_of(PAGE);
        address
    }

    /// The first GiB that nothing is in, so that not even a page directory is there.
    pub fn free_address(&self) -> u64 {
        self.next.next_multiple_of(1 << DIRECTORY_BITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_keep_a_page_between_them() {
        let mut layout = Layout::new(0x4000_0001);
        let first = layout.place(1, PAGE);
        let second = layout.place(0x3000, PAGE);
        let large = layout.place(1 << 21, 1 << 21);
        assert_eq!((first, second, large), (0x4000_2000, 0x4000_4000, 0x4020_0000));
        assert_eq!(layout.free_address(), 0x8000_0000);
        assert_eq!(Layout::new(0x4000_0000).free_address(), 0x4000_0000);
    }

    #[test]
    fn data_is_never_executable_and_text_never_uncached() {
        assert_eq!(Access::READ_WRITE.attributes(), VmAttributes::EXECUTE_NEVER);
        assert_eq!(Access::DEVICE.attributes(), VmAttributes::EXECUTE_NEVER | VmAttributes::UNCACHEABLE);
        assert_eq!(Access { executable: true, ..Access::READ }.attributes(), 0);
        assert_eq!(Access::READ.rights(), CapRights::READ);
    }
}
