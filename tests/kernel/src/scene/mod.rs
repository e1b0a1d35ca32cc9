//! What a test has: an untyped of its own, empty slots, memory for threads, and short ways to make objects and threads of them.
//!
//! Everything that a test makes comes from its untyped or lies in its slots, so that the driver takes it all back by one Revoke and some Deletes. The
//! thread that runs the test shares VSpace and CSpace with the driver; capability pointers are plain indices into the root CNode.
//! Only one test runs at a time, but several of its threads may use the scene: what it counts is atomic.

pub mod buffer;
pub mod fixed;
pub mod invoke;
pub mod memory;
pub mod message;
pub mod shared;
pub mod thread;

use chestnut_abi::bootinfo::slot;
use chestnut_abi::{CapRights, Label, ObjectType};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use invoke::{Answer, invoke, must};

/// Memory and slots to make things of.
pub struct Scene {
    /// The untyped that everything is made of.
    pub untyped: u64,
    first_slot: u64,
    end_slot: u64,
    next_slot: AtomicU64,
    first_block: u64,
    next_block: AtomicU64,
}

impl Scene {
    /// A scene over an untyped, a range of empty slots, and the thread blocks from `first_block` on.
    pub const fn new(untyped: u64, first_slot: u64, end_slot: u64, first_block: u64) -> Self {
        let (next_slot, next_block) = (AtomicU64::new(first_slot), AtomicU64::new(first_block));
        Self { untyped, first_slot, end_slot, next_slot, first_block, next_block }
    }

    /// Begins anew: all slots and blocks are free again.
    pub fn reset(&self) {
        self.next_slot.store(self.first_slot, Relaxed);
        self.next_block.store(self.first_block, Relaxed);
    }

    /// The slots that were handed out since the last reset.
    pub fn used_slots(&self) -> core::ops::Range<u64> {
        self.first_slot..self.next_slot.load(Relaxed)
    }

    /// An empty slot.
    pub fn slot(&self) -> u64 {
        self.slots(1)
    }

    /// The first of `count` neighbouring empty slots.
    #[track_caller]
    pub fn slots(&self, count: u64) -> u64 {
        let first = self.next_slot.fetch_add(count, Relaxed);
        crate::check::check(first + count <= self.end_slot, "there are enough slots for the test");
        first
    }

    fn block(&self) -> u64 {
        self.next_block.fetch_add(1, Relaxed)
    }

    /// Makes an object; `bits` counts for untypeds, scheduling contexts and CNodes.
    #[track_caller]
    pub fn make_sized(&self, kind: ObjectType, bits: u64) -> u64 {
        let at = self.slot();
        must(self.untyped, Label::UntypedRetype, &[kind as u64, bits, 0, 0, at, 1], &[slot::INIT_CNODE]);
        at
    }

    /// Makes an object of a type that has one size.
    #[track_caller]
    pub fn make(&self, kind: ObjectType) -> u64 {
        self.make_sized(kind, 0)
    }

    #[track_caller]
    pub fn endpoint(&self) -> u64 {
        self.make(ObjectType::Endpoint)
    }

    #[track_caller]
    pub fn notification(&self) -> u64 {
        self.make(ObjectType::Notification)
    }

    #[track_caller]
    pub fn reply(&self) -> u64 {
        self.make(ObjectType::Reply)
    }

    #[track_caller]
    pub fn tcb(&self) -> u64 {
        self.make(ObjectType::Tcb)
    }

    /// A CNode of 2^`bits` slots without a guard.
    #[track_caller]
    pub fn cnode(&self, bits: u64) -> u64 {
        self.make_sized(ObjectType::CapTable, bits)
    }

    /// A scheduling context with room for some extra refills, not configured.
    #[track_caller]
    pub fn sched_context(&self) -> u64 {
        self.make_sized(ObjectType::SchedContext, 9)
    }

    /// An untyped of 2^`bits` bytes.
    #[track_caller]
    pub fn small_untyped(&self, bits: u64) -> u64 {
        self.make_sized(ObjectType::Untyped, bits)
    }

    /// A copy of a capability with all its rights.
    #[track_caller]
    pub fn copy(&self, from: u64) -> u64 {
        self.copy_with(from, CapRights::ALL)
    }

    /// A copy with at most these rights.
    #[track_caller]
    pub fn copy_with(&self, from: u64, rights: CapRights) -> u64 {
        let to = self.slot();
        must(slot::INIT_CNODE, Label::CNodeCopy, &[to, 64, from, 64, rights.0], &[slot::INIT_CNODE]);
        to
    }

    /// A copy with a badge (or a guard, for a CNode).
    #[track_caller]
    pub fn mint(&self, from: u64, badge: u64) -> u64 {
        self.mint_with(from, CapRights::ALL, badge)
    }

    #[track_caller]
    pub fn mint_with(&self, from: u64, rights: CapRights, badge: u64) -> u64 {
        let to = self.slot();
        must(slot::INIT_CNODE, Label::CNodeMint, &[to, 64, from, 64, rights.0, badge], &[slot::INIT_CNODE]);
        to
    }

    #[track_caller]
    pub fn delete(&self, at: u64) {
        must(slot::INIT_CNODE, Label::CNodeDelete, &[at, 64], &[]);
    }

    #[track_caller]
    pub fn revoke(&self, at: u64) {
        must(slot::INIT_CNODE, Label::CNodeRevoke, &[at, 64], &[]);
    }

    /// Whether a slot of the root CNode holds nothing: only then can it be moved nowhere for want of a capability.
    pub fn is_empty(&self, at: u64) -> bool {
        let to = self.slot();
        let moved: Answer = invoke(slot::INIT_CNODE, Label::CNodeMove, &[to, 64, at, 64], &[slot::INIT_CNODE]);
        if moved.label != 0 {
            return true;
        }
        must(slot::INIT_CNODE, Label::CNodeMove, &[at, 64, to, 64], &[slot::INIT_CNODE]);
        false
    }
}
