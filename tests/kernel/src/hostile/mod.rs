//! A root task that lets hostile threads make millions of random system calls, and says whether anybody else was harmed.
//!
//! Its initial thread first makes a partition that is nobody else's: an address space with a copy of this program, a CSpace, a thread, the ports to report
//! through ([`partition`]). The thread there, the witness, owns the memory that hostile threads are made of; it sets them going, again whenever
//! none of them can run, and makes everything anew when that doesn't help ([`witness`]). What they hold is up to the settings ([`loot`]): small
//! objects of their own, or all that a root task is given but the I/O ports. What they do is in [`attack`].
//!
//! The kernel lives if the witness comes to its end. It then looks whether its memory is as it was, and whether a thread with a budget got
//! its turns all the while; it prints what it found on COM1 and ends the emulator with 0x10, or 0x11. The harness prints the settings.

mod attack;
mod loot;
mod partition;
mod witness;

use crate::driver::console::{self, Console};
use crate::scene::invoke::{Answer, invoke};
use chestnut_abi::{BootInfo, Label};
use core::fmt::{self, Write};
use core::panic::Location;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Replaced in the file by whoever boots it: a mark, how many system calls to make, the seed, and 1 if the hostile threads are to hold
/// everything.
#[unsafe(no_mangle)]
pub static HOSTILE_SETTINGS: [AtomicU64; 4] =
    [AtomicU64::new(0x656c_6974_736f_6868), AtomicU64::new(100_000), AtomicU64::new(1), AtomicU64::new(0)];

fn calls_wanted() -> u64 {
    HOSTILE_SETTINGS[1].load(Relaxed)
}

fn seed() -> u64 {
    HOSTILE_SETTINGS[2].load(Relaxed)
}

fn holds_everything() -> bool {
    HOSTILE_SETTINGS[3].load(Relaxed) != 0
}

/// Begins as the root task.
pub fn run(info: &'static BootInfo) -> ! {
    partition::make(info)
}

/// An invocation that has to succeed for the test to make sense.
#[track_caller]
fn must(cap: u64, label: Label, words: &[u64], caps: &[u64]) -> Answer {
    let answer = invoke(cap, label, words, caps);
    if answer.label != 0 {
        fail(format_args!("{label:?} {words:x?} {caps:x?}: {} {:x?}", answer.label, answer.words));
    }
    answer
}

fn say(what: fmt::Arguments<'_>) {
    _ = writeln!(Console, "{what}");
}

/// Says why, and ends the emulator.
#[track_caller]
fn fail(why: fmt::Arguments<'_>) -> ! {
    let location = Location::caller();
    say(format_args!("FAILED: {why} ({}:{})", location.file(), location.line()));
    console::exit(false)
}
