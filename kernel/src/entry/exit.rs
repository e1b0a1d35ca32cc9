//! What every entrance begins and ends with: whether the running thread has the time for what it wants, and who runs next.

use crate::object::{Kernel, ThreadState};
use crate::{arch, ipc, time};

/// Reads the clock. If the running thread's budget is used up, lets it wait or its timeout handler know, and returns false: the
/// thread makes whatever it was about to do once more.
pub fn has_budget(k: Kernel) -> bool {
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
    arch::activate_vspace(thread.vspace.loadable());
    if k.fpu_owner.is(thread) {
        arch::fpu_enable();
    } else {
        arch::fpu_disable();
    }
    arch::set_current_context(Some(&thread.get().context));
}
