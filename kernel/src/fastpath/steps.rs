//! The steps that the short ways are made of: what is looked at before anything changes, and how the processor goes from one thread to another.
#![forbid(unsafe_code)]

use crate::arch::{self, Context, Resumed};
use crate::cap::{Cap, CapRef};
use crate::ipc::{self, Buffer};
use crate::mem::Ref;
use crate::object::{Endpoint, Fault, Kernel, Notification, Place, Reply, SchedContext, Tcb, ThreadState};
use crate::time::{self, Moment};
use chestnut_abi::CapRights;
use chestnut_abi::MessageInfo;
use chestnut_abi::ipc_buffer::MSG_WORD;
use chestnut_abi::message::{MAX_LENGTH, REGISTER_WORDS};

/// The case isn't a common one; nothing has been changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFast;

/// The general way, as what a short way ends in that finds the case not to be a common one. It is the last thing that a short way does, so that
/// no register has to be kept for afterwards.
pub trait Otherwise<'k>: FnOnce(Kernel<'k>, Ref<'k, Tcb>) -> Resumed {}

impl<'k, F: FnOnce(Kernel<'k>, Ref<'k, Tcb>) -> Resumed> Otherwise<'k> for F {}

/// What came of a short way, or the general one of the thread that still runs: it is looked up anew, so that nothing has to be kept for this.
#[inline(always)]
pub fn or<'k>(k: Kernel<'k>, done: Result<(), NotFast>, otherwise: impl Otherwise<'k>) -> Resumed {
    match k.current.get(k).filter(|_| done.is_err()) {
        Some(thread) => otherwise(k, thread),
        None => arch::current_context(),
    }
}

/// Unwrapped capabilities (not the sender's to say) and extra capabilities.
const CAPS: u64 = 0xf80;

/// What describes a message that has words only.
#[derive(Clone, Copy)]
pub struct Plain(MessageInfo);

impl Plain {
    /// Number of words.
    #[inline(always)]
    pub fn length(self) -> usize {
        self.0.length()
    }
}

/// The message of the running thread, if it has words only.
#[inline(always)]
pub fn plain_message(thread: Ref<Tcb>) -> Result<Plain, NotFast> {
    plain_info(thread.context.message_info())
}

/// The same of the word that describes it.
#[inline(always)]
pub fn plain_info(info: u64) -> Result<Plain, NotFast> {
    if info & CAPS == 0 { Ok(Plain(MessageInfo(info))) } else { Err(NotFast) }
}

/// The slot at an address of the thread's CSpace.
#[inline(always)]
pub fn find_slot<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, address: u64) -> Result<CapRef<'k>, NotFast> {
    match thread.cspace.get().slot(k.entry(), address) {
        Some(slot) => Ok(slot),
        None => thread.slot_below(k, address).ok_or(NotFast),
    }
}

/// The capability at an address of the thread's CSpace.
#[inline(always)]
pub fn find<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, address: u64) -> Result<Cap, NotFast> {
    find_slot(k, thread, address).map(|slot| slot.cap())
}

/// What to load in the processor for a thread's address space, if it has one.
#[inline(always)]
pub fn loadable(thread: Ref<Tcb>) -> Result<u64, NotFast> {
    match thread.vspace.loadable() {
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
pub fn lets_go_on(faulted: Ref<Tcb>, answer: Plain) -> bool {
    match faulted.fault.get() {
        Some(Fault::Vm { .. } | Fault::Cap { .. }) => true,
        Some(Fault::UserException { .. } | Fault::UnknownSyscall { .. }) => answer.0.label() == 0,
        _ => false,
    }
}

/// Ends a fault that an answer with this message, of `thread`, lets go on.
#[inline(always)]
pub fn answer_fault<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, faulted: Ref<'k, Tcb>, answer: Plain) {
    // The commonest says nothing but to try again.
    if matches!(faulted.fault.get(), Some(Fault::Vm { .. })) {
        faulted.fault.set(None);
    } else if let Some(fault) = faulted.fault.take() {
        ipc::apply_fault_reply(k, thread, faulted, fault, answer.0);
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

/// What describes the message goes to the thread that gets it: first of all that is changed, so that it needs no registers any more.
#[inline(always)]
pub fn announce(to: Ref<Tcb>, message: Plain, badge: u64) {
    to.context.set_message_info(message.0.0);
    to.context.set_badge(badge);
}

/// The message, which was announced, goes from one thread to the other, and the processor goes on with that.
#[inline(always)]
pub fn deliver<'k>(k: Kernel<'k>, from: Ref<'k, Tcb>, to: Ref<'k, Tcb>, message: Plain, root: u64) -> Resumed {
    if message.length() != REGISTER_WORDS {
        return deliver_other(k, from, to, root);
    }
    from.context.copy_message(&to.get().context);
    run_inline(k, from, to, root)
}

/// The same for a message of more words than there are registers, or of some. It's called last, so that the commonest case needs few registers.
#[inline(never)]
fn deliver_other<'k>(k: Kernel<'k>, from: Ref<'k, Tcb>, to: Ref<'k, Tcb>, root: u64) -> Resumed {
    let info = MessageInfo(to.context.message_info());
    if info.length() != 0 {
        copy_words(k, from, to, info);
    }
    run(k, from, to, root)
}

/// The message goes from one thread to the other.
#[inline(always)]
pub fn hand_over<'k>(k: Kernel<'k>, from: Ref<'k, Tcb>, to: Ref<'k, Tcb>, message: Plain, badge: u64) {
    announce(to, message, badge);
    copy_words(k, from, to, message.0);
}

#[inline(always)]
fn copy_words<'k>(k: Kernel<'k>, from: Ref<'k, Tcb>, to: Ref<'k, Tcb>, info: MessageInfo) {
    from.context.copy_some_message(&to.get().context, info.length());
    if info.length() > REGISTER_WORDS {
        copy_long(k, from, to, info);
    }
}

/// The words that don't fit in registers go from one buffer to the other; they are lost if there aren't two.
#[inline(always)]
fn copy_long<'k>(k: Kernel<'k>, from: Ref<'k, Tcb>, to: Ref<'k, Tcb>, info: MessageInfo) {
    let length = match (Buffer::of(k, from, false), Buffer::of(k, to, true)) {
        (Some(source), Some(target)) => {
            let length = info.length().min(MAX_LENGTH);
            target.copy_words(source, MSG_WORD + REGISTER_WORDS, length - REGISTER_WORDS);
            length
        }
        _ => REGISTER_WORDS,
    };
    if length != info.length() {
        to.context.set_message_info(MessageInfo::new(info.label(), 0, 0, length as u64).0);
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
#[inline(never)]
pub fn run<'k>(k: Kernel<'k>, from: Ref<'k, Tcb>, to: Ref<'k, Tcb>, root: u64) -> Resumed {
    run_inline(k, from, to, root)
}

/// The same, for the commonest.
#[inline(always)]
fn run_inline<'k>(k: Kernel<'k>, from: Ref<'k, Tcb>, to: Ref<'k, Tcb>, root: u64) -> Resumed {
    k.current.set(Some(to));
    let (old, new) = (&from.get().context, &to.get().context);
    let resumed = arch::switch_context(new);
    arch::activate_vspace(root);
    match old.extended.get() | new.extended.get() {
        0 => return resumed,
        Context::FS => arch::load_fs_base(new),
        Context::FPU => switch_fpu(k, to),
        extended => return switch_extended(k, from, to, extended),
    }
    arch::current_context()
}

/// The rest where the two have more than one thing beside their general registers: segment bases in any case.
#[inline(never)]
fn switch_extended<'k>(k: Kernel<'k>, from: Ref<'k, Tcb>, to: Ref<'k, Tcb>, extended: u64) -> Resumed {
    if extended & Context::BASES != 0 {
        arch::switch_bases(&from.get().context, &to.get().context);
    } else {
        arch::load_fs_base(&to.get().context);
    }
    if extended & Context::FPU != 0 {
        switch_fpu(k, to);
    }
    arch::current_context()
}

/// The FPU is there at once for the thread whose state is in it, and for another one when it asks.
#[inline(always)]
fn switch_fpu<'k>(k: Kernel<'k>, to: Ref<'k, Tcb>) {
    if k.fpu_owner.is(to) {
        arch::fpu_enable();
    } else {
        arch::fpu_disable();
    }
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
    thread: Ref<'k, Tcb>,
    endpoint: Ref<'k, Endpoint>,
    rights: CapRights,
    reply: Ref<'k, Reply>,
) {
    thread.blocked_rights.set(rights);
    reply.tcb.set(Some(thread));
    thread.reply.set(Some(reply));
    thread.state.set(ThreadState::BlockedOnReceive);
    thread.endpoint.set(Some(endpoint));
    thread.place.set(Place::Object);
    endpoint.queue.push_alone(thread);
}

/// A thread has left the queue that it was blocked in.
#[inline(always)]
pub fn leave_queue(thread: Ref<Tcb>) {
    thread.place.set(Place::Nowhere);
    thread.state.set(ThreadState::Running);
}
