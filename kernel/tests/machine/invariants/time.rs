//! Time: what passes is charged to who runs, and a context takes no more of it than a periodic thread would: from any moment at which
//! it waited for nothing that it was owed, at most the budget for each period begun.
//!
//! A sporadic context may be owed several budgets: it was ready, but others came first. One of constant bandwidth never is: in whatever stretch as
//! long as its period, it takes at most its budget.

use super::tree::Caps;
use crate::machine::Machine;
use chestnut_kernel::cap::Kind;
use chestnut_kernel::mem::Ref;
use chestnut_kernel::object::{Kernel, Place, SchedContext, Tcb};
use std::collections::{BTreeMap, VecDeque};

/// Ticks that each refill may be off: one may be used a moment before its time, so as not to wait for less than that.
const EARLY: u64 = 10_000;

/// What is known of one context.
#[derive(Clone, Default)]
struct Known {
    budget: u64,
    period: u64,
    sporadic: bool,
    /// When it ran, no longer ago than its period: from and to.
    runs: VecDeque<(u64, u64)>,
    /// What the context says it consumed.
    consumed: u64,
    /// When it was last owed nothing: not able to run, or without budget.
    since: u64,
    /// Ticks that it ran from then on.
    used: u64,
}

#[derive(Default)]
pub struct Usage {
    now: u64,
    /// The context that time was charged to.
    current: usize,
    contexts: BTreeMap<usize, Known>,
}

fn consumed(k: Kernel, context: Ref<SchedContext>) -> u64 {
    let pending = if k.current_sc.is(Ref::from(context.get())) { k.consumed.get() } else { 0 };
    context.consumed.get() + pending
}

impl Usage {
    pub fn check(&mut self, m: Machine, caps: &Caps) {
        let k = m.kernel();
        let passed = k.now.get() - self.now;
        let mut contexts = BTreeMap::new();
        for cap in caps.objects().filter(|cap| cap.kind() == Kind::SchedContext) {
            let Some(context) = cap.as_sched_context(k).filter(|context| context.is_configured()) else { continue };
            let mut known = self.contexts.remove(&context.address()).unwrap_or_default();
            let (budget, period, sporadic) = (context.budget.get(), context.period.get(), context.sporadic.get());
            if (known.budget, known.period, known.sporadic) != (budget, period, sporadic) {
                let runs = VecDeque::new();
                known =
                    Known { budget, period, sporadic, runs, consumed: consumed(k, context), since: self.now, used: 0 };
            } else if self.current == context.address() {
                known.used += passed;
                known.ran(self.now, k.now.get(), context.refill_max());
                known.expect(consumed(k, context), passed);
            } else {
                known.expect(consumed(k, context), 0);
            }
            known.check_budget(k.now.get(), context.refill_max());
            let waits = |thread: &Ref<Tcb>| thread.is_runnable() && thread.place.get() != Place::Release;
            if context.tcb.get(k).filter(waits).is_none() {
                (known.since, known.used) = (k.now.get(), 0);
            }
            contexts.insert(context.address(), known);
        }
        self.contexts = contexts;
        self.now = k.now.get();
        self.current = k.current_sc.get(k).map_or(0, |context| context.address());
    }
}

impl Known {
    /// `ticks` more were consumed, or somebody asked and the count began anew.
    fn expect(&mut self, consumed: u64, ticks: u64) {
        let right = consumed == self.consumed + ticks || consumed == 0;
        assert!(right, "consumed {consumed} after {} and {ticks} more", self.consumed);
        self.consumed = consumed;
    }

    /// It ran for this stretch.
    fn ran(&mut self, from: u64, to: u64, refills: u32) {
        if self.sporadic || self.budget == self.period || from == to {
            return;
        }
        match self.runs.back_mut() {
            Some(last) if last.1 == from => last.1 = to,
            _ => self.runs.push_back((from, to)),
        }
        let begin = to.saturating_sub(self.period);
        while self.runs.front().is_some_and(|&(_, end)| end <= begin) {
            self.runs.pop_front();
        }
        let used: u64 = self.runs.iter().map(|&(from, to)| to - from.max(begin)).sum();
        let most = self.budget + u64::from(refills) * EARLY;
        assert!(
            used <= most,
            "{used} ticks in the {} before {to}, of a budget of {}: {:?}",
            self.period,
            self.budget,
            self.runs
        );
    }

    fn check_budget(&self, now: u64, refills: u32) {
        let begun = now.saturating_sub(self.since) / self.period + 1;
        let most = (self.budget + u64::from(refills) * EARLY).saturating_mul(begun);
        if self.budget != self.period {
            let Self { budget, period, used, since, .. } = self;
            assert!(used <= &most, "{used} ticks since {since} with budget {budget} in {period}, now {now}");
        }
    }
}
