//! CNodes and the slots in them: copying, moving, deleting and revoking capabilities.

use super::capability;
use crate::message::{Outcome, invoke};
use chestnut_abi::{CNodeCapData, CapRights, Label};

capability!(
    /// A table of capabilities, and the root of a CSpace.
    CNode
);

/// Bits of a capability pointer.
pub const WORD_BITS: u64 = 64;

/// One slot, as CNode invocations address it: `depth` bits of `index`, looked up from `root`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub root: CNode,
    pub index: u64,
    pub depth: u64,
}

impl CNode {
    /// The CNode of the running program itself, of root and of the services that root starts alike.
    pub const OWN: Self = Self(chestnut_abi::bootinfo::slot::INIT_CNODE);

    /// The slot with capability pointer `index` in the CSpace that begins at this CNode, whose guard fills the pointer.
    pub const fn slot(self, index: u64) -> Slot {
        Slot { root: self, index, depth: WORD_BITS }
    }

    /// A slot by the lowest `depth` bits of its address: `depth` = the CNode's size in bits when it has no guard.
    pub const fn slot_at(self, index: u64, depth: u64) -> Slot {
        Slot { root: self, index, depth }
    }

    /// The guard that makes pointers into a CNode of 2^`size_bits` slots plain indices.
    pub const fn plain_guard(size_bits: u64) -> CNodeCapData {
        CNodeCapData::new(0, WORD_BITS - size_bits)
    }
}

impl Slot {
    /// A slot of the running program's own CSpace.
    pub const fn own(index: u64) -> Self {
        CNode::OWN.slot(index)
    }

    /// Puts a copy of `source`'s capability here, with at most `rights`.
    pub fn copy_from(self, source: Slot, rights: CapRights) -> Outcome {
        let words = [self.index, self.depth, source.index, source.depth, rights.0];
        invoke(self.root.0, Label::CNodeCopy, &words, &[source.root.0]).map(drop)
    }

    /// Like [`Self::copy_from`], with a badge (endpoint, notification) or a guard (CNode, [`CNodeCapData`]).
    pub fn mint_from(self, source: Slot, rights: CapRights, badge: u64) -> Outcome {
        let words = [self.index, self.depth, source.index, source.depth, rights.0, badge];
        invoke(self.root.0, Label::CNodeMint, &words, &[source.root.0]).map(drop)
    }

    /// Moves `source`'s capability here.
    pub fn move_from(self, source: Slot) -> Outcome {
        let words = [self.index, self.depth, source.index, source.depth];
        invoke(self.root.0, Label::CNodeMove, &words, &[source.root.0]).map(drop)
    }

    /// Moves `source`'s capability here and gives it a badge or a guard.
    pub fn mutate_from(self, source: Slot, badge: u64) -> Outcome {
        let words = [self.index, self.depth, source.index, source.depth, badge];
        invoke(self.root.0, Label::CNodeMutate, &words, &[source.root.0]).map(drop)
    }

    /// Moves `pivot`'s capability here and `source`'s to `pivot`; here and `source` may be one slot, which swaps.
    pub fn rotate(self, badge: u64, pivot: Slot, pivot_badge: u64, source: Slot) -> Outcome {
        let words = [self.index, self.depth, badge, pivot.index, pivot.depth, pivot_badge, source.index, source.depth];
        invoke(self.root.0, Label::CNodeRotate, &words, &[pivot.root.0, source.root.0]).map(drop)
    }

    /// Empties the slot; the object goes with its last capability.
    pub fn delete(self) -> Outcome {
        invoke(self.root.0, Label::CNodeDelete, &[self.index, self.depth], &[]).map(drop)
    }

    /// Deletes every capability derived from the one here.
    pub fn revoke(self) -> Outcome {
        invoke(self.root.0, Label::CNodeRevoke, &[self.index, self.depth], &[]).map(drop)
    }

    /// Cancels all sends that wait on this endpoint capability's endpoint with its badge.
    pub fn cancel_badged_sends(self) -> Outcome {
        invoke(self.root.0, Label::CNodeCancelBadgedSends, &[self.index, self.depth], &[]).map(drop)
    }
}
