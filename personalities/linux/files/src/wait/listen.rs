//! What a wait queue offers beyond waking tasks: telling objects of wake-ups (epoll), and readiness that comes with time
//! (timerfd).
//!
//! Time passes without anybody calling [`WaitQueue::wake`], so a queue may have an [`Alarm`]: whoever registers is woken at its
//! next moment too.

use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::time::Duration;

use super::{Events, Registration, WaitQueue, Waiter, Who};
use crate::clock::Clock;

/// Hears of wake-ups as they happen, where a task's waker would only be told to look again later.
pub trait Listener {
    /// The queue was woken for `events`. Nothing of the queue is borrowed.
    fn notify(&self, events: Events);

    /// The queue's alarm has changed.
    fn alarm_changed(&self) {}

    /// For who waits, to be found again by whoever brings what it waits for.
    fn as_any(&self) -> Option<&dyn Any> {
        None
    }
}

/// Knows when a file becomes ready by itself.
pub trait Alarm {
    /// The next moment (monotonic, later than now), and the clock that can wake at it.
    fn next(&self) -> Option<(Rc<dyn Clock>, Duration)>;
}

impl WaitQueue {
    /// Has `listener` told of each wake-up for `events`, until the registration is dropped.
    pub fn listen(&self, events: Events, listener: Weak<dyn Listener>) -> Registration {
        self.enter(events, Who::Listener(listener))
    }

    /// The same for who leaves the queue by itself ([`WaitQueue::leave`] with the key that is returned).
    pub fn stay(&self, events: Events, listener: Weak<dyn Listener>) -> u64 {
        self.push(events, Who::Listener(listener))
    }

    /// The only one who waits here, if it is a listener and waits for any of `events`.
    #[inline]
    pub fn only_listener(&self, events: Events) -> Option<Rc<dyn Listener>> {
        match self.inner.waiters.borrow().as_slice() {
            [Waiter { events: awaited, who: Who::Listener(listener), .. }] if awaited.intersects(events) => {
                listener.upgrade()
            }
            _ => None,
        }
    }

    /// Gives the queue an alarm, for good.
    pub fn set_alarm(&self, alarm: Weak<dyn Alarm>) {
        *self.inner.alarm.borrow_mut() = Some(alarm);
    }

    /// When somebody who waits here must look again without a wake-up.
    pub fn next_alarm(&self) -> Option<(Rc<dyn Clock>, Duration)> {
        let alarm = self.inner.alarm.borrow().as_ref()?.upgrade()?;
        alarm.next()
    }

    /// The alarm has another next moment: tasks look again (and so register for it), listeners are told.
    pub fn alarm_changed(&self) {
        let all: Vec<Who> = self.inner.waiters.borrow().iter().map(|waiter| waiter.who.clone()).collect();
        for who in all {
            match who {
                Who::Task(waker) => waker.wake(),
                Who::Listener(listener) => {
                    listener.upgrade().into_iter().for_each(|listener| listener.alarm_changed());
                }
            }
        }
    }
}
