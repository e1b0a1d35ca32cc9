//! Waiting on many files at once: poll(2), and select(2) by it.

use alloc::rc::Rc;
use core::time::Duration;

use super::Events;
use crate::clock::Clock;
use crate::open::OpenFile;

/// One row of a poll set.
pub struct PollEntry {
    /// `None`: a negative descriptor, never ready. A closed descriptor has `Some(Err)` in the server's eyes: give it `NVAL` itself.
    pub file: Option<Rc<OpenFile>>,
    /// What is asked for; ERR, HUP and NVAL come unasked.
    pub events: Events,
    /// The answer.
    pub ready: Events,
}

/// Waits until some entry is ready or `deadline` (monotonic) has passed; `Some(0)`-like deadlines in the past only look.
/// Returns how many are ready; their `ready` is set.
pub async fn poll_files(entries: &mut [PollEntry], deadline: Option<Duration>, clock: &Rc<dyn Clock>) -> usize {
    todo!()
}
