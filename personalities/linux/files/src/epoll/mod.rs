//! epoll(7): waiting on many files without naming them each time.
//!
//! An [`Epoll`] listens to the wait queues of the files in it and keeps a list of those that may be ready; only these are
//! looked at. A file leaves when its open file description closes, whatever descriptor it was added under: the set holds
//! it weakly, so it keeps nothing open.
//!
//! Level-triggered members stay on the list as long as they are ready; edge-triggered ones leave it when they are reported and
//! come back at the next wake-up; one-shot ones are silent until EPOLL_CTL_MOD.

mod control;
mod nesting;
mod ready;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;

use bitflags::bitflags;
use linux_raw_sys::general as linux;

use crate::clock::{Clock, Wakeup};
use crate::inode::Filesystem;
use crate::open::{File, OpenFile, OpenFlags};
use crate::wait::{Events, Registration, WaitQueue};
use crate::{Errno, Result};

bitflags! {
    /// How a member is watched: the flags of `epoll_event.events` beyond [`Events`].
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Mode: u32 {
        /// EPOLLEXCLUSIVE. Waking all waiters instead of one is what its manual allows ("one or more").
        const EXCLUSIVE = 1 << 28;
        /// EPOLLWAKEUP: nothing here suspends, so it changes nothing, as for a process without CAP_BLOCK_SUSPEND.
        const WAKE_UP = 1 << 29;
        const ONE_SHOT = 1 << 30;
        const EDGE = 1 << 31;
    }
}

/// Members that all instances may have together (ENOSPC beyond), in the place of /proc/sys/fs/epoll/max_user_watches.
pub const MEMBERS_MAX: usize = 1 << 14;
/// How many of them may be instances (ENOSPC beyond). Whoever adds one looks at all ways up and down, so this bounds the time that takes;
/// Linux bounds the number of ways.
pub const NESTED_MAX: usize = 512;

/// Bytes that a member takes, about, with what listens to its file.
const MEMBER_COST: usize = 384;

/// Members of all instances.
#[derive(Default)]
pub(crate) struct Load {
    members: Cell<usize>,
    /// Those that are instances.
    nested: Cell<usize>,
}

impl Load {
    /// One more (+1) or less (−1).
    fn count(&self, nested: bool, change: isize) {
        self.members.set(self.members.get().saturating_add_signed(change));
        if nested {
            self.nested.set(self.nested.get().saturating_add_signed(change));
        }
    }
    fn has_room(&self, nested: bool) -> bool {
        self.members.get() < MEMBERS_MAX && !(nested && self.nested.get() >= NESTED_MAX)
    }
}

/// `struct epoll_event`, which on x86-64 is packed: 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpollEvent {
    /// [`Events`] in the low 16 bits, [`Mode`] above.
    pub events: u32,
    pub data: u64,
}

impl EpollEvent {
    /// Bytes of the structure.
    pub const SIZE: usize = 12;

    #[inline]
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..4].copy_from_slice(&self.events.to_le_bytes());
        bytes[4..].copy_from_slice(&self.data.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8; Self::SIZE]) -> Self {
        let [a, b, c, d, data @ ..] = *bytes;
        EpollEvent { events: u32::from_le_bytes([a, b, c, d]), data: u64::from_le_bytes(data) }
    }
}

/// What epoll_ctl(2) does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Add(EpollEvent),
    Modify(EpollEvent),
    Delete,
}

impl Operation {
    /// From the arguments of epoll_ctl(2); `event` reads the structure and is called only where one is needed. `EINVAL` for an
    /// unknown operation.
    pub fn from_arguments(operation: u32, event: impl FnOnce() -> Result<EpollEvent>) -> Result<Self> {
        Ok(match operation {
            linux::EPOLL_CTL_ADD => Operation::Add(event()?),
            linux::EPOLL_CTL_MOD => Operation::Modify(event()?),
            linux::EPOLL_CTL_DEL => Operation::Delete,
            _ => return Err(Errno::EINVAL),
        })
    }
}

/// An epoll instance.
pub struct Epoll {
    /// By descriptor and the description's address, which no other has while the member's weak reference lives.
    members: RefCell<BTreeMap<(i32, usize), Rc<Member>>>,
    /// Those that may be ready, in the order in which they will be looked at.
    ready: RefCell<VecDeque<Rc<Member>>>,
    /// Those that become ready with time.
    timed: RefCell<Vec<Weak<Member>>>,
    /// The instances that this one is in.
    parents: RefCell<Vec<Weak<Epoll>>>,
    /// Who waits for this instance.
    waiters: WaitQueue,
    load: Rc<Load>,
}

/// A file in an epoll instance.
struct Member {
    key: (i32, usize),
    itself: Weak<Member>,
    owner: Weak<Epoll>,
    file: Weak<OpenFile>,
    events: Cell<Events>,
    mode: Cell<Mode>,
    data: Cell<u64>,
    /// It is on the owner's list.
    listed: Cell<bool>,
    /// Reported once, and one-shot; or deleted.
    silent: Cell<bool>,
    /// For timed ones: when it will be ready next, as far as is known.
    due: Cell<Option<Duration>>,
    registration: RefCell<Option<Registration>>,
    /// The file is an instance.
    nested: bool,
    load: Rc<Load>,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.load.count(self.nested, -1);
    }
}

/// epoll_create1(2): the descriptor flag EPOLL_CLOEXEC is the table's.
pub fn create(filesystem: &Rc<Filesystem>) -> Rc<OpenFile> {
    let epoll: Rc<dyn File> = Rc::new(EpollFile(Epoll::new(&filesystem.epoll_load)));
    OpenFile::anonymous(filesystem, epoll, b"anon_inode:[eventpoll]", OpenFlags::READ_WRITE)
}

impl OpenFile {
    /// The epoll instance behind a descriptor; `EINVAL` if it is something else.
    #[inline]
    pub fn epoll(&self) -> Result<&Rc<Epoll>> {
        self.file().epoll().ok_or(Errno::EINVAL)
    }
}

fn instance(file: &OpenFile) -> Option<Rc<Epoll>> {
    file.file().epoll().cloned()
}

impl Epoll {
    fn new(load: &Rc<Load>) -> Rc<Self> {
        let epoll = Rc::new(Epoll {
            members: RefCell::default(),
            ready: RefCell::default(),
            timed: RefCell::default(),
            parents: RefCell::default(),
            waiters: WaitQueue::new(),
            load: load.clone(),
        });
        epoll.waiters.set_alarm(ready::alarm_of(&epoll));
        epoll
    }

    /// epoll_wait(2) and epoll_pwait2(2), the signal mask apart: waits until a member is ready or `deadline` (monotonic) has
    /// come; a deadline in the past only looks. At most `most` events, none after the deadline. `EINVAL` for a `most` that isn't
    /// positive. Dropped earlier, nothing has been reported.
    pub async fn wait(
        self: &Rc<Self>,
        most: i32,
        deadline: Option<Duration>,
        clock: &Rc<dyn Clock>,
    ) -> Result<Vec<EpollEvent>> {
        let most = usize::try_from(most).ok().filter(|&most| most > 0).ok_or(Errno::EINVAL)?;
        let mut registration: Option<Registration> = None;
        let mut wakeup: Option<Wakeup> = None;
        let found = poll_fn(|context| {
            let found = self.collect(most);
            if !found.is_empty() || deadline.is_some_and(|deadline| clock.monotonic() >= deadline) {
                return Poll::Ready(found);
            }
            registration = Some(self.waiters.register(Events::READABLE, context.waker()));
            wakeup = deadline.map(|deadline| Wakeup::new(clock, deadline, context.waker()));
            Poll::Pending
        });
        Ok(found.await)
    }
}

/// An open epoll instance: readable when a member is ready, which is how instances nest.
struct EpollFile(Rc<Epoll>);

impl File for EpollFile {
    fn readiness(&self) -> Events {
        if self.0.has_ready() { Events::READABLE } else { Events::empty() }
    }

    fn held(&self) -> usize {
        self.0.members.borrow().len() * MEMBER_COST
    }

    fn waiters(&self) -> Option<&WaitQueue> {
        Some(&self.0.waiters)
    }

    fn epoll(&self) -> Option<&Rc<Epoll>> {
        Some(&self.0)
    }
}
