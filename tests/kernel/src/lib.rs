//! A root task that tests the kernel from user mode, and the list of its tests by name.
//!
//! Host tests see the kernel's logic; these see what a program sees: real registers, page tables, interrupts and time. [`table`] lists
//! every test once, with the invocations and outcomes that it covers; from it come the names that the host reports ([`TESTS`]) and, in the
//! guest, the functions. The guest prints `test NAME ... ok` or `test NAME ... FAILED: why (file:line)` for each on COM1,
//! then `done`, and ends the emulator through the debug-exit port: 0x10 if all passed, 0x11 if not.
//!
//! A test runs in a thread of its own, in the root task's VSpace and CSpace ([`scene`]), so that one that faults or hangs takes nothing along; the
//! driver (in [`driver`]) waits above it with a time limit, and takes back whatever the test made.
//! [`scene`] and [`driver`] serve the kernel's benchmarks (`bench/kernel`), too.
//! The expectations are those of the seL4 manual and of libsel4's documented errors; files of `tests/` are named for the object they test.
#![no_std]

pub mod table;

pub use table::TESTS;

#[cfg(all(feature = "guest", target_os = "none"))]
pub mod calls;
#[cfg(all(feature = "guest", target_os = "none"))]
pub mod check;
#[cfg(all(feature = "guest", target_os = "none"))]
pub mod driver;
#[cfg(all(feature = "guest", target_os = "none"))]
pub mod hostile;
#[cfg(all(feature = "guest", target_os = "none"))]
pub mod scene;
#[cfg(all(feature = "guest", target_os = "none"))]
mod tests;
