//! Memory: untypeds, frames, paging structures, and the ASIDs that make an address space usable.

use super::{CNode, capability};
use crate::message::{InvocationError, Outcome, invoke};
use chestnut_abi::{CapRights, Label, ObjectType};

capability!(
    /// A power of two of physical memory that nothing uses yet.
    Untyped
);
capability!(
    /// A page of memory: 4 KiB, 2 MiB or 1 GiB.
    Frame
);
capability!(
    /// Maps 512 frames of 4 KiB: 2 MiB.
    PageTable
);
capability!(
    /// Holds 512 page tables or frames of 2 MiB: 1 GiB.
    PageDirectory
);
capability!(
    /// Page-directory-pointer table. Holds 512 page directories or frames of 1 GiB: 512 GiB.
    Pdpt
);
capability!(
    /// An address space: the PML4 at its top.
    VSpace
);
capability!(
    /// Authority to make ASID pools.
    AsidControl
);
capability!(
    /// Room for 512 address spaces.
    AsidPool
);

impl Untyped {
    /// Makes `count` objects (at most 256) in the slots from `first_slot` of the CNode `root` itself. `size_bits`
    /// counts for untypeds and scheduling contexts (bytes) and for CNodes (slots).
    pub fn retype(self, object: ObjectType, size_bits: u64, root: CNode, first_slot: u64, count: u64) -> Outcome {
        self.retype_at(object, size_bits, root, 0, 0, first_slot, count)
    }

    /// As [`Self::retype`], into the CNode found by the `node_depth` bits of `node_index` from `root`.
    #[allow(clippy::too_many_arguments, reason = "the invocation's arguments")]
    pub fn retype_at(
        self,
        object: ObjectType,
        size_bits: u64,
        root: CNode,
        node_index: u64,
        node_depth: u64,
        first_slot: u64,
        count: u64,
    ) -> Outcome {
        let words = [object as u64, size_bits, node_index, node_depth, first_slot, count];
        invoke(self.0, Label::UntypedRetype, &words, &[root.0]).map(drop)
    }
}

impl Frame {
    /// Maps the frame at `address`; the paging structures above it must be there, else `FailedLookup`.
    pub fn map(self, vspace: VSpace, address: u64, rights: CapRights, attributes: u64) -> Outcome {
        invoke(self.0, Label::X86PageMap, &[address, rights.0, attributes], &[vspace.0]).map(drop)
    }

    pub fn unmap(self) -> Outcome {
        invoke(self.0, Label::X86PageUnmap, &[], &[]).map(drop)
    }

    /// The frame's physical address.
    pub fn address(self) -> Result<u64, InvocationError> {
        invoke(self.0, Label::X86PageGetAddress, &[], &[]).map(|answer| answer.word(0))
    }
}

macro_rules! paging_structure {
    ($name:ident, $map:ident, $unmap:ident) => {
        impl $name {
            /// Maps the structure where it covers `address`; the one above it must be there.
            pub fn map(self, vspace: VSpace, address: u64, attributes: u64) -> Outcome {
                invoke(self.0, Label::$map, &[address, attributes], &[vspace.0]).map(drop)
            }

            pub fn unmap(self) -> Outcome {
                invoke(self.0, Label::$unmap, &[], &[]).map(drop)
            }
        }
    };
}
paging_structure!(PageTable, X86PageTableMap, X86PageTableUnmap);
paging_structure!(PageDirectory, X86PageDirectoryMap, X86PageDirectoryUnmap);
paging_structure!(Pdpt, X86PdptMap, X86PdptUnmap);

impl VSpace {
    /// The address space of the running program itself.
    pub const OWN: Self = Self(chestnut_abi::bootinfo::slot::INIT_VSPACE);
}

impl AsidControl {
    /// Makes an ASID pool of a 4 KiB untyped, in the slot `index` (`depth` bits) of `root`.
    pub fn make_pool(self, untyped: Untyped, root: CNode, index: u64, depth: u64) -> Outcome {
        invoke(self.0, Label::X86AsidControlMakePool, &[index, depth], &[untyped.0, root.0]).map(drop)
    }
}

impl AsidPool {
    /// Gives an address space an ASID, without which nothing can be mapped in it.
    pub fn assign(self, vspace: VSpace) -> Outcome {
        invoke(self.0, Label::X86AsidPoolAssign, &[], &[vspace.0]).map(drop)
    }
}
