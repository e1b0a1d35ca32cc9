//! The lowest floor: what the server asks of the microkernel, and the only place with `unsafe` code or invocations.
//!
//! Above it there are frames that count their holders, address spaces that map them, threads that run in those, and
//! replies that end a thread's call. Objects are never given back to the kernel: what is no longer used is kept and used
//! again, so that steady work makes no retype, no delete and no capability lookups in other CNodes.
//!
//! `kernel` is one of two twins with the same methods: [`native`](self) makes invocations, `hosted` keeps frames on the
//! heap and records what was mapped, so that everything above can be tested without a machine.

mod frame;
mod heap;
#[cfg(feature = "guest")]
pub mod regions;
#[cfg_attr(not(feature = "guest"), allow(dead_code, reason = "the hosted kernel looks at fewer capabilities"))]
mod reply;
mod shared;
mod space;
#[cfg_attr(not(feature = "guest"), allow(dead_code, reason = "the hosted kernel looks at fewer capabilities"))]
mod thread;
mod window;

#[cfg(not(feature = "guest"))]
#[path = "hosted.rs"]
mod kernel;
#[cfg(feature = "guest")]
#[path = "native.rs"]
mod kernel;

pub use frame::{Frame, Frames, Holders};
pub use kernel::{Kernel, ticks};
pub use reply::{Kept, Replies, Reply};
pub use shared::{PageLayout, Processor, SharedPage, features, processor};
pub use space::{Mapping, Space, Spaces};
pub use thread::{Redirect, Thread, Threads};
pub use window::{Piece, Window};

use chestnut_abi::MessageInfo;

/// Bytes that the heap can grow by at least, whatever else memory is used for.
pub const HEAP_RESERVE: usize = 16 << 20;

/// A capability's address in the server's own CSpace.
pub type Slot = u64;

/// The machine has no memory, or the server no slots, left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// What a mapping allows. Every mapping can be read: x86 has no way to say otherwise, and [`Access::NONE`] is no mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub write: bool,
    pub execute: bool,
}

impl Access {
    pub const READ: Self = Self { write: false, execute: false };
    pub const READ_WRITE: Self = Self { write: true, execute: false };
    pub const READ_EXECUTE: Self = Self { write: false, execute: true };
}

/// A message as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// Of a thread, or bits of the server's notification.
    pub badge: u64,
    pub info: MessageInfo,
    /// The first four words. A fault has a fifth ([`Kernel::fifth_word`]).
    pub words: [u64; 4],
}

/// A page-table level, by what its objects cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 2 MiB.
    PageTable,
    /// 1 GiB.
    PageDirectory,
    /// 512 GiB.
    DirectoryPointers,
}

impl Level {
    /// From the widest, which must be there first.
    pub const ALL: [Self; 3] = [Self::DirectoryPointers, Self::PageDirectory, Self::PageTable];

    pub const fn shift(self) -> u32 {
        match self {
            Self::PageTable => 21,
            Self::PageDirectory => 30,
            Self::DirectoryPointers => 39,
        }
    }
}

/// The whole floor: one of each store, for the server's lifetime.
pub struct Capabilities {
    pub frames: &'static Frames,
    pub spaces: &'static Spaces,
    pub threads: &'static Threads,
    pub replies: &'static Replies,
    probe: heap::Probe,
    kernel: &'static Kernel,
}

impl Capabilities {
    pub fn new(kernel: &'static Kernel) -> Self {
        use alloc::boxed::Box;
        Self {
            kernel,
            probe: heap::Probe::default(),
            frames: Box::leak(Box::new(Frames::new(kernel))),
            spaces: Box::leak(Box::new(Spaces::new(kernel))),
            threads: Box::leak(Box::new(Threads::new(kernel))),
            replies: Box::leak(Box::new(Replies::new(kernel))),
        }
    }

    /// Bytes that the server's heap still has or can get.
    #[inline]
    pub fn headroom(&self) -> usize {
        chestnut_runtime::start::heap_free().saturating_add(self.kernel.heap_room())
    }

    /// The first of these sizes, which descend, that a block of the heap could have; 0 if none. It is found out anew once what is free has changed
    /// much.
    pub fn largest_block(&self, sizes: &[usize]) -> usize {
        self.probe.largest_block(chestnut_runtime::start::heap_free(), self.kernel.heap_room(), sizes)
    }
    /// Whether a block of so many bytes can be had.
    pub fn heap_fits(&self, bytes: usize) -> bool {
        heap::fits(bytes)
    }

    /// How the machine's memory is used.
    pub fn memory(&self) -> MemoryUse {
        let frames = (self.frames.counts().made - self.frames.in_use()) as u64 * frame::BYTES as u64;
        MemoryUse {
            total: self.kernel.machine_memory(),
            free: self.kernel.bytes_left() + frames,
            available: self.frames.available() as u64 * frame::BYTES as u64,
        }
    }

    /// Bytes that it may have in all.
    pub fn heap_limit(&self) -> usize {
        self.kernel.heap_limit()
    }

    /// What has been made so far and how much of it is in use.
    pub fn holdings(&self) -> Holdings {
        let heap = chestnut_runtime::start::heap_usage();
        let (untyped_bytes, slots) = self.kernel.used();
        let (spaces, structures) = self.spaces.counts();
        let replies = self.replies.counts();
        let unused = |count: Count| count.made - count.used;
        let idle = self.frames.idle_slots()
            + unused(spaces)
            + unused(structures)
            + self.spaces.mapped_aside()
            + self.threads.idle_slots()
            + unused(replies);
        Holdings {
            frames: self.frames.counts(),
            spaces,
            structures,
            threads: self.threads.counts(),
            replies,
            mappings: self.spaces.mappings(),
            slots: Count { made: slots as usize, used: (slots as usize).saturating_sub(idle) },
            untyped_bytes: untyped_bytes as usize,
            heap_used: heap.used,
            heap_pieces: heap.pieces,
            heap_claimed: heap.claimed,
        }
    }
}

/// How many of a kind the server has made, and how many of them somebody uses. The other ones wait for their next use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub made: usize,
    pub used: usize,
}

/// Bytes of the machine's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// All there is, for whatever.
    pub total: u64,
    /// What nobody uses. All else is in use: by the kernel, root, the services, the boot archive, the server itself, programs and files.
    pub free: u64,
    /// What of that programs may have; the rest is kept for when memory comes to its end.
    pub available: u64,
}

/// What the server holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    pub frames: Count,
    pub spaces: Count,
    /// Page tables, page directories and tables of directories.
    pub structures: Count,
    pub threads: Count,
    pub replies: Count,
    /// Pages shown to programs.
    pub mappings: usize,
    /// Slots of the server's CSpace: those that hold a capability, and those whose capability belongs to something in use.
    pub slots: Count,
    pub untyped_bytes: usize,
    pub heap_used: usize,
    pub heap_pieces: usize,
    pub heap_claimed: usize,
}
