//! Queues of threads, doubly linked through the TCBs. A thread stands in one queue at most: it is ready, waits for its budget,
//! or is blocked on one endpoint or notification. The links of a thread that stands in none are empty; a queue's last one counts while it has a first.

use super::data::{Queue, Tcb};
use super::state::Kernel;
use crate::mem::Ref;

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub fn first<'k>(&self, k: Kernel<'k>) -> Option<Ref<'k, Tcb>> {
        self.first.get(k)
    }

    #[inline(always)]
    pub fn push_back(&self, k: Kernel, thread: Ref<Tcb>) {
        let before = self.last.get(k).filter(|_| !self.is_empty());
        let Some(before) = before else { return self.push_only(thread) };
        thread.prev.set(Some(before));
        before.next.set(Some(thread));
        self.last.set(Some(thread));
    }

    #[inline(always)]
    pub fn push_front(&self, k: Kernel, thread: Ref<Tcb>) {
        let Some(after) = self.first.get(k) else { return self.push_only(thread) };
        thread.next.set(Some(after));
        after.prev.set(Some(thread));
        self.first.set(Some(thread));
    }

    /// Puts a thread in an empty queue.
    #[inline(always)]
    pub fn push_only(&self, thread: Ref<Tcb>) {
        self.first.set(Some(thread));
        self.last.set(Some(thread));
    }

    /// Inserts `thread` in front of the first thread, looked for from the back, that it `goes_behind` of: so that a queue that is
    /// ordered stays so, and equals stay in the order they came.
    pub fn insert_ordered<'k>(&self, k: Kernel<'k>, thread: Ref<Tcb>, goes_behind: impl Fn(Ref<'k, Tcb>) -> bool) {
        let mut after = None;
        let mut before = self.last.get(k).filter(|_| !self.is_empty());
        while let Some(candidate) = before.filter(|&candidate| !goes_behind(candidate)) {
            after = Some(candidate);
            before = candidate.prev.get(k);
        }
        thread.prev.set(before);
        thread.next.set(after);
        match before {
            Some(before) => before.next.set(Some(thread)),
            None => self.first.set(Some(thread)),
        }
        match after {
            Some(after) => after.prev.set(Some(thread)),
            None => self.last.set(Some(thread)),
        }
    }

    /// Orders by priority, the highest first.
    pub fn insert_by_priority(&self, k: Kernel, thread: Ref<Tcb>) {
        let priority = thread.priority.get();
        self.insert_ordered(k, thread, |other| other.priority.get() >= priority);
    }

    /// Takes out a thread that is in this queue.
    pub fn remove(&self, k: Kernel, thread: Ref<Tcb>) {
        let (before, after) = (thread.prev.take(k), thread.next.take(k));
        match before {
            Some(before) => before.next.set(after),
            None => self.first.set(after),
        }
        match after {
            Some(after) => after.prev.set(before),
            None => self.last.set(before),
        }
    }

    /// Takes out the first thread, which is `first`.
    #[inline(always)]
    pub fn pop_front(&self, k: Kernel, first: Ref<Tcb>) {
        self.first.clear();
        if !self.last.is(first) {
            let after = first.next.take(k);
            self.first.set(after);
            if let Some(after) = after {
                after.prev.clear();
            }
        }
    }

    /// The threads from the first to the last.
    pub fn iter<'k>(&self, k: Kernel<'k>) -> impl Iterator<Item = Ref<'k, Tcb>> {
        core::iter::successors(self.first(k), move |thread| thread.next.get(k))
    }
}
