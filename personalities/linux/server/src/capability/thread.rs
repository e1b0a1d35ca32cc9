//! Threads of Linux programs as the kernel knows them: TCB, scheduling context, a CSpace of one capability, and the
//! badge by which the server knows who speaks.
//!
//! The four are made together and stay together for ever; a dropped [`Thread`] is suspended and waits for its next use.
//! Suspending cancels whatever the thread was sending, so a badge's next user never answers for the last one.

use super::kernel::Kernel;
use super::{Count, Frame, OutOfMemory, Slot, Space};
use alloc::vec::Vec;
use chestnut_abi::UserContext;
use core::cell::{Cell, RefCell};

/// Threads that run nothing.
pub struct Threads {
    kernel: &'static Kernel,
    idle: RefCell<Vec<Parts>>,
    made: Cell<u32>,
}

/// Capabilities of one thread, all in the server's own CSpace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub badge: u64,
    pub tcb: Slot,
    pub sched_context: Slot,
    pub cspace: Slot,
    /// Where it was put last.
    pub place: Option<Place>,
}

/// What a thread is put into: capabilities of a space and of a thread page, and the redirection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub space: Slot,
    pub page: Slot,
    pub redirect: Redirect,
}

/// What a thread's system calls outside `base..base + length` do: go to `entry` with `word` in R11.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirect {
    pub base: u64,
    pub length: u64,
    pub entry: u64,
    pub word: u64,
}

impl Parts {
    /// With the fault handler's, which was set when the thread was made: the endpoint with the badge and [`Threads::FAULT`].
    const SLOTS: usize = 4;
}

impl Threads {
    /// Badges of threads are multiples of this, so that they differ from every combination of the notification's low bits.
    pub const BADGE_UNIT: u64 = 1 << 8;
    /// Set in the badge of a thread's faults, so that no message of a program passes for one.
    pub const FAULT: u64 = 1 << 7;
    /// Priority of the threads of Linux programs: below every service.
    pub const PRIORITY: u8 = 100;
    /// Microseconds that a thread runs before the next one of the same priority has its turn.
    pub const TURN: u64 = 10_000;

    pub fn new(kernel: &'static Kernel) -> Self {
        Self { kernel, idle: RefCell::new(Vec::new()), made: Cell::new(0) }
    }

    /// A thread that has yet to be given a space and registers.
    pub fn allocate(&'static self) -> Result<Thread, OutOfMemory> {
        let idle = self.idle.borrow_mut().pop();
        let parts = match idle {
            Some(parts) => parts,
            None => {
                let number = self.made.get() + 1;
                let parts = self.kernel.make_thread(u64::from(number) * Self::BADGE_UNIT)?;
                self.made.set(number);
                parts
            }
        };
        Ok(Thread {
            threads: self,
            parts,
            place: Cell::new(parts.place),
            rescheduled: Cell::new(false),
            is_stopped: Cell::new(true),
            is_measured: Cell::new(true),
        })
    }

    pub(super) fn counts(&self) -> Count {
        let made = self.made.get() as usize;
        Count { made, used: made - self.idle.borrow().len() }
    }
    /// Capabilities of threads that run nothing.
    pub(super) fn idle_slots(&self) -> usize {
        self.idle.borrow().len() * Parts::SLOTS
    }
}

/// A thread in use.
pub struct Thread {
    threads: &'static Threads,
    parts: Parts,
    place: Cell<Option<Place>>,
    /// It has been suspended, or never run, since it was last let run.
    is_stopped: Cell<bool>,
    /// It has not run since it was asked for its processor time.
    is_measured: Cell<bool>,
    /// It has another priority or turn than a new one.
    rescheduled: Cell<bool>,
}

impl Thread {
    /// What the messages of this thread bear.
    pub const fn badge(&self) -> u64 {
        self.parts.badge
    }

    /// Puts the thread, which doesn't run, into a space. `page` is its thread page, `redirect.word` that page's address.
    pub fn enter(&self, space: &Space, page: &Frame, redirect: Redirect) {
        let place = Place { space: space.root(), page: page.master(), redirect };
        let before = self.place.replace(Some(place));
        self.threads.kernel.enter_space(&self.parts, before, place);
    }

    /// Suspends the thread and says where it was. A call that it was making is cancelled.
    pub fn suspend(&self) {
        if !self.is_stopped.replace(true) {
            self.threads.kernel.suspend(&self.parts);
        }
    }
    /// Lets it run on from its registers.
    pub fn resume(&self) {
        self.runs();
        self.threads.kernel.resume(&self.parts);
    }
    pub fn registers(&self) -> UserContext {
        self.threads.kernel.registers(&self.parts)
    }
    /// Sets all registers of the thread, which doesn't run, and lets it run if `resume`.
    pub fn set_registers(&self, registers: &UserContext, resume: bool) {
        if resume {
            self.runs();
        }
        self.threads.kernel.set_registers(&self.parts, registers, resume);
    }
    /// Gives it another priority, and turns of so many microseconds.
    pub fn schedule(&self, priority: u8, turn: u64) {
        self.threads.kernel.schedule(&self.parts, priority, turn);
        self.rescheduled.set((priority, turn) != (Threads::PRIORITY, Threads::TURN));
    }
    /// Microseconds of processor time that it has used since this was last asked.
    pub fn consumed(&self) -> u64 {
        if self.is_measured.replace(self.is_stopped.get()) { 0 } else { self.threads.kernel.consumed(&self.parts) }
    }
    fn runs(&self) {
        self.is_stopped.set(false);
        self.is_measured.set(false);
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.suspend();
        if self.rescheduled.get() {
            self.schedule(Threads::PRIORITY, Threads::TURN);
        }
        self.consumed();
        self.threads.idle.borrow_mut().push(Parts { place: self.place.get(), ..self.parts });
    }
}
