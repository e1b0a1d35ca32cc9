//! What root tells a service when it starts it.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Slots of a service's CNode with a fixed meaning; what has a name in [`StartInfo::capabilities`] comes after them.
///
/// A CPtr is the slot's index (the root CNode has a guard, depth 64). Slot 0 is always empty.
pub mod slots {
    /// The service's own TCB.
    pub const TCB: u64 = 1;
    /// Its own CNode, all rights.
    pub const CNODE: u64 = 2;
    /// Its own VSpace (PML4).
    pub const VSPACE: u64 = 3;
    /// An ASID pool, with [`Grant::AsidPool`](crate::Grant::AsidPool).
    pub const ASID_POOL: u64 = 4;
    /// SchedControl of the node, with [`Grant::SchedControl`](crate::Grant::SchedControl).
    pub const SCHED_CONTROL: u64 = 5;
    /// Its own scheduling context.
    pub const SCHED_CONTEXT: u64 = 6;
    /// Root's supervision endpoint, badged with the service; also its fault handler.
    pub const SUPERVISION: u64 = 7;
    /// Its own notification, bound to its TCB.
    pub const NOTIFICATION: u64 = 8;
    /// A reply object of its own.
    pub const REPLY: u64 = 9;
    /// ASIDControl, with [`Grant::AsidControl`](crate::Grant::AsidControl).
    pub const ASID_CONTROL: u64 = 10;
    /// Signals root that the service goes on, which is the answer to the bit [`QUESTION_BIT`](crate::QUESTION_BIT); only where the manifest
    /// says in what time it has to come.
    pub const ALIVE: u64 = 11;
    /// The first slot that may hold a named capability.
    pub const FIRST_NAMED: u64 = 16;
}

/// What a service has. Root writes it, encoded with postcard, into read-only memory that RDI points at.
///
/// The heap comes first so that it can be read before there is an allocator to decode the rest with:
/// [`StartInfo::heap`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartInfo {
    /// Virtual address of the heap: zeroed memory, mapped read-write.
    pub heap_address: u64,
    /// Bytes; 0 for a service without heap.
    pub heap_bytes: u64,
    /// The service's name in the manifest.
    pub name: String,
    /// The TSC's rate in ticks per microsecond.
    pub tsc_mhz: u32,
    /// Bytes of RAM that the machine has, whoever uses them.
    pub machine_memory: u64,
    /// Port ranges, interrupt handlers and outgoing signals by the names in the manifest.
    pub capabilities: Vec<NamedCapability>,
    /// Untyped memory, and nothing made from it yet.
    pub untypeds: Vec<UntypedMemory>,
    /// Memory mapped into the service besides image, stack and heap: rings, deadline pages, devices, the archive.
    pub regions: Vec<Region>,
    /// First slot of the CNode that is empty, as are all after it.
    pub first_free_slot: u64,
    /// How many slots are empty.
    pub free_slots: u64,
    /// First address after everything that root has mapped: from here to the end of the lower half, no page and no
    /// page table (from the next 512 GiB boundary on not even a page-directory pointer table).
    pub free_address: u64,
}

/// A capability with a name from the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedCapability {
    pub name: String,
    pub cptr: u64,
}

/// An untyped capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UntypedMemory {
    pub cptr: u64,
    pub physical_address: u64,
    pub size_bits: u8,
    pub is_device: bool,
}

/// A mapped piece of memory with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    pub name: String,
    /// Virtual, on a page boundary.
    pub address: u64,
    /// As the manifest says; for the archive, the tar file's length.
    pub bytes: u64,
}

impl StartInfo {
    /// Decodes what root wrote; `bytes` may be longer than it. Needs an allocator.
    pub fn decode(bytes: &[u8]) -> postcard::Result<StartInfo> {
        postcard::take_from_bytes(bytes).map(|(info, _)| info)
    }

    /// Address and bytes of the heap, without an allocator.
    pub fn heap(bytes: &[u8]) -> postcard::Result<(u64, u64)> {
        postcard::take_from_bytes(bytes).map(|(heap, _)| heap)
    }

    /// The capability of this name.
    pub fn capability(&self, name: &str) -> Option<u64> {
        self.capabilities.iter().find(|capability| capability.name == name).map(|capability| capability.cptr)
    }

    /// The region of this name.
    pub fn region(&self, name: &str) -> Option<&Region> {
        self.regions.iter().find(|region| region.name == name)
    }
}
