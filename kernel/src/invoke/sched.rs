//! Scheduling contexts and the control over them.

use super::{Arguments, Error, Outcome};
use crate::cap::{Cap, Kind};
use crate::mem::Ref;
use crate::object::{Kernel, SchedContext, Tcb, ThreadState};
use crate::{ipc, lifecycle, time};
use chestnut_abi::Label;
use chestnut_abi::object::{MIN_REFILLS, SchedContextFlags, max_extra_refills};

/// Longest period, in microseconds: keeps sums of times far from overflow.
const MAX_PERIOD_US: u64 = 1 << 40;

pub fn invoke_control(call: &Arguments, label: Label) -> Outcome {
    if label != Label::SchedControlConfigureFlags {
        return Err(Error::IllegalOperation.into());
    }
    let [budget, period, extra_refills, badge, flags] = call.words()?;
    let cap = call.cap(0)?;
    let k = call.k;
    let Some(context) = cap.as_sched_context(k) else { return Err(Error::InvalidCapability(1).into()) };
    if !(time::MIN_BUDGET_US..=MAX_PERIOD_US).contains(&budget) {
        return Err(Error::Range(time::MIN_BUDGET_US, MAX_PERIOD_US).into());
    }
    if !(time::MIN_BUDGET_US..=MAX_PERIOD_US).contains(&period) {
        return Err(Error::Range(time::MIN_BUDGET_US, MAX_PERIOD_US).into());
    }
    if budget > period {
        return Err(Error::Range(time::MIN_BUDGET_US, period).into());
    }
    let most = max_extra_refills(cap.sched_context_bits());
    if extra_refills > most {
        return Err(Error::Range(0, most).into());
    }
    configure(k, context, budget, period, extra_refills, badge, flags);
    Ok(())
}

fn configure<'k>(
    k: Kernel<'k>,
    context: Ref<'k, SchedContext>,
    budget: u64,
    period: u64,
    extra_refills: u64,
    badge: u64,
    flags: u64,
) {
    if k.current_sc.is(context) {
        time::charge_current(k);
        k.set_timer_anew();
    }
    let thread = context.tcb.get(k);
    if let Some(thread) = thread {
        time::dequeue(k, thread);
    }
    let before = context.is_configured().then(|| context.head());
    let refills = if budget == period { MIN_REFILLS } else { MIN_REFILLS + extra_refills };
    context.limit_refills(refills as u32);
    context.badge.set(badge);
    context.sporadic.set(flags & SchedContextFlags::SPORADIC != 0);
    let ticks = k.ticks_per_us.get();
    time::configure_refills(k, context, before, budget * ticks, period * ticks);
    if let Some(thread) = thread.filter(|thread| thread.is_runnable()) {
        if k.current.is(thread) {
            time::reschedule(k);
        }
        time::resume(k, context);
    }
}

pub fn invoke_context(call: &Arguments, cap: Cap, label: Label) -> Outcome {
    let k = call.k;
    let Some(context) = cap.as_sched_context(k) else { return Err(Error::InvalidCapability(0).into()) };
    match label {
        Label::SchedContextBind => bind(call, context),
        Label::SchedContextUnbind => {
            if k.current_sc.is(context) && context.tcb.get(k) == Some(call.thread) {
                return Err(Error::IllegalOperation.into());
            }
            lifecycle::unbind_thread(k, context);
            if let Some(notification) = context.notification.take(k) {
                notification.sched_context.clear();
            }
            if let Some(reply) = context.reply.take(k) {
                reply.set_above(crate::object::Above::Nothing);
            }
            Ok(())
        }
        Label::SchedContextUnbindObject => unbind_object(call, context),
        Label::SchedContextConsumed => {
            call.answer(ipc::consumed_us(k, context));
            Ok(())
        }
        Label::SchedContextYieldTo => yield_to(call, context),
        _ => Err(Error::IllegalOperation.into()),
    }
}

fn bind<'k>(call: &Arguments<'k>, context: Ref<'k, SchedContext>) -> Outcome {
    let (k, cap) = (call.k, call.cap(0)?);
    if !context.tcb.is_none() || !context.notification.is_none() {
        // Bound to a thread, it can still be lent by a notification, and the other way round.
        let other_kind = match cap.kind() {
            Kind::Tcb => context.tcb.is_none(),
            Kind::Notification => context.notification.is_none(),
            _ => return Err(Error::InvalidCapability(1).into()),
        };
        if !other_kind {
            return Err(Error::IllegalOperation.into());
        }
    }
    match cap.kind() {
        Kind::Tcb => {
            let Some(thread) = cap.as_tcb(k) else { return Err(Error::InvalidCapability(1).into()) };
            if !thread.sched_context.is_none() {
                return Err(Error::IllegalOperation.into());
            }
            let blocked = !thread.is_runnable() && thread.state.get() != ThreadState::Inactive;
            if blocked && context.is_configured() && !(time::is_sufficient(k, context, 0) && time::is_ready(k, context))
            {
                return Err(Error::IllegalOperation.into());
            }
            bind_thread(k, context, thread);
        }
        Kind::Notification => {
            let Some(notification) = cap.as_notification(k) else { return Err(Error::InvalidCapability(1).into()) };
            if !notification.sched_context.is_none() {
                return Err(Error::IllegalOperation.into());
            }
            notification.sched_context.set(Some(context));
            context.notification.set(Some(notification));
        }
        _ => return Err(Error::InvalidCapability(1).into()),
    }
    Ok(())
}

/// Binds an unbound context to a thread without one; the thread may run now.
pub fn bind_thread<'k>(k: Kernel<'k>, context: Ref<'k, SchedContext>, thread: Ref<'k, Tcb>) {
    thread.sched_context.set(Some(context));
    context.tcb.set(Some(thread));
    if context.sporadic.get() && context.is_configured() && !k.current_sc.is(context) {
        time::unblock_check(k, context);
    }
    time::resume(k, context);
}

fn unbind_object<'k>(call: &Arguments<'k>, context: Ref<'k, SchedContext>) -> Outcome {
    let (k, cap) = (call.k, call.cap(0)?);
    match cap.kind() {
        Kind::Tcb => {
            let Some(thread) = cap.as_tcb(k).filter(|&thread| context.tcb.get(k) == Some(thread)) else {
                return Err(Error::IllegalOperation.into());
            };
            if thread == call.thread {
                return Err(Error::IllegalOperation.into());
            }
            lifecycle::unbind_thread(k, context);
        }
        Kind::Notification => {
            let Some(notification) = cap.as_notification(k).filter(|&n| context.notification.get(k) == Some(n)) else {
                return Err(Error::IllegalOperation.into());
            };
            notification.sched_context.clear();
            context.notification.clear();
        }
        _ => return Err(Error::InvalidCapability(1).into()),
    }
    Ok(())
}

/// Gives way to the context's thread, which runs next if no ready thread is more important than it; the caller learns, when it runs again, what
/// the context consumed.
fn yield_to<'k>(call: &Arguments<'k>, context: Ref<'k, SchedContext>) -> Outcome {
    let k = call.k;
    let Some(target) = context.tcb.get(k) else { return Err(Error::IllegalOperation.into()) };
    if target == call.thread || target.priority.get() > call.thread.mcp.get() {
        return Err(Error::IllegalOperation.into());
    }
    if let Some(earlier) = context.yield_from.get(k) {
        // Somebody else yielded to it before: that ends here.
        ipc::complete_yield(k, earlier);
    }
    // Filled in when the caller goes on, which is at once if the target doesn't take its place.
    call.answer(0);
    if call.is_call {
        call.thread.yield_to.set(Some(context));
        context.yield_from.set(Some(call.thread));
    }
    if target.is_schedulable(k) {
        // The caller gives up none of its budget: its place is directly behind the target.
        time::reschedule(k);
        time::enqueue_front(k, call.thread);
        time::dequeue(k, target);
        time::enqueue_front(k, target);
    }
    Ok(())
}
