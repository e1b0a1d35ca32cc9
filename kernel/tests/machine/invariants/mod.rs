//! What must hold between any two kernel entries, whatever user code did.
//!
//! Each part reads the objects as the kernel left them and says by panicking what is wrong: `tree` capabilities and memory, `links`
//! what objects store about each other, `spaces` what the processor's tables and the interrupt and port tables name, `time` who
//! used how much of it.

mod links;
mod spaces;
mod time;
pub mod tree;

use super::Machine;
use tree::Caps;

/// Checks a machine, and how it differs from what it was at the check before.
pub struct Checker {
    seen: tree::Seen,
    families: tree::Families,
    usage: time::Usage,
}

impl Checker {
    pub fn new(m: Machine) -> Self {
        let mut checker = Self { seen: tree::Seen::new(m), families: Default::default(), usage: Default::default() };
        checker.check(m, false);
        checker
    }

    /// `moved`: a slot that was filled may hold another capability of the same value now (Rotate; a TCB's slot that was set anew).
    pub fn check(&mut self, m: Machine, moved: bool) {
        let caps = Caps::read(m, &mut self.seen);
        caps.check_containers();
        caps.check_untypeds();
        self.families.check(&caps, moved);
        links::check(m, &caps);
        spaces::check(m, &caps);
        self.usage.check(m, &caps);
    }
}
