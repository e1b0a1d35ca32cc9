//! Sending and receiving through endpoints: whoever comes first waits, by priority and then in order of arrival.

use super::message::{self, ExtraCaps};
use super::{call_stack, cancel, fault_message, signal, waiting};
use crate::mem::Ref;
use crate::object::{Endpoint, Kernel, Reply, Tcb, ThreadState};
use crate::time;
use chestnut_abi::CapRights;

/// How a message is sent.
#[derive(Clone, Copy)]
pub struct Sending<'k> {
    pub badge: u64,
    /// Of the endpoint capability: grant lets capabilities go along, grant or grant-reply lets the receiver reply.
    pub rights: CapRights,
    /// The sender waits if nobody receives.
    pub blocking: bool,
    /// The sender waits for a reply.
    pub call: bool,
    /// The sender's scheduling context may go along to a passive receiver.
    pub donate: bool,
    pub caps: ExtraCaps<'k>,
}

impl Sending<'_> {
    fn may_be_replied_to(rights: CapRights) -> bool {
        rights.contains(CapRights::GRANT) || rights.contains(CapRights::GRANT_REPLY)
    }
}

/// What a receive came to at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Received {
    Message,
    /// The thread waits.
    Blocked,
    /// A non-blocking receive found nothing: the badge register is 0.
    Nothing,
}

/// Sends the current message (or the fault) of `sender` through an endpoint.
pub fn send<'k>(k: Kernel<'k>, sender: Ref<'k, Tcb>, endpoint: Ref<'k, Endpoint>, how: Sending<'k>) {
    if !endpoint.has_receivers(k) {
        if how.blocking {
            waiting::wait_at_endpoint(k, sender, endpoint, ThreadState::BlockedOnSend);
            sender.blocked_rights.set(how.rights);
            sender.blocked_badge.set(how.badge);
            sender.is_call.set(how.call);
        }
        return;
    }
    let Some(receiver) = take_first(k, endpoint) else { return };
    let reply = receiver.reply.take(k);
    if let Some(reply) = reply {
        reply.tcb.clear();
    }
    copy(k, sender, receiver, endpoint, how.badge, how.rights, Some(how.caps));
    if how.call || sender.fault.get().is_some() {
        match reply.filter(|_| Sending::may_be_replied_to(how.rights)) {
            Some(reply) => call_stack::push(k, sender, receiver, reply, how.donate),
            None => leave_unanswered(sender),
        }
    } else if how.donate
        && receiver.sched_context.is_none()
        && let Some(context) = sender.sched_context.get(k)
    {
        time::donate(k, context, receiver);
    }
    receiver.state.set(ThreadState::Running);
    time::wake(k, receiver);
}

/// Receives through an endpoint; `reply` is the object that a caller is to wait on.
pub fn receive<'k>(
    k: Kernel<'k>,
    receiver: Ref<'k, Tcb>,
    endpoint: Ref<'k, Endpoint>,
    rights: CapRights,
    reply: Option<Ref<'k, Reply>>,
    blocking: bool,
) -> Received {
    if let Some(reply) = reply
        && let Some(earlier) = reply.tcb.get(k)
        && earlier != receiver
    {
        // The object still has a caller that nobody will answer any more.
        cancel::cancel(k, earlier);
    }
    if let Some(notification) = receiver.bound_notification.get(k)
        && notification.active.get()
    {
        signal::complete_signal(k, receiver, notification);
        return Received::Message;
    }
    if !endpoint.has_senders(k) {
        if !blocking {
            receiver.context.set_badge(0);
            return Received::Nothing;
        }
        waiting::wait_at_endpoint(k, receiver, endpoint, ThreadState::BlockedOnReceive);
        receiver.blocked_rights.set(rights);
        receiver.reply.set(reply);
        if let Some(reply) = reply {
            reply.tcb.set(Some(receiver));
        }
        signal::return_lent_context(k, receiver);
        return Received::Blocked;
    }
    let Some(sender) = take_first(k, endpoint) else { return Received::Nothing };
    let (badge, its_rights) = (sender.blocked_badge.get(), sender.blocked_rights.get());
    let caps = its_rights.contains(CapRights::GRANT).then(|| {
        let info = chestnut_abi::MessageInfo(sender.context.message_info());
        ExtraCaps::look_up(k, sender, info).unwrap_or_default()
    });
    copy(k, sender, receiver, endpoint, badge, its_rights, caps);
    if sender.is_call.get() || sender.fault.get().is_some() {
        match reply.filter(|_| Sending::may_be_replied_to(its_rights)) {
            Some(reply) => {
                let donate = sender.sched_context.get(k).is_some() && !fault_message::is_timeout(sender);
                call_stack::push(k, sender, receiver, reply, donate);
            }
            None => leave_unanswered(sender),
        }
    } else {
        sender.state.set(ThreadState::Running);
        time::wake(k, sender);
    }
    Received::Message
}

fn copy<'k>(
    k: Kernel<'k>,
    sender: Ref<'k, Tcb>,
    receiver: Ref<'k, Tcb>,
    endpoint: Ref<'k, Endpoint>,
    badge: u64,
    rights: CapRights,
    caps: Option<ExtraCaps<'k>>,
) {
    match sender.fault.get() {
        Some(fault) => fault_message::write(k, sender, receiver, fault, badge),
        None => {
            let caps = caps.filter(|_| rights.contains(CapRights::GRANT));
            message::transfer(k, sender, receiver, Some(endpoint), badge, caps);
        }
    }
}

/// The sender wants an answer and nobody can give one: it stops. What it had to report has been reported.
fn leave_unanswered(sender: Ref<Tcb>) {
    sender.fault.set(None);
    sender.state.set(ThreadState::Inactive);
}

fn take_first<'k>(k: Kernel<'k>, endpoint: Ref<'k, Endpoint>) -> Option<Ref<'k, Tcb>> {
    let thread = endpoint.queue.first(k)?;
    waiting::leave_endpoint(k, thread, endpoint);
    Some(thread)
}
