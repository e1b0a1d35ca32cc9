//! Threads of a test: a TCB with scheduling context, IPC buffer and stack, all made of the scene's untyped.
//!
//! A thread runs a closure and then waits for ever. Unless told otherwise it has the driver as its fault handler: a fault that the test
//! doesn't expect fails it.

use super::Scene;
use super::fixed::{self, BLOCK_BYTES, BLOCK_COUNT, BLOCKS, MAIN_TCB, SCHED_CONTROL, SLICE_US, STACK_PAGES};
use super::invoke::must;
use chestnut_abi::bootinfo::slot;
use chestnut_abi::{Label, ObjectType, UserContext};

/// A thread of the test.
#[derive(Clone, Copy, Debug)]
pub struct Thread {
    pub tcb: u64,
    /// Its own scheduling context, 0 if it has none.
    pub context: u64,
    /// Where its stack ends and its IPC buffer is.
    pub block: u64,
}

impl Scene {
    /// A thread with a slice of its own, not started.
    #[track_caller]
    pub fn thread(&self, priority: u64) -> Thread {
        let thread = self.passive(priority);
        let context = self.sched_context();
        must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &[SLICE_US, SLICE_US, 0, 0, 0], &[context]);
        must(context, Label::SchedContextBind, &[], &[thread.tcb]);
        Thread { context, ..thread }
    }

    /// A thread with this much time in each period (microseconds), not started.
    #[track_caller]
    pub fn thread_with_budget(&self, priority: u64, budget: u64, period: u64) -> Thread {
        let thread = self.thread(priority);
        must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &[budget, period, 0, 0, 0], &[thread.context]);
        thread
    }

    /// A thread without a scheduling context, not started.
    #[track_caller]
    pub fn passive(&self, priority: u64) -> Thread {
        let tcb = self.tcb();
        let (block, buffer) = self.map_block();
        must(tcb, Label::TcbConfigure, &[0, 0, block], &[slot::INIT_CNODE, slot::INIT_VSPACE, buffer]);
        let thread = Thread { tcb, context: 0, block };
        thread.set_handler(fixed::FAULTS);
        must(tcb, Label::TcbSetPriority, &[priority], &[slot::INIT_TCB]);
        must(tcb, Label::TcbSetMcpriority, &[fixed::WATCHDOG_PRIORITY - 1], &[slot::INIT_TCB]);
        thread
    }

    /// Maps a stack and an IPC buffer; returns the block's address and the buffer's frame.
    #[track_caller]
    fn map_block(&self) -> (u64, u64) {
        let number = self.block();
        crate::check::check(number < BLOCK_COUNT, "there is memory for another thread");
        let block = BLOCKS + number * BLOCK_BYTES;
        let frames = self.slots(STACK_PAGES + 1);
        let words = [ObjectType::X864K as u64, 0, 0, 0, frames, STACK_PAGES + 1];
        must(self.untyped, Label::UntypedRetype, &words, &[slot::INIT_CNODE]);
        for page in 0..=STACK_PAGES {
            let address = if page == STACK_PAGES { block } else { block + BLOCK_BYTES - (page + 1) * 4096 };
            must(frames + page, Label::X86PageMap, &[address, 3, 0], &[slot::INIT_VSPACE]);
        }
        (block, frames + STACK_PAGES)
    }

    /// A thread with a slice of its own that runs `body`.
    #[track_caller]
    pub fn spawn<F: FnOnce() + 'static>(&self, priority: u64, body: F) -> Thread {
        let thread = self.thread(priority);
        thread.start(body);
        thread
    }

    /// A thread whose faults go to `handler`, started with `body`.
    #[track_caller]
    pub fn spawn_handled<F: FnOnce() + 'static>(&self, priority: u64, handler: u64, body: F) -> Thread {
        let thread = self.thread(priority);
        thread.set_handler(handler);
        thread.start(body);
        thread
    }

    /// A passive thread: it ran `body` on a scheduling context of its own until it blocked in it, and lost the context then.
    #[track_caller]
    pub fn spawn_passive<F: FnOnce() + 'static>(&self, priority: u64, body: F) -> Thread {
        // Above the thread that runs the test, it runs at once.
        let thread = self.spawn(fixed::ABOVE, body);
        must(thread.context, Label::SchedContextUnbind, &[], &[]);
        thread.set_priority(priority);
        thread
    }
}

impl Thread {
    /// Starts the thread with a closure, which is copied to its stack.
    #[track_caller]
    pub fn start<F: FnOnce() + 'static>(&self, body: F) {
        let top = self.block + BLOCK_BYTES;
        let place = (top - size_of::<F>() as u64 - 64) & !63;
        // SAFETY: the top of a stack that no thread uses yet; the size was left free and 64 bytes are alignment enough for what tests capture.
        unsafe { (place as *mut F).write(body) };
        let context =
            UserContext { rip: run::<F> as *const () as u64, rsp: place - 8, rdi: place, ..Default::default() };
        self.start_with(&context);
    }

    /// Starts the thread with these registers.
    #[track_caller]
    pub fn start_with(&self, context: &UserContext) {
        self.write(context);
        must(self.tcb, Label::TcbResume, &[], &[]);
    }

    /// Sets all registers without starting the thread. RFLAGS is what a program starts with, if it is left at 0.
    #[track_caller]
    pub fn write(&self, context: &UserContext) {
        let mut words = [0; 22];
        words[1] = 20;
        words[2..].copy_from_slice(&context.to_words());
        must(self.tcb, Label::TcbWriteRegisters, &words, &[]);
    }

    /// The thread's registers.
    #[track_caller]
    pub fn read(&self) -> UserContext {
        let (info, registers) = super::message::encode(Label::TcbReadRegisters as u64, &[0, 20], &[]);
        let answer = chestnut_runtime::sys::call(self.tcb, info, registers);
        crate::check::equal(answer.info.label(), 0, "the error of ReadRegisters");
        UserContext::from_words(core::array::from_fn(|index| {
            if index < 4 { answer.words[index] } else { super::buffer::word(index) }
        }))
    }

    /// Top of the thread's stack, aligned for a function that is jumped to.
    pub fn stack(&self) -> u64 {
        self.block + BLOCK_BYTES - 1024 - 8
    }

    /// Sends the thread's faults to this endpoint; 0: nowhere.
    #[track_caller]
    pub fn set_handler(&self, handler: u64) {
        must(self.tcb, Label::TcbSetSpace, &[0, 0], &[handler, slot::INIT_CNODE, slot::INIT_VSPACE]);
    }

    /// Sends the thread's timeout faults to this endpoint.
    #[track_caller]
    pub fn set_timeout_handler(&self, handler: u64) {
        must(self.tcb, Label::TcbSetTimeoutEndpoint, &[], &[handler]);
    }

    #[track_caller]
    pub fn set_priority(&self, priority: u64) {
        must(self.tcb, Label::TcbSetPriority, &[priority], &[slot::INIT_TCB]);
    }

    #[track_caller]
    pub fn suspend(&self) {
        must(self.tcb, Label::TcbSuspend, &[], &[]);
    }

    #[track_caller]
    pub fn resume(&self) {
        must(self.tcb, Label::TcbResume, &[], &[]);
    }

    /// Configures the thread's scheduling context: microseconds, badge of timeout faults.
    #[track_caller]
    pub fn set_budget(&self, budget: u64, period: u64, badge: u64) {
        must(SCHED_CONTROL, Label::SchedControlConfigureFlags, &[budget, period, 0, badge, 0], &[self.context]);
    }
}

/// Sets the priority of the thread that runs the test.
#[track_caller]
pub fn set_main_priority(priority: u64) {
    must(MAIN_TCB, Label::TcbSetPriority, &[priority], &[slot::INIT_TCB]);
}

/// Where a thread begins.
extern "C" fn run<F: FnOnce()>(body: *mut F) -> ! {
    // SAFETY: `start` put it there, for this thread alone and once.
    let body = unsafe { body.read() };
    body();
    rest()
}

/// Waits for ever.
pub fn rest() -> ! {
    loop {
        super::message::wait(fixed::PARK);
    }
}
