//! What must hold between any two kernel entries, whatever user code did.

use super::{CNODE_BITS, Machine};
use chestnut_kernel::cap::{Cap, CapRef, Kind};
use chestnut_kernel::mem::Ref;
use chestnut_kernel::object::{Above, Place, SchedContext, Tcb, ThreadState};
use std::collections::{BTreeMap, BTreeSet};

/// All filled slots that can be found through the derivation tree from the root CNode.
fn slots(m: Machine) -> Vec<CapRef<'static>> {
    let mut seen = BTreeSet::new();
    let mut found = vec![];
    for index in 0..1 << CNODE_BITS {
        let slot = m.slot(index);
        if slot.is_empty() || seen.contains(&slot.address()) {
            continue;
        }
        let mut head = slot;
        while let Some(prev) = head.prev() {
            assert!(prev.next() == Some(head), "a slot's neighbour before it doesn't know it");
            head = prev;
        }
        let mut next = Some(head);
        while let Some(slot) = next {
            assert!(seen.insert(slot.address()), "the derivation tree runs in a circle");
            assert!(!slot.is_empty(), "an empty slot is in the derivation tree");
            if let Some(after) = slot.next() {
                assert!(after.prev() == Some(slot), "a slot's neighbour behind it doesn't know it");
            }
            found.push(slot);
            next = slot.next();
        }
    }
    found
}

/// Objects by address. No two overlap, untypeds aside; capabilities of one object stand together in the tree.
fn objects(slots: &[CapRef]) -> BTreeMap<u64, Cap> {
    let mut objects: BTreeMap<u64, Cap> = BTreeMap::new();
    let mut last: Option<Cap> = None;
    for slot in slots {
        let cap = slot.cap();
        if cap.kind() == Kind::Untyped || cap.memory_bits().is_none() {
            last = Some(cap);
            continue;
        }
        match objects.get(&cap.memory_start()) {
            Some(other) => {
                assert!(other.same_object(cap), "{other:?} and {cap:?} share memory");
                assert!(
                    last.is_some_and(|last| last.same_object(cap)),
                    "capabilities to {cap:?} are apart in the tree"
                );
            }
            None => {
                objects.insert(cap.memory_start(), cap);
            }
        }
        last = Some(cap);
    }
    let mut end = 0;
    for (&start, cap) in &objects {
        assert!(start >= end, "{cap:?} overlaps the object before it");
        end = start + (1 << cap.memory_bits().unwrap_or(0));
    }
    objects
}

/// Checks everything; panics with what is wrong.
pub fn check(m: Machine) {
    let k = m.kernel();
    let slots = slots(m);
    let objects = objects(&slots);
    let live = |address: usize, kind: Kind| {
        let physical = k.entry().physical(address);
        objects.get(&physical).is_some_and(|cap| cap.kind() == kind || cap.kind() == Kind::Zombie)
    };
    let tcb = |address: u64| objects.get(&address).and_then(|cap| cap.as_tcb(k));

    let mut queued: BTreeMap<usize, Place> = BTreeMap::new();
    for priority in 0..=255u8 {
        let queue = &k.ready[priority as usize];
        let marked = k.ready_words[priority as usize / 64].get() >> (priority % 64) & 1 != 0;
        assert_eq!(marked, !queue.is_empty(), "the bitmap and the queue of priority {priority} differ");
        for thread in queue.iter(k) {
            assert!(live(thread.address(), Kind::Tcb), "a deleted thread is ready");
            assert_eq!(thread.priority.get(), priority);
            assert!(thread.is_schedulable(k), "a thread that can't run is ready: {:?}", thread.state.get());
            assert!(queued.insert(thread.address(), Place::Ready).is_none(), "a thread stands twice in ready queues");
        }
    }
    let mut last = 0;
    for thread in k.release.iter(k) {
        assert!(live(thread.address(), Kind::Tcb), "a deleted thread waits for budget");
        let time = thread.sched_context.get(k).expect("who waits for budget has a context").head().time;
        assert!(time >= last, "the release queue isn't ordered");
        last = time;
        assert!(queued.insert(thread.address(), Place::Release).is_none());
    }
    for cap in objects.values() {
        if let Some(endpoint) = cap.as_endpoint(k) {
            let mut priority = 255;
            for thread in endpoint.queue.iter(k) {
                assert!(live(thread.address(), Kind::Tcb), "a deleted thread stands at an endpoint");
                assert!(thread.endpoint.is(endpoint));
                assert!(thread.priority.get() <= priority, "an endpoint's queue isn't ordered");
                priority = thread.priority.get();
                assert!(queued.insert(thread.address(), Place::Object).is_none());
            }
        }
        if let Some(notification) = cap.as_notification(k) {
            for thread in notification.queue.iter(k) {
                assert!(thread.waiting_on.is(notification));
                assert!(queued.insert(thread.address(), Place::Object).is_none());
            }
            assert!(
                notification.queue.is_empty() || !notification.active.get(),
                "somebody waits for a signal that is there"
            );
            if let Some(thread) = notification.bound_tcb.get(k) {
                assert!(live(thread.address(), Kind::Tcb) && thread.bound_notification.is(notification));
            }
            if let Some(context) = notification.sched_context.get(k) {
                assert!(live(context.address(), Kind::SchedContext) && context.notification.is(notification));
            }
        }
        if let Some(reply) = cap.as_reply(k) {
            if let Some(thread) = reply.tcb.get(k) {
                assert!(live(thread.address(), Kind::Tcb), "a reply to a deleted thread");
                assert!(thread.reply.is(reply), "a reply whose thread doesn't know it");
            }
            if let Some(below) = reply.below.get(k) {
                assert!(live(below.address(), Kind::Reply), "a deleted reply is in a stack");
                assert!(below.above(k) == Above::Reply(reply));
            }
            match reply.above(k) {
                Above::Nothing => {}
                Above::Reply(above) => assert!(live(above.address(), Kind::Reply) && above.below.is(reply)),
                Above::SchedContext(context) => {
                    assert!(live(context.address(), Kind::SchedContext) && context.reply.is(reply))
                }
            }
        }
        if let Some(context) = cap.as_sched_context(k) {
            check_context(m, context, &live);
        }
    }
    // Threads come after every queue has been walked.
    for &address in objects.keys() {
        if let Some(thread) = tcb(address) {
            check_thread(m, thread, queued.remove(&thread.address()).unwrap_or(Place::Nowhere), &live);
        }
    }
    // What is left in the queues are TCBs of which only a zombie remains: they must not be in any.
    assert!(queued.is_empty(), "a dead thread stands in a queue");
    if let Some(thread) = m.current() {
        assert!(live(thread.address(), Kind::Tcb), "a deleted thread runs");
        assert!(thread.is_schedulable(k), "the running thread can't run: {:?}", thread.state.get());
        assert!(k.current_sc.get(k) == thread.sched_context.get(k), "time is charged to another context");
    } else {
        assert_eq!(k.ready_summary.get(), 0, "nobody runs while somebody is ready");
    }
}

fn check_context(m: Machine, context: Ref<SchedContext>, live: &impl Fn(usize, Kind) -> bool) {
    let k = m.kernel();
    if let Some(thread) = context.tcb.get(k) {
        assert!(live(thread.address(), Kind::Tcb), "a context runs a deleted thread");
        assert!(thread.sched_context.is(context), "a context's thread doesn't know it");
    }
    if let Some(reply) = context.reply.get(k) {
        assert!(live(reply.address(), Kind::Reply), "a context's stack begins with a deleted reply");
    }
    if context.is_configured() {
        assert!(context.refill_count() >= 1 && context.refill_count() <= context.refill_max());
        if context.is_round_robin() {
            assert!(context.total() <= context.budget.get());
        } else {
            assert_eq!(context.total(), context.budget.get(), "a budget isn't conserved");
        }
    }
}

fn check_thread(m: Machine, thread: Ref<Tcb>, found: Place, live: &impl Fn(usize, Kind) -> bool) {
    let k = m.kernel();
    let state = thread.state.get();
    assert_eq!(thread.place.get(), found, "a thread's idea of its queue, in state {state:?}");
    let blocked = matches!(
        state,
        ThreadState::BlockedOnSend | ThreadState::BlockedOnReceive | ThreadState::BlockedOnNotification
    );
    assert_eq!(found == Place::Object, blocked, "in state {state:?} at {found:?}");
    if let Some(context) = thread.sched_context.get(k) {
        assert!(live(context.address(), Kind::SchedContext), "a thread runs on a deleted context");
        assert!(context.tcb.is(Ref::from(&*thread)), "a thread's context doesn't know it");
    }
    if let Some(reply) = thread.reply.get(k) {
        assert!(live(reply.address(), Kind::Reply), "a thread waits on a deleted reply");
        assert!(reply.tcb.is(Ref::from(&*thread)));
        assert!(
            matches!(state, ThreadState::BlockedOnReply | ThreadState::BlockedOnReceive),
            "a reply in state {state:?}"
        );
    }
    if state == ThreadState::BlockedOnReply {
        assert!(!thread.reply.is_none(), "a thread waits for a reply on no object");
    }
    if let Some(notification) = thread.bound_notification.get(k) {
        assert!(live(notification.address(), Kind::Notification), "a thread is bound to a deleted notification");
    }
    if let Some(endpoint) = thread.endpoint.get(k) {
        assert!(live(endpoint.address(), Kind::Endpoint) && blocked, "a thread stands at a deleted endpoint");
    }
}
