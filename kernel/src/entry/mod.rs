//! The entrances of the kernel: what happened, who deals with it, who runs next.
//!
//! The assembly stubs have saved the running thread's registers in its TCB when they call one of these; interrupts are off and stay off.
//! Each entrance reads the clock, does its work if the running thread's budget allows, lets the scheduler decide, and leaves the
//! processor ready for whoever is current. What it leaves undone for want of budget, the thread begins again. Two short ways of system calls do
//! less, and say why that is enough: `fastpath` for messages and signals, `invocation` for what is asked of kernel objects.
#![forbid(unsafe_code)]
mod events;
mod exit;
mod invocation;
mod system_call;
mod ways;

#[cfg(feature = "debug")]
mod debug;

pub use events::{exception, fpu_unavailable, interrupt, page_fault, timer};
pub use exit::leave;
#[cfg(not(target_os = "none"))]
pub use system_call::system_call;
pub use system_call::{call, other_call, reply_recv};

pub use crate::object::enter;
#[cfg(not(target_os = "none"))]
pub use crate::object::{install, uninstall};
#[cfg(not(target_os = "none"))]
pub use ways::{Ways, set as set_ways, taken as short_ways_taken};
