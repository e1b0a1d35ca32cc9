//! Time: what passes is charged to who runs, and nobody gets more of it than a periodic thread would: the budget in each period, so at
//! most twice the budget in a window of that length, which touches two periods.

use super::tree::Caps;
use crate::machine::Machine;
use chestnut_kernel::cap::Kind;
use chestnut_kernel::mem::Ref;
use chestnut_kernel::object::{Kernel, SchedContext};
use std::collections::{BTreeMap, VecDeque};

/// Ticks that each refill may be off: one may be used a moment before its time, so as not to wait for less than that.
const EARLY: u64 = 10_000;

/// What is known of one context.
#[derive(Clone, Default)]
struct Known {
    budget: u64,
    period: u64,
    /// What the context says it consumed.
    consumed: u64,
    /// When it ran, and for how long; as far back as its period.
    ran: VecDeque<(u64, u64)>,
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
            let (budget, period) = (context.budget.get(), context.period.get());
            if (known.budget, known.period) != (budget, period) {
                known = Known { budget, period, consumed: consumed(k, context), ran: VecDeque::new() };
            } else if self.current == context.address() {
                known.run(self.now, passed);
                known.expect(consumed(k, context), passed);
            } else {
                known.expect(consumed(k, context), 0);
            }
            known.check_budget(k.now.get(), context.refill_max());
            contexts.insert(context.address(), known);
        }
        self.contexts = contexts;
        self.now = k.now.get();
        self.current = k.current_sc.get(k).map_or(0, |context| context.address());
    }
}

impl Known {
    fn run(&mut self, from: u64, ticks: u64) {
        if ticks > 0 {
            self.ran.push_back((from, ticks));
        }
    }

    /// `ticks` more were consumed, or somebody asked and the count began anew.
    fn expect(&mut self, consumed: u64, ticks: u64) {
        let right = consumed == self.consumed + ticks || consumed == 0;
        assert!(right, "consumed {consumed} after {} and {ticks} more", self.consumed);
        self.consumed = consumed;
    }

    fn check_budget(&mut self, now: u64, refills: u32) {
        let begin = now.saturating_sub(self.period);
        while self.ran.front().is_some_and(|(from, ticks)| from + ticks <= begin) {
            self.ran.pop_front();
        }
        if self.budget == self.period {
            return;
        }
        let used: u64 = self.ran.iter().map(|&(from, ticks)| from + ticks - from.max(begin)).sum();
        let most = 2 * self.budget + u64::from(refills) * EARLY;
        assert!(
            used <= most,
            "ran {used} ticks in a period of {} with budget {}: {:?}",
            self.period,
            self.budget,
            self.ran
        );
    }
}
