//! The ready queues: one for each priority, found by two bitmap look-ups. The running thread and blocked threads are in none.

use crate::mem::Ref;
use crate::object::{Kernel, Place, Queue, Tcb};
use core::cell::Cell;

/// Puts a thread in front of the queue of its priority, unless it stands in one.
pub fn enqueue_front(k: Kernel, thread: Ref<Tcb>) {
    if thread.place.get() == Place::Nowhere {
        queue_for(k, thread).push_front(k, thread);
    }
}

/// Puts a thread at the back of the queue of its priority, unless it stands in one.
pub fn enqueue_back(k: Kernel, thread: Ref<Tcb>) {
    if thread.place.get() == Place::Nowhere {
        queue_for(k, thread).push_back(k, thread);
    }
}

/// The queue of a thread's priority, in which it is about to stand.
#[inline(always)]
fn queue_for<'k>(k: Kernel<'k>, thread: Ref<Tcb>) -> &'k Queue {
    thread.place.set(Place::Ready);
    let priority = thread.priority.get();
    let queue = &k.state().ready[priority as usize];
    if queue.is_empty() {
        let (word, bit) = word_of(k, priority);
        word.set(word.get() | bit);
        k.ready_summary.set(k.ready_summary.get() | 1 << (priority >> 6));
        k.ready_highest.set(k.ready_highest.get().max(priority));
    }
    queue
}

/// Takes a thread out of the ready or release queue, if it stands in one.
pub fn dequeue(k: Kernel, thread: Ref<Tcb>) {
    match thread.place.get() {
        Place::Ready => {
            let queue = &k.ready[thread.priority.get() as usize];
            queue.remove(k, thread);
            thread.place.set(Place::Nowhere);
            if queue.is_empty() {
                mark_empty(k, thread.priority.get());
            }
        }
        Place::Release => {
            if k.release.first(k) == Some(thread) {
                k.reprogram.set(true);
            }
            k.release.remove(k, thread);
            thread.place.set(Place::Nowhere);
        }
        Place::Nowhere | Place::Object => {}
    }
}

/// The first thread of the highest priority that is ready.
pub fn highest_ready<'k>(k: Kernel<'k>) -> Option<Ref<'k, Tcb>> {
    k.ready[highest_priority(k)? as usize].first(k)
}

/// The highest priority that a ready thread has.
pub fn highest_priority(k: Kernel) -> Option<u8> {
    let summary = k.ready_summary.get() & 0xf;
    if summary == 0 {
        return None;
    }
    let word = 63 - summary.leading_zeros() as u8;
    let bits = k.ready_words[word as usize & 3].get();
    Some(word << 6 | (63 - (bits | 1).leading_zeros() as u8))
}

/// Gives a thread another priority, keeping it in a ready queue if it was in one.
pub fn set_priority_in_queue(k: Kernel, thread: Ref<Tcb>, priority: u8) {
    let was_ready = thread.place.get() == Place::Ready;
    if was_ready {
        dequeue(k, thread);
    }
    thread.priority.set(priority);
    if was_ready {
        enqueue_front(k, thread);
    }
}

/// Whether no ready thread has a higher priority than this one.
#[inline(always)]
pub fn outranks_ready(k: Kernel, thread: Ref<Tcb>) -> bool {
    k.ready_highest.get() <= thread.priority.get()
}

/// The word of the bitmap, and the bit in it, that belong to a priority.
#[inline(always)]
fn word_of<'k>(k: Kernel<'k>, priority: u8) -> (&'k Cell<u64>, u64) {
    (&k.state().ready_words[(priority >> 6) as usize & 3], 1 << (priority & 63))
}

/// Nobody of this priority is ready any more.
fn mark_empty(k: Kernel, priority: u8) {
    let (word, bit) = word_of(k, priority);
    word.set(word.get() & !bit);
    if word.get() == 0 {
        k.ready_summary.set(k.ready_summary.get() & !(1 << (priority >> 6)));
    }
    k.ready_highest.set(highest_priority(k).unwrap_or(0));
}
