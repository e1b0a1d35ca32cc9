//! Where the token of a kernel entry comes from.

use super::state::{Kernel, State};
use crate::mem::Entry;

#[cfg(target_os = "none")]
mod place {
    use super::*;

    struct OneProcessor(State);
    // SAFETY: one processor runs the kernel, with interrupts off from entrance to exit, so nothing is ever shared between threads of
    // control. (With more processors a big lock takes that place.)
    unsafe impl Sync for OneProcessor {}
    static STATE: OneProcessor = OneProcessor(State::new());

    /// Begins a kernel entry.
    pub fn enter<'k>() -> Kernel<'k> {
        // SAFETY: the entrances call this, and don't nest; boot maps all RAM in the window before it makes the first
        // capability.
        Kernel::new(unsafe { Entry::new() }, &STATE.0)
    }
}

#[cfg(not(target_os = "none"))]
mod place {
    use super::*;
    use std::boxed::Box;
    use std::cell::Cell;
    use std::thread_local;

    thread_local! {
        static PLACE: Cell<Option<(&'static State, usize)>> = const { Cell::new(None) };
    }

    /// Begins a kernel entry on this host thread's simulated machine.
    pub fn enter<'k>() -> Kernel<'k> {
        let (state, window) = PLACE.get().unwrap_or_else(|| install());
        // SAFETY: one simulated machine for each host thread; its memory is never freed.
        Kernel::new(unsafe { Entry::new(window) }, state)
    }

    /// Gives this host thread a fresh simulated machine with 64 MiB of memory at physical address 0, and says where its memory is.
    pub fn install() -> (&'static State, usize) {
        const BYTES: usize = 64 << 20;
        let layout = std::alloc::Layout::from_size_align(BYTES, 1 << 21).expect("a constant layout");
        // SAFETY: the layout isn't empty.
        let memory = unsafe { std::alloc::alloc_zeroed(layout) };
        assert!(!memory.is_null(), "no memory for the simulated machine");
        let place = (&*Box::leak(Box::new(State::new())), memory.expose_provenance());
        PLACE.set(Some(place));
        place
    }
}

pub use place::enter;
#[cfg(not(target_os = "none"))]
pub use place::install;
