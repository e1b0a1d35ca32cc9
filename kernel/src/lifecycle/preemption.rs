//! Preemption points: where a long operation looks up and stops if somebody else needs the processor.
#![forbid(unsafe_code)]

use crate::object::Kernel;
use crate::{arch, time};

/// Work done between two looks.
const WORK_UNITS: u64 = 100;

/// The operation stopped half-way. The invoking thread, whose system call has not ended, makes it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preempted;

/// To be called after every piece of work of a few dozen instructions.
pub fn preemption_point(k: Kernel) -> Result<(), Preempted> {
    let work = k.work.get() + 1;
    if work < WORK_UNITS {
        k.work.set(work);
        return Ok(());
    }
    k.work.set(0);
    if arch::interrupt_pending() {
        return Err(Preempted);
    }
    time::read_clock(k);
    match k.current_sc.get(k) {
        Some(context) if context.is_configured() && !time::is_sufficient(k, context, k.consumed.get()) => {
            Err(Preempted)
        }
        _ => Ok(()),
    }
}
