//! The HPET's first comparator as an alarm (IA-PC HPET specification 1.0a).
//!
//! The main counter runs for ever; the comparator interrupts, edge-triggered, when the counter reaches it. A
//! comparator set to what has just passed would wait for the counter to come round, so setting looks at the counter
//! once more. The interrupt goes to IOAPIC pin 2: by the comparator's own routing if it can, else by the legacy replacement
//! route, which is the same pin.

use crate::alarm::{Alarm, hardware_ticks};
use core::fmt;

/// The IOAPIC pin that the manifest gives to the timer.
const PIN: u64 = 2;

/// Offsets of registers.
mod register {
    /// Period in femtoseconds in the upper half.
    pub const CAPABILITIES: usize = 0x0;
    pub const CONFIGURATION: usize = 0x10;
    pub const COUNTER: usize = 0xf0;
    /// Of the first comparator; which routes it can take in the upper half.
    pub const COMPARATOR_CONFIGURATION: usize = 0x100;
    pub const COMPARATOR: usize = 0x108;
}

/// Bits of `CAPABILITIES`.
const LEGACY_CAPABLE: u64 = 1 << 15;
const MAX_PERIOD_FS: u64 = 100_000_000;
/// Bits of `CONFIGURATION`.
const ENABLE: u64 = 1 << 0;
const LEGACY: u64 = 1 << 1;
/// Bits of `COMPARATOR_CONFIGURATION`. Edge-triggered, one-shot and not by message are zeroes.
const INTERRUPT: u64 = 1 << 2;
const WIDE_CAPABLE: u64 = 1 << 5;
const ROUTE_SHIFT: u32 = 9;
const ROUTES_SHIFT: u32 = 32;

/// Furthest alarm: well within what a counter of 32 bits tells apart.
const MOST_TICKS: u64 = 1 << 30;

/// Access to the registers.
pub trait Registers {
    fn read(&self, offset: usize) -> u64;
    fn write(&mut self, offset: usize, value: u64);
}

/// The registers as they are mapped.
pub struct Mapped(*mut u8);

impl Mapped {
    /// # Safety
    /// The HPET's page of registers is mapped at `address`, uncached, and nobody else in this program uses it.
    pub unsafe fn new(address: *mut u8) -> Self {
        Self(address)
    }
}

impl Registers for Mapped {
    fn read(&self, offset: usize) -> u64 {
        // SAFETY: `new`'s caller promised the page; the offsets are those of 64-bit registers within it.
        unsafe { self.0.add(offset).cast::<u64>().read_volatile() }
    }

    fn write(&mut self, offset: usize, value: u64) {
        // SAFETY: as in `read`.
        unsafe { self.0.add(offset).cast::<u64>().write_volatile(value) }
    }
}

/// Why the HPET can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Its period, in femtoseconds, is none that the specification allows.
    Period(u64),
    /// It can't interrupt through the timer's pin.
    Route,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Period(period) => write!(f, "a period of {period} femtoseconds"),
            Self::Route => write!(f, "no way to IOAPIC pin {PIN}"),
        }
    }
}

/// The HPET, counting.
#[derive(Debug)]
pub struct Hpet<R> {
    registers: R,
    /// The comparator's configuration without its interrupt.
    quiet: u64,
    /// All bits that counter and comparator have.
    mask: u64,
    period_fs: u64,
    tsc_mhz: u32,
}

impl<R: Registers> Hpet<R> {
    /// Lets it count, without an alarm.
    pub fn start(mut registers: R, tsc_mhz: u32) -> Result<Self, Unusable> {
        let capabilities = registers.read(register::CAPABILITIES);
        let period_fs = capabilities >> 32;
        if period_fs == 0 || period_fs > MAX_PERIOD_FS {
            return Err(Unusable::Period(period_fs));
        }
        let comparator = registers.read(register::COMPARATOR_CONFIGURATION);
        let (configuration, quiet) = if comparator >> ROUTES_SHIFT >> PIN & 1 != 0 {
            (ENABLE, PIN << ROUTE_SHIFT)
        } else if capabilities & LEGACY_CAPABLE != 0 {
            (ENABLE | LEGACY, 0)
        } else {
            return Err(Unusable::Route);
        };
        let mask = if comparator & WIDE_CAPABLE != 0 { u64::MAX } else { u32::MAX.into() };
        registers.write(register::COMPARATOR_CONFIGURATION, quiet);
        registers.write(register::CONFIGURATION, configuration);
        Ok(Self { registers, quiet, mask, period_fs, tsc_mhz })
    }
}

impl<R: Registers> Alarm for Hpet<R> {
    fn set(&mut self, ticks: u64) -> bool {
        let count = hardware_ticks(ticks, self.tsc_mhz, self.period_fs, MOST_TICKS);
        let before = self.registers.read(register::COUNTER);
        self.registers.write(register::COMPARATOR_CONFIGURATION, self.quiet | INTERRUPT);
        self.registers.write(register::COMPARATOR, before.wrapping_add(count) & self.mask);
        let passed = self.registers.read(register::COUNTER).wrapping_sub(before) & self.mask;
        passed < count
    }

    fn stop(&mut self) {
        self.registers.write(register::COMPARATOR_CONFIGURATION, self.quiet);
    }

    fn acknowledge(&mut self) {
        // Edge-triggered: nothing is held.
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::Cell, collections::BTreeMap};

    /// A counter that goes on by a step at each reading.
    struct Model {
        values: BTreeMap<usize, u64>,
        counter: Cell<u64>,
        step: u64,
    }

    impl Registers for Model {
        fn read(&self, offset: usize) -> u64 {
            if offset == register::COUNTER {
                self.counter.set(self.counter.get() + self.step);
                return self.counter.get();
            }
            self.values.get(&offset).copied().unwrap_or(0)
        }
        fn write(&mut self, offset: usize, value: u64) {
            self.values.insert(offset, value);
        }
    }

    /// 100 MHz, 64 bits, all pins of `routes`.
    fn model(routes: u64, capabilities: u64) -> Model {
        let values = [
            (register::CAPABILITIES, 10_000_000 << 32 | capabilities),
            (register::COMPARATOR_CONFIGURATION, routes << ROUTES_SHIFT | WIDE_CAPABLE),
        ];
        Model { values: values.into(), counter: Cell::new(1000), step: 1 }
    }

    #[test]
    fn the_comparator_is_set_ahead_of_the_counter() {
        let mut hpet = Hpet::start(model(1 << 2, 0), 1000).unwrap();
        assert_eq!(hpet.registers.values[&register::CONFIGURATION], ENABLE);
        assert!(hpet.set(5000));
        assert_eq!(hpet.registers.values[&register::COMPARATOR], 1001 + 500);
        assert_eq!(hpet.registers.values[&register::COMPARATOR_CONFIGURATION], 2 << 9 | INTERRUPT);
        hpet.stop();
        assert_eq!(hpet.registers.values[&register::COMPARATOR_CONFIGURATION], 2 << 9);
    }

    #[test]
    fn what_has_passed_meanwhile_is_said_to_have_passed() {
        let mut hpet = Hpet::start(model(1 << 2, 0), 1000).unwrap();
        hpet.registers.step = 500;
        assert!(!hpet.set(5000));
        assert!(hpet.set(5010));
    }

    #[test]
    fn a_far_alarm_rings_early() {
        let mut hpet = Hpet::start(model(1 << 2, 0), 1000).unwrap();
        assert!(hpet.set(u64::MAX));
        assert_eq!(hpet.registers.values[&register::COMPARATOR], 1001 + MOST_TICKS);
    }

    #[test]
    fn the_legacy_route_serves_where_there_is_no_other() {
        let hpet = Hpet::start(model(0xff_0000, LEGACY_CAPABLE), 1000).unwrap();
        assert_eq!(hpet.registers.values[&register::CONFIGURATION], ENABLE | LEGACY);
        assert_eq!(Hpet::start(model(0xff_0000, 0), 1000).err(), Some(Unusable::Route));
    }

    #[test]
    fn a_counter_of_32_bits_wraps() {
        let mut narrow = model(1 << 2, 0);
        narrow.values.insert(register::COMPARATOR_CONFIGURATION, 1 << 2 << ROUTES_SHIFT);
        narrow.counter.set(u64::from(u32::MAX) - 10);
        let mut hpet = Hpet::start(narrow, 1000).unwrap();
        assert!(hpet.set(1000));
        assert_eq!(hpet.registers.values[&register::COMPARATOR], 90);
    }

    #[test]
    fn a_period_that_can_not_be_is_refused() {
        let mut none = model(1 << 2, 0);
        none.values.insert(register::CAPABILITIES, u64::MAX);
        assert!(matches!(Hpet::start(none, 1000), Err(Unusable::Period(_))));
    }
}
