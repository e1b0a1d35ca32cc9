//! The ready queues: one for each priority, found by the highest that isn't empty, and when that one becomes so, by a bitmap. The running thread
//! and blocked threads are in none.

use super::release::note_release;
use crate::mem::Ref;
use crate::object::{Kernel, Place, Queue, Tcb};
use core::cell::Cell;

/// Puts a thread in front of the queue of its priority, unless it stands in one.
pub fn enqueue_front(k: Kernel, thread: Ref<Tcb>) {
    if thread.place.get() == Place::Nowhere {
        stand_in_front(k, thread);
    }
}

/// Puts a thread at the back of the queue of its priority, unless it stands in one.
pub fn enqueue_back(k: Kernel, thread: Ref<Tcb>) {
    if thread.place.get() == Place::Nowhere {
        stand_at_back(k, thread);
    }
}

/// Puts a thread that stands in no queue in front of that of its priority.
#[inline(always)]
pub fn stand_in_front(k: Kernel, thread: Ref<Tcb>) {
    queue_for(k, thread).push_front(k, thread);
}

/// Puts a thread that stands in no queue at the back of that of its priority.
#[inline(always)]
pub fn stand_at_back(k: Kernel, thread: Ref<Tcb>) {
    queue_for(k, thread).push_back(k, thread);
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
        if priority > k.ready_highest.get() {
            k.ready_highest.set(priority);
        }
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
            k.release.remove(k, thread);
            thread.place.set(Place::Nowhere);
            note_release(k);
        }
        Place::Nowhere | Place::Object => {}
    }
}

/// The first thread of the highest priority that is ready.
#[inline(always)]
pub fn highest_ready<'k>(k: Kernel<'k>) -> Option<Ref<'k, Tcb>> {
    k.ready[k.ready_highest.get() as usize].first(k)
}

/// Takes out the first thread of the highest priority, which is `first`.
#[inline(always)]
pub fn take_highest(k: Kernel, first: Ref<Tcb>) {
    let queue = &k.ready[first.priority.get() as usize];
    queue.pop_front(k, first);
    first.place.set(Place::Nowhere);
    if queue.is_empty() {
        mark_empty(k, first.priority.get());
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
    if priority == k.ready_highest.get() {
        k.ready_highest.set(highest_marked(k, priority >> 6));
    }
}

/// The highest priority that is marked in this word of the bitmap or in those below; 0 if none is.
fn highest_marked(k: Kernel, mut word: u8) -> u8 {
    loop {
        let bits = k.ready_words[word as usize & 3].get();
        if bits != 0 {
            return word << 6 | (63 - bits.leading_zeros() as u8);
        }
        if word == 0 {
            return 0;
        }
        word -= 1;
    }
}
