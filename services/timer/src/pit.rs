//! The PIT's channel 0 as an alarm, where there is no HPET (Intel 8254 data sheet).
//!
//! Mode 0 counts down once and raises the output at zero: an edge on IRQ 0, IOAPIC pin 2. 16 bits at 1.193182 MHz
//! reach 55 milliseconds.

use crate::alarm::{Alarm, hardware_ticks};
use chestnut_runtime::cap::IoPort;

/// Ports.
const CHANNEL_0: u16 = 0x40;
const CONTROL: u16 = 0x43;
/// Channel 0, low byte then high byte, mode 0, binary.
const ONE_SHOT: u8 = 0b0011_0000;
/// Femtoseconds of one count at 105/88 MHz.
const PERIOD_FS: u64 = 838_095_238;
const MOST_COUNTS: u64 = 0xffff;

/// Access to the ports.
pub trait Ports {
    fn write(&mut self, port: u16, value: u8);
}

impl Ports for IoPort {
    fn write(&mut self, port: u16, value: u8) {
        // The kernel refuses only ports that the capability does not cover: the manifest is wrong.
        self.out8(port, value).unwrap_or_else(|error| panic!("port {port:#x}: {error}"));
    }
}

/// The PIT.
#[derive(Debug)]
pub struct Pit<P> {
    ports: P,
    tsc_mhz: u32,
}

impl<P: Ports> Pit<P> {
    pub fn new(ports: P, tsc_mhz: u32) -> Self {
        Self { ports, tsc_mhz }
    }
}

impl<P: Ports> Alarm for Pit<P> {
    fn set(&mut self, ticks: u64) -> bool {
        let count = hardware_ticks(ticks, self.tsc_mhz, PERIOD_FS, MOST_COUNTS);
        self.ports.write(CONTROL, ONE_SHOT);
        self.ports.write(CHANNEL_0, count as u8);
        self.ports.write(CHANNEL_0, (count >> 8) as u8);
        // Counting begins with the last byte, so nothing has passed.
        true
    }

    fn stop(&mut self) {
        // In mode 0 nothing counts before a count is written.
        self.ports.write(CONTROL, ONE_SHOT);
    }

    fn acknowledge(&mut self) {
        // The output falls with the next count.
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    impl Ports for Vec<(u16, u8)> {
        fn write(&mut self, port: u16, value: u8) {
            self.push((port, value));
        }
    }

    #[test]
    fn counts_are_written_low_byte_first() {
        let mut pit = Pit::new(Vec::new(), 1000);
        // A millisecond is 1193.2 counts.
        assert!(pit.set(1_000_000));
        assert_eq!(pit.ports, [(0x43, 0x30), (0x40, (1194 & 0xff) as u8), (0x40, (1194 >> 8) as u8)]);
    }

    #[test]
    fn a_far_alarm_rings_early() {
        let mut pit = Pit::new(Vec::new(), 1000);
        pit.set(u64::MAX);
        assert_eq!(pit.ports[1..], [(0x40, 0xff), (0x40, 0xff)]);
    }
}
