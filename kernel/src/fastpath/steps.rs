//! The steps that the short ways are made of: what is looked at before anything changes, and how the processor goes from one thread to another.
#![forbid(unsafe_code)]

use crate::arch;
use crate::cap::{Cap, CapRef};
use crate::ipc::{self, Buffer};
use crate::mem::Ref;
use crate::object::{Endpoint, Fault, Kernel, Notification, Place, Reply, SchedContext, Tcb, ThreadState};
use crate::time::{self, Moment};
use chestnut_abi::MessageInfo;
use chestnut_abi::ipc_buffer::MSG_WORD;
use chestnut_abi::message::{MAX_LENGTH, REGISTER_WORDS};

/// The case isn't a common one; nothing has been changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFast;

/// Unwrapped capabilities (not the sender's to say), extra capabilities and length.
const SIZE: u64 = 0xfff;

/// The message of the running thread, if it has words only.
#[inline(always)]
pub fn plain_message(thread: Ref<Tcb>) -> Result<MessageInfo, NotFast> {
    plain_info(thread.context.message_info())
}

/// The same of the word that describes it.
#[inline(always)]
pub fn plain_info(info: u64) -> Result<MessageInfo, NotFast> {
    if info & SIZE <= MAX_LENGTH as u64 { Ok(MessageInfo(info)) } else { Err(NotFast) }
}

/// The slot at an address of the thread's CSpace, and the capability in it.
#[inline(always)]
pub fn find_slot<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, address: u64) -> Result<(CapRef<'k>, Cap), NotFast> {
    let slot = match thread.cspace.get().slot(k.entry(), address) {
        Some(slot) => slot,
        None => thread.slot_below(k, address).ok_or(NotFast)?,
    };
    Ok((slot, slot.cap()))
}

/// The capability at an address of the thread's CSpace.
#[inline(always)]
pub fn find<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, address: u64) -> Result<Cap, NotFast> {
    find_slot(k, thread, address).map(|(_, cap)| cap)
}

/// What to load in the processor for a thread's address space, if it has one.
#[inline(always)]
pub fn loadable<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<u64, NotFast> {
    match thread.vspace.get(k).map_or(0, |root| root.loadable()) {
        0 => Err(NotFast),
        root => Ok(root),
    }
}

/// Whether a thread waits for the answer to a fault.
#[inline(always)]
pub fn has_faulted(thread: Ref<Tcb>) -> bool {
    thread.fault.get().is_some()
}

/// Whether an answer with this message lets a thread go on that has faulted.
#[inline(always)]
pub fn lets_go_on(faulted: Ref<Tcb>, answer: MessageInfo) -> bool {
    match faulted.fault.get() {
        Some(Fault::Vm { .. } | Fault::Cap { .. }) => true,
        Some(Fault::UserException { .. } | Fault::UnknownSyscall { .. }) => answer.label() == 0,
        _ => false,
    }
}

/// Ends a fault that an answer with this message, of `thread`, lets go on.
#[inline(always)]
pub fn answer_fault<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, faulted: Ref<'k, Tcb>, answer: MessageInfo) {
    // The commonest says nothing but to try again.
    if matches!(faulted.fault.get(), Some(Fault::Vm { .. })) {
        faulted.fault.set(None);
    } else if let Some(fault) = faulted.fault.take() {
        ipc::apply_fault_reply(k, thread, faulted, fault, answer);
    }
}

/// Before a thread runs on a scheduling context of its own, and the running one stops.
#[inline(always)]
pub fn moment<'k>(k: Kernel<'k>, own: Ref<'k, SchedContext>) -> Result<Moment, NotFast> {
    time::moment_for(k, own).ok_or(NotFast)
}

/// Changes from one round-robin context to another, as the last thing that is looked at and the first that is changed.
#[inline(always)]
pub fn switch_slices<'k>(
    k: Kernel<'k>,
    from: Ref<'k, SchedContext>,
    own: Ref<'k, SchedContext>,
) -> Result<(), NotFast> {
    if time::switch_slices(k, from, own) { Ok(()) } else { Err(NotFast) }
}

/// The message goes from one thread to the other.
#[inline(always)]
pub fn hand_over<'k>(k: Kernel<'k>, from: Ref<'k, Tcb>, to: Ref<'k, Tcb>, info: MessageInfo, badge: u64) {
    from.context.copy_message(&to.get().context, info.length());
    let given = if info.length() > REGISTER_WORDS { copy_long(k, from, to, info) } else { info };
    to.context.set_message_info(given.0);
    to.context.set_badge(badge);
}

/// The words that don't fit in registers go from one buffer to the other; they are lost if there aren't two.
#[inline(always)]
fn copy_long<'k>(k: Kernel<'k>, from: Ref<'k, Tcb>, to: Ref<'k, Tcb>, info: MessageInfo) -> MessageInfo {
    match (Buffer::of(k, from, false), Buffer::of(k, to, true)) {
        (Some(source), Some(target)) => {
            target.copy_words(source, MSG_WORD + REGISTER_WORDS, info.length() - REGISTER_WORDS);
            info
        }
        _ => MessageInfo::new(info.label(), 0, 0, REGISTER_WORDS as u64),
    }
}

/// Moves a scheduling context from one thread to another.
#[inline(always)]
pub fn give<'k>(context: Ref<'k, SchedContext>, from: Ref<'k, Tcb>, to: Ref<'k, Tcb>) {
    from.sched_context.clear();
    to.sched_context.set(Some(context));
    context.tcb.set(Some(to));
}

/// The processor goes on with `to`, which becomes current; `from` was until now.
#[inline(always)]
pub fn run<'k>(k: Kernel<'k>, from: Ref<'k, Tcb>, to: Ref<'k, Tcb>, root: u64) {
    k.current.set(Some(to));
    arch::activate_vspace(root);
    let (old, new) = (&from.get().context, &to.get().context);
    match old.extended.get() | new.extended.get() {
        0 => arch::switch_context(old, new, 0),
        extended => switch_extended(k, from, to, extended),
    }
}

/// The same where at least one of the two has more than its general registers.
#[inline(never)]
fn switch_extended<'k>(k: Kernel<'k>, from: Ref<'k, Tcb>, to: Ref<'k, Tcb>, extended: u64) {
    if extended & arch::Context::FPU != 0 {
        if k.fpu_owner.is(to) {
            arch::fpu_enable();
        } else {
            arch::fpu_disable();
        }
    }
    arch::switch_context(&from.get().context, &to.get().context, extended);
}

/// Whether a thread that receives looks at its endpoint alone: no signal waits for it elsewhere, and no signal lends time.
#[inline(always)]
pub fn only_endpoint_matters<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> bool {
    let matters = |bound: Ref<'k, Notification>| bound.active.get() || !bound.sched_context.is_none();
    !thread.bound_notification.get(k).is_some_and(matters)
}

/// A thread waits at an endpoint where nobody else does, with a reply object for the next caller.
#[inline(always)]
pub fn wait_for_message<'k>(
    _: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    endpoint: Ref<'k, Endpoint>,
    cap: Cap,
    reply: Ref<'k, Reply>,
) {
    reply.tcb.set(Some(thread));
    thread.reply.set(Some(reply));
    thread.state.set(ThreadState::BlockedOnReceive);
    thread.blocked_rights.set(cap.rights());
    thread.endpoint.set(Some(endpoint));
    thread.place.set(Place::Object);
    endpoint.queue.push_only(thread);
}

/// A thread has left the queue that it was blocked in.
#[inline(always)]
pub fn leave_queue(thread: Ref<Tcb>) {
    thread.place.set(Place::Nowhere);
    thread.state.set(ThreadState::Running);
}
