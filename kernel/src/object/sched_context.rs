//! Scheduling context: a right to processor time, as a queue of refills.
//!
//! The refills behind the fixed part are a ring as large as the object has room for. `unsafe` is here because the ring's length is
//! the object's size, which the type doesn't know. Invariant: `capacity` refills fit behind the fixed part, `refill_max` is at most that
//! (0: not configured), and `head` < `refill_max` (0 if that is 0).

use super::data::{Refill, SchedContext};
use chestnut_abi::object::{CORE_SCHED_CONTEXT_BYTES, MIN_REFILLS, REFILL_BYTES, max_extra_refills};
use core::cell::Cell;

const REFILLS: usize = (CORE_SCHED_CONTEXT_BYTES - MIN_REFILLS * REFILL_BYTES) as usize;
const _: () = assert!(size_of::<SchedContext>() <= REFILLS);
const _: () = assert!(size_of::<Refill>() == REFILL_BYTES as usize);

impl SchedContext {
    /// Whether it was given a budget.
    pub fn is_configured(&self) -> bool {
        self.refill_max.get() != 0
    }
    /// Whether its budget comes back at once. Then it has one refill, in the first place of the ring.
    pub fn is_round_robin(&self) -> bool {
        self.round_robin.get()
    }
    /// Sets what it may use, in ticks; its ring is empty.
    pub fn set_budget(&self, budget: u64, period: u64) {
        self.budget.set(budget);
        self.period.set(period);
        self.round_robin.set(budget == period);
    }
    /// Number of refills in the ring.
    pub fn refill_count(&self) -> u32 {
        self.count.get()
    }
    pub fn refill_max(&self) -> u32 {
        self.refill_max.get()
    }
    pub fn is_full(&self) -> bool {
        self.count.get() == self.refill_max.get()
    }

    /// Says how large the object is, in bits; Retype does, before the first capability exists.
    ///
    /// # Safety
    /// The object has 2^`size_bits` bytes.
    pub unsafe fn set_size(&self, size_bits: u64) {
        self.capacity.set((MIN_REFILLS + max_extra_refills(size_bits)).min(u32::MAX as u64) as u32);
    }

    /// Empties the ring and sets how many refills it may hold: `max`, or as many as there is room for.
    pub fn limit_refills(&self, max: u32) {
        self.refill_max.set(max.min(self.capacity.get()));
        self.head.set(0);
        self.count.set(0);
    }

    /// The refill `index` places behind the head.
    fn refill(&self, index: u32) -> &Cell<Refill> {
        let max = self.refill_max.get().max(1);
        let mut place = self.head.get().wrapping_add(index);
        if place >= max {
            place -= max;
        }
        self.place(if place < max { place } else { 0 })
    }

    /// A place of the ring; by the module's invariant there is one, the head's included.
    #[inline(always)]
    fn place(&self, place: u32) -> &Cell<Refill> {
        let address = core::ptr::from_ref(self).expose_provenance() + REFILLS + place as usize * size_of::<Refill>();
        // SAFETY: by the module's invariant the ring has `refill_max` places (an object has room for two at least), and `place` is
        // below that. The memory belongs to this object and was cleared by Retype.
        unsafe { &*core::ptr::with_exposed_provenance::<Cell<Refill>>(address) }
    }

    pub fn head(&self) -> Refill {
        self.place(self.head.get()).get()
    }
    /// What a round-robin context has left, without a look at where the ring begins.
    #[inline(always)]
    pub fn left(&self) -> u64 {
        self.place(0).get().amount
    }
    #[inline(always)]
    pub fn set_left(&self, amount: u64) {
        let first = self.place(0);
        first.set(Refill { amount, ..first.get() });
    }
    pub fn set_head(&self, refill: Refill) {
        self.place(self.head.get()).set(refill);
    }
    pub fn second(&self) -> Option<Refill> {
        (self.count.get() > 1).then(|| self.refill(1).get())
    }
    pub fn tail(&self) -> Refill {
        self.refill(self.count.get().saturating_sub(1)).get()
    }
    pub fn set_tail(&self, refill: Refill) {
        self.refill(self.count.get().saturating_sub(1)).set(refill);
    }
    /// Removes the head; the ring must have another.
    pub fn pop_head(&self) -> Refill {
        let refill = self.head();
        let next = self.head.get() + 1;
        self.head.set(if next >= self.refill_max.get() { 0 } else { next });
        self.count.set(self.count.get().saturating_sub(1));
        refill
    }
    /// Adds a refill at the end of a ring that isn't full.
    pub fn push_tail(&self, refill: Refill) {
        if !self.is_full() {
            self.count.set(self.count.get() + 1);
            self.set_tail(refill);
        }
    }
    /// Sum of all amounts.
    pub fn total(&self) -> u64 {
        self.refills().map(|refill| refill.amount).sum()
    }
    /// All of them, from the head: what the invariant tests look at.
    pub fn refills(&self) -> impl Iterator<Item = Refill> {
        (0..self.count.get()).map(|index| self.refill(index).get())
    }
}
