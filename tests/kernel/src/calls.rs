//! The second root task: which system calls this build of the kernel knows, and the tests of those that not every build has.
//!
//! The first one runs on the release kernel, which has none of them. This one is short enough to run on each build: it prints
//! `known: NUMBERS` on COM1, the tests of `debug_calls` as the first one does, and `done`.

use crate::driver::console::{self, Console};
use crate::driver::{Verdict, prepare, run_test};
use crate::scene::Scene;
use crate::table::{FUNCTIONS, TESTS};
use crate::tests::debug_calls::{Probe, SYSENTER_EIP};
use chestnut_abi::{BootInfo, Syscall};
use core::fmt::Write;
use core::ops::RangeInclusive;

/// All numbers that have, had or might get a meaning.
const NUMBERS: RangeInclusive<i64> = -64..=16;
const COUNT: usize = (*NUMBERS.end() - *NUMBERS.start() + 1) as usize;
/// An empty slot, a character, and a register of the processor that may become 0: the entry of a way into the kernel that isn't used.
const HARMLESS: u64 = SYSENTER_EIP;
const TESTS_OF_CALLS: &str = "debug_calls::";

pub fn run(info: &'static BootInfo) -> ! {
    let watchdog = prepare(info);
    let mut failures = 0;
    let tests = TESTS.iter().zip(FUNCTIONS).filter(|(name, _)| name.starts_with(TESTS_OF_CALLS));
    for (name, test) in [(&"numbers", &(print_known as fn(&Scene)))].into_iter().chain(tests) {
        _ = match run_test(*test, &watchdog) {
            Verdict::Passed => writeln!(Console, "test {name} ... ok"),
            verdict => {
                failures += 1;
                writeln!(Console, "test {name} ... FAILED: {verdict}")
            }
        };
    }
    _ = writeln!(Console, "done");
    console::exit(failures == 0)
}

/// What every build knows isn't tried, nor what stops the machine if it is there.
fn is_tried(number: i64) -> bool {
    let native = Syscall::Yield as i64..=Syscall::Call as i64;
    !native.contains(&number) && number != Syscall::SetTlsBase as i64 && number != Syscall::DebugHalt as i64
}

fn print_known(t: &Scene) {
    let probe = Probe::new(t);
    let mut known = [false; COUNT];
    for (number, known) in NUMBERS.zip(&mut known).filter(|(number, _)| is_tried(*number)) {
        *known = probe.call(number, HARMLESS, 0).is_some();
    }
    // Some of the calls have written to the same console.
    _ = write!(Console, "\nknown:");
    for (number, _) in NUMBERS.zip(known).filter(|(_, known)| *known) {
        _ = write!(Console, " {number}");
    }
    _ = writeln!(Console);
}
