//! The user-level library: what every service, and the root task, stands on.
//!
//! From the bottom: [`sys`] issues system calls, [`ipc_buffer`] and [`message`] put messages where the kernel looks for
//! them, [`cap`] gives every kernel object a type whose methods are its invocations. On these stand the allocators of
//! [`slots`] and [`untyped`], the shared-memory [`ring`]s between services, and what a program needs to start: entry
//! points ([`start`]), the [`heap`] and the log.
//!
//! One kernel thread per address space is assumed by what is kept in statics (the IPC buffer's address, the heap);
//! further threads may run beside it as long as they touch neither. Without `target_os = "none"` the crate compiles
//! for the host, where everything except the system calls themselves works and is tested.
#![no_std]

#[cfg(test)]
extern crate std;

extern crate alloc;

pub use chestnut_abi as abi;
pub use log;

pub mod cap;
pub mod clock;
pub mod heap;
pub mod ipc_buffer;
pub mod logger;
pub mod message;
pub mod ring;
pub mod signals;
pub mod slots;
pub mod start;
pub mod sys;
pub mod untyped;

pub use cap::{CNode, Slot};
pub use chestnut_manifest::StartInfo;
pub use message::{InvocationError, Received};
