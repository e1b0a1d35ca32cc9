//! The microkernel: capabilities, threads, scheduling contexts, endpoints, notifications, address spaces, interrupts.
//!
//! It is an event kernel. Every entrance in [`entry`] runs to its end on one stack with interrupts off; long operations stop
//! at preemption points and are entered again. It holds mechanisms and no policy, allocates nothing (all memory of objects
//! comes from Untyped by Retype), and cannot panic.
//!
//! The floors, from the top; a file imports only from floors below its own:
//! [`entry`] → [`invoke`], [`boot`] → [`fastpath`] → [`lifecycle`] → [`ipc`] → [`time`] → [`object`] → [`cap`] → [`arch`] → [`mem`], [`print`].
//!
//! Kernel objects are structs of `Cell`s that live in memory which a Retype has cleared; code holds shared references only
//! ([`mem::Ref`]), and objects hold [`mem::Link`]s to each other. On the host the same code runs over a simulated machine
//! (`arch/hosted`), which is how it is unit-tested and fuzzed.
#![no_std]
#![cfg_attr(target_os = "none", allow(unused_features))]

#[cfg(not(target_os = "none"))]
extern crate std;

pub mod arch;
pub mod boot;
pub mod cap;
pub mod entry;
pub mod fastpath;
pub mod invoke;
pub mod ipc;
pub mod lifecycle;
pub mod mem;
pub mod object;
pub mod print;
pub mod time;
