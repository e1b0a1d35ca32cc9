//! Who runs next, and on whose time.

use super::budget::{charge, charge_current, is_ready, is_sufficient, look_ahead, min_budget, unblock_check};
use super::ready::{dequeue, enqueue_back, enqueue_front, highest_ready, outranks_ready};
use crate::arch;
use crate::mem::Ref;
use crate::object::{Action, Kernel, Place, SchedContext, Tcb};

/// Reads the clock and counts what the current scheduling context has used.
#[inline]
pub fn read_clock(k: Kernel) {
    let now = arch::now();
    let used = now.saturating_sub(k.now.replace(now));
    k.consumed.set(k.consumed.get().saturating_add(used));
}

/// A thread whose budget ran out and that wants to be told by a timeout fault.
#[derive(Clone, Copy)]
pub struct Expired<'k>(pub Ref<'k, Tcb>);

/// Whether it is certain, without a look at any scheduling context, that the current one hasn't expired and nobody's awaited budget has come.
#[inline(always)]
pub fn is_quiet(k: Kernel) -> bool {
    k.now.get() < k.quiet_until.get()
}

/// Whether the current scheduling context has too little left to go on with.
pub fn is_expired(k: Kernel) -> bool {
    !is_quiet(k) && has_expired(k)
}

#[inline(never)]
fn has_expired(k: Kernel) -> bool {
    k.current_sc.get(k).is_some_and(|context| context.is_configured() && !is_sufficient(k, context, k.consumed.get()))
}

/// Charges the current scheduling context, which has expired, and moves its thread to the back of its queue if it has time already.
/// If not, it says which thread has to wait.
pub fn charge_expired<'k>(k: Kernel<'k>) -> Option<Expired<'k>> {
    let context = k.current_sc.get(k)?;
    charge_current(k);
    k.set_timer_anew();
    let thread = k.current.get(k).filter(|thread| thread.is_runnable() && thread.sched_context.is(context))?;
    if !(is_ready(k, context) && is_sufficient(k, context, 0)) {
        return Some(Expired(thread));
    }
    end_of_budget(k, thread);
    None
}

/// Sends a thread whose slice ended to the back of its queue, or to wait for its next refill.
pub fn end_of_budget(k: Kernel, thread: Ref<Tcb>) {
    let Some(context) = thread.sched_context.get(k) else { return };
    reschedule(k);
    if !thread.is_runnable() || thread.place.get() == Place::Object {
        return;
    }
    dequeue(k, thread);
    if is_ready(k, context) && is_sufficient(k, context, 0) {
        enqueue_back(k, thread);
    } else {
        await_budget(k, context);
    }
}

/// Puts the thread of a scheduling context in the queue of those that wait for budget.
pub fn await_budget(k: Kernel, context: Ref<SchedContext>) {
    let Some(thread) = context.tcb.get(k) else { return };
    dequeue(k, thread);
    if thread.place.get() != Place::Nowhere {
        return;
    }
    thread.place.set(Place::Release);
    let time = context.head().time;
    k.release.insert_ordered(k, thread, |other| release_time(k, other) <= time);
    note_release(k);
}

/// Somebody has come or gone among those who wait for budget.
pub(super) fn note_release(k: Kernel) {
    k.next_release.set(k.release.first(k).map_or(u64::MAX, |thread| release_time(k, thread)));
    k.set_timer_anew();
}

fn release_time(k: Kernel, thread: Ref<Tcb>) -> u64 {
    thread.sched_context.get(k).map_or(0, |context| context.head().time)
}

/// Asks for a choice on the way out, keeping a thread that was about to be switched to.
pub fn reschedule(k: Kernel) {
    if let Action::SwitchTo(thread) = k.action()
        && thread.is_schedulable(k)
    {
        enqueue_front(k, thread);
    }
    k.set_action(Action::Choose);
}

/// Says that a thread has become able to run: it is switched to directly if it turns out to be the most important one.
pub fn possible_switch_to<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) {
    if !thread.is_schedulable(k) || thread.place.get() != Place::Nowhere {
        return;
    }
    if k.current.is(thread) {
        return;
    }
    if k.action() == Action::Resume {
        k.set_action(Action::SwitchTo(thread));
    } else {
        reschedule(k);
        enqueue_front(k, thread);
    }
}

/// Lets a thread that stopped being blocked run: at once if its budget allows, else when it does. A passive thread stays where it is.
pub fn wake<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) {
    let Some(context) = thread.sched_context.get(k) else { return };
    if context.sporadic.get() && !k.current_sc.is(context) {
        unblock_check(k, context);
    }
    resume(k, context);
}

/// Makes a scheduling context's thread able to run, now or when its budget comes.
pub fn resume<'k>(k: Kernel<'k>, context: Ref<'k, SchedContext>) {
    let Some(thread) = context.tcb.get(k) else { return };
    if !thread.is_runnable() || !context.is_configured() || thread.place.get() == Place::Object {
        return;
    }
    let used = if k.current_sc.is(context) { k.consumed.get() } else { 0 };
    if is_ready(k, context) && is_sufficient(k, context, used) {
        possible_switch_to(k, thread);
    } else {
        await_budget(k, context);
        if k.current.is(thread) {
            reschedule(k);
        }
    }
}

/// Gives a scheduling context to a thread, taking it from whom it runs now.
pub fn donate<'k>(k: Kernel<'k>, context: Ref<'k, SchedContext>, to: Ref<'k, Tcb>) {
    if let Some(from) = context.tcb.get(k) {
        dequeue(k, from);
        from.sched_context.clear();
        if k.action() == Action::SwitchTo(from) {
            reschedule(k);
        }
    }
    context.tcb.set(Some(to));
    to.sched_context.set(Some(context));
}

/// The current thread gives up the rest of its budget.
pub fn yield_now(k: Kernel) {
    let Some(context) = k.current_sc.get(k) else { return };
    // Everything of the head refill counts as used.
    let used = k.consumed.get();
    k.consumed.set(context.head().amount.max(used));
    let consumed = context.consumed.get();
    charge_current(k);
    // … but what is reported as consumed is what was.
    context.consumed.set(consumed.saturating_add(used));
    k.set_timer_anew();
    if let Some(thread) = k.current.get(k) {
        end_of_budget(k, thread);
    }
}

/// The end of every kernel entry that may have changed who runs: wakes whose budget has come, chooses, switches the scheduling
/// context, and sets the timer.
#[inline]
pub fn schedule(k: Kernel) {
    if !is_quiet(k) {
        wake_released(k);
    }
    if !k.resumes() || k.current.get(k).is_none_or(|thread| !thread.is_schedulable(k)) {
        decide(k);
    }
    switch_sched_context(k);
    set_timer(k);
}

/// Chooses who runs next.
fn decide(k: Kernel) {
    if !k.resumes() {
        let current = k.current.get(k);
        let mut current_ready = false;
        if let Some(thread) = current.filter(|thread| thread.is_schedulable(k)) {
            current_ready = true;
            enqueue_front(k, thread);
        }
        match k.action() {
            Action::SwitchTo(candidate) if candidate.is_schedulable(k) => {
                let priority = candidate.priority.get();
                let equal = current_ready && current.is_some_and(|thread| thread.priority.get() == priority);
                if equal {
                    // The current one goes on: it is at the front.
                    enqueue_back(k, candidate);
                    choose(k);
                } else if !outranks_ready(k, candidate) {
                    enqueue_front(k, candidate);
                    choose(k);
                } else {
                    switch_to(k, candidate);
                }
            }
            _ => choose(k),
        }
    } else {
        choose(k);
    }
    k.set_action(Action::Resume);
}

/// Whether a thread that has this context, and isn't running on it now, may run at once, at a moment that has come. A round-robin context has
/// time always. Not so for a sporadic one: when it is woken its refills count from then on, which is [`wake`]'s part.
#[inline(always)]
fn has_time_at(k: Kernel, context: Ref<SchedContext>, now: u64) -> bool {
    context.is_round_robin() || has_refill_at(k, context, now)
}

#[inline(never)]
fn has_refill_at(k: Kernel, context: Ref<SchedContext>, now: u64) -> bool {
    let head = context.head();
    head.time <= now.wrapping_add(look_ahead(k)) && head.amount >= min_budget(k) && !context.sporadic.get()
}

/// The same at the last look at the clock: what was so then is so now.
#[inline(always)]
pub fn has_time(k: Kernel, context: Ref<SchedContext>) -> bool {
    has_time_at(k, context, k.now.get())
}

/// A look at the clock at which the running thread may be changed by hand to one on another context.
#[derive(Clone, Copy)]
pub struct Moment {
    now: u64,
    /// What the running thread has used and hasn't been charged with.
    used: u64,
}

/// Looks at the clock: there is time for a thread on `own`, the running one hasn't used up its own, and nobody's awaited budget has come.
/// Changes nothing.
#[inline(always)]
pub fn moment_for(k: Kernel, own: Ref<SchedContext>) -> Option<Moment> {
    let now = arch::now();
    if now >= k.quiet_until.get() || !has_time_at(k, own, now) {
        return None;
    }
    Some(Moment { now, used: k.consumed.get().wrapping_add(now).wrapping_sub(k.now.get()) })
}

/// The running thread, whose context is `from`, is changed by hand to one on `own`: time is charged to that from the moment on.
#[inline(never)]
pub fn switch_contexts(k: Kernel, moment: Moment, from: Ref<SchedContext>, own: Ref<SchedContext>) {
    k.now.set(moment.now);
    k.consumed.set(0);
    k.current_sc.set(Some(own));
    charge(k, from, moment.used);
    if !own.is_round_robin() {
        unblock_check(k, own);
    }
    set_deadlines(k, moment.now.wrapping_add(own.head().amount));
}

/// Both in one, where both contexts are round-robin ones. False: something else is the case, and nothing has been changed.
#[inline(always)]
pub fn switch_slices(k: Kernel, from: Ref<SchedContext>, own: Ref<SchedContext>) -> bool {
    let Some(now) = slices_at(k, from, own) else { return false };
    begin_slice(k, now, from, own);
    true
}

/// The first half of it: the time, at which the one may be changed to the other.
#[inline(always)]
pub fn slices_at(k: Kernel, from: Ref<SchedContext>, own: Ref<SchedContext>) -> Option<u64> {
    if !(from.is_round_robin() && own.is_round_robin()) {
        return None;
    }
    let now = arch::now();
    if now < k.quiet_until.get() { Some(now) } else { None }
}

/// The second half.
#[inline(always)]
pub fn begin_slice(k: Kernel, now: u64, from: Ref<SchedContext>, own: Ref<SchedContext>) {
    let used = k.consumed.get().wrapping_add(now).wrapping_sub(k.now.get());
    k.now.set(now);
    k.consumed.set(0);
    k.current_sc.set(Some(own));
    // More is left than what was used and the smallest budget together, or the quiet would have ended: no slice ends here.
    from.consumed.set(from.consumed.get().wrapping_add(used));
    from.set_left(from.left().wrapping_sub(used));
    set_deadlines(k, now.wrapping_add(own.left()));
}

/// The same for any contexts.
#[inline(never)]
pub fn switch_refills(k: Kernel, from: Ref<SchedContext>, own: Ref<SchedContext>) -> bool {
    let Some(moment) = moment_for(k, own) else { return false };
    switch_contexts(k, moment, from, own);
    true
}

#[inline(never)]
fn wake_released(k: Kernel) {
    while let Some(thread) = k.release.first(k) {
        let Some(context) = thread.sched_context.get(k) else { break };
        if !is_ready(k, context) {
            break;
        }
        dequeue(k, thread);
        possible_switch_to(k, thread);
    }
}

fn choose(k: Kernel) {
    match highest_ready(k) {
        Some(thread) => switch_to(k, thread),
        None => k.current.clear(),
    }
}

fn switch_to<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) {
    dequeue(k, thread);
    k.current.set(Some(thread));
}

/// Charges the context that ran and begins to count for the one that runs next.
fn switch_sched_context(k: Kernel) {
    let next = k.current.get(k).and_then(|thread| thread.sched_context.get(k));
    if next == k.current_sc.get(k) {
        return;
    }
    k.set_timer_anew();
    charge_current(k);
    k.consumed.set(0);
    k.current_sc.set(next);
    if let Some(context) = next
        && !context.sporadic.get()
    {
        unblock_check(k, context);
    }
}

#[inline(always)]
fn set_timer(k: Kernel) {
    if k.quiet_until.get() == 0 {
        program_timer(k);
    }
}

fn program_timer(k: Kernel) {
    let budget_end = k
        .current_sc
        .get(k)
        .map_or(u64::MAX, |context| k.now.get().saturating_add(context.head().amount.saturating_sub(k.consumed.get())));
    set_deadlines(k, budget_end);
}

/// The next moment at which the kernel must look at budgets is the timer's deadline, and a little before that what ends the quiet.
#[inline(always)]
fn set_deadlines(k: Kernel, budget_end: u64) {
    let deadline = budget_end.min(k.next_release.get());
    // A refill may be used a moment before its time, too, but a shorter one than this.
    k.quiet_until.set(deadline.saturating_sub(min_budget(k)));
    arch::set_deadline(deadline);
}
