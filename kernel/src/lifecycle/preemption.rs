//! Preemption points: where a long operation stops, so that whoever waits for the processor gets it.
//!
//! At every so many units of work the kernel is left, whether anybody waits or not; the invoking thread makes its system
//! call again. Asking first would save little: the interrupt controller's registers are as slow to read as an empty way
//! out and in again is, and so the time with interrupts off has a bound that can be counted.
#![forbid(unsafe_code)]

use crate::object::Kernel;

/// Units of work between two ways out. One is some eighty instructions.
const WORK_UNITS: u64 = 100;

/// The operation stopped half-way. The invoking thread, whose system call has not ended, makes it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preempted;

/// To be called after every piece of work, with its units. Each must bring the operation nearer to its end.
pub fn preemption_point(k: Kernel, units: u64) -> Result<(), Preempted> {
    count(k, units);
    if k.work.get() < WORK_UNITS {
        return Ok(());
    }
    k.work.set(0);
    Err(Preempted)
}

/// Counts work that was done since the last preemption point, besides what is given there.
pub fn count(k: Kernel, units: u64) {
    k.work.set(k.work.get().saturating_add(units));
}
