//! Runs the futures that blocked calls have become.
//!
//! Futures that were woken are polled when [`Executor::run`] is called, between two messages, until none is awake. A future may
//! start others and wake others meanwhile.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use futures_util::stream::{FuturesUnordered, Stream};

/// A future of the server's own, which is one thread.
pub type Task = Pin<Box<dyn Future<Output = ()>>>;

/// All tasks.
pub struct Executor {
    tasks: RefCell<FuturesUnordered<Task>>,
    /// Started since the tasks were polled last; they can't be added while they are polled.
    new: RefCell<Vec<Task>>,
    flag: Arc<Flag>,
    waker: Waker,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Default for Executor {
    fn default() -> Self {
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        Self { tasks: RefCell::default(), new: RefCell::default(), waker: flag.clone().into(), flag }
    }
}

impl Executor {
    /// Polls the task at the next [`Executor::run`].
    pub fn start(&self, task: impl Future<Output = ()> + 'static) {
        self.new.borrow_mut().push(Box::pin(task));
    }

    /// Polls what is awake until nothing is.
    #[inline]
    pub fn run(&self) {
        if self.flag.0.load(Ordering::Relaxed) || !self.new.borrow().is_empty() {
            self.poll_all();
        }
    }
    fn poll_all(&self) {
        let mut tasks = self.tasks.borrow_mut();
        loop {
            let new = self.new.take();
            let woken = self.flag.0.swap(false, Ordering::Relaxed);
            if new.is_empty() && !woken {
                return;
            }
            tasks.extend(new);
            let mut context = Context::from_waker(&self.waker);
            while let Poll::Ready(Some(())) = Pin::new(&mut *tasks).poll_next(&mut context) {}
        }
    }

    /// Futures that wait.
    pub fn len(&self) -> usize {
        // While tasks are being polled nobody can count them.
        self.tasks.try_borrow().map_or(0, |tasks| tasks.len()) + self.new.borrow().len()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::rc::Rc;
    use chestnut_linux_files::wait::{Events, WaitQueue};
    use core::cell::Cell;

    #[test]
    fn a_task_goes_on_when_woken_and_may_start_others() {
        let executor = Rc::new(Executor::default());
        let queue = WaitQueue::new();
        let done = Rc::new(Cell::new(0));
        let (waits, counter, inner) = (queue.clone(), done.clone(), executor.clone());
        executor.start(async move {
            waits.wait(Events::IN).await;
            counter.set(1);
            inner.start(async move { counter.set(counter.get() + 10) });
        });
        executor.run();
        assert_eq!((done.get(), executor.len()), (0, 1));
        queue.wake(Events::IN);
        executor.run();
        assert_eq!((done.get(), executor.is_empty()), (11, true));
    }
}
