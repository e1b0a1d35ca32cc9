//! The entrances of the kernel: what happened, who deals with it, who runs next.
//!
//! The assembly stubs have saved the running thread's registers in its TCB when they call one of these; interrupts are off and stay off.
//! Each entrance reads the clock, does its work if the running thread's budget allows, lets the scheduler decide, and leaves the
//! processor ready for whoever is current. What it leaves undone for want of budget, the thread begins again.
mod events;
mod system_call;
mod token;

#[cfg(feature = "debug")]
mod debug;

pub use events::{exception, fpu_unavailable, interrupt, page_fault, timer};
pub use system_call::system_call;
pub use token::{enter, install};

use crate::object::{Kernel, ThreadState};
use crate::{arch, ipc, time};

/// Reads the clock. If the running thread's budget is used up, lets it wait or its timeout handler know, and returns false: the
/// thread makes whatever it was about to do once more.
fn has_budget(k: Kernel) -> bool {
    time::read_clock(k);
    if !time::is_expired(k) {
        return true;
    }
    if let Some(thread) = k.current.get(k).filter(|thread| thread.is_runnable()) {
        thread.state.set(ThreadState::Restart);
    }
    match time::charge_expired(k) {
        Some(time::Expired(thread)) if ipc::has_timeout_handler(k, thread) => ipc::timeout(k, thread),
        Some(time::Expired(thread)) => time::end_of_budget(k, thread),
        None => {}
    }
    false
}

/// The way out: chooses who runs, and makes the processor ready for it.
pub fn leave(k: Kernel) {
    time::schedule(k);
    let Some(thread) = k.current.get(k) else {
        arch::set_current_context(None);
        return;
    };
    ipc::complete_yield(k, thread);
    if thread.state.get() == ThreadState::Restart {
        thread.context.restart();
        thread.state.set(ThreadState::Running);
    }
    // Without an address space the thread finds nothing but the kernel's own, and faults.
    arch::activate_vspace(thread.vspace.get(k).map_or(0, |root| root.loadable()));
    if k.fpu_owner.is(thread) {
        arch::fpu_enable();
    } else {
        arch::fpu_disable();
    }
    arch::set_current_context(Some(&thread.get().context));
}
