//! One thread: its kernel object, the page that it shares with the server, and what the server holds of it.

use super::Process;
use super::parked::Parked;
use super::schedule::Schedule;
use super::seccomp::Seccomp;
use super::signal::{AlternateStack, PendingSignals, SignalSet};
use crate::capability::{self, Redirect, SharedPage};
use crate::memory::AddressSpace;
use alloc::rc::Rc;
use chestnut_abi::{MessageInfo, UserContext};
use chestnut_linux_files::{Errno, Result};
use chestnut_linux_trampoline::pages::FxArea;
use chestnut_linux_trampoline::{Reply, ThreadPage, View, text, view};
use core::cell::{Cell, Ref, RefCell};
use core::mem::offset_of;
use core::task::Waker;

/// The first thread's timer slack, in nanoseconds.
const TIMER_SLACK: u64 = 50_000;

/// How a held thread goes on: the trampoline's replies, and the answer to a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// The call's value.
    Done(u64),
    /// All registers from the thread page.
    Restore,
    /// The same call again.
    Restart,
    /// The faulting instruction again.
    #[default]
    Retry,
    /// On from an exception, at an address in the text, with this stack pointer and all other registers as they are.
    Enter { ip: u64, sp: u64 },
}

/// What a thread is sent: a message with its first two words. All have [`FLAGS`] as their third.
pub type Sent = (MessageInfo, [u64; 2]);

/// RFLAGS with which a thread comes to the text.
pub const FLAGS: u64 = 0x202;

impl Answer {
    #[inline(always)]
    pub const fn message(self) -> Sent {
        let (info, word) = match self {
            Self::Done(value) => Reply::Done(value).encode(),
            Self::Restore => Reply::Restore.encode(),
            Self::Restart => Reply::Restart.encode(),
            Self::Retry => (MessageInfo::new(0, 0, 0, 0), 0),
            Self::Enter { ip, sp } => return (MessageInfo::new(0, 0, 0, 3), [ip, sp]),
        };
        (info, [word, 0])
    }
}

/// Where a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It runs, or could.
    Running,
    /// The server has its call or fault and owes an answer.
    Held,
    /// The server has its call; the answer is there, but the process is stopped.
    Answered,
    /// It ran when its process was stopped.
    Suspended,
    /// It has not started, or has ended.
    Absent,
}

/// What the processor said of the last fault, for the signal frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct FaultDetail {
    pub vector: u64,
    pub code: u64,
    pub address: u64,
}

/// How often a thread gives way before it is looked at again whether it still waits for those whom it wakes.
const GIVES_WAY: u8 = 64;

/// A thread.
pub struct Thread {
    pub tid: Cell<u32>,
    pub process: Rc<Process>,
    pub machine: capability::Thread,
    page: RefCell<SharedPage<ThreadPage>>,
    view: Cell<View<ThreadPage>>,
    /// Where the program sees that page.
    pub page_address: Cell<u64>,
    activity: Cell<Activity>,
    /// What holds it while it is `Held` or `Answered`.
    reply: Cell<Option<capability::Kept>>,
    /// What is to be sent while it is `Answered`.
    answer: Cell<Answer>,
    /// Wakes the future that its call has become.
    pub waker: RefCell<Option<Waker>>,
    /// The call that waits without one.
    parked: Cell<Option<Parked>>,
    /// Its last call has woken another thread, which waited.
    has_woken: Cell<bool>,
    /// So many times more, whom it wakes runs first.
    gives_way: Cell<u8>,
    pub ended: Cell<bool>,
    pub pending: RefCell<PendingSignals>,
    /// The mask to restore once a signal has been taken (sigsuspend, ppoll, pselect).
    pub saved_mask: Cell<Option<SignalSet>>,
    /// What sigtimedwait is waiting for.
    pub awaited: Cell<SignalSet>,
    pub fault: Cell<FaultDetail>,
    pub clear_tid_address: Cell<u64>,
    pub robust_list: Cell<(u64, u64)>,
    pub name: Cell<[u8; 16]>,
    /// Number of the call that it makes or made last.
    pub last_call: Cell<u64>,
    pub schedule: Cell<Schedule>,
    /// The microkernel's priority that others lend it (see [`super::pi_futex`]); 0 for none.
    lent: Cell<u8>,
    /// ioprio_set(2).
    pub io_priority: Cell<u32>,
    /// PR_SET_TIMERSLACK, and what it began as, in nanoseconds: how much later than asked for it may be woken. Nobody is.
    pub timer_slack: Cell<(u64, u64)>,
    seccomp: RefCell<Seccomp>,
    restricted: Cell<bool>,
    user_time: Cell<u64>,
    /// Ticks that the server may work for it ([`crate::turns`]): in all its turns, and what is left of them. Less than nothing while the
    /// last one can't end.
    granted: Cell<i64>,
    left: Cell<i64>,
    /// A turn.
    turn: i64,
    ticks_per_microsecond: u64,
    /// It could run, if it weren't for others' turns.
    pub waits_for_turn: Cell<bool>,
}

impl Thread {
    pub fn new(
        process: &Rc<Process>,
        tid: u32,
        machine: capability::Thread,
        page: SharedPage<ThreadPage>,
        page_address: u64,
        ticks_per_microsecond: u64,
    ) -> Rc<Self> {
        let view = Cell::new(page.view());
        let turn = (capability::Threads::TURN * ticks_per_microsecond) as i64;
        Rc::new(Self {
            tid: Cell::new(tid),
            process: process.clone(),
            machine,
            page: RefCell::new(page),
            view,
            page_address: Cell::new(page_address),
            activity: Cell::new(Activity::Absent),
            reply: Cell::new(None),
            answer: Cell::default(),
            waker: RefCell::new(None),
            parked: Cell::default(),
            has_woken: Cell::new(false),
            gives_way: Cell::new(0),
            ended: Cell::new(false),
            pending: RefCell::default(),
            saved_mask: Cell::new(None),
            awaited: Cell::new(SignalSet::EMPTY),
            fault: Cell::default(),
            clear_tid_address: Cell::new(0),
            robust_list: Cell::new((0, 0)),
            name: Cell::new([0; 16]),
            last_call: Cell::new(0),
            schedule: Cell::default(),
            lent: Cell::new(0),
            io_priority: Cell::new(0),
            timer_slack: Cell::new((TIMER_SLACK, TIMER_SLACK)),
            seccomp: RefCell::default(),
            restricted: Cell::new(false),
            user_time: Cell::new(0),
            granted: Cell::new(turn),
            left: Cell::new(turn),
            turn,
            ticks_per_microsecond,
            waits_for_turn: Cell::new(false),
        })
    }

    /// The server's view of the thread page. The program writes there too: nothing found there is believed.
    pub fn page(&self) -> View<ThreadPage> {
        self.view.get()
    }

    pub fn space(&self) -> Rc<AddressSpace> {
        self.process.space()
    }

    /// Copies the FPU's state, as its page has it, to its program's memory.
    pub fn store_fx(&self, space: &AddressSpace, address: u64) -> Result<()> {
        let (offset, length) = (offset_of!(ThreadPage, fx), size_of::<FxArea>());
        let written = space.write_from(address, self.page.borrow().frame(), offset, length);
        if written == length { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Signals that it blocks.
    pub fn mask(&self) -> SignalSet {
        SignalSet(self.page().blocked()).without(SignalSet::UNBLOCKABLE)
    }
    pub fn set_mask(&self, mask: SignalSet) {
        self.page().set_blocked(mask.without(SignalSet::UNBLOCKABLE).0);
    }
    /// Sets a mask for the length of one call.
    pub fn set_temporary_mask(&self, mask: SignalSet) {
        self.saved_mask.set(Some(self.mask()));
        self.set_mask(mask);
    }
    /// Ends that, unless a signal is about to be taken, which restores the mask after its handler.
    pub fn restore_mask(&self) {
        if let Some(mask) = self.saved_mask.take() {
            self.set_mask(mask);
        }
    }
    pub fn alternate_stack(&self) -> AlternateStack {
        let stack = self.page().alt_stack();
        AlternateStack { base: stack.base, size: stack.size }
    }

    /// Signals that are pending for it or its process.
    pub fn all_pending(&self) -> SignalSet {
        self.pending.borrow().set() | self.process.pending.borrow().set()
    }
    /// Signals that it would take now.
    pub fn deliverable(&self) -> SignalSet {
        self.all_pending().without(self.mask())
    }

    /// Wakes the future that stands for its call, so that it looks at what has changed.
    pub fn wake(&self) {
        if let Some(parked) = self.parked.take() {
            return if self.ended.get() { drop(parked) } else { parked.start() };
        }
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Its call waits without a future. Whoever wakes another and then waits itself is taken to wait for an answer: for some time whom it
    /// wakes runs first, and mostly has answered when it asks.
    pub fn park(&self, parked: Parked) {
        if self.has_woken.get() {
            self.gives_way.set(GIVES_WAY);
        }
        self.parked.set(Some(parked));
    }
    /// The same after it was only looked at.
    pub fn park_again(&self, parked: Option<Parked>) {
        self.parked.set(parked);
    }
    pub fn take_parked(&self) -> Option<Parked> {
        self.parked.take()
    }
    /// Its call is answered, and has woken nobody.
    #[inline]
    pub fn has_woken_nobody(&self) {
        self.has_woken.set(false);
    }
    /// Its call is answered, and has woken another: whether that one runs first.
    pub fn gives_way(&self) -> bool {
        self.has_woken.set(true);
        let times = self.gives_way.get();
        self.gives_way.set(times.saturating_sub(1));
        times > 0
    }

    /// Its calls pass a filter.
    pub const fn is_restricted(&self) -> bool {
        self.restricted.get()
    }
    pub fn seccomp(&self) -> Ref<'_, Seccomp> {
        self.seccomp.borrow()
    }
    pub(super) fn set_seccomp(&self, seccomp: Seccomp) {
        self.restricted.set(!seccomp.is_off());
        *self.seccomp.borrow_mut() = seccomp;
    }

    pub const fn activity(&self) -> Activity {
        self.activity.get()
    }
    pub fn is_held(&self) -> bool {
        matches!(self.activity(), Activity::Held | Activity::Answered)
    }
    /// It ran and has sent a call or a fault: `reply` holds it from now on.
    #[inline]
    pub fn hold(&self, reply: capability::Reply) {
        // Who runs is held by nothing: there is no other.
        self.reply.set(Some(reply.keep()));
        self.activity.set(Activity::Held);
    }
    /// Its answer is there: it runs once that is sent by what has held it. `None` if nobody waits for it: the call was cancelled, or the
    /// thread has ended. If its process is stopped, the answer is kept until [`take_answer`](Self::take_answer).
    #[inline]
    pub fn let_go(&self, answer: Answer) -> Option<capability::Reply> {
        if self.activity() != Activity::Held {
            return None;
        }
        if self.process.is_stopped() {
            self.activity.set(Activity::Answered);
            self.answer.set(answer);
            return None;
        }
        self.activity.set(Activity::Running);
        self.reply.take().map(capability::Kept::take_up)
    }
    /// The answer that was kept, if there is one: the thread is `Held` again.
    pub fn take_answer(&self) -> Option<Answer> {
        if self.activity() != Activity::Answered {
            return None;
        }
        self.activity.set(Activity::Held);
        Some(self.answer.get())
    }
    /// It does something else now; nothing holds it.
    pub fn set_activity(&self, activity: Activity) {
        self.activity.set(activity);
        drop(self.reply.take().map(capability::Kept::take_up));
    }

    /// Sets its policy, and what that is to the microkernel.
    pub fn set_schedule(&self, schedule: Schedule) {
        if self.schedule.replace(schedule) != schedule {
            self.machine.schedule(self.urgency(), schedule.turn().1);
        }
    }

    /// The microkernel's priority: its own, or what is lent to it.
    pub fn urgency(&self) -> u8 {
        self.schedule.get().turn().0.max(self.lent.get())
    }
    /// Others lend it this priority from now on. True if that changes anything.
    pub fn lend_priority(&self, priority: u8) -> bool {
        let before = self.urgency();
        self.lent.set(priority);
        let changes = self.urgency() != before;
        if changes && !self.ended.get() {
            self.machine.schedule(self.urgency(), self.schedule.get().turn().1);
        }
        changes
    }

    /// Microseconds that it has run, now.
    pub fn user_time(&self) -> u64 {
        self.user_time.set(self.user_time.get() + self.machine.consumed());
        self.user_time.get()
    }
    /// Microseconds that the server has worked for it.
    pub const fn system_time(&self) -> u64 {
        (self.granted.get() - self.left.get()) as u64 / self.ticks_per_microsecond
    }
    /// The server has worked for it, so many ticks. True if that ends its turn.
    #[inline]
    pub fn charge(&self, ticks: u64) -> bool {
        let left = self.left.get() - ticks as i64;
        self.left.set(left);
        left <= 0
    }
    /// The same if it doesn't end its turn; else it isn't charged, and the answer is false.
    #[inline]
    pub fn charge_less(&self, ticks: u64) -> bool {
        let (left, ticks) = (self.left.get(), ticks as i64);
        if ticks >= left {
            return false;
        }
        self.left.set(left - ticks);
        true
    }
    /// Ticks since its last turn ended.
    pub const fn debt(&self) -> u64 {
        (self.turn - self.left.get()) as u64
    }
    /// A turn ends.
    pub fn forgive_debt(&self) {
        self.granted.set(self.granted.get() + self.turn - self.left.get());
        self.left.set(self.turn);
    }

    /// Registers with which a thread is sent to a position in the text; only these two count.
    pub fn at_text(&self, position: u64, fs_base: u64, gs_base: u64) -> UserContext {
        let text = self.process.own_pages.borrow().text_address;
        UserContext {
            rip: text + position,
            rsp: view::stack_pointer(self.page_address.get()),
            rflags: FLAGS,
            fs_base,
            gs_base,
            ..UserContext::default()
        }
    }

    /// Puts the thread into its process's address space, with its page and the redirection of its calls.
    pub fn enter(&self) {
        let pages = self.process.own_pages.borrow();
        let redirect = Redirect {
            base: pages.text_address,
            length: text::LENGTH,
            entry: pages.text_address + text::entry(),
            word: self.page_address.get(),
        };
        let space = self.process.space.borrow();
        self.machine.enter(space.capability(), self.page.borrow().frame(), redirect);
    }

    /// Starts it with what is in its page.
    pub fn start(&self, fs_base: u64, gs_base: u64) {
        self.set_activity(Activity::Running);
        self.machine.set_registers(&self.at_text(text::start(), fs_base, gs_base), true);
    }

    /// execve: another page, in another space.
    pub fn replace_page(&self, page: SharedPage<ThreadPage>, address: u64) {
        self.view.set(page.view());
        self.page_address.set(address);
        *self.page.borrow_mut() = page;
    }
}
