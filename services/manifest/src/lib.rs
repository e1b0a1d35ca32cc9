//! What the launcher and the services agree on, written down once.
//!
//! The launcher builds the boot archive on the host; root and the services read it in the guest. Both sides encode and
//! decode these types with `postcard`, so no byte layout is written twice:
//!
//! | type | from | to | where |
//! |---|---|---|---|
//! | [`Manifest`] | launcher | root | archive, [`archive::MANIFEST`] |
//! | [`RunRequest`] | launcher | linux | archive, [`archive::RUN`] |
//! | [`StartInfo`] | root | each service | the page that RDI points at |
//! | [`HostMessage`] | launcher | linux | host channel (COM2), by a [`link`] |
//! | [`GuestMessage`] | linux | launcher | host channel (COM2), by a [`link`] |
//!
//! Fields are in bytes and microseconds unless their comment says otherwise. Nothing here is a promise to anybody
//! outside of one build: launcher and guest always come from the same sources.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod archive;
mod channel;
mod check;
pub mod link;
mod run;
mod services;
mod start;

pub use channel::{GuestMessage, HostMessage, MAX_PAYLOAD, STDIN_WINDOW};
pub use check::Problem;
pub use run::{Command, RunRequest, Stdio};
pub use services::{
    Deadline, Device, Failure, Grant, Interrupt, Manifest, Manner, Memory, PortRange, Restart, Ring, Service, Signal,
};
pub use start::{NamedCapability, Region, StartInfo, UntypedMemory, slots};

/// A line of the log (debugcon) that begins with this says that the system can't go on: root writes it when a service
/// whose policy is [`Restart::Never`] has faulted. The launcher ends the run and shows the log.
pub const LOG_FATAL: &str = "fatal: ";

/// The bit of a service's notification by which root asks whether the service goes on. The answer is a signal to
/// [`slots::ALIVE`].
pub const QUESTION_BIT: u8 = 63;
