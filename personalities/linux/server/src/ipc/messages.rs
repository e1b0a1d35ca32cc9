//! Message queues: messages with types, taken by type.

use super::{Object, Permissions, Table};
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::wait::{Events, WaitQueue};
use chestnut_linux_files::{Errno, Result};
use core::cell::{Cell, RefCell};

/// Queues (MSGMNI), bytes of a message (MSGMAX) and, at first, of a queue (MSGMNB).
pub const MOST: usize = 256;
pub const MOST_IN_MESSAGE: usize = 8192;
pub const MOST_IN_QUEUE: u64 = 16384;
/// Bytes of all queues, with what the server remembers of each message.
const MOST_IN_ALL: usize = 2 << 20;
const RECORD: usize = 64;

/// One message.
pub struct Message {
    pub kind: i64,
    pub bytes: Vec<u8>,
}

/// A queue.
pub struct Queue {
    pub permissions: Cell<Permissions>,
    messages: RefCell<VecDeque<Message>>,
    bytes: Cell<u64>,
    /// Bytes that it may have.
    pub most: Cell<u64>,
    pub queue: WaitQueue,
    pub removed: Cell<bool>,
    /// Of the last send, the last receipt (seconds and process) and the last change (seconds).
    pub sent: Cell<(u64, u32)>,
    pub received: Cell<(u64, u32)>,
    pub changed: Cell<u64>,
}

impl Object for Rc<Queue> {
    fn permissions(&self) -> Permissions {
        self.permissions.get()
    }
}

/// Which message is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    First,
    /// The first of this type.
    Of(i64),
    /// The first of another one (MSG_EXCEPT).
    OtherThan(i64),
    /// The first of the lowest type up to this one.
    LowestUpTo(i64),
}

impl Wanted {
    /// From msgrcv(2)'s type argument.
    pub const fn new(kind: i64, except: bool) -> Self {
        match kind {
            0 => Self::First,
            ..0 => Self::LowestUpTo(kind.saturating_neg()),
            _ if except => Self::OtherThan(kind),
            _ => Self::Of(kind),
        }
    }
}

impl Queue {
    pub fn new(permissions: Permissions, now: u64) -> Rc<Self> {
        Rc::new(Self {
            permissions: Cell::new(permissions),
            messages: RefCell::default(),
            bytes: Cell::new(0),
            most: Cell::new(MOST_IN_QUEUE),
            queue: WaitQueue::new(),
            removed: Cell::new(false),
            sent: Cell::default(),
            received: Cell::default(),
            changed: Cell::new(now),
        })
    }
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }
    pub fn count(&self) -> usize {
        self.messages.borrow().len()
    }
    fn memory(&self) -> usize {
        self.bytes.get() as usize + self.count() * RECORD
    }

    /// Whether a message of so many bytes can come in now. There are never more messages than bytes allowed.
    pub fn has_room(&self, length: usize) -> bool {
        self.bytes.get() + length as u64 <= self.most.get() && (self.count() as u64) < self.most.get()
    }
    /// Adds a message that there is room for.
    pub fn put(&self, message: Message) {
        self.bytes.set(self.bytes.get() + message.bytes.len() as u64);
        self.messages.borrow_mut().push_back(message);
        self.queue.wake(Events::all());
    }

    /// Takes a message: `ENOMSG` if there is none such, `E2BIG` if it is longer than `room` and may not be cut.
    pub fn take(&self, wanted: Wanted, room: usize, cut: bool) -> Result<Message> {
        let mut messages = self.messages.borrow_mut();
        let place = match wanted {
            Wanted::First => (!messages.is_empty()).then_some(0),
            Wanted::Of(kind) => messages.iter().position(|message| message.kind == kind),
            Wanted::OtherThan(kind) => messages.iter().position(|message| message.kind != kind),
            Wanted::LowestUpTo(most) => {
                let fits = |(_, message): &(usize, &Message)| message.kind <= most;
                messages.iter().enumerate().filter(fits).min_by_key(|(_, message)| message.kind).map(|(place, _)| place)
            }
        };
        let place = place.ok_or(Errno::ENOMSG)?;
        if messages.get(place).is_some_and(|message| message.bytes.len() > room) && !cut {
            return Err(Errno::E2BIG);
        }
        let mut message = messages.remove(place).ok_or(Errno::ENOMSG)?;
        drop(messages);
        self.bytes.set(self.bytes.get() - message.bytes.len() as u64);
        message.bytes.truncate(room);
        self.queue.wake(Events::all());
        Ok(message)
    }

    pub fn remove(&self) {
        self.removed.set(true);
        self.messages.take();
        self.bytes.set(0);
        self.queue.wake(Events::all());
    }
}

/// All queues.
#[derive(Default)]
pub struct Queues {
    pub table: Table<Rc<Queue>>,
}

impl Queues {
    /// `ENOMEM` if all queues together have no room for so many bytes more.
    pub fn check_room(&self, length: usize) -> Result<()> {
        let all: usize = self.table.iter().map(|(_, queue)| queue.memory()).sum();
        if all + length + RECORD <= MOST_IN_ALL { Ok(()) } else { Err(Errno::ENOMEM) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipc::Asker;
    use crate::process::Ids;

    fn queue(kinds: &[i64]) -> Rc<Queue> {
        let asker = Asker { ids: Ids::default(), supplementary: Vec::new(), owns_all: false, administers: false };
        let queue = Queue::new(Permissions::new(1, 0o600, &asker), 0);
        kinds.iter().for_each(|&kind| queue.put(Message { kind, bytes: Vec::from([kind as u8; 10]) }));
        queue
    }
    fn take(queue: &Queue, kind: i64, except: bool) -> Result<i64> {
        queue.take(Wanted::new(kind, except), 10, false).map(|message| message.kind)
    }

    #[test]
    fn messages_are_taken_by_type() {
        let queue = queue(&[5, 3, 5, 4, 9]);
        assert_eq!(take(&queue, 4, false), Ok(4));
        assert_eq!(take(&queue, 5, true), Ok(3));
        assert_eq!(take(&queue, -8, false), Ok(5));
        assert_eq!(take(&queue, -4, false), Err(Errno::ENOMSG));
        assert_eq!(
            (take(&queue, 0, false), take(&queue, 0, false), take(&queue, 0, false)),
            (Ok(5), Ok(9), Err(Errno::ENOMSG))
        );
        assert_eq!((queue.bytes(), queue.count()), (0, 0));
    }

    #[test]
    fn long_messages_stay_unless_they_may_be_cut() {
        let queue = queue(&[1]);
        assert_eq!(queue.take(Wanted::First, 4, false).err(), Some(Errno::E2BIG));
        assert_eq!((queue.count(), queue.take(Wanted::First, 4, true).unwrap().bytes.len()), (1, 4));
        queue.most.set(15);
        assert!(queue.has_room(15) && !queue.has_room(16));
    }
}
