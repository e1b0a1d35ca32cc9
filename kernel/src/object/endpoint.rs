//! Endpoint: where senders and receivers meet. Only one kind of thread waits at a time; the state of the first one says which.

use super::data::{Endpoint, ThreadState};
use super::state::Kernel;

impl Endpoint {
    /// Whether the threads in the queue wait to send.
    pub fn has_senders(&self, k: Kernel) -> bool {
        self.queue.first(k).is_some_and(|thread| thread.state.get() == ThreadState::BlockedOnSend)
    }
    /// Whether the threads in the queue wait to receive.
    pub fn has_receivers(&self, k: Kernel) -> bool {
        self.queue.first(k).is_some_and(|thread| thread.state.get() == ThreadState::BlockedOnReceive)
    }
}
