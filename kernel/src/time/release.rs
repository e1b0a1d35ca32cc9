//! When the budget comes of those who wait for it.

use crate::mem::Ref;
use crate::object::{Kernel, Tcb};

/// Somebody has come or gone among them.
pub fn note_release(k: Kernel) {
    k.next_release.set(k.release.first(k).map_or(u64::MAX, |thread| release_time(k, thread)));
    k.set_timer_anew();
}

/// When a thread's budget comes.
pub fn release_time(k: Kernel, thread: Ref<Tcb>) -> u64 {
    thread.sched_context.get(k).map_or(0, |context| context.head().time)
}
