//! Whether the short ways of `fastpath` are tried. They are; but a test of them has one simulated machine do without and compares.

use crate::object::Kernel;
#[cfg(not(target_os = "none"))]
pub use hosted::{Ways, begin, general, set, taken};
#[cfg(target_os = "none")]
pub use processor::{begin, general};

#[cfg(target_os = "none")]
mod processor {
    use super::Kernel;

    /// Whether a short way may be tried.
    #[inline(always)]
    pub fn begin(_: Kernel) -> bool {
        true
    }

    /// A general way was taken.
    #[inline(always)]
    pub fn general() {}
}

#[cfg(not(target_os = "none"))]
mod hosted {
    use super::Kernel;
    use crate::arch;
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
        static TAKEN: Cell<u64> = const { Cell::new(0) };
        static TRIED: Cell<bool> = const { Cell::new(false) };
    }

    pub fn set(ways: Ways) {
        WAYS.set(ways);
    }

    /// How many short ways were taken on this host thread: those that were tried and that no general one followed.
    pub fn taken() -> u64 {
        TAKEN.set(TAKEN.get() + u64::from(TRIED.take()));
        TAKEN.get()
    }

    /// Whether a short way may be tried.
    pub fn begin(k: Kernel) -> bool {
        let open = match WAYS.get() {
            Ways::All => true,
            Ways::ShortIfQuiet => arch::now() < k.quiet_until.get(),
            Ways::General => false,
        };
        taken();
        TRIED.set(open);
        open
    }

    /// A general way was taken.
    pub fn general() {
        TRIED.set(false);
    }
}
