//! Runs the futures that blocked calls have become.
//!
//! Futures that were woken are polled when [`Executor::run`] is called, between two messages, until none is awake. A future may
//! start others and wake others meanwhile. Places for futures are used again, each with its waker, and are never given back: so a call
//! that blocks allocates nothing here, and a waker that outlives its future wakes, at worst, another one too many.

use crate::agenda::Agenda;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Waker};
use spinning_top::Spinlock;

/// A future of the server's own, which is one thread.
pub type Task = Pin<Box<dyn Future<Output = ()>>>;

/// All tasks.
#[derive(Default)]
pub struct Executor {
    places: RefCell<Vec<&'static Place>>,
    /// Places without a task.
    free: RefCell<Vec<usize>>,
    queue: Arc<Queue>,
}

/// Where a task is, except while it is polled.
struct Place {
    task: Cell<Option<Task>>,
    awake: Arc<Awake>,
    waker: Waker,
}

/// Places whose tasks are to be polled, in the order in which they were woken.
#[derive(Default)]
struct Queue {
    places: Spinlock<VecDeque<usize>>,
    is_empty: Flag,
    agenda: Agenda,
}

/// Set if there is nothing.
struct Flag(AtomicBool);

impl Default for Flag {
    fn default() -> Self {
        Self(AtomicBool::new(true))
    }
}

/// What a waker does for its place.
struct Awake {
    place: usize,
    /// It is in the queue.
    queued: AtomicBool,
    queue: Arc<Queue>,
}

impl Wake for Awake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.queue.places.lock().push_back(self.place);
            self.queue.is_empty.0.store(false, Ordering::Relaxed);
            self.queue.agenda.now();
        }
    }
}

impl Executor {
    /// The agenda is told when a task is woken.
    pub fn new(agenda: Agenda) -> Self {
        Self { queue: Arc::new(Queue { agenda, ..Queue::default() }), ..Self::default() }
    }

    /// Polls the task at the next [`Executor::run`].
    pub fn start(&self, task: impl Future<Output = ()> + 'static) {
        self.start_boxed(Box::new(task));
    }
    /// The same for one that has its place on the heap already.
    pub fn start_boxed(&self, task: Box<dyn Future<Output = ()>>) {
        let free = self.free.borrow_mut().pop();
        let place = match free.and_then(|index| self.place(index)) {
            Some(place) => place,
            None => self.new_place(),
        };
        place.task.set(Some(task.into()));
        place.awake.wake_by_ref();
    }

    fn place(&self, index: usize) -> Option<&'static Place> {
        self.places.borrow().get(index).copied()
    }

    fn new_place(&self) -> &'static Place {
        let mut places = self.places.borrow_mut();
        let queue = self.queue.clone();
        let awake = Arc::new(Awake { place: places.len(), queued: AtomicBool::new(false), queue });
        let place: &'static Place =
            Box::leak(Box::new(Place { task: Cell::new(None), waker: awake.clone().into(), awake }));
        places.push(place);
        place
    }

    /// No task is awake.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty.0.load(Ordering::Relaxed)
    }

    /// Polls what is awake until nothing is.
    #[inline]
    pub fn run(&self) {
        if !self.is_idle() {
            self.poll_all();
        }
    }

    fn poll_all(&self) {
        loop {
            let index = {
                let mut queue = self.queue.places.lock();
                let next = queue.pop_front();
                self.queue.is_empty.0.store(next.is_none(), Ordering::Relaxed);
                next
            };
            let Some(index) = index else { return };
            let Some(place) = self.place(index) else { continue };
            place.awake.queued.store(false, Ordering::Relaxed);
            // While it is polled the task is here, so that it may start others.
            let Some(mut task) = place.task.take() else { continue };
            if task.as_mut().poll(&mut Context::from_waker(&place.waker)).is_pending() {
                place.task.set(Some(task));
            } else {
                // What the task held may start others when it goes.
                drop(task);
                self.free.borrow_mut().push(index);
            }
        }
    }

    /// Futures that wait.
    pub fn len(&self) -> usize {
        self.places.borrow().len() - self.free.borrow().len()
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
    use core::task::Poll;

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

    #[test]
    fn a_task_that_wakes_itself_is_polled_again() {
        let executor = Executor::default();
        let polls = Rc::new(Cell::new(0));
        let counter = polls.clone();
        executor.start(core::future::poll_fn(move |context| {
            counter.set(counter.get() + 1);
            context.waker().wake_by_ref();
            if counter.get() < 3 { Poll::Pending } else { Poll::Ready(()) }
        }));
        executor.run();
        assert_eq!((polls.get(), executor.is_empty()), (3, true));
    }

    #[test]
    fn places_are_used_again_and_an_old_waker_harms_nobody() {
        let executor = Executor::default();
        let old = Rc::new(RefCell::new(None::<Waker>));
        let kept = old.clone();
        executor.start(core::future::poll_fn(move |context| {
            *kept.borrow_mut() = Some(context.waker().clone());
            Poll::Ready(())
        }));
        executor.run();
        let (polls, open) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
        let (counter, gate) = (polls.clone(), open.clone());
        executor.start(core::future::poll_fn(move |_| {
            counter.set(counter.get() + 1);
            if gate.get() { Poll::Ready(()) } else { Poll::Pending }
        }));
        executor.run();
        assert_eq!((executor.places.borrow().len(), polls.get(), executor.len()), (1, 1, 1));
        old.borrow().as_ref().expect("a waker").wake_by_ref();
        executor.run();
        assert_eq!((polls.get(), executor.len()), (2, 1));
        open.set(true);
        old.take().expect("a waker").wake();
        executor.run();
        assert!(executor.is_empty());
        executor.run();
        assert_eq!(polls.get(), 3);
    }
}
