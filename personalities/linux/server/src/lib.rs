//! The Linux server: processes, memory, signals and system calls of unmodified Linux programs.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod agenda;
pub mod archive;
pub mod boot;
#[allow(unsafe_code)]
pub mod capability;
pub mod clock;
pub mod devices;
pub mod exec;
pub mod executor;
pub mod faults;
pub mod file_owner;
pub mod file_services;
pub mod fixed;
pub mod ipc;
pub mod kernel_log;
pub mod load;
pub mod memory;
pub mod messages;
pub mod pidfd;
pub mod pressure;
pub mod process;
pub mod procfs;
pub mod server;
pub mod session;
pub mod short;
pub mod signalfd;
pub mod syscall;
pub mod sysfs;
pub mod trace;
pub mod turns;
