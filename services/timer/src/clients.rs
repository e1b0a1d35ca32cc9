//! Whose deadline is when, and who is to be woken.
//!
//! A client writes its page at any time and may write nonsense: the worst is that it is woken at the wrong time.

use alloc::vec::Vec;
use chestnut_runtime::{
    cap::Notification,
    clock::{Deadline, NEVER},
};

/// How a client is woken.
pub trait Wake {
    fn wake(&self);
}

impl Wake for Notification {
    fn wake(&self) {
        self.signal();
    }
}

/// All clients.
#[derive(Debug)]
pub struct Clients<W>(Vec<(Deadline, W)>);

impl<W> Default for Clients<W> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<W: Wake> Clients<W> {
    pub fn add(&mut self, deadline: Deadline, wake: W) {
        self.0.push((deadline, wake));
    }

    /// Wakes everybody whose deadline is not after `now`. Forgets the deadline only then: a timer that is made anew in
    /// between wakes twice rather than never.
    pub fn wake_due(&self, now: u64) {
        for (deadline, client) in self.0.iter().filter(|(deadline, _)| deadline.get() <= now) {
            client.wake();
            deadline.take_if_due(now);
        }
    }

    /// The earliest deadline.
    pub fn next(&self) -> u64 {
        self.0.iter().map(|(deadline, _)| deadline.get()).min().unwrap_or(NEVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{boxed::Box, cell::Cell, rc::Rc};

    impl Wake for Rc<Cell<u32>> {
        fn wake(&self) {
            self.set(self.get() + 1);
        }
    }

    #[test]
    fn each_client_is_woken_once_at_its_own_time() {
        let mut clients = Clients::default();
        assert_eq!(clients.next(), NEVER);
        let [a, b] = [300u64, 200].map(|at| {
            // SAFETY: a word of its own, leaked.
            let deadline = unsafe { Deadline::new(Box::leak(Box::new(at))) };
            let woken = Rc::new(Cell::new(0));
            clients.add(deadline, woken.clone());
            (deadline, woken)
        });
        assert_eq!(clients.next(), 200);
        clients.wake_due(199);
        assert_eq!((a.1.get(), b.1.get()), (0, 0));
        clients.wake_due(250);
        clients.wake_due(250);
        assert_eq!((a.1.get(), b.1.get(), clients.next()), (0, 1, 300));
        b.0.set(260);
        assert_eq!(clients.next(), 260);
        clients.wake_due(400);
        assert_eq!((a.1.get(), b.1.get(), clients.next()), (1, 2, NEVER));
    }
}
