//! Futexes: who waits on which word (futex(2)).
//!
//! A word is known by the frame it lies in and its offset, so a shared futex is the same for every process that maps it; a
//! private one by its address space and address, which survives copy-on-write. The count of waiters per bucket on the mm
//! page lets the trampoline skip a wake that nobody waits for: it is raised before the word is looked at.

use crate::capability::SharedPage;
use crate::memory::{AddressSpace, Intent};
use crate::process::thread::Answer;
use crate::process::{Process, Thread, parked};
use crate::server::Server;
use crate::syscall::{Call, Outcome};
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::{Errno, Result};
use chestnut_linux_trampoline::MmPage;
use chestnut_linux_trampoline::pages::futex_bucket;
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

impl Key {
    /// Which queue.
    const fn place(self) -> usize {
        let number = match self {
            Self::Private(space, address) => address >> 2 ^ address >> 12 ^ space as u64 >> 6,
            Self::Shared(frame, offset) => frame as u64 ^ offset as u64 >> 2,
        };
        number as usize % PLACES
    }
}

/// FUTEX_BITSET_MATCH_ANY.
pub const ANY: u32 = u32::MAX;

/// Queues. Futexes of the same one are told apart by their keys.
const PLACES: usize = 256;

/// One who waits.
struct Waiter {
    key: Cell<Key>,
    bits: u32,
    woken: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    /// Whose call is parked until it is woken.
    parked: Cell<Option<(&'static Server, Rc<Thread>)>>,
    /// Where it is counted as long as its futex is private.
    mm: Rc<SharedPage<MmPage>>,
}

impl Waiter {
    /// Tells the trampoline that one more waits, or one fewer. The page is read-only to programs.
    fn count(&self, more: bool) {
        if let Key::Private(_, address) = self.key.get() {
            let (page, bucket) = (self.mm.view(), futex_bucket(address));
            let before = page.waiters(bucket);
            page.set_waiters(bucket, if more { before + 1 } else { before.saturating_sub(1) });
        }
    }
}

/// All futexes that somebody waits on: each queue in the order in which they came.
pub struct Futexes {
    queues: [RefCell<Vec<Rc<Waiter>>>; PLACES],
}

impl Default for Futexes {
    fn default() -> Self {
        Self { queues: [const { RefCell::new(Vec::new()) }; PLACES] }
    }
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
    Ok(space.window(address, Intent::Read)?.load32((address % 4096) as usize))
}

impl Futexes {
    /// Waits until woken by somebody whose bits meet `bits`.
    pub fn wait(self: &Rc<Self>, key: Key, bits: u32, process: &Process) -> Wait {
        self.enter(key, bits, process.own_pages.borrow().mm.clone())
    }
    /// The same for a call that is parked: the thread is answered when it is woken.
    pub fn park(self: &Rc<Self>, call: &Call, wait: Wait) -> Outcome {
        wait.waiter.parked.set(Some((call.server, call.thread.clone())));
        call.thread.park(parked::Parked::Futex(Parked(wait)));
        Outcome::Gone
    }
    fn enter(self: &Rc<Self>, key: Key, bits: u32, mm: Rc<SharedPage<MmPage>>) -> Wait {
        let (key, woken) = (Cell::new(key), Cell::new(false));
        let waiter = Rc::new(Waiter { key, bits, woken, waker: RefCell::default(), parked: Cell::default(), mm });
        waiter.count(true);
        self.queues[waiter.key.get().place()].borrow_mut().push(waiter.clone());
        Wait { futexes: self.clone(), waiter }
    }

    /// Wakes up to `count` whose bits meet `bits`; returns how many.
    pub fn wake(&self, key: Key, count: u32, bits: u32) -> u32 {
        let mut woken = 0;
        let mut queue = self.queues[key.place()].borrow_mut();
        let mut index = 0;
        while woken < count
            && let Some(waiter) = queue.get(index)
        {
            if waiter.key.get() != key || waiter.bits & bits == 0 {
                index += 1;
                continue;
            }
            let waiter = queue.remove(index);
            woken += 1;
            waiter.count(false);
            waiter.woken.set(true);
            if let Some((server, thread)) = waiter.parked.take() {
                drop(thread.take_parked());
                server.answer(&thread, Answer::Done(0));
            } else if let Some(waker) = &*waiter.waker.borrow() {
                waker.wake_by_ref();
            }
        }
        woken
    }

    /// Moves up to `count` waiters to another futex; returns how many.
    pub fn requeue(&self, from: Key, to: Key, count: u32) -> u32 {
        let mut moved = Vec::new();
        {
            let mut queue = self.queues[from.place()].borrow_mut();
            if from == to {
                return (queue.iter().filter(|waiter| waiter.key.get() == from).count() as u32).min(count);
            }
            queue.retain(|waiter| {
                let moves = waiter.key.get() == from && moved.len() < count as usize;
                if moves {
                    moved.push(waiter.clone());
                }
                !moves
            });
        }
        for waiter in &moved {
            waiter.count(false);
            waiter.key.set(to);
            waiter.count(true);
        }
        let number = moved.len() as u32;
        self.queues[to.place()].borrow_mut().append(&mut moved);
        number
    }
}

/// See [`Futexes::wait`]. Dropped, it is no longer in the queue.
pub struct Wait {
    futexes: Rc<Futexes>,
    waiter: Rc<Waiter>,
}

/// A wait of a parked call.
pub struct Parked(Wait);

impl Parked {
    /// The call becomes a task.
    pub fn start(self) {
        if let Some((server, thread)) = self.0.waiter.parked.take() {
            server.go_on(&thread, Outcome::later(server, thread.clone(), self.0, true, None), None);
        }
    }
}

impl Wait {
    pub fn is_woken(&self) -> bool {
        self.waiter.woken.get()
    }
}

impl Future for Wait {
    /// What futex(2) returns.
    type Output = Result<u64>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.is_woken() {
            return Poll::Ready(Ok(0));
        }
        *self.waiter.waker.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if !self.is_woken() {
            self.waiter.count(false);
            let mut queue = self.futexes.queues[self.waiter.key.get().place()].borrow_mut();
            queue.retain(|waiter| !Rc::ptr_eq(waiter, &self.waiter));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::Capabilities;
    use crate::capability::Kernel;
    use alloc::boxed::Box;

    fn wait(futexes: &Rc<Futexes>, key: Key, bits: u32, mm: &Rc<SharedPage<MmPage>>) -> Wait {
        futexes.enter(key, bits, mm.clone())
    }

    #[test]
    fn the_trampoline_is_told_how_many_wait_whatever_becomes_of_them() {
        let capabilities: &'static Capabilities = Box::leak(Box::new(Capabilities::new(Kernel::hosted(8))));
        let mm = Rc::new(SharedPage::<MmPage>::allocate(capabilities.frames).unwrap());
        let futexes = Rc::new(Futexes::default());
        let (first, second) = (Key::Private(0x1000, 0x40), Key::Private(0x1000, 0x48));
        let counts = || [0x40, 0x48].map(|address| mm.view().waiters(futex_bucket(address)));
        let waits: Vec<Wait> = [1, 2, 1, 1].iter().map(|&bits| wait(&futexes, first, bits, &mm)).collect();
        let other = wait(&futexes, Key::Private(0x2000, 0x40), ANY, &mm);
        assert_eq!(counts(), [5, 0]);
        // In their order, and only those whose bits meet.
        assert_eq!((futexes.wake(first, 2, 1), futexes.wake(first, 0, ANY)), (2, 0));
        assert_eq!(waits.iter().map(Wait::is_woken).collect::<Vec<_>>(), [true, false, true, false]);
        assert_eq!(counts(), [3, 0]);
        assert_eq!((futexes.requeue(first, second, 1), futexes.requeue(first, first, 9)), (1, 1));
        assert_eq!(counts(), [2, 1]);
        // A shared one isn't counted.
        assert_eq!(futexes.requeue(second, Key::Shared(7, 4), 9), 1);
        assert_eq!((counts(), waits[1].is_woken()), ([2, 0], false));
        assert_eq!((futexes.wake(Key::Shared(7, 4), 9, ANY), waits[1].is_woken()), (1, true));
        drop(waits);
        assert_eq!(counts(), [1, 0]);
        drop(other);
        assert_eq!((counts(), futexes.wake(first, 9, ANY)), ([0, 0], 0));
    }
}
