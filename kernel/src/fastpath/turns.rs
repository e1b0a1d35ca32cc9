//! Who runs next, where both threads have scheduling contexts of their own: one that waits no more, if its priority is the higher one, or the first
//! that is ready, if the running one waits.
//!
//! A change of threads is the last thing that is looked at and the first that is changed: what remains is to give the two what they wait for, and to
//! have one of them wait.
#![forbid(unsafe_code)]

use super::steps::{NotFast, loadable, run};
use crate::arch::Resumed;
use crate::mem::Ref;
use crate::object::{Kernel, SchedContext, Tcb, ThreadState};
use crate::time;

/// When a thread runs that waits no more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It does already.
    Now,
    /// The running one goes on.
    Later,
}

/// When `woken`, which has a context of its own, is to run, if nothing but the priorities says so. If now, it does from here on.
#[inline(always)]
pub fn turn<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    woken: Ref<'k, Tcb>,
    own: Ref<'k, SchedContext>,
) -> Result<Turn, NotFast> {
    if is_higher(woken, thread) { displace(k, thread, woken, own).map(|()| Turn::Now) } else { later(k, own) }
}

/// Whether a thread has a higher priority than another one.
#[inline(always)]
pub fn is_higher(thread: Ref<Tcb>, than: Ref<Tcb>) -> bool {
    thread.priority.get() > than.priority.get()
}

/// The same where the running one has no lower priority.
#[inline(always)]
fn later<'k>(k: Kernel<'k>, own: Ref<'k, SchedContext>) -> Result<Turn, NotFast> {
    // By the time of the last look at the clock: what had come then has come now.
    if time::has_time(k, own) { Ok(Turn::Later) } else { Err(NotFast) }
}

/// `woken`, which has a higher priority, is to run from here on, and `thread` to be ready: what is looked at before, in the commonest case of two
/// round-robin contexts. Nothing is changed.
#[inline(always)]
pub fn look<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    woken: Ref<'k, Tcb>,
    own: Ref<'k, SchedContext>,
) -> Result<Change<'k>, NotFast> {
    if !time::outranks_ready(k, woken) {
        return Err(NotFast);
    }
    let from = thread.sched_context.get(k).ok_or(NotFast)?;
    let root = loadable(woken)?;
    Ok(Change { from, own, root, now: time::slices_at(k, from, own).ok_or(NotFast)? })
}

/// What [`look`] found.
#[derive(Clone, Copy)]
pub struct Change<'k> {
    from: Ref<'k, SchedContext>,
    own: Ref<'k, SchedContext>,
    root: u64,
    now: u64,
}

impl<'k> Change<'k> {
    /// Does it, as the last thing.
    #[inline(always)]
    pub fn make(self, k: Kernel<'k>, thread: Ref<'k, Tcb>, woken: Ref<'k, Tcb>) -> Resumed {
        change(k, thread, woken, self.from, self.own, self.root, self.now)
    }
}

#[inline(never)]
fn change<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    woken: Ref<'k, Tcb>,
    from: Ref<'k, SchedContext>,
    own: Ref<'k, SchedContext>,
    root: u64,
    now: u64,
) -> Resumed {
    time::begin_slice(k, now, from, own);
    time::stand_in_front(k, thread);
    run(k, thread, woken, root)
}

/// `woken`, which has a higher priority, runs from here on, and `thread` is ready.
#[inline(never)]
fn displace<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    woken: Ref<'k, Tcb>,
    own: Ref<'k, SchedContext>,
) -> Result<(), NotFast> {
    if !time::outranks_ready(k, woken) {
        return Err(NotFast);
    }
    let from = thread.sched_context.get(k).ok_or(NotFast)?;
    let root = loadable(woken)?;
    change_time(k, from, own)?;
    time::stand_in_front(k, thread);
    _ = run(k, thread, woken, root);
    Ok(())
}

/// `woken`, which stands in no queue any more, is ready unless it runs.
#[inline(always)]
pub fn take_turn<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, woken: Ref<'k, Tcb>, turn: Turn) {
    if turn == Turn::Now {
        return;
    }
    if woken.priority.get() == thread.priority.get() {
        time::enqueue_back(k, woken);
    } else {
        time::stand_in_front(k, woken);
    }
}

/// The first that is ready runs from here on, unless it is to be told what a context consumed that it yielded to; `thread` doesn't any more.
#[inline(always)]
pub fn give_way<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<(), NotFast> {
    let next = time::highest_ready(k).filter(|next| next.yield_to.is_none()).ok_or(NotFast)?;
    let from = thread.sched_context.get(k).ok_or(NotFast)?;
    let own = next.sched_context.get(k).ok_or(NotFast)?;
    let root = loadable(next)?;
    change_time(k, from, own)?;
    time::take_highest(k, next);
    // It may have to execute the instruction that entered the kernel again.
    if next.state.get() == ThreadState::Restart {
        next.context.restart();
        next.state.set(ThreadState::Running);
    }
    _ = run(k, thread, next, root);
    Ok(())
}

/// Time passes to the other context from here on; in the commonest case both are round-robin ones.
#[inline(always)]
fn change_time<'k>(k: Kernel<'k>, from: Ref<'k, SchedContext>, to: Ref<'k, SchedContext>) -> Result<(), NotFast> {
    if time::switch_slices(k, from, to) || time::switch_refills(k, from, to) { Ok(()) } else { Err(NotFast) }
}
