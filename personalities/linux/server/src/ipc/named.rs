//! POSIX message queues (mq_overview(7)): they have names of their own, descriptors, and priorities for messages.

use super::Permissions;
use crate::process::Process;
use crate::process::signal::Signal;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use chestnut_linux_files::buffer::Sink;
use chestnut_linux_files::open::{Attempt, File};
use chestnut_linux_files::wait::{Events, WaitQueue};
use chestnut_linux_files::{Errno, Result};
use core::any::Any;
use core::cell::{Cell, RefCell};

/// Queues (queues_max), messages of one and bytes of a message that the unprivileged may ask for (msg_max, msgsize_max), which are also
/// what a queue has that is made without saying.
pub const MOST: usize = 256;
pub const MOST_MESSAGES: u64 = 10;
pub const MOST_IN_MESSAGE: u64 = 8192;
/// Priorities are below this (MQ_PRIO_MAX).
pub const PRIORITIES: u32 = 32768;
/// What is remembered of a message beside its bytes.
const RECORD: u64 = 64;
/// Bytes that all queues may have room for.
const MOST_IN_ALL: u64 = 4 << 20;

/// Bytes that each user's queues have room for (RLIMIT_MSGQUEUE).
pub type Accounts = Rc<RefCell<BTreeMap<u32, u64>>>;

/// Who is told of the next message that comes to an empty queue, once (mq_notify(2)).
pub struct Notice {
    pub process: Weak<Process>,
    /// `None`: nobody is told, but nobody else can ask.
    pub signal: Option<(Signal, u64)>,
}

/// A queue.
pub struct NamedQueue {
    pub permissions: Permissions,
    pub most: u64,
    pub longest: u64,
    /// Highest priority first, and of one priority the oldest.
    messages: RefCell<VecDeque<(u32, Vec<u8>)>>,
    pub notice: RefCell<Option<Notice>>,
    /// Calls that wait for a message.
    pub receivers: Cell<u32>,
    pub changed: WaitQueue,
    accounts: Accounts,
}

/// A message has come.
pub enum Arrival {
    /// To a queue that had others, or whose receivers wait.
    Plain,
    /// To an empty one.
    First,
}

impl NamedQueue {
    /// `EMFILE` if the user's queues would have room for more than `limit` bytes, `ENOMEM` for all of them.
    pub fn new(permissions: Permissions, most: u64, longest: u64, limit: u64, accounts: &Accounts) -> Result<Rc<Self>> {
        let room = capacity(most, longest).ok_or(Errno::EINVAL)?;
        let mut users = accounts.borrow_mut();
        let (own, all) = (users.get(&permissions.creator).copied().unwrap_or(0), users.values().sum::<u64>());
        if own.saturating_add(room) > limit {
            return Err(Errno::EMFILE);
        }
        if all.saturating_add(room) > MOST_IN_ALL {
            return Err(Errno::ENOMEM);
        }
        users.insert(permissions.creator, own + room);
        drop(users);
        Ok(Rc::new(Self {
            permissions,
            most,
            longest,
            messages: RefCell::default(),
            notice: RefCell::default(),
            receivers: Cell::new(0),
            changed: WaitQueue::new(),
            accounts: accounts.clone(),
        }))
    }

    pub fn count(&self) -> u64 {
        self.messages.borrow().len() as u64
    }

    /// `EAGAIN` while it is full.
    pub fn put(&self, priority: u32, bytes: Vec<u8>) -> Result<Arrival> {
        let mut messages = self.messages.borrow_mut();
        if messages.len() as u64 >= self.most {
            return Err(Errno::EAGAIN);
        }
        let first = messages.is_empty() && self.receivers.get() == 0;
        let place = messages.partition_point(|(other, _)| *other >= priority);
        messages.insert(place, (priority, bytes));
        drop(messages);
        self.changed.wake(Events::READABLE);
        Ok(if first { Arrival::First } else { Arrival::Plain })
    }
    /// `EAGAIN` while it is empty.
    pub fn take(&self) -> Result<(u32, Vec<u8>)> {
        let message = self.messages.borrow_mut().pop_front().ok_or(Errno::EAGAIN)?;
        self.changed.wake(Events::WRITABLE);
        Ok(message)
    }
}

fn capacity(most: u64, longest: u64) -> Option<u64> {
    most.checked_mul(longest.checked_add(RECORD)?)
}

impl Drop for NamedQueue {
    fn drop(&mut self) {
        let room = capacity(self.most, self.longest).unwrap_or(0);
        let mut users = self.accounts.borrow_mut();
        if let Some(own) = users.get_mut(&self.permissions.creator) {
            *own = own.saturating_sub(room);
            if *own == 0 {
                users.remove(&self.permissions.creator);
            }
        }
    }
}

/// A call that waits for a message, until it is dropped.
pub struct Receiver(Rc<NamedQueue>);

impl Receiver {
    pub fn new(queue: &Rc<NamedQueue>) -> Self {
        queue.receivers.set(queue.receivers.get() + 1);
        Self(queue.clone())
    }
}
impl Drop for Receiver {
    fn drop(&mut self) {
        self.0.receivers.set(self.0.receivers.get() - 1);
    }
}

/// What a queue's descriptor is open on.
pub struct QueueFile(pub Rc<NamedQueue>);

impl File for QueueFile {
    /// A line about the queue, as mq_overview(7) shows it.
    fn read(&self, _: &mut Attempt, offset: u64, sink: &mut dyn Sink) -> Result<usize> {
        let queue = &self.0;
        let bytes: usize = queue.messages.borrow().iter().map(|(_, bytes)| bytes.len()).sum();
        let notice = queue.notice.borrow();
        let process = notice.as_ref().and_then(|notice| notice.process.upgrade());
        let (kind, signal, pid) = match (&*notice, process) {
            (Some(Notice { signal: Some((signal, _)), .. }), Some(process)) => (0, signal.number(), process.pid),
            (Some(_), Some(process)) => (1, 0, process.pid),
            _ => (0, 0, 0),
        };
        let text = format!("QSIZE:{bytes:<10} NOTIFY:{kind:<5} SIGNO:{signal:<5} NOTIFY_PID:{pid:<6}\n");
        let rest = text.as_bytes().get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
        if rest.is_empty() { Ok(0) } else { sink.put(rest) }
    }
    fn is_seekable(&self) -> bool {
        true
    }
    fn readiness(&self) -> Events {
        let (mut ready, count) = (Events::empty(), self.0.count());
        ready.set(Events::READABLE, count > 0);
        ready.set(Events::WRITABLE, count < self.0.most);
        ready
    }
    fn waiters(&self) -> Option<&WaitQueue> {
        Some(&self.0.changed)
    }
    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// All queues that have a name.
#[derive(Default)]
pub struct NamedQueues {
    pub names: BTreeMap<Vec<u8>, Rc<NamedQueue>>,
    pub accounts: Accounts,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipc::Asker;
    use crate::process::Ids;

    fn queue(most: u64, longest: u64, limit: u64, accounts: &Accounts) -> Result<Rc<NamedQueue>> {
        let asker = Asker { ids: Ids::default(), supplementary: Vec::new(), owns_all: false, administers: false };
        NamedQueue::new(Permissions::new(0, 0o600, &asker), most, longest, limit, accounts)
    }

    #[test]
    fn urgent_messages_come_first_and_old_ones_before_new_ones() {
        let queue = queue(4, 8, 1 << 20, &Accounts::default()).unwrap();
        assert!(matches!(queue.put(1, b"a".to_vec()), Ok(Arrival::First)));
        for (priority, bytes) in [(5, b"b"), (1, b"c"), (5, b"d")] {
            assert!(matches!(queue.put(priority, bytes.to_vec()), Ok(Arrival::Plain)));
        }
        assert_eq!(queue.put(9, Vec::new()).err(), Some(Errno::EAGAIN));
        let taken: Vec<u8> = core::iter::from_fn(|| queue.take().ok()).flat_map(|(_, bytes)| bytes).collect();
        assert_eq!(taken, b"bdac");
        let receiver = Receiver::new(&queue);
        assert!(matches!(queue.put(1, Vec::new()), Ok(Arrival::Plain)));
        drop(receiver);
        assert_eq!(queue.receivers.get(), 0);
    }

    #[test]
    fn a_user_has_so_many_bytes_until_queues_have_gone() {
        let accounts = Accounts::default();
        let first = queue(10, 36, 1500, &accounts).unwrap();
        assert_eq!(queue(10, 36, 1500, &accounts).err(), Some(Errno::EMFILE));
        assert_eq!(queue(u64::MAX, 36, 1500, &accounts).err(), Some(Errno::EINVAL));
        drop(first);
        assert!(queue(10, 36, 1500, &accounts).is_ok() && accounts.borrow().is_empty());
    }
}
