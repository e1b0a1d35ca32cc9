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

    const BYTES: usize = 64 << 20;
    const ALIGNMENT: usize = 1 << 21;
    /// Asked for without alignment, so that the host hands out pages as they are touched; room to align is added.
    const LAYOUT: std::alloc::Layout = std::alloc::Layout::new::<[u64; (BYTES + ALIGNMENT) / 8]>();

    #[derive(Clone, Copy)]
    struct Simulated {
        state: &'static State,
        memory: *mut u8,
    }

    impl Simulated {
        fn window(self) -> usize {
            self.memory.expose_provenance().next_multiple_of(ALIGNMENT)
        }
    }

    thread_local! {
        static PLACE: Cell<Option<Simulated>> = const { Cell::new(None) };
    }

    /// Begins a kernel entry on this host thread's simulated machine.
    pub fn enter<'k>() -> Kernel<'k> {
        let (state, window) = PLACE.get().map_or_else(install, |place| (place.state, place.window()));
        // SAFETY: one simulated machine for each host thread; its memory lives until `uninstall`.
        Kernel::new(unsafe { Entry::new(window) }, state)
    }

    /// Gives this host thread a fresh simulated machine with 64 MiB of memory at physical address 0, and says where its memory is.
    pub fn install() -> (&'static State, usize) {
        // SAFETY: the layout isn't empty.
        let memory = unsafe { std::alloc::alloc_zeroed(LAYOUT) };
        assert!(!memory.is_null(), "no memory for the simulated machine");
        let place = Simulated { state: Box::leak(Box::new(State::new())), memory };
        PLACE.set(Some(place));
        (place.state, place.window())
    }

    /// Gives back the memory of this host thread's machine.
    ///
    /// # Safety
    /// Nothing refers to the machine's state or memory any more.
    pub unsafe fn uninstall() {
        let Some(place) = PLACE.take() else { return };
        // SAFETY: `install` made both; nobody refers to them, as the caller says.
        unsafe {
            std::alloc::dealloc(place.memory, LAYOUT);
            drop(Box::from_raw(std::ptr::from_ref(place.state).cast_mut()));
        }
    }
}

pub use place::enter;
#[cfg(not(target_os = "none"))]
pub use place::{install, uninstall};
