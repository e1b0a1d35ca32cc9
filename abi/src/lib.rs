//! The interface between the kernel and user code, written down once.
//!
//! Everything here is a fact of seL4's MCS interface on x86_64 (seL4 reference manual; public libsel4 headers and
//! XML), plus Chestnut's two extensions (`Label::TcbSetRedirect` and `VmAttributes::EXECUTE_NEVER`). The kernel decodes
//! with these definitions, the runtime's stubs encode with them, and the tables in [`invocation`] say what each
//! invocation takes, so that tests and the reference page come from the same source.
//!
//! Units: sizes are powers of two in bits where a name ends in `BITS`, bytes otherwise; times are microseconds.
#![no_std]
#![forbid(unsafe_code)]

pub mod behaviour;
pub mod bootinfo;
pub mod error;
pub mod fault;
pub mod invocation;
pub mod ipc_buffer;
pub mod layout;
pub mod message;
pub mod object;
pub mod registers;
pub mod syscall;

pub use bootinfo::BootInfo;
pub use error::{Error, LookupFailure};
pub use invocation::Label;
pub use ipc_buffer::IpcBuffer;
pub use message::{CNodeCapData, CapRights, MessageInfo};
pub use object::ObjectType;
pub use registers::UserContext;
pub use syscall::Syscall;

/// Lowest thread priority.
pub const MIN_PRIORITY: u8 = 0;
/// Highest thread priority; the initial thread starts with it, as its priority and as its maximum controlled priority.
pub const MAX_PRIORITY: u8 = 255;
/// Scheduling domains.
pub const DOMAINS: usize = 1;
/// Entries of the domain schedule.
pub const DOMAIN_SCHEDULE_ENTRIES: usize = 2;
