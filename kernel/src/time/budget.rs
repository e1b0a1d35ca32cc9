//! Refills: how much time a scheduling context may use, and from when.
//!
//! A context with budget b and period p takes no more from others than a periodic thread that needs b in every p (sporadic server:
//! Sprunt, Sha and Lehoczky 1989, as corrected by Stanovich et al. 2010). What a thread uses comes back one period after it
//! could begin to use it. The amounts in the ring always add up to the budget. A round-robin context has period and budget
//! equal: its budget comes back at once, and it goes to the back of its queue.

use crate::mem::Ref;
use crate::object::{Kernel, Refill, SchedContext};

/// Longest time that the kernel may need between two looks at the clock, in microseconds.
const KERNEL_WCET_US: u64 = 10;
/// Smallest budget, in microseconds: the kernel has to be able to enter and leave within it.
pub const MIN_BUDGET_US: u64 = 2 * KERNEL_WCET_US;

/// Smallest amount worth running on, in ticks.
#[inline(always)]
pub fn min_budget(k: Kernel) -> u64 {
    k.min_budget.get()
}

/// How long before its time a refill counts as there, in ticks.
pub fn look_ahead(k: Kernel) -> u64 {
    KERNEL_WCET_US * k.ticks_per_us.get()
}

/// Whether the first refill may be used now.
pub fn is_ready(k: Kernel, context: Ref<SchedContext>) -> bool {
    context.head().time <= k.now.get().saturating_add(look_ahead(k))
}

/// Whether the first refill is worth running on after `used` more ticks.
pub fn is_sufficient(k: Kernel, context: Ref<SchedContext>, used: u64) -> bool {
    context.head().amount >= used.saturating_add(min_budget(k))
}

/// Gives a context a new budget and period, in ticks, its ring being empty. A context that was configured before keeps no more time
/// than it had: what it may use at once is what its first refill allowed.
pub fn configure_refills(k: Kernel, context: Ref<SchedContext>, before: Option<Refill>, budget: u64, period: u64) {
    context.set_budget(budget, period);
    let now = k.now.get();
    let first = match before {
        Some(refill) if period != budget => Refill { time: refill.time.max(now), amount: refill.amount.min(budget) },
        _ => Refill { time: now, amount: budget },
    };
    context.push_tail(first);
    if first.amount < budget {
        context.push_tail(Refill { time: first.time.saturating_add(period), amount: budget - first.amount });
    }
    drop_small_heads(k, context);
}

/// Charges the time since the last charge to the current scheduling context.
#[inline]
pub fn charge_current(k: Kernel) {
    let used = k.consumed.replace(0);
    let Some(context) = k.current_sc.get(k) else { return };
    if used != 0 && context.is_configured() {
        charge(k, context, used);
    }
}

/// Charges a configured context with some ticks.
#[inline(always)]
pub fn charge(k: Kernel, context: Ref<SchedContext>, used: u64) {
    context.consumed.set(context.consumed.get().wrapping_add(used));
    if context.is_round_robin() {
        charge_round_robin(k, context, used);
    } else {
        charge_sporadic(k, context, used);
    }
}

/// What is left of the slice; when too little is left to run on, the next slice begins. So a round-robin context has time always.
fn charge_round_robin(k: Kernel, context: Ref<SchedContext>, used: u64) {
    let left = context.left().saturating_sub(used);
    context.set_left(if left < min_budget(k) { context.budget.get() } else { left });
}

#[inline(never)]
fn charge_sporadic(k: Kernel, context: Ref<SchedContext>, used: u64) {
    let period = context.period.get();
    let mut used = used;
    // Refills that are used up come back whole, one period after they could be used. A context that overran by many periods
    // (the clock jumped) stops after one turn of its ring.
    for _ in 0..context.refill_count() {
        let head = context.head();
        if head.amount > used {
            break;
        }
        used -= head.amount;
        let later = Refill { time: head.time.saturating_add(period), amount: head.amount };
        if context.refill_count() == 1 {
            context.set_head(later);
        } else {
            context.pop_head();
            replenish(context, later);
        }
    }
    let head = context.head();
    if used > 0 && used < head.amount {
        context.set_head(Refill { time: head.time.saturating_add(used), amount: head.amount - used });
        replenish(context, Refill { time: head.time.saturating_add(period), amount: used });
    }
    drop_small_heads(k, context);
}

/// Adds a refill behind the last one: joined to it if they touch or if there is no room, which makes the last one wait longer.
fn replenish(context: Ref<SchedContext>, refill: Refill) {
    let tail = context.tail();
    let touches = tail.time.saturating_add(tail.amount) >= refill.time;
    if !context.is_full() && !touches {
        context.push_tail(refill);
    } else {
        let amount = tail.amount + refill.amount;
        let time = tail.time.max(refill.time.saturating_sub(tail.amount));
        context.set_tail(Refill { time, amount });
    }
}

/// Joins a first refill that is too small to run on with the next: together they end where the next one did, so that they neither
/// overlap what follows nor allow more time by any moment than the two did.
fn drop_small_heads(k: Kernel, context: Ref<SchedContext>) {
    while context.refill_count() > 1 && context.head().amount < min_budget(k) {
        let small = context.pop_head();
        let head = context.head();
        context.set_head(Refill { time: head.time.saturating_sub(small.amount), amount: head.amount + small.amount });
    }
}

/// For a context that begins to run after a pause: time that could have been used earlier counts from now on, and refills that
/// have become usable meanwhile are joined.
pub fn unblock_check(k: Kernel, context: Ref<SchedContext>) {
    if !context.is_configured() || context.is_round_robin() || !is_ready(k, context) {
        return;
    }
    let now = k.now.get();
    context.set_head(Refill { time: now, amount: context.head().amount });
    k.set_timer_anew();
    while let Some(second) = context.second() {
        let head = context.head();
        if second.time > now.saturating_add(head.amount) {
            break;
        }
        context.pop_head();
        context.set_head(Refill { time: now, amount: head.amount + second.amount });
    }
}
