//! Console driver: moves bytes between two UARTs and rings, woken by interrupts and by its client, never polling.
//!
//! Each UART is a [`line`](line::Line) with a ring each way. What comes in goes into the ring and the client is
//! signalled; when the ring is full the driver stops reading, the UART's FIFO fills up and the sender has to wait, until
//! the client signals that there is room. What goes out leaves the ring when the UART has it, so that a
//! restarted driver goes on with the first byte that was not sent.
//!
//! The driver holds its I/O ports, its interrupts, its rings and its client's notification, and nothing else. Names
//! and bits are those of `services/manifest.toml`.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod line;
mod ports;

use chestnut_runtime::{
    StartInfo,
    cap::{InterruptHandler, IoPort, Notification},
    ring::{ByteConsumer, ByteProducer, Memory},
    signals,
};
use line::Line;
use ports::Ports;

/// What the manifest calls a UART's parts.
struct Names {
    ports: &'static str,
    first_port: u16,
    interrupt: &'static str,
    input: &'static str,
    output: &'static str,
    client: &'static str,
    /// Bits of the driver's notification: the interrupt's and the client's.
    interrupt_bit: u64,
    client_bit: u64,
}

const LINES: [Names; 2] = [
    Names {
        ports: "com1",
        first_port: 0x3f8,
        interrupt: "com1 interrupt",
        input: "terminal input",
        output: "terminal output",
        client: "terminal",
        interrupt_bit: 1 << 0,
        client_bit: 1 << 2,
    },
    Names {
        ports: "com2",
        first_port: 0x2f8,
        interrupt: "com2 interrupt",
        input: "host input",
        output: "host output",
        client: "host",
        interrupt_bit: 1 << 1,
        client_bit: 1 << 3,
    },
];

/// A line with the capabilities around it.
struct Attached {
    names: &'static Names,
    line: Line<Ports>,
    interrupt: InterruptHandler,
    client: Notification,
}

impl Attached {
    fn new(names: &'static Names, start: &StartInfo) -> Option<Self> {
        let ports = Ports::new(IoPort(start.capability(names.ports)?), names.first_port);
        let input = ByteProducer::attach(ring(start, names.input)?);
        let output = ByteConsumer::attach(ring(start, names.output)?);
        let line = match Line::start(ports, input, output) {
            Ok(line) => line,
            Err(reason) => {
                log::error!("{}: {reason}", names.ports);
                return None;
            }
        };
        let interrupt = InterruptHandler(start.capability(names.interrupt)?);
        let client = Notification(start.capability(names.client)?);
        Some(Self { names, line, interrupt, client })
    }

    /// Does what there is to do after the signals `woken`.
    fn serve(&mut self, woken: u64) {
        if woken & (self.names.interrupt_bit | self.names.client_bit) == 0 {
            return;
        }
        // Acknowledged first: an edge that comes during the work must not be lost.
        if woken & self.names.interrupt_bit != 0
            && let Err(error) = self.interrupt.ack()
        {
            log::error!("{}: {error}", self.names.interrupt);
        }
        match self.line.work() {
            Ok(true) => self.client.signal(),
            Ok(false) => {}
            Err(broken) => log::error!("{}: {broken}; the line is closed", self.names.ports),
        }
    }
}

/// A ring's memory by its name.
fn ring(start: &StartInfo, name: &str) -> Option<Memory> {
    let region = start.region(name)?;
    // SAFETY: root mapped the region for this program's life, and nothing but this ring's one side uses it here.
    Some(unsafe { Memory::new(region.address as *mut u8, region.bytes as usize) })
}

/// The driver's program.
pub fn run(start: &'static StartInfo) -> ! {
    let mut lines = LINES.each_ref().map(|names| {
        let attached = Attached::new(names, start);
        if attached.is_none() {
            log::error!("{} is not served: something of it is missing", names.ports);
        }
        attached
    });
    // As if everything had happened: what came or was freed while the driver was not there must be seen, by the driver
    // and by its client.
    for attached in lines.iter_mut().flatten() {
        attached.serve(u64::MAX);
        attached.client.signal();
    }
    loop {
        let woken = signals::wait();
        for attached in lines.iter_mut().flatten() {
            attached.serve(woken);
        }
    }
}
