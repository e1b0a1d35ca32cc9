//! What objects store about each other: each link leads to a live object that knows of it, each queue is in order, and each thread
//! stands where its state says.

use super::tree::Caps;
use crate::machine::Machine;
use chestnut_kernel::cap::Kind;
use chestnut_kernel::mem::Ref;
use chestnut_kernel::object::{
    Above, Action, Endpoint, Kernel, Notification, Place, Reply, SchedContext, Tcb, ThreadState,
};
use chestnut_kernel::time;

type Queued = Vec<(usize, Place)>;

pub fn check(m: Machine, caps: &Caps) {
    let k = m.kernel();
    let mut queued = Queued::new();
    check_ready(k, caps, &mut queued);
    check_release(k, caps, &mut queued);
    for cap in caps.objects() {
        if let Some(endpoint) = cap.as_endpoint(k) {
            check_endpoint(k, caps, endpoint, &mut queued);
        } else if let Some(notification) = cap.as_notification(k) {
            check_notification(k, caps, notification, &mut queued);
        } else if let Some(reply) = cap.as_reply(k) {
            check_reply(k, caps, reply);
        } else if let Some(context) = cap.as_sched_context(k) {
            check_context(k, caps, context);
        }
    }
    queued.sort_unstable_by_key(|(address, _)| *address);
    for pair in queued.windows(2) {
        assert!(pair[0].0 != pair[1].0, "a thread stands in two queues");
    }
    // Threads come after every queue has been walked. What is left are TCBs of which only a zombie remains: they must be in none.
    let mut met = 0;
    for cap in caps.objects() {
        if let Some(thread) = cap.as_tcb(k) {
            let place = queued.binary_search_by_key(&thread.address(), |(address, _)| *address).ok();
            met += place.iter().count();
            check_thread(k, caps, thread, place.map_or(Place::Nowhere, |index| queued[index].1));
        }
    }
    assert_eq!(met, queued.len(), "a dead thread stands in a queue");
    check_running(k, caps);
}

fn check_running(k: Kernel, caps: &Caps) {
    assert!(k.action() == Action::Resume, "a decision is left over");
    if let Some(thread) = k.current.get(k) {
        assert!(caps.is_live(thread.address(), Kind::Tcb), "a deleted thread runs");
        assert!(thread.is_schedulable(k), "the running thread can't run: {:?}", thread.state.get());
        assert!(k.current_sc.get(k) == thread.sched_context.get(k), "time is charged to another context");
        for priority in thread.priority.get() as usize + 1..256 {
            assert!(k.ready[priority].is_empty(), "a thread of a higher priority is ready");
        }
    } else {
        assert!(k.ready.iter().all(|queue| queue.is_empty()), "nobody runs while somebody is ready");
    }
    if let Some(context) = k.current_sc.get(k) {
        assert!(caps.is_live(context.address(), Kind::SchedContext), "time is charged to a deleted context");
    }
    if let Some(owner) = k.fpu_owner.get(k) {
        assert!(caps.is_live(owner.address(), Kind::Tcb), "a deleted thread owns the FPU");
    }
}

fn check_ready(k: Kernel, caps: &Caps, queued: &mut Queued) {
    for priority in 0..=255u8 {
        let queue = &k.ready[priority as usize];
        let marked = k.ready_words[priority as usize / 64].get() >> (priority % 64) & 1 != 0;
        assert_eq!(marked, !queue.is_empty(), "the bitmap and the queue of priority {priority} differ");
        for thread in queue.iter(k) {
            assert!(caps.is_live(thread.address(), Kind::Tcb), "a deleted thread is ready");
            assert_eq!(thread.priority.get(), priority, "a thread stands in another priority's queue");
            assert!(thread.is_schedulable(k), "a thread that can't run is ready: {:?}", thread.state.get());
            assert!(!k.current.is(Ref::from(thread.get())), "the running thread is in a queue");
            enter(queued, thread, Place::Ready);
        }
    }
    let highest = k.ready.iter().rposition(|queue| !queue.is_empty()).unwrap_or(0);
    assert_eq!(usize::from(k.ready_highest.get()), highest, "the highest priority that is ready");
}

fn check_release(k: Kernel, caps: &Caps, queued: &mut Queued) {
    let first = k.release.first(k).and_then(|thread| thread.sched_context.get(k));
    assert_eq!(k.next_release.get(), first.map_or(u64::MAX, |context| context.head().time), "who gets budget first");
    let mut last = 0;
    for thread in k.release.iter(k) {
        assert!(caps.is_live(thread.address(), Kind::Tcb), "a deleted thread waits for budget");
        let context = thread.sched_context.get(k).expect("who waits for budget has a context");
        assert!(caps.is_live(context.address(), Kind::SchedContext), "a thread waits for a deleted context's budget");
        let time = context.head().time;
        assert!(time >= last, "the release queue isn't ordered");
        last = time;
        enter(queued, thread, Place::Release);
    }
}

fn enter(queued: &mut Queued, thread: Ref<Tcb>, place: Place) {
    queued.push((thread.address(), place));
    assert!(queued.len() < 1 << 16, "a queue runs in a circle");
}

fn check_endpoint(k: Kernel, caps: &Caps, endpoint: Ref<Endpoint>, queued: &mut Queued) {
    let mut priority = 255;
    let first = endpoint.queue.first(k).map(|thread| thread.state.get());
    for thread in endpoint.queue.iter(k) {
        assert!(caps.is_live(thread.address(), Kind::Tcb), "a deleted thread stands at an endpoint");
        assert!(thread.endpoint.is(Ref::from(endpoint.get())), "a thread at an endpoint doesn't know it");
        assert!(thread.priority.get() <= priority, "an endpoint's queue isn't ordered");
        assert_eq!(Some(thread.state.get()), first, "senders and receivers wait at one endpoint");
        priority = thread.priority.get();
        enter(queued, thread, Place::Object);
    }
}

fn check_notification(k: Kernel, caps: &Caps, notification: Ref<Notification>, queued: &mut Queued) {
    let mut priority = 255;
    for thread in notification.queue.iter(k) {
        assert!(caps.is_live(thread.address(), Kind::Tcb), "a deleted thread stands at a notification");
        assert!(thread.waiting_on.is(Ref::from(notification.get())), "a thread at a notification doesn't know it");
        assert!(thread.priority.get() <= priority, "a notification's queue isn't ordered");
        priority = thread.priority.get();
        enter(queued, thread, Place::Object);
    }
    assert!(notification.queue.is_empty() || !notification.active.get(), "somebody waits for a signal that is there");
    if let Some(thread) = notification.bound_tcb.get(k) {
        assert!(caps.is_live(thread.address(), Kind::Tcb), "a notification is bound to a deleted thread");
        assert!(thread.bound_notification.is(Ref::from(notification.get())), "a binding is known to one side only");
    }
    if let Some(context) = notification.sched_context.get(k) {
        assert!(caps.is_live(context.address(), Kind::SchedContext), "a notification lends a deleted context");
        assert!(context.notification.is(Ref::from(notification.get())), "a loan is known to one side only");
    }
}

fn check_reply(k: Kernel, caps: &Caps, reply: Ref<Reply>) {
    let this = Ref::from(reply.get());
    match reply.tcb.get(k) {
        Some(thread) => {
            assert!(caps.is_live(thread.address(), Kind::Tcb), "a reply to a deleted thread");
            assert!(thread.reply.is(this), "a reply whose thread doesn't know it");
        }
        None => {
            assert!(reply.below.is_none() && reply.above(k) == Above::Nothing, "a reply nobody waits on is in a stack")
        }
    }
    if let Some(below) = reply.below.get(k) {
        assert!(caps.is_live(below.address(), Kind::Reply), "a deleted reply is in a stack");
        assert!(below.above(k) == Above::Reply(this), "a stack's links differ");
    }
    match reply.above(k) {
        Above::Nothing => {}
        Above::Reply(above) => {
            assert!(caps.is_live(above.address(), Kind::Reply), "a deleted reply is in a stack");
            assert!(above.below.is(this), "a stack's links differ");
        }
        Above::SchedContext(context) => {
            assert!(caps.is_live(context.address(), Kind::SchedContext), "a stack of a deleted context");
            assert!(context.reply.is(this), "a stack's top is known to one side only");
        }
    }
}

fn check_context(k: Kernel, caps: &Caps, context: Ref<SchedContext>) {
    let this = Ref::from(context.get());
    if let Some(thread) = context.tcb.get(k) {
        assert!(caps.is_live(thread.address(), Kind::Tcb), "a context runs a deleted thread");
        assert!(thread.sched_context.is(this), "a context's thread doesn't know it");
    }
    if let Some(reply) = context.reply.get(k) {
        assert!(caps.is_live(reply.address(), Kind::Reply), "a context's stack begins with a deleted reply");
        assert!(reply.above(k) == Above::SchedContext(this), "a stack's top doesn't know its context");
    }
    if let Some(notification) = context.notification.get(k) {
        assert!(
            caps.is_live(notification.address(), Kind::Notification),
            "a context is lent by a deleted notification"
        );
        assert!(notification.sched_context.is(this), "a loan is known to one side only");
    }
    if let Some(thread) = context.yield_from.get(k) {
        assert!(caps.is_live(thread.address(), Kind::Tcb), "a deleted thread has yielded");
        assert!(thread.yield_to.is(this), "a yield is known to one side only");
    }
    if !context.is_configured() {
        return;
    }
    assert!(context.refill_count() >= 1 && context.refill_count() <= context.refill_max(), "the ring overflows");
    assert_eq!(context.is_round_robin(), context.budget.get() == context.period.get(), "a context's kind");
    if context.is_round_robin() {
        assert!(context.total() <= context.budget.get(), "a context has more than its budget");
        // The short ways rely on it: there is one refill, in the first place, and it may be used at once.
        assert_eq!((context.refill_count(), context.left()), (1, context.head().amount), "a slice is one refill");
        assert!(context.head().time <= k.now.get() && context.left() >= time::min_budget(k), "a slice isn't there");
    } else {
        assert_eq!(context.total(), context.budget.get(), "a budget isn't conserved");
    }
    let mut end = 0;
    for refill in context.refills() {
        assert!(refill.time >= end, "refills overlap: {:?}", context.refills().collect::<Vec<_>>());
        end = refill.time.saturating_add(refill.amount);
    }
}

fn check_thread(k: Kernel, caps: &Caps, thread: Ref<Tcb>, found: Place) {
    use ThreadState::*;
    let this = Ref::from(thread.get());
    let state = thread.state.get();
    assert_eq!(thread.place.get(), found, "a thread's idea of its queue, in state {state:?}");
    let is_linked = !thread.next.is_none() || !thread.prev.is_none();
    assert!(found != Place::Nowhere || !is_linked, "a thread that stands in no queue has neighbours");
    let blocked = matches!(state, BlockedOnSend | BlockedOnReceive | BlockedOnNotification);
    assert_eq!(found == Place::Object, blocked, "in state {state:?} at {found:?}");
    if let Some(context) = thread.sched_context.get(k) {
        assert!(caps.is_live(context.address(), Kind::SchedContext), "a thread runs on a deleted context");
        assert!(context.tcb.is(this), "a thread's context doesn't know it");
    }
    if let Some(context) = thread.yield_to.get(k) {
        assert!(caps.is_live(context.address(), Kind::SchedContext), "a thread has yielded to a deleted context");
        assert!(context.yield_from.is(this), "a yield is known to one side only");
    }
    if let Some(reply) = thread.reply.get(k) {
        assert!(caps.is_live(reply.address(), Kind::Reply), "a thread waits on a deleted reply");
        assert!(reply.tcb.is(this), "a thread's reply doesn't know it");
        assert!(matches!(state, BlockedOnReply | BlockedOnReceive), "a reply in state {state:?}");
    }
    if state == BlockedOnReply {
        assert!(!thread.reply.is_none(), "a thread waits for a reply on no object");
    }
    if let Some(notification) = thread.bound_notification.get(k) {
        assert!(
            caps.is_live(notification.address(), Kind::Notification),
            "a thread is bound to a deleted notification"
        );
        assert!(notification.bound_tcb.is(this), "a binding is known to one side only");
    }
    if let Some(notification) = thread.waiting_on.get(k) {
        assert!(caps.is_live(notification.address(), Kind::Notification), "a thread stands at a deleted notification");
        assert_eq!(state, BlockedOnNotification, "a thread stands at a notification");
    }
    if let Some(endpoint) = thread.endpoint.get(k) {
        assert!(caps.is_live(endpoint.address(), Kind::Endpoint), "a thread stands at a deleted endpoint");
        assert!(matches!(state, BlockedOnSend | BlockedOnReceive), "a thread stands at an endpoint in state {state:?}");
    }
    if thread.fault.get().is_some() {
        assert!(matches!(state, BlockedOnSend | BlockedOnReply), "a fault in state {state:?}");
    }
}
