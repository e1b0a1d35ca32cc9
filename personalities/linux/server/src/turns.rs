//! Turns: a program whose calls keep the server busy gets no more of the processor than others.
//!
//! The server runs above all programs, on time of its own, so the kernel's turns don't see what it does for a program: whoever did
//! nothing but make long calls would be answered, use a moment of its turn, call again, and nobody else would ever run. So what the
//! server does for a thread is put on that thread's account. When that comes to a turn's length, and others could run, its answer waits for as long
//! as they should have had in the meantime; less, if before that all others have come to wait for something.
//!
//! Long calls are cut in pieces besides ([`Server::breathe`]): between two of them whatever came in meanwhile is dealt with, and others
//! have their turns.

use crate::capability::{Reply, ticks};
use crate::process::Thread;
use crate::process::thread::Sent;
use crate::server::Server;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::clock::Clock;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Poll, Waker};
use core::time::Duration;

/// However many others there are, nobody waits longer at a stroke.
const LONGEST_WAIT: Duration = Duration::from_millis(200);
/// More others than that count as so many.
const MOST_OTHERS: usize = 20;
/// What a piece of a long call may take before others have their turns: nanoseconds.
const PIECE: u64 = 1_000_000;

/// Who waits for its turn.
struct Waiting {
    thread: Rc<Thread>,
    until: Duration,
    how: How,
}

/// How it goes on.
pub(crate) enum How {
    Answer(Reply, Sent),
    /// With the next piece of its call.
    Wake(Waker),
}

/// See the module.
#[derive(Default)]
pub struct Turns {
    waiting: RefCell<Vec<Waiting>>,
    /// Pieces of calls of threads that are alone: they go on once the message loop has looked whether anything has come.
    pieces: RefCell<VecDeque<Waker>>,
    /// The longest that the server has worked without looking for messages, in ticks, and the call that it was for.
    longest: Cell<(u64, Option<u64>)>,
    /// There may be something in `waiting` or `pieces`: looked at for each message.
    are_waited_for: Cell<bool>,
}

impl Turns {
    /// Ticks of the longest stretch since this was last asked, and the number of the call that the thread had made; none if no thread was served.
    pub fn take_longest(&self) -> (u64, Option<u64>) {
        self.longest.take()
    }
    /// Somebody may be waiting for a turn or to go on with a piece.
    #[inline]
    pub const fn are_waited_for(&self) -> bool {
        self.are_waited_for.get()
    }
    fn add_waiting(&self, waiting: Waiting) {
        self.are_waited_for.set(true);
        self.waiting.borrow_mut().push(waiting);
    }
    fn add_piece(&self, waker: Waker) {
        self.are_waited_for.set(true);
        self.pieces.borrow_mut().push_back(waker);
    }
    /// There are pieces to go on with: the server doesn't wait for messages, it only looks.
    pub fn has_pieces(&self) -> bool {
        !self.pieces.borrow().is_empty()
    }
    /// Lets one piece go on.
    pub fn next_piece(&self) {
        let next = self.pieces.borrow_mut().pop_front();
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

impl Server {
    /// The server has done what there was to do, for a thread if that was a thread's message; it took so many ticks. True if that ends the
    /// thread's turn.
    #[inline]
    pub fn end_service(&'static self, thread: Option<&Rc<Thread>>, took: u64) -> bool {
        if took > self.turns.longest.get().0 {
            self.turns.longest.set((took, thread.map(|thread| thread.last_call.get())));
        }
        let Some(thread) = thread else { return false };
        let ends = thread.charge(took);
        if ends {
            self.end_turn(thread);
        }
        ends
    }

    #[cold]
    fn end_turn(&'static self, thread: &Rc<Thread>) {
        let debt = thread.debt();
        let others = self.others(thread);
        if others == 0 {
            return thread.forgive_debt();
        }
        // If its answer is on its way, or it has to wait for something anyway, it is for the next time.
        let Some((reply, message)) = self.withdraw_answer(thread) else { return };
        thread.forgive_debt();
        self.wait_for_turn(thread, debt, others, How::Answer(reply, message));
    }

    /// Other threads that could run, as far as they count.
    fn others(&self, thread: &Thread) -> usize {
        self.table.count_running(thread, MOST_OTHERS)
    }

    pub(crate) fn wait_for_turn(&'static self, thread: &Rc<Thread>, debt: u64, others: usize, how: How) {
        let wait = Duration::from_nanos(self.clock.nanoseconds(debt)) * others as u32;
        let until = self.clock.monotonic() + wait.min(LONGEST_WAIT);
        thread.waits_for_turn.set(true);
        self.turns.add_waiting(Waiting { thread: thread.clone(), until, how });
        self.executor.start(async move {
            self.clock.sleep_until(until).await;
            self.let_go(|waiting, now| waiting.until <= now);
        });
    }

    /// Lets those go on whom `which` names; the second argument is the time.
    fn let_go(&self, which: impl Fn(&Waiting, Duration) -> bool) {
        let now = self.clock.monotonic();
        let ready: Vec<Waiting> =
            self.turns.waiting.borrow_mut().extract_if(.., |waiting| which(waiting, now)).collect();
        for Waiting { thread, how, .. } in ready {
            thread.waits_for_turn.set(false);
            match how {
                How::Wake(waker) => waker.wake(),
                How::Answer(reply, message) if !thread.ended.get() => self.send_answer(&thread, reply, message),
                How::Answer(..) => {}
            }
        }
    }

    /// If nobody else could run, those who wait for their turns go on. Called before the server waits for messages.
    pub fn check_turns(&self) {
        let first = self.turns.waiting.borrow().first().map(|waiting| waiting.thread.clone());
        let Some(first) = first else { return self.turns.are_waited_for.set(self.turns.has_pieces()) };
        if self.others(&first) == 0 {
            self.let_go(|_, _| true);
        }
    }
    /// Answers that wait for a turn go out now: somebody wants their threads to be where their activities say.
    pub fn forget_turns(&self) {
        self.let_go(|waiting, _| matches!(waiting.how, How::Answer(..)));
    }

    /// Between two pieces of a call, of which the last began at `since`, ticks: goes on at once if that is not long ago. Else others have their
    /// turns; and whatever has come in meanwhile is dealt with.
    pub async fn breathe(&'static self, thread: &Rc<Thread>, since: &mut u64) {
        let took = ticks().wrapping_sub(*since);
        if took < self.clock.ticks(PIECE) {
            return;
        }
        let mut began = false;
        poll_fn(|context| {
            if core::mem::replace(&mut began, true) {
                // Woken by a signal too early, at worst.
                return Poll::Ready(());
            }
            match self.others(thread) {
                0 => self.turns.add_piece(context.waker().clone()),
                others => self.wait_for_turn(thread, took, others, How::Wake(context.waker().clone())),
            }
            Poll::Pending
        })
        .await;
        *since = ticks();
    }
}
