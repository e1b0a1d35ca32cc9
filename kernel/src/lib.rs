//! The microkernel.
#![no_std]

#[cfg(target_os = "none")]
pub mod arch;
pub mod boot;
