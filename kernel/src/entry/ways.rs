//! Whether the short ways of `fastpath` are tried. They are; but a test of them has one simulated machine do without and compares.

use crate::fastpath::NotFast;
use crate::object::Kernel;
#[cfg(not(target_os = "none"))]
pub use hosted::{Ways, set, taken};

/// Tries a short way.
#[inline(always)]
pub fn short<T>(k: Kernel, way: impl FnOnce() -> Result<T, NotFast>) -> Result<T, NotFast> {
    #[cfg(not(target_os = "none"))]
    return hosted::short(k, way);
    #[cfg(target_os = "none")]
    {
        let _ = k;
        way()
    }
}

#[cfg(not(target_os = "none"))]
mod hosted {
    use super::NotFast;
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
        static TAKEN: Cell<u64> = const { Cell::new(0) };
    }

    pub fn set(ways: Ways) {
        WAYS.set(ways);
    }

    /// How many short ways were taken on this host thread.
    pub fn taken() -> u64 {
        TAKEN.get()
    }

    pub fn short<T>(k: Kernel, way: impl FnOnce() -> Result<T, NotFast>) -> Result<T, NotFast> {
        let open = match WAYS.get() {
            Ways::All => true,
            Ways::ShortIfQuiet => arch::now() < k.quiet_until.get(),
            Ways::General => false,
        };
        if !open {
            return Err(NotFast);
        }
        way().inspect(|_| TAKEN.set(TAKEN.get() + 1))
    }
}
