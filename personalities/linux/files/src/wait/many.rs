//! Waiting on many files at once: poll(2), and select(2) by it.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::task::{Context, Poll};
use core::time::Duration;

use super::{Events, Registration};
use crate::clock::{Clock, Wakeup};
use crate::open::OpenFile;

/// One row of a poll set.
pub struct PollEntry {
    /// `None`: nothing to look at; `ready` stays as it is (empty for a negative descriptor, NVAL for a closed one).
    pub file: Option<Rc<OpenFile>>,
    /// What is asked for; ERR, HUP and NVAL come unasked.
    pub events: Events,
    /// The answer.
    pub ready: Events,
}

impl PollEntry {
    pub fn new(file: Rc<OpenFile>, events: Events) -> Self {
        PollEntry { file: Some(file), events, ready: Events::empty() }
    }
}

/// Waits until some entry is ready or `deadline` (monotonic) has come; a deadline in the past only looks, none waits for ever.
/// Returns how many have a `ready` that isn't empty.
pub async fn poll_files(entries: &mut [PollEntry], deadline: Option<Duration>, clock: &Rc<dyn Clock>) -> usize {
    let mut registrations: Vec<Registration> = Vec::new();
    let mut wakeup: Option<Wakeup> = None;
    poll_fn(|context| {
        let ready = look(entries);
        if ready > 0 || deadline.is_some_and(|deadline| clock.monotonic() >= deadline) {
            return Poll::Ready(ready);
        }
        // Wakers may differ from poll to poll, so all register anew.
        registrations.clear();
        register(entries, context, &mut registrations);
        wakeup = deadline.map(|deadline| Wakeup::new(clock, deadline, context.waker()));
        Poll::Pending
    })
    .await
}

fn look(entries: &mut [PollEntry]) -> usize {
    let mut ready = 0;
    for entry in entries {
        if let Some(file) = &entry.file {
            entry.ready = file.readiness() & (entry.events | Events::ALWAYS);
        }
        ready += usize::from(!entry.ready.is_empty());
    }
    ready
}

fn register(entries: &[PollEntry], context: &Context<'_>, registrations: &mut Vec<Registration>) {
    for entry in entries {
        if let Some(queue) = entry.file.as_ref().and_then(|file| file.waiters()) {
            registrations.push(queue.register(entry.events, context.waker()));
        }
    }
}
