//! The domain schedule. There is one domain, so that nothing is ever chosen from it; it keeps what it is given.

use chestnut_abi::DOMAIN_SCHEDULE_ENTRIES;
use core::cell::Cell;

/// Longest duration of an entry, in ticks: 56 bits.
pub const MAX_DURATION: u64 = (1 << 56) - 1;

/// Entries, each a duration in ticks (0: end marker), and which one the schedule starts with.
pub struct DomainSchedule {
    durations: [Cell<u64>; DOMAIN_SCHEDULE_ENTRIES],
    start: Cell<u64>,
}

impl DomainSchedule {
    /// As it is after boot: the first entry lasts as long as an entry can, the others are end markers.
    #[allow(clippy::new_without_default, reason = "made once, in a static")]
    pub const fn new() -> Self {
        let mut durations = [const { Cell::new(0) }; DOMAIN_SCHEDULE_ENTRIES];
        durations[0] = Cell::new(MAX_DURATION);
        Self { durations, start: Cell::new(0) }
    }
    /// The duration of an entry, if there is such an entry.
    pub fn duration(&self, index: u64) -> Option<&Cell<u64>> {
        self.durations.get(index as usize)
    }
    /// The entry that the schedule starts with.
    pub fn start(&self) -> &Cell<u64> {
        &self.start
    }
}
