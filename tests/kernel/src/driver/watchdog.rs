//! The time limit of a test: a thread above all tests whose budget comes once in that time.
//!
//! It gives its first budget up at once; when the next one comes, the test took too long and the driver is told. So the limit holds whatever
//! the test does, as long as the kernel wakes threads whose budget comes.

use crate::scene::fixed::*;
use crate::scene::invoke::must;
use crate::scene::thread::Thread;
use crate::scene::{Scene, message};
use chestnut_abi::{Label, UserContext};
use chestnut_runtime::sys;

/// Slots for what the watchdog is made of; page tables come before them.
static SCENE: Scene = Scene::new(DRIVER_UNTYPED, DRIVER_SLOTS.start + 1, DRIVER_SLOTS.end, WATCHDOG_BLOCK);

/// The budget, which is only there to be given up: microseconds.
const BUDGET_US: u64 = 1000;

pub struct Watchdog {
    thread: Thread,
}

extern "C" fn watch() -> ! {
    sys::yield_now();
    loop {
        message::send(TIME_IS_UP, 0, &[]);
    }
}

impl Watchdog {
    pub fn prepare() -> Self {
        Self { thread: SCENE.passive(WATCHDOG_PRIORITY) }
    }

    /// Begins to count, on a scheduling context of the test.
    pub fn arm(&self, scene: &Scene) {
        let context = scene.sched_context();
        must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &[BUDGET_US, TIME_LIMIT_US, 0, 0, 0], &[context]);
        self.thread.start_with(&UserContext {
            rip: watch as *const () as u64,
            rsp: self.thread.stack(),
            ..Default::default()
        });
        must(context, Label::SchedContextBind, &[], &[self.thread.tcb]);
    }

    /// Stops counting. The scheduling context goes with the rest of the test.
    pub fn disarm(&self) {
        self.thread.suspend();
    }
}
