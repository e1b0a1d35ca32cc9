//! The memory of one incarnation of a service: everything that goes when it goes.
//!
//! All objects are retyped from pieces of RAM that belong to the arena, so that [`Arena::clear`] revokes the pieces and
//! has the memory back, whatever the service did with its capabilities. Copies of capabilities to what stays (shared
//! frames, badged endpoints) are remembered too and deleted.

use crate::{
    failure::{Cause, Doing, Result},
    resources::{Resources, own},
};
use alloc::vec::Vec;
use chestnut_runtime::{
    CNode,
    abi::{CapRights, ObjectType},
    cap::Frame,
    untyped::{AllocateError, Piece},
};

/// Pieces are at least this large, so that small objects share them.
const PIECE_BITS: u64 = 16;
/// Most objects of one Retype.
const FAN_OUT: u64 = 256;

/// What one incarnation of a service is made of.
#[derive(Debug, Default)]
pub struct Arena {
    pieces: Vec<Piece>,
    /// Bytes used of the last piece.
    used: u64,
    /// First slot and number of slots that hold objects.
    objects: Vec<(u64, u64)>,
    /// First slot and number of slots that hold copies. A service that is given the boot archive has one for each of its pages,
    /// nearly all of them side by side.
    copies: Vec<(u64, u64)>,
}

impl Arena {
    /// Makes `count` objects in neighbouring slots; returns the first slot.
    pub fn objects(
        &mut self,
        resources: &mut Resources,
        object: ObjectType,
        user_bits: u64,
        count: u64,
    ) -> Result<u64> {
        let first = resources.slots.allocate_run(count).ok_or(Cause::NoSlots)?;
        self.objects.push((first, count));
        let bits = object.size_bits(user_bits);
        let mut made = 0;
        while made < count {
            let (piece, room) = self.piece_with_room(resources, bits, count - made)?;
            let batch = room.min(count - made).min(FAN_OUT);
            piece
                .untyped
                .retype(object, user_bits, CNode::OWN, first + made, batch)
                .doing(format_args!("making {batch} objects of type {object:?}"))?;
            self.used = self.used.next_multiple_of(1 << bits) + (batch << bits);
            made += batch;
        }
        Ok(first)
    }

    /// Makes one object; returns its slot.
    pub fn object(&mut self, resources: &mut Resources, object: ObjectType, user_bits: u64) -> Result<u64> {
        self.objects(resources, object, user_bits, 1)
    }

    /// Makes frames of 4 KiB, zeroed.
    pub fn frames(&mut self, resources: &mut Resources, count: u64) -> Result<Vec<Frame>> {
        let first = self.objects(resources, ObjectType::X864K, 0, count)?;
        Ok((first..first + count).map(Frame).collect())
    }

    /// A piece of 2^`size_bits` bytes that nothing is made of yet and whose capability may be handed out.
    pub fn untyped(&mut self, resources: &mut Resources, size_bits: u64) -> Result<Piece> {
        let piece = resources.ram.allocate(size_bits, &mut resources.slots)?;
        self.adopt(piece);
        Ok(piece)
    }

    /// Takes responsibility for a piece that the caller uses up.
    pub fn adopt(&mut self, piece: Piece) {
        // In front: the last piece is the one that objects are made of.
        self.pieces.insert(0, piece);
        if self.pieces.len() == 1 {
            self.used = 1 << piece.size_bits;
        }
    }

    /// A slot for a copy of a capability, which the caller puts there at once.
    pub fn copy_slot(&mut self, resources: &mut Resources) -> Result<u64> {
        let slot = resources.slot()?;
        self.remember_copy(slot);
        Ok(slot)
    }

    fn remember_copy(&mut self, slot: u64) {
        match self.copies.last_mut() {
            Some((first, count)) if *first + *count == slot => *count += 1,
            _ => self.copies.push((slot, 1)),
        }
    }

    /// Another capability of a frame, to map it once more.
    pub fn copy_frame(&mut self, resources: &mut Resources, frame: Frame) -> Result<Frame> {
        let slot = self.copy_slot(resources)?;
        own(slot).copy_from(own(frame.0), CapRights::ALL).doing("copying a frame's capability")?;
        Ok(Frame(slot))
    }

    /// Takes everything back: no capability to any of it is left anywhere.
    pub fn clear(self, resources: &mut Resources) -> Result<()> {
        for slot in self.copies.into_iter().flat_map(|(first, count)| first..first + count) {
            own(slot).delete().doing("deleting a copied capability")?;
            resources.slots.release(slot);
        }
        for piece in self.pieces {
            own(piece.untyped.0).revoke().doing("taking memory back")?;
            resources.ram.release(piece);
        }
        for (first, count) in self.objects {
            resources.slots.release_run(first, count);
        }
        Ok(())
    }

    /// The last piece if an object of 2^`bits` bytes fits, else a new one; and how many objects fit.
    fn piece_with_room(&mut self, resources: &mut Resources, bits: u64, count: u64) -> Result<(Piece, u64)> {
        if let Some(&piece) = self.pieces.last() {
            let room = (1u64 << piece.size_bits).saturating_sub(self.used.next_multiple_of(1 << bits)) >> bits;
            if room > 0 {
                return Ok((piece, room));
            }
        }
        // For as many of them as fill a piece, if there is such a one, else as large as there is: what is left of a piece may never be
        // used, and nobody else gets it.
        let wanted = (bits + u64::from(count.max(1).ilog2())).max(PIECE_BITS);
        let mut error = AllocateError::NoMemory { size_bits: bits };
        for size_bits in (bits..=wanted).rev() {
            match resources.ram.allocate(size_bits, &mut resources.slots) {
                Ok(piece) => {
                    self.pieces.push(piece);
                    self.used = 0;
                    return Ok((piece, 1 << (piece.size_bits - bits)));
                }
                Err(AllocateError::NoMemory { .. }) => {}
                Err(other) => {
                    error = other;
                    break;
                }
            }
        }
        Err(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_of_copies_does_not_grow_with_a_run() {
        let mut arena = Arena::default();
        // As many pages as an archive of 1 GiB has, and one slot elsewhere.
        (1000..1000 + (1 << 18)).chain([7]).for_each(|slot| arena.remember_copy(slot));
        assert_eq!(arena.copies, [(1000, 1 << 18), (7, 1)]);
    }
}
