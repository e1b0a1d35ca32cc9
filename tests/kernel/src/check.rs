//! How a test says that something is not as it should be: the first such statement ends the test.
//!
//! Any thread of a test may fail it. The reason is put where the driver finds it and the driver is told; the thread itself never goes on. Nothing
//! here panics or unwinds.

use crate::scene::{fixed, message};
use core::cell::UnsafeCell;
use core::fmt::{self, Write};
use core::panic::Location;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Labels of messages to the driver.
pub const PASSED: u64 = 0;
pub const FAILED: u64 = 1;

const CAPACITY: usize = 480;

/// Why the running test failed.
struct Reason {
    text: UnsafeCell<[u8; CAPACITY]>,
    length: AtomicUsize,
}
// SAFETY: written by the thread that fails the test, which then stops for good, and read by the driver after it has stopped every thread of the test.
unsafe impl Sync for Reason {}

static REASON: Reason = Reason { text: UnsafeCell::new([0; CAPACITY]), length: AtomicUsize::new(0) };

struct Writer;

impl Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            let length = REASON.length.load(Relaxed);
            if length < CAPACITY {
                // SAFETY: inside the buffer; see `Reason` on who writes when.
                unsafe { (*REASON.text.get())[length] = byte };
                REASON.length.store(length + 1, Relaxed);
            }
        }
        Ok(())
    }
}

/// Forgets the last test's reason.
pub fn forget() {
    REASON.length.store(0, Relaxed);
}

/// The reason that the test gave.
pub fn reason() -> &'static str {
    // SAFETY: see `Reason`.
    let text = unsafe { &*REASON.text.get() };
    core::str::from_utf8(text.get(..REASON.length.load(Relaxed)).unwrap_or(&[])).unwrap_or("(a reason that is cut)")
}

/// Ends the test as failed.
pub fn fail_at(location: &Location<'_>, why: fmt::Arguments<'_>) -> ! {
    forget();
    _ = write!(Writer, "{why} ({}:{})", location.file().rsplit('/').next().unwrap_or(""), location.line());
    finish(FAILED)
}

/// Tells the driver how the test ended, and does nothing any more.
pub fn finish(how: u64) -> ! {
    loop {
        message::send(fixed::FINISHED, how, &[]);
    }
}

/// Ends the test as failed, for this reason.
#[track_caller]
pub fn fail(why: fmt::Arguments<'_>) -> ! {
    fail_at(Location::caller(), why)
}

/// Fails the test unless `condition` holds, which `what` says in words.
#[track_caller]
pub fn check(condition: bool, what: &str) {
    if !condition {
        fail(format_args!("not so: {what}"));
    }
}

/// Fails the test unless both are the same.
#[track_caller]
pub fn equal<T: PartialEq + fmt::Debug>(found: T, expected: T, what: &str) {
    if found != expected {
        fail(format_args!("{what}: {found:x?}, expected {expected:x?}"));
    }
}

/// Fails the test unless `value` is in the range, bounds included.
#[track_caller]
pub fn between(value: u64, least: u64, most: u64, what: &str) {
    if !(least..=most).contains(&value) {
        fail(format_args!("{what}: {value}, expected {least} to {most}"));
    }
}

/// A measured value and the range that it should be in, bounds included.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    pub value: u64,
    pub least: u64,
    pub most: u64,
}

/// Fails the test unless one of a few measurements is in its range.
///
/// On an emulator in real time the clock goes on while the guest is held up, so one measurement may be off whatever the kernel does. A
/// kernel that gives too much or too little time does so every time.
#[track_caller]
pub fn measured(what: &str, mut measure: impl FnMut() -> Measured) {
    const ATTEMPTS: usize = 6;
    let mut last = measure();
    for _ in 1..ATTEMPTS {
        if (last.least..=last.most).contains(&last.value) {
            return;
        }
        last = measure();
    }
    between(last.value, last.least, last.most, what);
}
