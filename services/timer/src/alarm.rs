//! What an alarm is, and how its hardware's ticks relate to the time-stamp counter's.

/// One-shot hardware that interrupts after a while.
pub trait Alarm {
    /// Interrupts once after about `ticks` of the time-stamp counter, or earlier if that is further than the hardware
    /// counts; never earlier for being rounded. False if the time may have passed while this was done.
    fn set(&mut self, ticks: u64) -> bool;

    /// Doesn't interrupt any more.
    fn stop(&mut self);

    /// The interrupt was heard.
    fn acknowledge(&mut self);
}

/// How many ticks of hardware with so many femtoseconds each are at least `ticks` of the time-stamp counter; from 1 to `most`.
pub fn hardware_ticks(ticks: u64, tsc_mhz: u32, period_fs: u64, most: u64) -> u64 {
    const FS_PER_US: u128 = 1_000_000_000;
    let divisor = u128::from(tsc_mhz.max(1)) * u128::from(period_fs.max(1));
    let count = (u128::from(ticks) * FS_PER_US).div_ceil(divisor);
    count.clamp(1, most.into()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_converted_rounding_up() {
        // 1 GHz against 100 MHz.
        assert_eq!(hardware_ticks(1000, 1000, 10_000_000, u64::MAX), 100);
        assert_eq!(hardware_ticks(1001, 1000, 10_000_000, u64::MAX), 101);
        assert_eq!(hardware_ticks(0, 1000, 10_000_000, u64::MAX), 1);
        assert_eq!(hardware_ticks(u64::MAX, 1000, 10_000_000, 1 << 31), 1 << 31);
        assert_eq!(hardware_ticks(u64::MAX, 1, 1, u64::MAX), u64::MAX);
    }
}
