//! A UART's registers through an I/O-port capability.

use chestnut_runtime::cap::IoPort;
use uart_16550::backend::Backend;

/// The eight ports of a UART.
pub struct Ports {
    capability: IoPort,
    first: u16,
}

impl Ports {
    pub fn new(capability: IoPort, first: u16) -> Self {
        Self { capability, first }
    }
}

impl Backend for Ports {
    unsafe fn read(&mut self, register_offset: u8) -> u8 {
        let read = self.capability.in8(self.first + u16::from(register_offset));
        // The kernel refuses only ports that the capability does not cover: the manifest is wrong.
        read.unwrap_or_else(|error| panic!("port {:#x}: {error}", self.first + u16::from(register_offset)))
    }

    unsafe fn write(&mut self, register_offset: u8, value: u8) {
        let port = self.first + u16::from(register_offset);
        self.capability.out8(port, value).unwrap_or_else(|error| panic!("port {port:#x}: {error}"));
    }
}
