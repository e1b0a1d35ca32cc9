//! Whether the short ways of `fastpath` are tried. They are; but a test of them has one simulated machine do without and compares.

#[cfg(target_os = "none")]
pub use bare::short_are_open;
#[cfg(not(target_os = "none"))]
pub use hosted::{Ways, set, short_are_open};

#[cfg(target_os = "none")]
mod bare {
    use crate::object::Kernel;

    #[inline(always)]
    pub fn short_are_open(_: Kernel) -> bool {
        true
    }
}

#[cfg(not(target_os = "none"))]
mod hosted {
    use crate::arch;
    use crate::object::Kernel;
    use std::cell::Cell;
    use std::thread_local;

    /// Which ways the machine of this host thread goes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Ways {
        All,
        /// The short ones only where a look at the clock, which they don't take, would change nothing.
        ShortIfQuiet,
        General,
    }

    thread_local! {
        static WAYS: Cell<Ways> = const { Cell::new(Ways::All) };
    }

    pub fn set(ways: Ways) {
        WAYS.set(ways);
    }

    pub fn short_are_open(k: Kernel) -> bool {
        match WAYS.get() {
            Ways::All => true,
            Ways::ShortIfQuiet => arch::now() < k.quiet_until.get() && !k.reprogram.get(),
            Ways::General => false,
        }
    }
}
