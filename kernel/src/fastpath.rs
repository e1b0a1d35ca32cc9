//! The short way for Call and ReplyRecv with messages of words, and for signals.
//!
//! It does what the general way would do, for the common cases only, and says [`NotFast`] before it has changed anything (but the clock
//! that was read) if the case is another one. The commonest case, of at most four words, a CSpace of one level and a passive server, is
//! apart from the other common ones, so that it needs few registers. The checks of Call and ReplyRecv, and why they are enough:
//!
//! 1. The message has words only, no capabilities. Those beyond the fourth are copied if both threads have buffers for them.
//! 2. The capability is found, through the cached CSpace root or by walking, and allows what is asked.
//! 3. The partner waits already, so that nobody blocks but the caller, and nothing is queued but the server.
//! 4. Nobody who is ready outranks the partner: so the partner runs next, and the scheduler needn't choose.
//! 5. The partner's address space may be loaded.
//! 6. Time: either the caller's scheduling context goes along and comes back with the reply (passive server), where it runs on and its
//!    end is still what the timer is set to; or both have contexts of their own (active server), and then the clock is read, the one that ran is charged,
//!    and the one that runs next has budget.
//!
//! And of a signal: no capability has to be looked up beside it; the notification's capability allows it; if somebody waits, then on a scheduling
//! context of its own that has budget and that isn't sporadic, and the priorities alone say which of the two runs next; if nobody does, no thread that is bound
//! to the notification waits elsewhere.
//!
//! Faults, other system calls, and everything else go the general way.
#![forbid(unsafe_code)]

use crate::arch;
use crate::cap::{Cap, Kind};
use crate::ipc::Buffer;
use crate::mem::Ref;
use crate::object::{Above, Endpoint, Kernel, Notification, Place, Reply, SchedContext, Tcb, ThreadState};
use crate::time;
use chestnut_abi::ipc_buffer::MSG_WORD;
use chestnut_abi::message::{MAX_LENGTH, REGISTER_WORDS};
use chestnut_abi::{CapRights, MessageInfo, Syscall};

/// The case isn't a common one; nothing has been changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFast;

/// The case isn't the commonest one; nothing has been changed.
enum Miss {
    /// It may be one of the other common ones.
    Commonest,
    /// It is for the general way.
    Common,
}

impl From<Miss> for NotFast {
    fn from(_: Miss) -> Self {
        Self
    }
}

/// Unwrapped capabilities (not the sender's to say), extra capabilities and length.
const SIZE: u64 = 0xfff;

/// Makes the system call of `thread`, which runs, if it is a common one.
pub fn system_call<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<(), NotFast> {
    const CALL: i64 = Syscall::Call as i64;
    const REPLY_RECV: i64 = Syscall::ReplyRecv as i64;
    match thread.context.system_call_number() {
        CALL => call(k, thread),
        REPLY_RECV => reply_recv(k, thread),
        _ => signal(k, thread),
    }
}

/// Makes a Send or NBSend of `thread`, which runs, if it is a signal, whose message means nothing.
///
/// What the general way does besides: it reads the clock first. Here that is left to the timer, which is still set to the end of the
/// running thread's budget, unless another scheduling context is to run.
#[inline(always)]
pub fn signal<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<(), NotFast> {
    const SEND: i64 = Syscall::Send as i64;
    const NB_SEND: i64 = Syscall::NBSend as i64;
    if !matches!(thread.context.system_call_number(), SEND | NB_SEND) {
        return Err(NotFast);
    }
    if MessageInfo(thread.context.message_info()).extra_caps() != 0 {
        return Err(NotFast);
    }
    let slot = thread.cspace.get().slot(k.entry(), thread.context.capability_register()).ok_or(NotFast)?;
    let cap = slot.cap();
    let notification = cap.as_notification(k).filter(|_| cap.rights().contains(CapRights::WRITE)).ok_or(NotFast)?;
    let Some(waiter) = notification.queue.first(k) else { return leave_signal(k, notification, cap.badge()) };
    let own = waiter.sched_context.get(k).filter(|own| !own.sporadic.get()).ok_or(NotFast)?;
    let root = loadable(k, waiter)?;
    begin(k, own)?;
    if time::is_expired(k) || !thread.is_schedulable(k) {
        return Err(NotFast);
    }
    let (its, mine) = (waiter.priority.get(), thread.priority.get());
    if its == mine || its > mine && !time::outranks_ready(k, waiter) {
        return Err(NotFast);
    }

    notification.queue.pop_front(k, waiter);
    waiter.waiting_on.clear();
    waiter.place.set(Place::Nowhere);
    waiter.state.set(ThreadState::Running);
    waiter.context.set_badge(cap.badge());
    if its < mine {
        time::enqueue_front(k, waiter);
        return Ok(());
    }
    time::enqueue_front(k, thread);
    k.current.set(Some(waiter));
    time::switched_to(k, own);
    run(k, thread, waiter, root);
    Ok(())
}

/// Nobody waits: the signal is kept, unless a thread that is bound to the notification waits elsewhere.
#[inline(always)]
fn leave_signal<'k>(k: Kernel<'k>, notification: Ref<'k, Notification>, badge: u64) -> Result<(), NotFast> {
    if notification.active.get() {
        notification.badge.set(notification.badge.get() | badge);
        return Ok(());
    }
    if notification.bound_tcb.get(k).is_some_and(|bound| bound.state.get() == ThreadState::BlockedOnReceive) {
        return Err(NotFast);
    }
    notification.badge.set(badge);
    notification.active.set(true);
    Ok(())
}

/// The message of the running thread, if it has words only, and, in the commonest case, no more than fit in registers.
#[inline(always)]
fn plain_message<const COMMONEST: bool>(thread: Ref<Tcb>) -> Result<MessageInfo, Miss> {
    let info = thread.context.message_info();
    let most = if COMMONEST { REGISTER_WORDS } else { MAX_LENGTH };
    if info & SIZE <= most as u64 {
        Ok(MessageInfo(info))
    } else if info & SIZE <= MAX_LENGTH as u64 {
        Err(Miss::Commonest)
    } else {
        Err(Miss::Common)
    }
}

/// The buffers for the words that don't fit in registers; both must be there if there are such words.
#[inline(always)]
fn buffers<'k, const COMMONEST: bool>(
    k: Kernel<'k>,
    info: MessageInfo,
    from: Ref<'k, Tcb>,
    to: Ref<'k, Tcb>,
) -> Result<Option<(Buffer<'k>, Buffer<'k>)>, Miss> {
    if COMMONEST || info.length() <= REGISTER_WORDS {
        return Ok(None);
    }
    match (Buffer::of(k, from, false), Buffer::of(k, to, true)) {
        (Some(from), Some(to)) => Ok(Some((from, to))),
        _ => Err(Miss::Common),
    }
}

/// Makes a Call of `thread`, which runs, if it is a common one.
#[inline(always)]
pub fn call<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<(), NotFast> {
    match find_server::<true>(k, thread) {
        Ok((info, badge, endpoint, server)) if server.sched_context.is_none() => {
            Ok(call_server::<true>(k, thread, info, badge, endpoint, server)?)
        }
        Ok((info, badge, endpoint, server)) => call_common_server(k, thread, info, badge, endpoint, server),
        Err(Miss::Commonest) => common_call(k, thread),
        Err(Miss::Common) => Err(NotFast),
    }
}

#[inline(never)]
fn common_call<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<(), NotFast> {
    let (info, badge, endpoint, server) = find_server::<false>(k, thread)?;
    call_common_server(k, thread, info, badge, endpoint, server)
}

/// Who receives the call: message information, badge, endpoint and server.
#[inline(always)]
fn find_server<'k, const COMMONEST: bool>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
) -> Result<(MessageInfo, u64, Ref<'k, Endpoint>, Ref<'k, Tcb>), Miss> {
    let info = plain_message::<COMMONEST>(thread)?;
    let cap = find::<COMMONEST>(k, thread, thread.context.capability_register())?;
    let endpoint = cap.as_callable_endpoint(k).ok_or(Miss::Common)?;
    let server = endpoint.queue.first(k).ok_or(Miss::Common)?;
    if server.state.get() != ThreadState::BlockedOnReceive || !time::outranks_ready(k, server) {
        return Err(Miss::Common);
    }
    Ok((info, cap.badge(), endpoint, server))
}

#[inline(never)]
fn call_common_server<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: MessageInfo,
    badge: u64,
    endpoint: Ref<'k, Endpoint>,
    server: Ref<'k, Tcb>,
) -> Result<(), NotFast> {
    Ok(call_server::<false>(k, thread, info, badge, endpoint, server)?)
}

/// Calls the server, which in the commonest case is passive.
#[inline(always)]
fn call_server<'k, const COMMONEST: bool>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: MessageInfo,
    badge: u64,
    endpoint: Ref<'k, Endpoint>,
    server: Ref<'k, Tcb>,
) -> Result<(), Miss> {
    let reply = server.reply.get(k).ok_or(Miss::Common)?;
    let context = thread.sched_context.get(k).ok_or(Miss::Common)?;
    let root = loadable(k, server)?;
    let long = buffers::<COMMONEST>(k, info, thread, server)?;
    match server.sched_context.get(k).filter(|_| !COMMONEST) {
        None => {
            let below = context.reply.get(k);
            if let Some(below) = below {
                below.set_above(Above::Reply(reply));
            }
            reply.below.set(below);
            reply.set_above(Above::SchedContext(context));
            context.reply.set(Some(reply));
            give(context, thread, server);
            deliver_call(k, thread, server, endpoint, reply);
            hand_over(k, thread, server, info, long, badge);
        }
        Some(own) => {
            begin(k, own)?;
            deliver_call(k, thread, server, endpoint, reply);
            hand_over(k, thread, server, info, long, badge);
            time::switched_to(k, own);
        }
    }
    run(k, thread, server, root);
    Ok(())
}

/// The server waits no more; the caller waits for the reply.
#[inline(always)]
fn deliver_call<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    server: Ref<'k, Tcb>,
    endpoint: Ref<'k, Endpoint>,
    reply: Ref<'k, Reply>,
) {
    endpoint.queue.pop_front(k, server);
    server.endpoint.clear();
    server.place.set(Place::Nowhere);
    server.state.set(ThreadState::Running);
    server.reply.clear();
    thread.state.set(ThreadState::BlockedOnReply);
    thread.reply.set(Some(reply));
    reply.tcb.set(Some(thread));
}

/// The message goes from one thread to the other, which is current now.
#[inline(always)]
fn hand_over<'k>(
    k: Kernel<'k>,
    from: Ref<'k, Tcb>,
    to: Ref<'k, Tcb>,
    info: MessageInfo,
    long: Option<(Buffer<'k>, Buffer<'k>)>,
    badge: u64,
) {
    from.context.copy_message(&to.get().context, info.length());
    if let Some((source, target)) = long {
        target.copy_words(source, MSG_WORD + REGISTER_WORDS, info.length() - REGISTER_WORDS);
    }
    to.context.set_message_info(info.0);
    to.context.set_badge(badge);
    k.current.set(Some(to));
}

/// Before a thread runs on a scheduling context of its own: counts what the one before it used, and sees whether there is time.
#[inline(always)]
fn begin<'k>(k: Kernel<'k>, own: Ref<'k, SchedContext>) -> Result<(), Miss> {
    time::read_clock(k);
    if time::has_time(k, own) { Ok(()) } else { Err(Miss::Common) }
}

/// Makes a ReplyRecv of `thread`, which runs, if it is a common one.
#[inline(always)]
pub fn reply_recv<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<(), NotFast> {
    match find_caller::<true>(k, thread) {
        Ok((info, cap, reply, caller)) if caller.sched_context.is_none() => {
            Ok(answer::<true>(k, thread, info, cap, reply, caller)?)
        }
        Ok((info, cap, reply, caller)) => answer_common_caller(k, thread, info, cap, reply, caller),
        Err(Miss::Commonest) => common_reply_recv(k, thread),
        Err(Miss::Common) => Err(NotFast),
    }
}

#[inline(never)]
fn common_reply_recv<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<(), NotFast> {
    let (info, cap, reply, caller) = find_caller::<false>(k, thread)?;
    answer_common_caller(k, thread, info, cap, reply, caller)
}

/// Who is answered: message information, the capability to receive through, reply object and caller.
#[inline(always)]
fn find_caller<'k, const COMMONEST: bool>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
) -> Result<(MessageInfo, Cap, Ref<'k, Reply>, Ref<'k, Tcb>), Miss> {
    let info = plain_message::<COMMONEST>(thread)?;
    let reply = find::<COMMONEST>(k, thread, thread.context.reply_register())?.as_reply(k).ok_or(Miss::Common)?;
    let cap = find::<COMMONEST>(k, thread, thread.context.capability_register())?;
    if cap.kind() != Kind::Endpoint || !cap.rights().contains(CapRights::READ) {
        return Err(Miss::Common);
    }
    if let Some(bound) = thread.bound_notification.get(k)
        && (bound.active.get() || !bound.sched_context.is_none())
    {
        return Err(Miss::Common);
    }
    let caller = reply.tcb.get(k).ok_or(Miss::Common)?;
    if caller.state.get() != ThreadState::BlockedOnReply
        || caller.fault.get().is_some()
        || !time::outranks_ready(k, caller)
    {
        return Err(Miss::Common);
    }
    Ok((info, cap, reply, caller))
}

#[inline(never)]
fn answer_common_caller<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: MessageInfo,
    cap: Cap,
    reply: Ref<'k, Reply>,
    caller: Ref<'k, Tcb>,
) -> Result<(), NotFast> {
    Ok(answer::<false>(k, thread, info, cap, reply, caller)?)
}

/// Answers the caller, whose scheduling context in the commonest case was lent, and receives.
#[inline(always)]
fn answer<'k, const COMMONEST: bool>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    info: MessageInfo,
    cap: Cap,
    reply: Ref<'k, Reply>,
    caller: Ref<'k, Tcb>,
) -> Result<(), Miss> {
    let endpoint = cap.as_endpoint(k).filter(|endpoint| endpoint.queue.is_empty()).ok_or(Miss::Common)?;
    let context = thread.sched_context.get(k).ok_or(Miss::Common)?;
    let root = loadable(k, caller)?;
    let long = buffers::<COMMONEST>(k, info, thread, caller)?;
    match (caller.sched_context.get(k).filter(|_| !COMMONEST), reply.above(k)) {
        // It was lent: the server goes back to being passive.
        (None, Above::SchedContext(lent)) if lent == context => {
            let below = reply.below.take(k);
            context.reply.set(below);
            if let Some(below) = below {
                below.set_above(Above::SchedContext(context));
            }
            reply.set_above(Above::Nothing);
            give(context, thread, caller);
            deliver_reply(k, thread, caller, endpoint, reply, cap.rights());
            hand_over(k, thread, caller, info, long, 0);
        }
        (Some(own), Above::Nothing) => {
            begin(k, own)?;
            deliver_reply(k, thread, caller, endpoint, reply, cap.rights());
            hand_over(k, thread, caller, info, long, 0);
            time::switched_to(k, own);
        }
        _ => return Err(Miss::Common),
    }
    run(k, thread, caller, root);
    Ok(())
}

/// The caller waits no more; the server waits for the next call, with the same reply object.
#[inline(always)]
fn deliver_reply<'k>(
    k: Kernel<'k>,
    thread: Ref<'k, Tcb>,
    caller: Ref<'k, Tcb>,
    endpoint: Ref<'k, Endpoint>,
    reply: Ref<'k, Reply>,
    rights: CapRights,
) {
    caller.reply.clear();
    caller.state.set(ThreadState::Running);
    reply.tcb.set(Some(thread));
    thread.reply.set(Some(reply));
    thread.state.set(ThreadState::BlockedOnReceive);
    thread.blocked_rights.set(rights);
    thread.endpoint.set(Some(endpoint));
    thread.place.set(Place::Object);
    endpoint.queue.push_back(k, thread);
}

/// The capability at an address of the thread's CSpace; in the commonest case that is one CNode.
#[inline(always)]
fn find<'k, const COMMONEST: bool>(k: Kernel<'k>, thread: Ref<'k, Tcb>, address: u64) -> Result<Cap, Miss> {
    let slot = match thread.cspace.get().slot(k.entry(), address) {
        Some(slot) => slot,
        None if COMMONEST => return Err(Miss::Commonest),
        None => thread.named_slot(k, address).map_err(|_| Miss::Common)?,
    };
    Ok(slot.cap())
}

/// What to load in the processor for a thread's address space, if it has one.
#[inline(always)]
fn loadable<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>) -> Result<u64, Miss> {
    match thread.vspace.get(k).map_or(0, |root| root.loadable()) {
        0 => Err(Miss::Common),
        root => Ok(root),
    }
}

/// Moves a scheduling context from one thread to another.
#[inline(always)]
fn give<'k>(context: Ref<'k, SchedContext>, from: Ref<'k, Tcb>, to: Ref<'k, Tcb>) {
    from.sched_context.clear();
    to.sched_context.set(Some(context));
    context.tcb.set(Some(to));
}

/// The processor goes on with `to`, which is current; `from` was until now.
#[inline(always)]
fn run<'k>(k: Kernel<'k>, from: Ref<'k, Tcb>, to: Ref<'k, Tcb>, root: u64) {
    arch::activate_vspace(root);
    if k.fpu_owner.is(to) {
        arch::fpu_enable();
    } else {
        arch::fpu_disable();
    }
    arch::switch_context(&from.get().context, &to.get().context);
}
