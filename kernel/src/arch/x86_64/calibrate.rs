//! How fast the counters run: TSC and LAPIC timer against the legacy timer (8254, channel 2), whose rate is known.
//!
//! Three short runs, 9 ms in all; the one with the fewest TSC ticks was disturbed least. A run on an instruction-counting
//! emulator costs a million instructions per millisecond, so it isn't made longer.

use super::instructions::{now, port_in, port_out};
use super::interrupts::{counter_calibrated, counter_start, counter_ticks};

const LEGACY_HERTZ: u64 = 1_193_182;
/// Legacy timer ticks of one run: 3 ms.
const RUN: u64 = 3580;
const RUNS: usize = 3;
/// TSC ticks after which a run is given up: a second on a machine of 10 GHz.
const PATIENCE: u64 = 10_000_000_000;
const GATE_PORT: u16 = 0x61;
const CHANNEL_2: u16 = 0x42;
const COMMAND: u16 = 0x43;
/// Channel 2, both bytes, mode 0: the output rises when the count reaches 0.
const ONE_SHOT: u32 = 0xb0;
const OUTPUT: u32 = 1 << 5;

/// TSC ticks and LAPIC ticks of one run; `None` if the legacy timer doesn't count.
fn run() -> Option<(u64, u64)> {
    let gate = port_in(GATE_PORT, 1);
    // Gate on, speaker off.
    port_out(GATE_PORT, 1, gate & !2 | 1);
    port_out(COMMAND, 1, ONE_SHOT);
    port_out(CHANNEL_2, 1, RUN as u32 & 0xff);
    port_out(CHANNEL_2, 1, RUN as u32 >> 8);
    counter_start();
    let start = now();
    while port_in(GATE_PORT, 1) & OUTPUT == 0 {
        if now().wrapping_sub(start) > PATIENCE {
            return None;
        }
    }
    let ticks = now().wrapping_sub(start);
    let lapic_ticks = counter_ticks();
    port_out(GATE_PORT, 1, gate);
    Some((ticks, lapic_ticks.into()))
}

/// Sets the timer's ratio; the TSC's frequency in MHz, rounded to the nearest. `None` if there is no legacy timer.
pub fn calibrate() -> Option<u64> {
    let mut best: Option<(u64, u64)> = None;
    for _ in 0..RUNS {
        let (ticks, lapic_ticks) = run()?;
        if best.is_none_or(|(fewest, _)| ticks < fewest) {
            best = Some((ticks, lapic_ticks));
        }
    }
    let (ticks, lapic_ticks) = best?;
    counter_calibrated((lapic_ticks << 32).checked_div(ticks)?);
    let run_scaled = RUN * 1_000_000;
    let megahertz = (ticks.checked_mul(LEGACY_HERTZ)? + run_scaled / 2) / run_scaled;
    (megahertz > 0).then_some(megahertz)
}
