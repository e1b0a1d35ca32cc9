//! Root: starts the services that the manifest names, gives each what it says and nothing else, and supervises them.
//!
//! The root task gets everything from the kernel and keeps little. [`boot`] reads what the kernel tells and the archive
//! that the launcher appended to root's image. [`shared`] makes what outlives a service: notifications, rings, deadline
//! pages, interrupt handlers, I/O ports. [`construct`] makes one process out of its ELF file, all of it from
//! [`arena`]s that one revocation takes back. [`supervise`] waits for faults, names them on the log and makes anew what the
//! manifest says shall be. [`watch`] finds out who has stopped answering. [`metronome`] gives root a sense of time.
//!
//! Below: [`resources`] holds slots and memory, [`space`] maps pages, [`device`] finds device memory by
//! physical address, [`hpet`] finds the HPET. Each error says what root was doing: [`failure`].
//!
//! Root runs at priority 255, so nothing it builds runs before it waits.
#![no_std]

#[cfg(test)]
extern crate std;

extern crate alloc;

pub mod arena;
pub mod boot;
pub mod construct;
pub mod device;
pub mod failure;
pub mod faults;
pub mod hpet;
pub mod image;
pub mod metronome;
pub mod resources;
pub mod shared;
pub mod space;
pub mod supervise;
pub mod watch;

use chestnut_runtime::{
    abi::{BootInfo, bootinfo::slot},
    cap::IoPortControl,
    logger,
};

/// The root task's program.
pub fn run(info: &'static BootInfo) -> ! {
    let mut resources = resources::Resources::new(info);
    let console = match resources.slots.allocate() {
        Some(slot) => IoPortControl(slot::IO_PORT_CONTROL).issue(logger::PORT, logger::PORT, slot_of(slot)),
        None => chestnut_runtime::start::fault(),
    };
    match console {
        Ok(port) => logger::init(port),
        // Nobody can be told, and a system that can't say what is wrong should not run.
        Err(_) => chestnut_runtime::start::fault(),
    }
    let started = boot::read(info)
        .and_then(|boot| shared::Shared::make(boot, console.ok(), &mut resources))
        .and_then(|shared| supervise::Supervisor::start(shared, resources));
    match started {
        Ok(supervisor) => supervisor.run(),
        Err(failure) => supervise::stop(&failure),
    }
}

fn slot_of(index: u64) -> chestnut_runtime::Slot {
    chestnut_runtime::Slot::own(index)
}
