//! The simulated machine that host tests run the kernel on: registers are plain cells, time is a number that tests advance, and
//! what the kernel asks of the processor is recorded. One machine for each host thread, so that tests run side by side.

mod context;
mod machine;

pub use context::{Context, FpuState, SYSTEM_CALL_LENGTH};
pub use machine::*;
