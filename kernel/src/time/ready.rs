//! The ready queues: one for each priority, found by two bitmap look-ups. The running thread and blocked threads are in none.

use crate::mem::Ref;
use crate::object::{Kernel, Place, Tcb};

/// Puts a thread in front of the queue of its priority, unless it stands in it.
pub fn enqueue_front(k: Kernel, thread: Ref<Tcb>) {
    if thread.place.get() == Place::Nowhere {
        thread.place.set(Place::Ready);
        k.ready[thread.priority.get() as usize].push_front(k, thread);
        mark(k, thread.priority.get(), true);
    }
}

/// Puts a thread at the back of the queue of its priority, unless it stands in it.
pub fn enqueue_back(k: Kernel, thread: Ref<Tcb>) {
    if thread.place.get() == Place::Nowhere {
        thread.place.set(Place::Ready);
        k.ready[thread.priority.get() as usize].push_back(k, thread);
        mark(k, thread.priority.get(), true);
    }
}

/// Takes a thread out of the ready or release queue, if it stands in one.
pub fn dequeue(k: Kernel, thread: Ref<Tcb>) {
    match thread.place.get() {
        Place::Ready => {
            let queue = &k.ready[thread.priority.get() as usize];
            queue.remove(k, thread);
            thread.place.set(Place::Nowhere);
            if queue.is_empty() {
                mark(k, thread.priority.get(), false);
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

fn mark(k: Kernel, priority: u8, filled: bool) {
    let word = &k.ready_words[(priority >> 6) as usize & 3];
    let bit = 1 << (priority & 63);
    word.set(if filled { word.get() | bit } else { word.get() & !bit });
    let bit = 1 << (priority >> 6);
    let summary = &k.ready_summary;
    summary.set(if word.get() != 0 { summary.get() | bit } else { summary.get() & !bit });
    k.ready_highest.set(highest_priority(k).unwrap_or(0));
}
