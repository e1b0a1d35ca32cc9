//! Calls of the kernel's own objects: their arguments, the invocation, the answer.
//!
//! Most of them have to do neither with time nor with who runs: mapping pages, copying and deleting capabilities, making objects, reading and
//! writing registers. For these the clock isn't read first and the scheduler isn't asked at the end. Why that is enough:
//!
//! 1. Such an invocation neither looks at budgets, queues and threads' states nor changes them (`invoke::invoke_aside` does no other, and says
//!    before it has changed anything if it is another). So the thread that ran may run on, in the same address space and with the FPU as it is.
//! 2. Its time: the timer is still set to the end of its budget, or to when somebody's awaited budget comes. It interrupts as soon as the kernel is
//!    left, and the time that was used here is counted when the clock is read next.
//! 3. A long one stops at its preemption points: the thread makes its system call again, and interrupts that wait come before it.
//!
//! What is sent in another way than by Call goes the general way, and does the same.
#![forbid(unsafe_code)]

use super::exit::{has_budget, leave};
use crate::cap::CapRef;
use crate::fastpath::NotFast;
use crate::invoke::{self, Arguments, Aside, Stop};
use crate::ipc::ExtraCaps;
use crate::mem::Ref;
use crate::object::{Kernel, Tcb, ThreadState};

/// Makes a Call of the running thread through the capability in `slot` if it is to a kernel object. If not, nothing has been changed.
#[inline(always)]
pub fn call<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, slot: CapRef<'k>) -> Result<(), NotFast> {
    let mut arguments = Arguments::new(k, thread, ExtraCaps::default(), true, true, true);
    if !arguments.caps.fill(k, thread, arguments.info) {
        // What is missing is for the general way to say.
        return Err(NotFast);
    }
    match invoke::invoke_aside(&arguments, slot) {
        Aside::Answered => {}
        Aside::Preempted => thread.context.restart(),
        Aside::Timely => perform_timely(k, &arguments, slot),
        Aside::Elsewhere => return Err(NotFast),
    }
    Ok(())
}

#[inline(never)]
fn perform_timely<'k>(k: Kernel<'k>, arguments: &Arguments<'k>, slot: CapRef<'k>) {
    if has_budget(k) {
        // Until it is done, the thread is one that makes this call again.
        let state = &arguments.thread.get().state;
        state.set(ThreadState::Restart);
        let outcome = invoke::invoke_timely(arguments, slot);
        if outcome != Err(Stop::Preempted) && state.get() == ThreadState::Restart {
            match outcome {
                Err(Stop::Error(error)) => error.reply(k, arguments.thread),
                _ => arguments.finish(),
            }
            state.set(ThreadState::Running);
        }
    }
    leave(k);
}
