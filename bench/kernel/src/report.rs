//! Samples of a row, and how it is printed.

use crate::mark;
use crate::shot::Shot;
use chestnut_kernel_tests::check::equal;
use chestnut_kernel_tests::driver::console::Console;
use chestnut_kernel_tests::scene::Scene;
use core::fmt::{self, Write};
use core::iter::Sum;
use core::ops::{Add, AddAssign};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// How often each row is measured.
pub const TIMES: usize = 17;
const WARM_UP: usize = 2;

/// What the stamps of a shot cost.
static OVERHEAD: AtomicU32 = AtomicU32::new(0);
/// How many stretches this turn has measured.
static STRETCHES: AtomicU32 = AtomicU32::new(0);

/// How long something took, and which stretches of its turn that are: `count` from `first` on.
#[derive(Clone, Copy, Default)]
pub struct Took {
    ticks: u64,
    first: u32,
    count: u32,
}

/// The ticks between a stamp before and one after a system call, without what stamping costs.
pub fn between(before: &AtomicU32, after: &AtomicU32) -> Took {
    let (before, after) = mark::times(before, after);
    let ticks = after.wrapping_sub(before).saturating_sub(OVERHEAD.load(Relaxed));
    Took { ticks: ticks.into(), first: STRETCHES.fetch_add(1, Relaxed), count: 1 }
}

impl Add for Took {
    type Output = Self;

    /// Of neighbours, in their order.
    fn add(self, next: Self) -> Self {
        if self.count == 0 {
            return next;
        }
        equal(next.first, self.first + self.count, "the number of a stretch that is added");
        Self { ticks: self.ticks + next.ticks, first: self.first, count: self.count + next.count }
    }
}

impl AddAssign for Took {
    fn add_assign(&mut self, next: Self) {
        *self = *self + next;
    }
}

impl Sum for Took {
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::default(), Self::add)
    }
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
pub fn row(name: fmt::Arguments<'_>, mut once: impl FnMut() -> Took) {
    let [mut samples] = turns(|| [once()]);
    samples.print(name);
}

/// Measures rows that come from the same turns.
pub fn rows<const N: usize>(prefix: fmt::Arguments<'_>, names: [&str; N], once: impl FnMut() -> [Took; N]) {
    let mut samples = turns(once);
    for (samples, name) in samples.iter_mut().zip(names) {
        samples.print(format_args!("{name}.{prefix}"));
    }
}

fn turns<const N: usize>(mut once: impl FnMut() -> [Took; N]) -> [Samples; N] {
    let mut samples = [const { Samples::new() }; N];
    for turn in 0..WARM_UP + TIMES {
        STRETCHES.store(0, Relaxed);
        mark::turn();
        let values = once();
        if turn >= WARM_UP {
            for (samples, value) in samples.iter_mut().zip(values) {
                samples.add(value.ticks);
                mark::column(value.first, value.count);
            }
        }
    }
    mark::row_end();
    samples
}

/// What a shot costs by itself: subtracted from all other rows, so measured first.
pub fn overhead(_: &Scene) {
    static BLANK: Shot = Shot::new();
    OVERHEAD.store(0, Relaxed);
    let mut least = u64::MAX;
    row(format_args!("overhead"), || {
        BLANK.fire_blank();
        let took = between(BLANK.before(), BLANK.after());
        least = least.min(took.ticks);
        took
    });
    OVERHEAD.store(u32::try_from(least).unwrap_or(0), Relaxed);
}
