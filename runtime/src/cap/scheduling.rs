//! Time: scheduling contexts and the authority to fill them.

use super::{Notification, Tcb, capability};
use crate::message::{InvocationError, Outcome, invoke};
use chestnut_abi::Label;

capability!(
    /// A budget of processor time, which the thread it is bound to spends.
    SchedContext
);
capability!(
    /// Authority over a processor's time.
    SchedControl
);

/// How much time a scheduling context gives. Times are microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub budget: u64,
    /// Equal to `budget` for round robin.
    pub period: u64,
    /// Refills beyond the two every scheduling context has.
    pub extra_refills: u64,
    /// Comes with timeout faults.
    pub badge: u64,
    /// [`SchedContextFlags`](chestnut_abi::object::SchedContextFlags).
    pub flags: u64,
}

impl Budget {
    /// Round robin: turns of `microseconds`, as often as nobody of a higher priority wants to run.
    pub const fn round_robin(microseconds: u64) -> Self {
        Self { budget: microseconds, period: microseconds, extra_refills: 0, badge: 0, flags: 0 }
    }

    /// At most `budget` microseconds in each `period`.
    pub const fn periodic(budget: u64, period: u64) -> Self {
        Self { budget, period, extra_refills: 0, badge: 0, flags: 0 }
    }
}

impl SchedControl {
    /// Fills a scheduling context.
    pub fn configure_flags(self, sched_context: SchedContext, budget: Budget) -> Outcome {
        let words = [budget.budget, budget.period, budget.extra_refills, budget.badge, budget.flags];
        invoke(self.0, Label::SchedControlConfigureFlags, &words, &[sched_context.0]).map(drop)
    }
}

impl SchedContext {
    pub fn bind(self, thread: Tcb) -> Outcome {
        invoke(self.0, Label::SchedContextBind, &[], &[thread.0]).map(drop)
    }

    /// Lends the time to passive receivers of a notification.
    pub fn bind_notification(self, notification: Notification) -> Outcome {
        invoke(self.0, Label::SchedContextBind, &[], &[notification.0]).map(drop)
    }

    pub fn unbind(self) -> Outcome {
        invoke(self.0, Label::SchedContextUnbind, &[], &[]).map(drop)
    }

    /// Unbinds one thread or notification.
    pub fn unbind_object(self, object: impl Into<u64>) -> Outcome {
        invoke(self.0, Label::SchedContextUnbindObject, &[], &[object.into()]).map(drop)
    }

    /// Microseconds consumed since this was last asked.
    pub fn consumed(self) -> Result<u64, InvocationError> {
        invoke(self.0, Label::SchedContextConsumed, &[], &[]).map(|answer| answer.word(0))
    }

    /// Lets the context's thread run next; returns the microseconds that it consumed.
    pub fn yield_to(self) -> Result<u64, InvocationError> {
        invoke(self.0, Label::SchedContextYieldTo, &[], &[]).map(|answer| answer.word(0))
    }
}
