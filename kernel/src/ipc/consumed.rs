//! What a scheduling context consumed, and telling a thread that yielded to it.

use crate::mem::Ref;
use crate::object::{Kernel, SchedContext, Tcb};
use crate::time;

/// What a context used since somebody last asked, in microseconds; the count begins anew.
pub fn consumed_us(k: Kernel, context: Ref<SchedContext>) -> u64 {
    let pending = if k.current_sc.is(context) { k.consumed.get() } else { 0 };
    if pending > 0 {
        time::charge_current(k);
        k.set_timer_anew();
    }
    context.consumed.replace(0) / k.ticks_per_us.get().max(1)
}

/// Ends what a thread began by yielding to a scheduling context, if it did: it is told what that context consumed.
pub fn complete_yield(k: Kernel, thread: Ref<Tcb>) {
    if let Some(context) = thread.yield_to.take(k) {
        context.yield_from.clear();
        thread.context.set_message_register(0, consumed_us(k, context));
    }
}
