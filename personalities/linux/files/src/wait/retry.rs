//! Trying again until something works.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;

use super::{Events, Registration, WaitQueue};
use crate::clock::{Clock, Wakeup};
use crate::{Errno, Result};

/// Calls `attempt` now and after each wake-up of `queues`, until it answers something else than `EAGAIN`, or `deadline`
/// (monotonic) has come. A deadline in the past tries once.
pub(crate) async fn retry<T>(
    queues: &[&WaitQueue],
    events: Events,
    clock: &Rc<dyn Clock>,
    deadline: Option<Duration>,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let mut registrations: Vec<Registration> = Vec::with_capacity(queues.len());
    let mut wakeup: Option<Wakeup> = None;
    poll_fn(|context| {
        match attempt() {
            Err(Errno::EAGAIN) => {}
            result => return Poll::Ready(result),
        }
        if deadline.is_some_and(|deadline| clock.monotonic() >= deadline) {
            return Poll::Ready(Err(Errno::EAGAIN));
        }
        registrations.clear();
        registrations.extend(queues.iter().map(|queue| queue.register(events, context.waker())));
        wakeup = deadline.map(|deadline| Wakeup::new(clock, deadline, context.waker()));
        Poll::Pending
    })
    .await
}
