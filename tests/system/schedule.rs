//! In which order tests run, so that no core idles at the end: those that take longest first.
//!
//! Many tests look at one boot of a machine. The first of them makes the boot; the others would only wait for it, and so come last.
//! Some tests wait without working, as a user would who looks at a screen; a thread more than there are cores works meanwhile. Nothing
//! that is tested depends on the order or on how busy the machine is.

use libtest_mimic::{Arguments, Trial};
use std::cmp::Reverse;
use std::thread::available_parallelism;

/// Tests that take long, and for about how many seconds they keep a core busy, or wait. Names that aren't among the tests do nothing.
const LONG: &[(&str, u32)] = &[
    ("kernel::hostile::threads_that_hold_everything_but_ports", 80),
    ("kernel::hostile::threads_that_hold_their_own_objects", 32),
    ("attack::registers_under_a_fast_timer", 16),
    ("launcher::time_limit", 15),
    ("attack::stress_without_leaks", 10),
    ("attack::jumps_into_the_trampoline", 10),
    ("bench::debian_beside", 10),
    ("attack::native_calls_and_floods", 8),
    ("attack::a_seed_repeats", 7),
    ("boot::disc_by_uefi", 7),
    ("boot::disc_by_bios", 6),
    ("bench::footprint", 6),
    ("launcher::host_programs_by_path", 6),
    ("services::all_fail", 5),
    // They wait for what the kernel's tests bring.
    ("limits::instructions_of_boot", 0),
    ("limits::interrupts_off", 0),
];
/// What a test takes that makes a boot for itself.
const USUAL: u32 = 2;

/// A test, and how long it takes.
pub struct Test {
    trial: Trial,
    seconds: u32,
}

impl Test {
    /// One that makes a boot for others.
    pub fn leading(seconds: u32, trial: Trial) -> Test {
        Test { trial, seconds }
    }

    /// One that only looks at what another's boot has brought.
    pub fn following(trial: Trial) -> Test {
        Test { trial, seconds: 0 }
    }
}

impl From<Trial> for Test {
    fn from(trial: Trial) -> Test {
        let known = LONG.iter().find(|(name, _)| *name == trial.name());
        Test { seconds: known.map_or(USUAL, |(_, seconds)| *seconds), trial }
    }
}

/// All tests.
#[derive(Default)]
pub struct Schedule(Vec<Test>);

impl Extend<Test> for Schedule {
    fn extend<T: IntoIterator<Item = Test>>(&mut self, tests: T) {
        self.0.extend(tests);
    }
}

impl Extend<Trial> for Schedule {
    fn extend<T: IntoIterator<Item = Trial>>(&mut self, trials: T) {
        self.0.extend(trials.into_iter().map(Test::from));
    }
}

impl Schedule {
    /// The tests in the order in which they are started; as they were, to be listed.
    pub fn in_order(mut self, arguments: &Arguments) -> Vec<Trial> {
        if !arguments.list {
            self.0.sort_by_key(|test| Reverse(test.seconds));
        }
        self.0.into_iter().map(|test| test.trial).collect()
    }
}

/// How many tests run at a time, unless the user says so.
pub fn threads() -> usize {
    available_parallelism().map_or(2, |cores| cores.get() + 1)
}
