//! Waiting: who wants to hear when a file becomes ready.
//!
//! Readiness is a level, looked at when asked; a [`WaitQueue`] only says "look again". So a wake-up too many is harmless, and
//! none is lost as long as nothing happens between looking and registering, which holds here because all runs on one thread
//! of control and both are done in one poll of a future.

mod listen;
mod many;
mod retry;
#[cfg(test)]
mod tests;

pub use listen::{Alarm, Listener};
pub use many::{PollEntry, poll_files};
pub(crate) use retry::retry;

use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::ops::Range;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use bitflags::bitflags;

use crate::clock::Wakeup;

bitflags! {
    /// What a file is ready for; the bits of poll(2).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Events: u16 {
        const IN = 0x001;
        const PRI = 0x002;
        const OUT = 0x004;
        const ERR = 0x008;
        const HUP = 0x010;
        const NVAL = 0x020;
        const RDNORM = 0x040;
        const RDBAND = 0x080;
        const WRNORM = 0x100;
        const WRBAND = 0x200;
        const RDHUP = 0x2000;
    }
}

impl Events {
    /// Data can be read.
    pub const READABLE: Events = Events::IN.union(Events::RDNORM);
    /// Data can be written.
    pub const WRITABLE: Events = Events::OUT.union(Events::WRNORM);
    /// Reported whether asked for or not.
    pub const ALWAYS: Events = Events::ERR.union(Events::HUP).union(Events::NVAL);
}

/// Those who wait for one file (or one end of it). Clones are the same queue.
#[derive(Clone, Default)]
pub struct WaitQueue {
    inner: Rc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// By key, as they came.
    waiters: RefCell<Vec<Waiter>>,
    next_key: Cell<u64>,
    alarm: RefCell<Option<Weak<dyn Alarm>>>,
}

struct Waiter {
    key: u64,
    events: Events,
    who: Who,
}

/// Who is told of a wake-up.
#[derive(Clone)]
enum Who {
    Task(Waker),
    Listener(Weak<dyn Listener>),
}

impl WaitQueue {
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes all who wait for any of `events`.
    #[inline]
    pub fn wake(&self, events: Events) {
        if !self.is_empty() {
            self.wake_some(events);
        }
    }

    fn wake_some(&self, events: Events) {
        // Who comes while listeners are told has seen what there is to see.
        let (mut from, behind) = (0, self.inner.next_key.get());
        // Listeners may come back here, so none is called while the list is borrowed.
        while let Some((key, listener)) = self.wake_up_to_listener(events, from..behind) {
            listener.notify(events);
            from = key + 1;
            if self.is_empty() {
                break;
            }
        }
    }

    /// Wakes the tasks with these keys up to the first listener, which is returned. A waker only notes that its task is to be polled.
    fn wake_up_to_listener(&self, events: Events, keys: Range<u64>) -> Option<(u64, Rc<dyn Listener>)> {
        let waiters = self.inner.waiters.borrow();
        let first = if keys.start == 0 { 0 } else { waiters.partition_point(|waiter| waiter.key < keys.start) };
        for waiter in waiters.iter().skip(first).take_while(|waiter| waiter.key < keys.end) {
            if !(waiter.events | Events::ALWAYS).intersects(events) {
                continue;
            }
            match &waiter.who {
                Who::Task(waker) => waker.wake_by_ref(),
                Who::Listener(listener) => {
                    if let Some(listener) = listener.upgrade() {
                        return Some((waiter.key, listener));
                    }
                }
            }
        }
        None
    }

    /// Has `waker` woken at each wake-up for `events`, until the registration is dropped. For those who keep watch over
    /// many files (poll, epoll); a single wait is [`WaitQueue::wait`].
    pub fn register(&self, events: Events, waker: &Waker) -> Registration {
        let wakeup = self.next_alarm().map(|(clock, deadline)| Wakeup::new(&clock, deadline, waker));
        let mut registration = self.enter(events, Who::Task(waker.clone()));
        registration.wakeup = wakeup;
        registration
    }

    fn enter(&self, events: Events, who: Who) -> Registration {
        Registration { queue: self.clone(), key: self.push(events, who), wakeup: None }
    }

    fn push(&self, events: Events, who: Who) -> u64 {
        let key = self.inner.next_key.get();
        self.inner.next_key.set(key + 1);
        self.inner.waiters.borrow_mut().push(Waiter { key, events, who });
        key
    }

    /// Who has this key waits no longer.
    pub fn leave(&self, key: u64) {
        let mut waiters = self.inner.waiters.borrow_mut();
        if let Some(index) = waiters.iter().position(|waiter| waiter.key == key) {
            // Mostly the last one.
            let gone = if index + 1 == waiters.len() { waiters.pop() } else { Some(waiters.remove(index)) };
            // Nothing is borrowed while a listener goes.
            drop(waiters);
            drop(gone);
        }
    }

    /// A future that is ready when polled the second time, which is after a wake-up or by chance: look again then.
    pub fn wait(&self, events: Events) -> Wait {
        Wait { queue: self.clone(), events, registration: None }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.inner.waiters.borrow().len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A place in a wait queue; dropping it leaves the queue.
pub struct Registration {
    queue: WaitQueue,
    key: u64,
    /// For the queue's alarm.
    wakeup: Option<Wakeup>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.queue.leave(self.key);
    }
}

/// See [`WaitQueue::wait`].
pub struct Wait {
    queue: WaitQueue,
    events: Events,
    registration: Option<Registration>,
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.registration.take().is_some() {
            return Poll::Ready(());
        }
        self.registration = Some(self.queue.register(self.events, context.waker()));
        Poll::Pending
    }
}
