//! Which slots of a CNode are free.
//!
//! A bitmap, so that single slots and runs of neighbouring slots (which Retype fills) come from the same store and
//! freed slots join up again by themselves. Nothing here knows what is in a slot: a slot is freed by who emptied it.

use alloc::{vec, vec::Vec};
use core::ops::Range;

const BITS: u64 = u64::BITS as u64;

/// The free slots of a range.
#[derive(Clone, Debug)]
pub struct SlotAllocator {
    range: Range<u64>,
    /// Bit set: the slot is taken. Slot `range.start + 64 w + b` is bit b of word w; bits beyond the range are set.
    taken: Vec<u64>,
    /// No word below this one has a free bit.
    first_free_word: usize,
    free: u64,
}

impl SlotAllocator {
    /// All slots of `range` are free.
    pub fn new(range: Range<u64>) -> Self {
        let count = range.end.saturating_sub(range.start);
        let mut taken = vec![0; count.div_ceil(BITS) as usize];
        if let Some(last) = taken.last_mut()
            && !count.is_multiple_of(BITS)
        {
            *last = !0 << (count % BITS);
        }
        Self { range, taken, first_free_word: 0, free: count }
    }

    /// How many slots are free.
    pub fn free_slots(&self) -> u64 {
        self.free
    }

    /// Takes one slot.
    pub fn allocate(&mut self) -> Option<u64> {
        while let Some(word) = self.taken.get_mut(self.first_free_word) {
            if *word != !0 {
                let bit = word.trailing_ones();
                *word |= 1 << bit;
                self.free -= 1;
                return Some(self.range.start + self.first_free_word as u64 * BITS + u64::from(bit));
            }
            self.first_free_word += 1;
        }
        None
    }

    /// Takes `count` neighbouring slots and returns the first.
    pub fn allocate_run(&mut self, count: u64) -> Option<u64> {
        if count == 1 {
            return self.allocate();
        }
        let end = self.range.end - self.range.start;
        let mut start = self.first_free_word as u64 * BITS;
        let mut length = 0;
        while length < count {
            let at = start + length;
            if at >= end {
                return None;
            }
            if at.is_multiple_of(BITS) && self.taken[(at / BITS) as usize] == !0 {
                (start, length) = (at + BITS, 0);
            } else if self.is_taken(at) {
                (start, length) = (at + 1, 0);
            } else {
                length += 1;
            }
        }
        for index in start..start + count {
            self.taken[(index / BITS) as usize] |= 1 << (index % BITS);
        }
        self.free -= count;
        Some(self.range.start + start)
    }

    /// Gives a slot back.
    ///
    /// # Panics
    /// If it was free or is not of this range: the caller's books are wrong, and two capabilities would meet in a slot.
    pub fn release(&mut self, slot: u64) {
        assert!(self.range.contains(&slot), "slot {slot} is not of {:?}", self.range);
        let index = slot - self.range.start;
        assert!(self.is_taken(index), "slot {slot} was free already");
        let word = (index / BITS) as usize;
        self.taken[word] &= !(1 << (index % BITS));
        self.first_free_word = self.first_free_word.min(word);
        self.free += 1;
    }

    /// Gives `count` neighbouring slots back.
    pub fn release_run(&mut self, first: u64, count: u64) {
        (first..first + count).for_each(|slot| self.release(slot));
    }

    fn is_taken(&self, index: u64) -> bool {
        self.taken[(index / BITS) as usize] >> (index % BITS) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn hands_out_each_slot_once_and_then_none() {
        let mut slots = SlotAllocator::new(16..86);
        let all: Vec<u64> = core::iter::from_fn(|| slots.allocate()).collect();
        assert_eq!(all, (16..86).collect::<Vec<_>>());
        assert_eq!((slots.free_slots(), slots.allocate_run(2)), (0, None));
    }

    #[test]
    fn a_run_crosses_words_and_skips_taken_slots() {
        let mut slots = SlotAllocator::new(0..200);
        assert_eq!(slots.allocate_run(60), Some(0));
        assert_eq!(slots.allocate_run(10), Some(60));
        slots.release(3);
        assert_eq!(slots.allocate_run(2), Some(70));
        assert_eq!(slots.allocate(), Some(3));
        assert_eq!(slots.allocate_run(128), Some(72));
        assert_eq!(slots.allocate(), None);
    }

    #[test]
    fn an_empty_range_has_nothing() {
        assert_eq!(SlotAllocator::new(5..5).allocate(), None);
    }

    #[test]
    #[should_panic(expected = "free already")]
    fn releasing_twice_is_noticed() {
        let mut slots = SlotAllocator::new(0..10);
        let slot = slots.allocate().unwrap();
        slots.release(slot);
        slots.release(slot);
    }

    proptest! {
        #[test]
        fn never_hands_out_a_slot_that_is_taken(steps in prop::collection::vec((0u64..12, 0usize..1000), 1..200)) {
            let mut slots = SlotAllocator::new(7..300);
            let mut held = BTreeSet::new();
            for (count, pick) in steps {
                if count == 0 {
                    if let Some(&slot) = held.iter().nth(pick % held.len().max(1)) {
                        held.remove(&slot);
                        slots.release(slot);
                    }
                } else if let Some(first) = slots.allocate_run(count) {
                    for slot in first..first + count {
                        prop_assert!((7..300).contains(&slot));
                        prop_assert!(held.insert(slot));
                    }
                } else {
                    // A run may be missing only if there really is none.
                    let free: Vec<u64> = (7..300).filter(|slot| !held.contains(slot)).collect();
                    let run = free.windows(count as usize).any(|w| w[w.len() - 1] - w[0] == count - 1);
                    prop_assert!(!run);
                }
                prop_assert_eq!(slots.free_slots(), 293 - held.len() as u64);
            }
        }
    }
}
