//! Communication: endpoints, notifications and reply objects.

use super::capability;
use crate::{message::Received, sys};
use chestnut_abi::MessageInfo;

capability!(
    /// A rendezvous point for messages.
    Endpoint
);
capability!(
    /// A word of flags that signals set and one wait takes.
    Notification
);
capability!(
    /// Who is to be answered.
    Reply
);

impl Endpoint {
    /// Sends and waits for the answer. Words beyond the fourth and capabilities: [`crate::message::encode`].
    #[inline]
    pub fn call(self, info: MessageInfo, words: [u64; 4]) -> Received {
        sys::call(self.0, info, words)
    }

    /// Sends, waiting for a receiver.
    #[inline]
    pub fn send(self, info: MessageInfo, words: [u64; 4]) {
        sys::send(self.0, info, words);
    }

    /// Sends if a receiver waits already.
    #[inline]
    pub fn nb_send(self, info: MessageInfo, words: [u64; 4]) {
        sys::nb_send(self.0, info, words);
    }

    /// Receives a message or, if a notification is bound to the thread, its signals (badge, empty message).
    #[inline]
    pub fn recv(self, reply: Reply) -> Received {
        sys::recv(self.0, reply.0)
    }

    /// Receives what is there already; badge 0 if nothing is.
    #[inline]
    pub fn nb_recv(self, reply: Reply) -> Received {
        sys::nb_recv(self.0, reply.0)
    }

    /// Answers the caller that `reply` holds, then receives with the same reply object.
    #[inline]
    pub fn reply_recv(self, info: MessageInfo, words: [u64; 4], reply: Reply) -> Received {
        sys::reply_recv(self.0, info, words, reply.0)
    }
}

impl Notification {
    /// Sets the capability's badge in the word and wakes a waiter.
    #[inline]
    pub fn signal(self) {
        sys::send(self.0, MessageInfo::default(), [0; 4]);
    }

    /// Waits until the word is not 0, takes and clears it.
    #[inline]
    pub fn wait(self) -> u64 {
        sys::wait(self.0).badge
    }

    /// Takes and clears the word, which may be 0.
    #[inline]
    pub fn poll(self) -> u64 {
        sys::nb_wait(self.0).badge
    }
}

impl Reply {
    /// Answers the caller.
    #[inline]
    pub fn send(self, info: MessageInfo, words: [u64; 4]) {
        sys::send(self.0, info, words);
    }
}
