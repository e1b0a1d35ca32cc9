//! What /proc tells of a space's pages, beyond their number.

use super::area::{Area, Behaviour};
use super::space::{AddressSpace, Shown};
use super::{PAGE, Protection};
use core::ops::Range;

/// Bytes of the present pages of an area (/proc/PID/smaps), or of all areas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageUse {
    pub present: u64,
    /// Each page's share: its size divided by those who hold it.
    pub proportional: u64,
    /// By several, or by this space alone; as files have them, or with contents of their own.
    pub shared_clean: u64,
    pub shared_dirty: u64,
    pub private_clean: u64,
    pub private_dirty: u64,
    /// No file's.
    pub anonymous: u64,
    pub locked: u64,
}

impl PageUse {
    pub const fn plus(self, other: Self) -> Self {
        Self {
            present: self.present + other.present,
            proportional: self.proportional + other.proportional,
            shared_clean: self.shared_clean + other.shared_clean,
            shared_dirty: self.shared_dirty + other.shared_dirty,
            private_clean: self.private_clean + other.private_clean,
            private_dirty: self.private_dirty + other.private_dirty,
            anonymous: self.anonymous + other.anonymous,
            locked: self.locked + other.locked,
        }
    }
}

impl AddressSpace {
    /// Calls `see` for each area in order, with what its present pages are.
    pub fn inspect(&self, mut see: impl FnMut(Range<u64>, &Area<Shown>, PageUse)) {
        let state = self.state.borrow();
        for (start, area) in state.areas.iter() {
            let mut used = PageUse::default();
            let is_file = matches!(area.shown, Shown::File { .. });
            state.pages.each(start..area.end, |_, page| {
                let holders = page.frame.holders() as u64;
                // A file of this machine holds its page, too.
                let others = if page.of_file || is_file && area.behaviour.contains(Behaviour::SHARED) { 2 } else { 1 };
                let shared = holders > others;
                let clean = page.of_file || page.frame == self.memory.zero;
                used.present += PAGE;
                used.proportional += PAGE / holders.saturating_sub(others - 1).max(1);
                *match (shared, clean) {
                    (true, true) => &mut used.shared_clean,
                    (true, false) => &mut used.shared_dirty,
                    (false, true) => &mut used.private_clean,
                    (false, false) => &mut used.private_dirty,
                } += PAGE;
                if !is_file || !page.of_file && !area.behaviour.contains(Behaviour::SHARED) {
                    used.anonymous += PAGE;
                }
            });
            if area.behaviour.contains(Behaviour::LOCKED) {
                used.locked = used.present;
            }
            see(start..area.end, area, used);
        }
    }
}

/// The two letters of each thing that /proc/PID/smaps tells of an area (VmFlags).
pub fn letters(area: &Area<Shown>) -> impl Iterator<Item = &'static str> {
    let protection = [(Protection::READ, "rd"), (Protection::WRITE, "wr"), (Protection::EXECUTE, "ex")];
    let behaviour = [
        (Behaviour::SHARED, "sh"),
        (Behaviour::GROWS_DOWN, "gd"),
        (Behaviour::LOCKED, "lo"),
        (Behaviour::NOT_FORKED, "dc"),
        (Behaviour::WIPED_BY_FORK, "wf"),
    ];
    let (has, behaves) = (area.protection, area.behaviour);
    let protection = protection.into_iter().filter(move |(flag, _)| has.contains(*flag)).map(|(_, letters)| letters);
    let behaviour = behaviour.into_iter().filter(move |(flag, _)| behaves.contains(*flag)).map(|(_, letters)| letters);
    protection.chain(behaviour)
}
