//! The kernel's own words: COM1, polled.
//!
//! Used at boot, by debug builds, and when the kernel has found a bug in itself. Waiting for the transmitter is bounded:
//! a machine without COM1 loses the text and nothing else.

use super::instructions::{port_in, port_out};

const COM1: u16 = 0x3f8;
const LINE_STATUS: u16 = COM1 + 5;
const TRANSMITTER_EMPTY: u32 = 1 << 5;
/// Polls before a byte is given up: some milliseconds on hardware, where each takes about a microsecond.
const PATIENCE: u32 = 20_000;

/// Sets COM1 to 115200 baud, 8 bits, no parity, FIFOs on, interrupts off.
pub fn console_init() {
    for (register, value) in [(1, 0), (3, 0x80), (0, 1), (1, 0), (3, 3), (2, 7), (4, 3)] {
        port_out(COM1 + register, 1, value);
    }
}

/// Writes one byte to COM1, and a carriage return before a line feed.
#[inline(never)]
pub fn console_put(byte: u8) {
    if byte == b'\n' {
        console_put(b'\r');
    }
    for _ in 0..PATIENCE {
        if port_in(LINE_STATUS, 1) & TRANSMITTER_EMPTY != 0 {
            port_out(COM1, 1, byte.into());
            return;
        }
    }
}
