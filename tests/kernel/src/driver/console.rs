//! COM1 for the report, the debug console for where it stands, and the port that ends the emulator.
//!
//! All three are reached by I/O-port capabilities, as any program would, so that the tests run on kernels without debug system calls.

use crate::scene::fixed::{CONSOLE, DEBUG_CONSOLE, EXIT};
use crate::scene::invoke::invoke;
use chestnut_abi::Label;
use core::fmt;

pub const COM1: u16 = 0x3f8;
pub const EXIT_PORT: u16 = 0xf4;
pub const DEBUG_PORT: u16 = 0xe9;
const LINE_STATUS: u16 = COM1 + 5;
const TRANSMITTER_EMPTY: u64 = 1 << 5;
const PASSED: u64 = 0x10;
const FAILED: u64 = 0x11;

/// COM1, written to byte by byte when it is ready.
pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while invoke(CONSOLE, Label::X86IoPortIn8, &[LINE_STATUS.into()], &[]).words[0] & TRANSMITTER_EMPTY == 0 {}
            invoke(CONSOLE, Label::X86IoPortOut8, &[COM1.into(), byte.into()], &[]);
        }
        Ok(())
    }
}

struct DebugConsole;

impl fmt::Write for DebugConsole {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            invoke(DEBUG_CONSOLE, Label::X86IoPortOut8, &[DEBUG_PORT.into(), byte.into()], &[]);
        }
        Ok(())
    }
}

/// Writes to the emulator's debug console, which may not be there.
pub fn debug(text: fmt::Arguments<'_>) {
    _ = fmt::write(&mut DebugConsole, text);
}

/// Ends the emulator.
pub fn exit(passed: bool) -> ! {
    let status = if passed { PASSED } else { FAILED };
    invoke(EXIT, Label::X86IoPortOut8, &[EXIT_PORT.into(), status], &[]);
    crate::scene::thread::rest()
}
