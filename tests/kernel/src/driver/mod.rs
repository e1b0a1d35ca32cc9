//! The root task's own thread: it prepares what tests need, runs each in a thread below it, and reports.
//!
//! It relies on nothing but what a root task is given. When a test ends, fails, faults or takes too long, its untyped is
//! revoked and its slots are emptied; memory that is still in use after that is a failure too.

pub mod console;
mod prepare;
mod watchdog;

use crate::check;
use crate::scene::fixed::{self, ARENA, ARENA_BITS, DRIVER, DRIVER_REPLY, TEST_SLOTS};
use crate::scene::message::{Message, recv};
use crate::scene::thread::Thread;
use crate::scene::{Scene, invoke::invoke, shared};
use crate::table::{FUNCTIONS, TESTS};
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{BootInfo, Label, fault};
use console::Console;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};
pub use watchdog::Watchdog;

/// What tests have.
static SCENE: Scene = Scene::new(ARENA, TEST_SLOTS.start, TEST_SLOTS.end, fixed::WATCHDOG_BLOCK + 1);

/// How a test ended.
pub enum Verdict {
    Passed,
    /// Its reason is in [`check::reason`].
    Failed,
    /// One of its threads faulted: this is the fault's message.
    Faulted(Message),
    TooSlow,
    /// It left this many bytes of its untyped unavailable.
    Leaked(u64),
}

static BOOT_INFO: AtomicPtr<BootInfo> = AtomicPtr::new(core::ptr::null_mut());

/// What the kernel told the root task.
pub fn boot_info() -> &'static BootInfo {
    // SAFETY: set once at the beginning to what the kernel mapped for the life of the root task.
    unsafe { &*BOOT_INFO.load(Relaxed) }
}

/// Makes what tests need; the watchdog limits the time of each.
pub fn prepare(info: &'static BootInfo) -> Watchdog {
    BOOT_INFO.store(core::ptr::from_ref(info).cast_mut(), Relaxed);
    prepare::capabilities(info);
    Watchdog::prepare()
}

/// Runs every test.
pub fn run(info: &'static BootInfo) -> ! {
    let watchdog = prepare(info);
    let mut console = Console;
    _ = writeln!(console, "{} tests", TESTS.len());
    let mut failures = 0;
    for (name, test) in TESTS.iter().zip(FUNCTIONS) {
        console::debug(format_args!("{name}\n"));
        let verdict = run_test(*test, &watchdog);
        _ = match verdict {
            Verdict::Passed => writeln!(console, "test {name} ... ok"),
            _ => writeln!(console, "test {name} ... FAILED: {verdict}"),
        };
        failures += !matches!(verdict, Verdict::Passed) as u64;
    }
    _ = writeln!(console, "{failures} of {} failed", TESTS.len());
    _ = writeln!(console, "done");
    console::exit(failures == 0)
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Passed => write!(f, "passed"),
            Verdict::Failed => write!(f, "{}", check::reason()),
            Verdict::Faulted(fault) => {
                let words: [_; 5] = core::array::from_fn(|index| fault.word(index));
                let words = &words[..fault.length().min(words.len())];
                write!(f, "{} {words:x?} (fault:0)", fault_name(fault.label()))
            }
            Verdict::TooSlow => write!(f, "took too long (watchdog:0)"),
            Verdict::Leaked(bytes) => write!(f, "{bytes:#x} bytes of its untyped are not free again (driver:0)"),
        }
    }
}

fn fault_name(label: u64) -> &'static str {
    match label {
        fault::label::CAP => "capability fault",
        fault::label::UNKNOWN_SYSCALL => "unknown system call",
        fault::label::USER_EXCEPTION => "exception",
        fault::label::TIMEOUT => "timeout",
        fault::label::VM => "page fault",
        _ => "a message to the fault handler",
    }
}

/// Runs one test to its end and takes back what it used.
pub fn run_test(test: fn(&Scene), watchdog: &Watchdog) -> Verdict {
    SCENE.reset();
    shared::clear();
    check::forget();
    let thread: Thread = SCENE.thread(fixed::MAIN);
    assert!(
        (thread.tcb, thread.context) == (fixed::MAIN_TCB, fixed::MAIN_CONTEXT),
        "tests know their own thread's slots"
    );
    watchdog.arm(&SCENE);
    thread.start(move || {
        test(&SCENE);
        check::finish(check::PASSED)
    });
    let end = recv(DRIVER, DRIVER_REPLY);
    let verdict = match end.badge {
        fixed::BADGE_FINISHED if end.label() == check::PASSED => Verdict::Passed,
        fixed::BADGE_FINISHED => Verdict::Failed,
        fixed::BADGE_TIME => Verdict::TooSlow,
        _ => Verdict::Faulted(end),
    };
    thread.suspend();
    watchdog.disarm();
    clean_up();
    let free = SCENE.free_bytes();
    match verdict {
        Verdict::Passed if free != 1 << ARENA_BITS => Verdict::Leaked((1 << ARENA_BITS) - free),
        verdict => verdict,
    }
}

/// Takes back all memory and empties all slots of the last test.
fn clean_up() {
    invoke(slot::INIT_CNODE, Label::CNodeRevoke, &[ARENA, 64], &[]);
    for slot in SCENE.used_slots() {
        invoke(slot::INIT_CNODE, Label::CNodeRevoke, &[slot, 64], &[]);
        invoke(slot::INIT_CNODE, Label::CNodeDelete, &[slot, 64], &[]);
    }
}
