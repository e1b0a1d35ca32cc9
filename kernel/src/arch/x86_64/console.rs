//! The kernel's own words: COM1, polled.
//!
//! Used at boot, by debug builds, and when the kernel has found a bug in itself. It doesn't go through `core::fmt`,
//! because that brings code that can panic into an image which must have none. Waiting for the transmitter is bounded:
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

/// What can stand in a line of text.
pub trait Print {
    fn print(&self);
}

impl Print for str {
    #[inline(never)]
    fn print(&self) {
        self.bytes().for_each(console_put);
    }
}

impl<T: Print + ?Sized> Print for &T {
    fn print(&self) {
        T::print(self);
    }
}

/// In decimal.
impl Print for u64 {
    #[inline(never)]
    fn print(&self) {
        let mut divisor = 1u64;
        while self / divisor >= 10 {
            divisor = divisor.wrapping_mul(10).max(1);
        }
        while divisor > 0 {
            console_put(b'0'.wrapping_add((self / divisor % 10) as u8));
            divisor /= 10;
        }
    }
}

impl Print for usize {
    fn print(&self) {
        (*self as u64).print();
    }
}

/// In hexadecimal, with its prefix.
pub struct Hex(pub u64);

impl Print for Hex {
    #[inline(never)]
    fn print(&self) {
        "0x".print();
        let digits = (67 - (self.0 | 1).leading_zeros()) / 4;
        for digit in (0..digits).rev() {
            let nibble = (self.0 >> (digit * 4)) as u8 & 15;
            console_put(if nibble < 10 { b'0'.wrapping_add(nibble) } else { b'a' - 10 + nibble });
        }
    }
}

/// Prints its arguments one after the other, then ends the line.
#[macro_export]
macro_rules! print_line {
    ($($part:expr),* $(,)?) => {{
        $($crate::arch::Print::print(&$part);)*
        $crate::arch::console_put(b'\n');
    }};
}
