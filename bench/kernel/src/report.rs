//! Samples of a row, and how it is printed.

use crate::shot::Shot;
use chestnut_kernel_tests::driver::console::Console;
use chestnut_kernel_tests::scene::Scene;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// How often each row is measured.
pub const TIMES: usize = 17;
const WARM_UP: usize = 2;

/// What the stamps of a shot cost.
static OVERHEAD: AtomicU32 = AtomicU32::new(0);

/// The ticks between a stamp before and one after a system call, without what stamping costs.
pub fn between(before: u32, after: u32) -> u64 {
    u64::from(after.wrapping_sub(before).saturating_sub(OVERHEAD.load(Relaxed)))
}

/// The measured values of one row.
#[derive(Clone, Copy)]
pub struct Samples {
    values: [u64; TIMES],
    count: usize,
}

impl Samples {
    pub const fn new() -> Self {
        Self { values: [0; TIMES], count: 0 }
    }

    pub fn add(&mut self, value: u64) {
        if let Some(place) = self.values.get_mut(self.count) {
            *place = value;
            self.count += 1;
        }
    }

    /// Prints the row.
    pub fn print(&mut self, name: fmt::Arguments<'_>) {
        let values = self.values.get_mut(..self.count).unwrap_or_default();
        values.sort_unstable();
        let (least, median) =
            (values.first().copied().unwrap_or(0), values.get(values.len() / 2).copied().unwrap_or(0));
        _ = writeln!(Console, "bench {name} {least} {median} ticks");
    }
}

/// Measures one row: `once` does it and says how long it took. The first turns find cold tables and aren't counted.
pub fn row(name: fmt::Arguments<'_>, mut once: impl FnMut() -> u64) {
    let mut samples = Samples::new();
    for turn in 0..WARM_UP + TIMES {
        let value = once();
        if turn >= WARM_UP {
            samples.add(value);
        }
    }
    samples.print(name);
}

/// Measures rows that come from the same turns.
pub fn rows<const N: usize>(prefix: fmt::Arguments<'_>, names: [&str; N], mut once: impl FnMut() -> [u64; N]) {
    let mut samples = [const { Samples::new() }; N];
    for turn in 0..WARM_UP + TIMES {
        let values = once();
        if turn >= WARM_UP {
            samples.iter_mut().zip(values).for_each(|(samples, value)| samples.add(value));
        }
    }
    for (samples, name) in samples.iter_mut().zip(names) {
        samples.print(format_args!("{name}.{prefix}"));
    }
}

/// What a shot costs by itself: subtracted from all other rows, so measured first.
pub fn overhead(_: &Scene) {
    static BLANK: Shot = Shot::new();
    OVERHEAD.store(0, Relaxed);
    let mut least = u32::MAX;
    row(format_args!("overhead"), || {
        BLANK.fire_blank();
        least = least.min(BLANK.took());
        BLANK.took().into()
    });
    OVERHEAD.store(least, Relaxed);
}
