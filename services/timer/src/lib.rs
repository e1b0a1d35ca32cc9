//! Deadlines for other services: wakes each client when the time-stamp counter has passed what the client wrote.
//!
//! Each client shares a page with the timer ([`Deadline`]) and has a signal each way; the page and
//! the signal to the client have the same name. Nobody asks the timer for the time: clients read the counter
//! themselves. One alarm, of the HPET or else of the PIT, stands for the earliest deadline; both count through
//! the same interrupt (IOAPIC pin 2). An alarm that can't reach that far rings early and is set anew.
#![no_std]

#[cfg(test)]
extern crate std;

extern crate alloc;

pub mod alarm;
pub mod clients;
pub mod hpet;
pub mod pit;

use alarm::Alarm;
use alloc::boxed::Box;
use chestnut_runtime::{
    StartInfo,
    cap::{InterruptHandler, IoPort, Notification},
    clock, signals,
};
use clients::Clients;
use hpet::{Hpet, Mapped};
use pit::Pit;

/// What the manifest calls the parts.
const HPET: &str = "hpet";
const PIT: &str = "pit";
const INTERRUPT: &str = "timer interrupt";
/// The interrupt's bit of the timer's notification. The others are clients'.
const INTERRUPT_BIT: u64 = 1 << 0;

/// The timer's program.
pub fn run(start: &'static StartInfo) -> ! {
    let interrupt = start.capability(INTERRUPT).map(InterruptHandler);
    let (Some(interrupt), Some(mut alarm)) = (interrupt, alarm(start)) else {
        panic!("the timer has neither HPET nor PIT, or no interrupt");
    };
    let clients = clients(start);
    loop {
        // The alarm is set anew until it is ahead of the clock; only then is waiting right.
        loop {
            clients.wake_due(clock::ticks());
            let next = clients.next();
            if next == clock::NEVER {
                alarm.stop();
                break;
            }
            let now = clock::ticks();
            if next > now && alarm.set(next - now) {
                break;
            }
        }
        let woken = signals::wait();
        if woken & INTERRUPT_BIT != 0 {
            alarm.acknowledge();
            if let Err(error) = interrupt.ack() {
                log::error!("{error}");
            }
        }
    }
}

/// The best alarm there is.
fn alarm(start: &StartInfo) -> Option<Box<dyn Alarm>> {
    let mut pit = start.capability(PIT).map(|port| Pit::new(IoPort(port), start.tsc_mhz));
    if let Some(region) = start.region(HPET) {
        // SAFETY: root mapped the HPET's registers there, uncached, for this program alone.
        let registers = unsafe { Mapped::new(region.address as *mut u8) };
        match Hpet::start(registers, start.tsc_mhz) {
            Ok(hpet) => {
                // The firmware's tick would ring on the same interrupt.
                if let Some(pit) = &mut pit {
                    pit.stop();
                }
                return Some(Box::new(hpet));
            }
            Err(reason) => log::info!("the HPET can't be used: {reason}"),
        }
    }
    pit.map(|pit| Box::new(pit) as Box<dyn Alarm>)
}

/// Everybody whose deadline page and signal are there under one name.
fn clients(start: &StartInfo) -> Clients<Notification> {
    let mut clients = Clients::default();
    for region in start.regions.iter().filter(|region| region.name != HPET) {
        match start.capability(&region.name) {
            Some(signal) => {
                // SAFETY: root mapped the page for this program's life, and only the value made here accesses it.
                let deadline = unsafe { clock::Deadline::new(region.address as *mut u64) };
                clients.add(deadline, Notification(signal));
            }
            None => log::error!("deadline \"{}\": the timer has no signal of that name", region.name),
        }
    }
    clients
}
