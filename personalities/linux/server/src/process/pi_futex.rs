//! Futexes with an owner (futex(2), priority-inheritance futexes): the word names the thread that holds the lock, and whoever waits
//! lends it its priority.
//!
//! A lock is known here only while somebody waits for it. It is handed over by the server, which writes the new owner's id into
//! the word; so nobody who comes in between can take it, and the waiter of the highest priority is next. When an owner ends,
//! the next gets the lock with FUTEX_OWNER_DIED.

use super::Thread;
use super::futex::Key;
use crate::memory::{AddressSpace, Intent};
use crate::process::table::Table;
use alloc::collections::BTreeMap;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use chestnut_linux_files::{Errno, Result};
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use linux_raw_sys::general::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};

/// All locks that somebody waits for.
#[derive(Default)]
pub struct PiFutexes {
    locks: RefCell<BTreeMap<Key, Lock>>,
}

struct Lock {
    owner: Weak<Thread>,
    /// In the order in which they came.
    waiters: Vec<Rc<Waiter>>,
}

struct Waiter {
    thread: Rc<Thread>,
    space: Rc<AddressSpace>,
    address: u64,
    acquired: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// What locking led to.
pub enum Locking {
    Acquired,
    Waits(Wait),
}

/// Changes the word at an address.
fn update(space: &AddressSpace, address: u64, change: impl FnMut(u32) -> u32) -> Result<u32> {
    Ok(space.frame(address, Intent::Write)?.update32((address % 4096) as usize, change))
}

impl PiFutexes {
    /// FUTEX_LOCK_PI, and with `only_try` FUTEX_TRYLOCK_PI. `EDEADLK` if the caller holds it or the owner waits for the caller,
    /// `ESRCH` if there is no such owner, `EAGAIN` if somebody else holds it and nobody shall wait, `EINVAL` if the word says
    /// that it is free while others wait for it.
    pub fn lock(
        self: &Rc<Self>,
        table: &Table,
        thread: &Rc<Thread>,
        key: Key,
        address: u64,
        only_try: bool,
    ) -> Result<Locking> {
        let (space, tid) = (thread.space(), thread.tid.get());
        let awaited = self.locks.borrow().contains_key(&key);
        let take = |word: u32| match word & FUTEX_TID_MASK {
            0 if !awaited => word & FUTEX_OWNER_DIED | tid,
            _ => word,
        };
        let word = update(&space, address, take)?;
        let holder = word & FUTEX_TID_MASK;
        match holder {
            0 if awaited => return Err(Errno::EINVAL),
            0 => return Ok(Locking::Acquired),
            _ if holder == tid => return Err(Errno::EDEADLK),
            _ if only_try => return Err(Errno::EAGAIN),
            _ => {}
        }
        let owner = table.thread(holder).ok_or(Errno::ESRCH)?;
        self.check_circle(&owner, thread)?;
        update(&space, address, |word| word | FUTEX_WAITERS)?;
        let waiter =
            Waiter { thread: thread.clone(), space, address, acquired: Cell::default(), waker: RefCell::default() };
        let waiter = Rc::new(waiter);
        let mut locks = self.locks.borrow_mut();
        let lock = locks.entry(key).or_insert_with(|| Lock { owner: Weak::new(), waiters: Vec::new() });
        lock.owner = Rc::downgrade(&owner);
        lock.waiters.push(waiter.clone());
        drop(locks);
        self.lend(owner);
        Ok(Locking::Waits(Wait { futexes: self.clone(), key, waiter }))
    }

    /// FUTEX_UNLOCK_PI. `EPERM` unless the caller holds it.
    pub fn unlock(&self, thread: &Rc<Thread>, key: Key, address: u64) -> Result<()> {
        let tid = thread.tid.get();
        let space = thread.space();
        let word = update(&space, address, |word| word)?;
        if word & FUTEX_TID_MASK != tid {
            return Err(Errno::EPERM);
        }
        if !self.hand_over(key, 0) {
            update(&space, address, |_| 0)?;
        }
        self.lend(thread.clone());
        Ok(())
    }

    /// A thread has ended, or runs another program: its locks go to whoever is next.
    pub fn owner_ended(&self, thread: &Rc<Thread>) {
        let own = |lock: &Lock| core::ptr::eq(lock.owner.as_ptr(), Rc::as_ptr(thread));
        let held: Vec<Key> = self.locks.borrow().iter().filter(|(_, lock)| own(lock)).map(|(key, _)| *key).collect();
        for key in held {
            self.hand_over(key, FUTEX_OWNER_DIED);
        }
    }

    /// Gives a lock to the waiter of the highest priority, with these bits in the word. False if nobody waits.
    fn hand_over(&self, key: Key, bits: u32) -> bool {
        loop {
            let mut locks = self.locks.borrow_mut();
            let Some(lock) = locks.get_mut(&key) else { return false };
            // The first of the highest.
            let best = lock.waiters.iter().map(|waiter| waiter.thread.urgency()).max();
            let next = lock.waiters.iter().position(|waiter| Some(waiter.thread.urgency()) == best);
            let Some(next) = next.map(|index| lock.waiters.remove(index)) else { return false };
            lock.owner = Rc::downgrade(&next.thread);
            if lock.waiters.is_empty() {
                locks.remove(&key);
            }
            drop(locks);
            let word = next.thread.tid.get() | FUTEX_WAITERS | bits;
            // Who has ended, or whose memory has gone, can't have it.
            if next.thread.ended.get() || update(&next.space, next.address, |_| word).is_err() {
                continue;
            }
            next.acquired.set(true);
            self.lend(next.thread.clone());
            if let Some(waker) = next.waker.take() {
                waker.wake();
            }
            return true;
        }
    }

    /// Gives a thread the highest priority of those that wait for its locks, and whoever it waits for, too.
    fn lend(&self, thread: Rc<Thread>) {
        let mut thread = Some(thread);
        // As many steps as there are locks: a circle is refused when it would begin, but a program may write what it likes.
        for _ in 0..=self.locks.borrow().len() {
            let Some(owner) = thread.take() else { return };
            let locks = self.locks.borrow();
            let waiters = locks.values().filter(|lock| lock.owner.as_ptr() == Rc::as_ptr(&owner));
            let waiters = waiters.flat_map(|lock| &lock.waiters);
            let lent = waiters.map(|waiter| waiter.thread.urgency()).max().unwrap_or(0);
            if owner.lend_priority(lent) {
                thread = locks.values().find(|lock| lock.is_awaited_by(&owner)).and_then(|lock| lock.owner.upgrade());
            }
        }
    }

    /// `EDEADLK` if `owner` waits, perhaps by others, for `thread`.
    fn check_circle(&self, owner: &Rc<Thread>, thread: &Rc<Thread>) -> Result<()> {
        let locks = self.locks.borrow();
        let mut here = Some(owner.clone());
        for _ in 0..=locks.len() {
            let Some(holder) = here else { return Ok(()) };
            if Rc::ptr_eq(&holder, thread) {
                return Err(Errno::EDEADLK);
            }
            here = locks.values().find(|lock| lock.is_awaited_by(&holder)).and_then(|lock| lock.owner.upgrade());
        }
        Ok(())
    }
}

impl Lock {
    fn is_awaited_by(&self, thread: &Rc<Thread>) -> bool {
        self.waiters.iter().any(|waiter| Rc::ptr_eq(&waiter.thread, thread))
    }
}

/// See [`PiFutexes::lock`]. Ready when the lock is the thread's. Dropped, it no longer waits.
pub struct Wait {
    futexes: Rc<PiFutexes>,
    key: Key,
    waiter: Rc<Waiter>,
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.waiter.acquired.get() {
            return Poll::Ready(());
        }
        *self.waiter.waker.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if self.waiter.acquired.get() {
            return;
        }
        let mut locks = self.futexes.locks.borrow_mut();
        let Some(lock) = locks.get_mut(&self.key) else { return };
        lock.waiters.retain(|waiter| !Rc::ptr_eq(waiter, &self.waiter));
        let owner = lock.owner.upgrade();
        if lock.waiters.is_empty() {
            locks.remove(&self.key);
        }
        drop(locks);
        if let Some(owner) = owner {
            self.futexes.lend(owner);
        }
    }
}
