//! Futexes: who waits on which word (futex(2)).
//!
//! A word is known by the frame it lies in and its offset, so a shared futex is the same for every process that maps it; a
//! private one by its address space and address, which survives copy-on-write. The count of waiters per bucket on the mm
//! page lets the trampoline skip a wake that nobody waits for: it is raised before the word is looked at.

use crate::memory::{AddressSpace, Intent};
use crate::process::Process;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::Rc;
use chestnut_linux_files::{Errno, Result};
use chestnut_linux_trampoline::pages::{FUTEX_BUCKETS, futex_bucket};
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// Names a futex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Address of the space (which lives as long as somebody waits), address of the word.
    Private(usize, u64),
    /// Frame, offset.
    Shared(u32, u16),
}

/// FUTEX_BITSET_MATCH_ANY.
pub const ANY: u32 = u32::MAX;

/// One who waits.
struct Waiter {
    key: Cell<Key>,
    bits: u32,
    woken: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// All futexes that somebody waits on.
#[derive(Default)]
pub struct Futexes {
    queues: RefCell<BTreeMap<Key, VecDeque<Rc<Waiter>>>>,
}

/// The key of a word of a process's memory, brought in. `EINVAL` unless aligned, `EFAULT` unless readable.
pub fn key(space: &Rc<AddressSpace>, address: u64, private: bool) -> Result<Key> {
    if !address.is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    if private {
        return Ok(Key::Private(Rc::as_ptr(space) as usize, address));
    }
    // A private page that is shared with a child until it is written must get its own frame first.
    let frame = space.frame(address, Intent::Write).or_else(|_| space.frame(address, Intent::Read))?;
    Ok(Key::Shared(frame.index(), (address % 4096) as u16))
}

/// The word at an address.
pub fn load(space: &AddressSpace, address: u64) -> Result<u32> {
    Ok(space.frame(address, Intent::Read)?.load32((address % 4096) as usize))
}

impl Futexes {
    /// Waits until woken by somebody whose bits meet `bits`.
    pub fn wait(self: &Rc<Self>, key: Key, bits: u32, process: &Rc<Process>) -> Wait {
        let waiter = Rc::new(Waiter { key: Cell::new(key), bits, woken: Cell::new(false), waker: RefCell::new(None) });
        self.queues.borrow_mut().entry(key).or_default().push_back(waiter.clone());
        let wait = Wait { futexes: self.clone(), waiter, process: process.clone() };
        self.publish(process, key);
        wait
    }

    /// Wakes up to `count` whose bits meet `bits`; returns how many.
    pub fn wake(&self, key: Key, count: u32, bits: u32) -> u32 {
        let mut woken = 0;
        let mut queues = self.queues.borrow_mut();
        let Some(queue) = queues.get_mut(&key) else { return 0 };
        queue.retain(|waiter| {
            if woken == count || waiter.bits & bits == 0 {
                return true;
            }
            woken += 1;
            waiter.woken.set(true);
            if let Some(waker) = &*waiter.waker.borrow() {
                waker.wake_by_ref();
            }
            false
        });
        if queue.is_empty() {
            queues.remove(&key);
        }
        woken
    }

    /// Moves up to `count` waiters to another futex; returns how many.
    pub fn requeue(&self, from: Key, to: Key, count: u32) -> u32 {
        let mut queues = self.queues.borrow_mut();
        if from == to {
            return queues.get(&from).map_or(0, |queue| (queue.len() as u32).min(count));
        }
        let Some(mut queue) = queues.remove(&from) else { return 0 };
        let moved = (count as usize).min(queue.len());
        let target = queues.entry(to).or_default();
        for waiter in queue.drain(..moved) {
            waiter.key.set(to);
            target.push_back(waiter);
        }
        if !queue.is_empty() {
            queues.insert(from, queue);
        }
        if queues.get(&to).is_some_and(VecDeque::is_empty) {
            queues.remove(&to);
        }
        moved as u32
    }

    /// Tells the trampoline of a process how many wait in a private futex's bucket.
    pub fn publish(&self, process: &Process, key: Key) {
        let Key::Private(space, address) = key else { return };
        let bucket = futex_bucket(address);
        let queues = self.queues.borrow();
        let all = Key::Private(space, 0)..=Key::Private(space, u64::MAX);
        let count: usize = queues
            .range(all)
            .filter(|(key, _)| matches!(key, Key::Private(_, address) if futex_bucket(*address) == bucket))
            .map(|(_, queue)| queue.len())
            .sum();
        debug_assert!(bucket < FUTEX_BUCKETS);
        process.own_pages.borrow().mm.view().set_waiters(bucket, count as u32);
    }
}

/// See [`Futexes::wait`]. Dropped, it is no longer in the queue.
pub struct Wait {
    futexes: Rc<Futexes>,
    waiter: Rc<Waiter>,
    process: Rc<Process>,
}

impl Wait {
    pub fn is_woken(&self) -> bool {
        self.waiter.woken.get()
    }
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.is_woken() {
            return Poll::Ready(());
        }
        *self.waiter.waker.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let key = self.waiter.key.get();
        let mut queues = self.futexes.queues.borrow_mut();
        if let Some(queue) = queues.get_mut(&key) {
            queue.retain(|waiter| !Rc::ptr_eq(waiter, &self.waiter));
            if queue.is_empty() {
                queues.remove(&key);
            }
        }
        drop(queues);
        self.futexes.publish(&self.process, key);
    }
}
