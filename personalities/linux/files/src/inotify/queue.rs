//! Events that nobody has read.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;

use super::{Load, Mask};

/// Events in a queue (/proc/sys/fs/inotify/max_queued_events); then one IN_Q_OVERFLOW, and the rest is lost.
pub const EVENTS_MAX: usize = 16384;

/// Bytes of `struct inotify_event` before the name: watch, mask, cookie, length of the name.
const HEADER: usize = 16;

#[derive(PartialEq, Eq)]
struct Event {
    number: i32,
    mask: Mask,
    cookie: u32,
    name: Box<[u8]>,
}

/// Events in all queues together.
const ALL_EVENTS_MAX: usize = 2 * EVENTS_MAX;

pub(super) struct Queue {
    events: VecDeque<Event>,
    load: Rc<Load>,
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.load.events.set(self.load.events.get() - self.events.len());
    }
}

impl Queue {
    pub(super) fn new(load: &Rc<Load>) -> Self {
        Queue { events: VecDeque::new(), load: load.clone() }
    }

    /// Adds an event, unless it is the same as the last one.
    pub(super) fn put(&mut self, number: i32, mask: Mask, cookie: u32, name: &[u8]) {
        let event = Event { number, mask, cookie, name: name.into() };
        if self.events.back() == Some(&event) {
            return;
        }
        if self.events.len() < EVENTS_MAX && self.load.events.get() < ALL_EVENTS_MAX {
            self.push(event);
        } else {
            let overflow = Event { number: -1, mask: Mask::OVERFLOW, cookie: 0, name: Box::default() };
            if self.events.back() != Some(&overflow) {
                self.push(overflow);
            }
        }
    }

    fn push(&mut self, event: Event) {
        self.load.events.set(self.load.events.get() + 1);
        self.events.push_back(event);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The oldest event as a program reads it: the name ends with a zero and is padded to 16 bytes.
    pub(super) fn front_encoded(&self) -> Option<Vec<u8>> {
        let event = self.events.front()?;
        let mut bytes = Vec::with_capacity(event.length());
        bytes.extend_from_slice(&event.number.to_le_bytes());
        bytes.extend_from_slice(&event.mask.bits().to_le_bytes());
        bytes.extend_from_slice(&event.cookie.to_le_bytes());
        bytes.extend_from_slice(&((event.length() - HEADER) as u32).to_le_bytes());
        bytes.extend_from_slice(&event.name);
        bytes.resize(event.length(), 0);
        Some(bytes)
    }

    /// What the oldest event says, and whether of a name in a directory.
    pub(super) fn front(&self) -> Option<(Mask, bool)> {
        self.events.front().map(|event| (event.mask, !event.name.is_empty()))
    }

    pub(super) fn pop(&mut self) {
        if self.events.pop_front().is_some() {
            self.load.events.set(self.load.events.get() - 1);
        }
    }

    /// Memory taken, bytes, about.
    pub(super) fn held(&self) -> usize {
        2 * self.events.len() * size_of::<Event>()
    }

    /// What reading all would bring.
    pub(super) fn bytes(&self) -> usize {
        self.events.iter().map(Event::length).sum()
    }
}

impl Event {
    fn length(&self) -> usize {
        let name = if self.name.is_empty() { 0 } else { (self.name.len() + 1).next_multiple_of(16) };
        HEADER + name
    }
}
