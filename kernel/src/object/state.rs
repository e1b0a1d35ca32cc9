//! The kernel's own state, and the token by which code in the kernel reaches it.

use super::data::{Queue, SchedContext, Tcb};
use super::domain::DomainSchedule;
use super::irq::Irqs;
use super::x86_64::{AsidTable, IoPorts};
use crate::mem::{Entry, Link, Ref};
use crate::time::MIN_BUDGET_US;
use core::cell::Cell;
use core::ops::Deref;

/// What the end of this kernel entry does.
#[derive(Clone, Copy, PartialEq)]
pub enum Action<'k> {
    /// The current thread goes on.
    Resume,
    /// This thread runs next, if nothing more important is ready.
    SwitchTo(Ref<'k, Tcb>),
    /// The scheduler chooses.
    Choose,
}

#[derive(Clone, Copy, PartialEq)]
enum Pending {
    Resume,
    SwitchTo,
    Choose,
}

/// Everything that belongs to the kernel and not to a user's object.
pub struct State {
    /// The running thread; none when idle.
    pub current: Link<Tcb>,
    /// The scheduling context that time is charged to.
    pub current_sc: Link<SchedContext>,
    /// Time of this entry, in ticks of the time-stamp counter.
    pub now: Cell<u64>,
    /// Ticks since `current_sc` was last charged.
    pub consumed: Cell<u64>,
    /// Before this time the running thread's budget lasts and nobody's awaited budget comes; 0 if the timer must be set anew on the way out.
    pub quiet_until: Cell<u64>,
    pending: Cell<Pending>,
    candidate: Link<Tcb>,
    /// Ready threads by priority, with a bitmap of the queues that aren't empty.
    pub ready: [Queue; 256],
    pub ready_words: [Cell<u64>; 4],
    /// The highest priority that a ready thread has; 0 if none is ready.
    pub ready_highest: Cell<u8>,
    /// Runnable threads whose budget comes later, by when.
    pub release: Queue,
    /// When the first of them gets its budget; the end of time if there is none.
    pub next_release: Cell<u64>,
    /// Work done since the last preemption point looked up.
    pub work: Cell<u64>,
    /// Whose FPU state is in the processor.
    pub fpu_owner: Link<Tcb>,
    pub domains: DomainSchedule,
    pub irqs: Irqs,
    pub asids: AsidTable,
    pub ports: IoPorts,
    pub ticks_per_us: Cell<u64>,
    /// Smallest amount of time worth running on, in ticks.
    pub min_budget: Cell<u64>,
}

impl State {
    pub const fn new() -> Self {
        Self {
            current: Link::NONE,
            current_sc: Link::NONE,
            now: Cell::new(0),
            consumed: Cell::new(0),
            quiet_until: Cell::new(0),
            pending: Cell::new(Pending::Resume),
            candidate: Link::NONE,
            ready: [const { Queue::EMPTY }; 256],
            ready_words: [const { Cell::new(0) }; 4],
            ready_highest: Cell::new(0),
            release: Queue::EMPTY,
            next_release: Cell::new(u64::MAX),
            work: Cell::new(0),
            fpu_owner: Link::NONE,
            domains: DomainSchedule::new(),
            irqs: Irqs::new(),
            asids: AsidTable::new(),
            ports: IoPorts::new(),
            ticks_per_us: Cell::new(Self::TICKS_PER_US),
            min_budget: Cell::new(MIN_BUDGET_US * Self::TICKS_PER_US),
        }
    }

    /// What a simulated machine has.
    const TICKS_PER_US: u64 = 1000;

    /// Says how fast the clock is.
    pub fn set_ticks_per_us(&self, ticks: u64) {
        self.ticks_per_us.set(ticks);
        self.min_budget.set(MIN_BUDGET_US * ticks);
    }

    /// The timer has to be set anew on the way out.
    pub fn set_timer_anew(&self) {
        self.quiet_until.set(0);
    }
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

/// The token of a kernel entry: the way to the kernel's state and to every object.
#[derive(Clone, Copy)]
pub struct Kernel<'k> {
    entry: Entry<'k>,
    state: &'k State,
}

impl<'k> Kernel<'k> {
    pub const fn new(entry: Entry<'k>, state: &'k State) -> Self {
        Self { entry, state }
    }
    pub const fn entry(self) -> Entry<'k> {
        self.entry
    }
    /// The kernel's state with the whole lifetime of the entry.
    pub const fn state(self) -> &'k State {
        self.state
    }
    pub fn action(self) -> Action<'k> {
        match (self.pending.get(), self.candidate.get(self)) {
            (Pending::Resume, _) => Action::Resume,
            (Pending::SwitchTo, Some(thread)) => Action::SwitchTo(thread),
            _ => Action::Choose,
        }
    }
    /// Whether the current thread goes on, as far as is known yet.
    pub fn resumes(self) -> bool {
        self.pending.get() == Pending::Resume
    }
    pub fn set_action(self, action: Action) {
        let (pending, candidate) = match action {
            Action::Resume => (Pending::Resume, None),
            Action::SwitchTo(thread) => (Pending::SwitchTo, Some(thread)),
            Action::Choose => (Pending::Choose, None),
        };
        self.pending.set(pending);
        self.candidate.set(candidate);
    }
}

impl Deref for Kernel<'_> {
    type Target = State;
    #[inline(always)]
    fn deref(&self) -> &State {
        self.state
    }
}

impl<'k> From<Kernel<'k>> for Entry<'k> {
    #[inline(always)]
    fn from(kernel: Kernel<'k>) -> Self {
        kernel.entry
    }
}
