//! Receiving: recv(2), recvfrom(2), recvmsg(2).

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::time::Duration;

use super::message::Message;
use super::send::DATAGRAMS_MAX;
use super::{MessageFlags, ProcessCredentials, Socket, address};
use crate::buffer::{Sink, partial};
use crate::open::OpenFile;
use crate::wait::{Events, retry};
use crate::{Errno, Result};

/// What came with the bytes of one receive.
#[derive(Default)]
pub struct Received {
    /// What the call returns: bytes; the message's true length with MSG_TRUNC.
    pub count: usize,
    /// `msg_flags`: MSG_TRUNC. Ends of records aren't told, as Linux doesn't in this domain.
    pub flags: MessageFlags,
    /// The sender's `sockaddr_un`, if it has a name.
    pub from: Option<Vec<u8>>,
    /// The sender, if SO_PASSCRED is on.
    pub credentials: Option<ProcessCredentials>,
    /// Files that came along. Dropping them closes them.
    pub rights: Vec<Rc<OpenFile>>,
}

impl Socket {
    /// recv(2), now. A stream gives what there is, up to the end of a message that brought files; others one message, the rest of
    /// which is lost unless peeked at. No bytes mean the end. `ENOTCONN`, `EINVAL` for a socket that can't be read,
    /// `ECONNRESET` once.
    pub fn try_receive(&self, flags: MessageFlags, sink: &mut dyn Sink) -> Result<Received> {
        if flags.contains(MessageFlags::OUT_OF_BAND) {
            return Err(if self.is_stream() { Errno::EINVAL } else { Errno::EOPNOTSUPP });
        }
        let connected = self.peer.borrow().is_some();
        match self.kind {
            super::SocketKind::Stream if !connected => return Err(Errno::EINVAL),
            super::SocketKind::Sequence if !connected => return Err(Errno::ENOTCONN),
            _ => {}
        }
        if self.queue.borrow().is_empty() {
            return self.receive_nothing(flags, sink);
        }
        if self.is_stream() { self.receive_stream(flags, sink) } else { self.receive_message(flags, sink) }
    }

    /// Whether a receive that finds nothing waits for as long as it takes: messages may come, and there is no SO_RCVTIMEO.
    pub fn waits_for_messages(&self) -> bool {
        !self.shut_reading.get() && !self.has_receive_timeout()
    }

    /// recv(2): waits unless `nonblocking` or MSG_DONTWAIT, at most SO_RCVTIMEO; with MSG_WAITALL a stream waits until the sink is
    /// full, the stream ends or files come. Dropped then, it has received what is in the sink; else it loses nothing.
    pub async fn receive(&self, flags: MessageFlags, nonblocking: bool, sink: &mut dyn Sink) -> Result<Received> {
        let deadline = self.receive_deadline(nonblocking || flags.contains(MessageFlags::DO_NOT_WAIT));
        let whole = flags.contains(MessageFlags::WAIT_FOR_ALL) && self.is_stream();
        let mut received: Option<Received> = None;
        loop {
            let attempt = || match self.try_receive(flags, sink) {
                // Nothing will come: who would wait is told of the end.
                Err(Errno::EAGAIN) if self.shut_reading.get() && deadline != Some(Duration::ZERO) => {
                    Ok(Received::default())
                }
                result => result,
            };
            let step = retry(&[&self.waiters], Events::READABLE, self.space.clock(), deadline, attempt).await;
            let step = match (step, received) {
                (Err(error), None) => return Err(error),
                (Err(_), Some(before)) => return Ok(before),
                (Ok(step), None) => step,
                (Ok(step), Some(before)) => {
                    let ended = step.count == 0;
                    let joined = Received { count: before.count + step.count, rights: step.rights, ..before };
                    if ended {
                        return Ok(joined);
                    }
                    joined
                }
            };
            let goes_on = step.count > 0 && step.rights.is_empty() && sink.remaining() > 0;
            if !whole || !goes_on || flags.contains(MessageFlags::PEEK) {
                return Ok(step);
            }
            received = Some(step);
        }
    }

    fn receive_nothing(&self, flags: MessageFlags, sink: &dyn Sink) -> Result<Received> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let ended = self.shut_reading.get() && !self.is_datagram();
        let wants_nothing = self.is_stream() && sink.remaining() == 0 && !flags.contains(MessageFlags::PEEK);
        if ended || wants_nothing { Ok(Received::default()) } else { Err(Errno::EAGAIN) }
    }

    fn receive_stream(&self, flags: MessageFlags, sink: &mut dyn Sink) -> Result<Received> {
        let peek = flags.contains(MessageFlags::PEEK);
        let checks_sender = self.options.pass_credentials.get();
        let mut received = Received::default();
        let mut sender = None;
        let mut looked_at = 0;
        let mut done: Vec<Message> = Vec::new();
        while sink.remaining() > 0 {
            let mut queue = self.queue.borrow_mut();
            let Some(message) = queue.get_mut(looked_at) else { break };
            // What different processes sent isn't joined when somebody asks who they are.
            if checks_sender && sender.is_some_and(|sender| sender != message.sender) {
                break;
            }
            let wanted = message.rest().len().min(sink.remaining());
            let stored = partial(received.count, sink.put(&message.rest()[..wanted]))?;
            if stored == 0 {
                break;
            }
            if sender.is_none() {
                sender = Some(message.sender);
                received.describe(self, message);
            }
            received.count += stored;
            let brought = received.take_rights(message, peek);
            let finished = stored == message.rest().len();
            if peek {
                looked_at += 1;
            } else {
                message.consume(stored);
                done.extend(if finished { queue.pop_front() } else { None });
            }
            if brought || !finished {
                break;
            }
        }
        // The sender hears of room when messages are dropped, with nothing borrowed.
        drop(done);
        Ok(received)
    }

    fn receive_message(&self, flags: MessageFlags, sink: &mut dyn Sink) -> Result<Received> {
        let mut received = Received::default();
        let mut queue = self.queue.borrow_mut();
        let message = queue.front_mut().ok_or(Errno::EAGAIN)?;
        let length = message.rest().len();
        let wanted = length.min(sink.remaining());
        if wanted > 0 && sink.put(&message.rest()[..wanted])? < wanted {
            return Err(Errno::EFAULT);
        }
        received.describe(self, message);
        received.take_rights(message, flags.contains(MessageFlags::PEEK));
        received.flags.set(MessageFlags::TRUNCATED, wanted < length);
        received.count = if flags.contains(MessageFlags::TRUNCATED) { length } else { wanted };
        let done = if flags.contains(MessageFlags::PEEK) { None } else { queue.pop_front() };
        // Others wait only while there are more.
        let has_room_again = done.is_some() && queue.len() == DATAGRAMS_MAX;
        drop(queue);
        if has_room_again {
            self.room.wake(Events::WRITABLE);
            self.wake_followers();
        }
        drop(done);
        Ok(received)
    }
}

impl Received {
    /// Who sent it.
    fn describe(&mut self, socket: &Socket, message: &Message) {
        self.from = message.from.as_ref().map(|name| address::encode(Some(name)));
        self.credentials = socket.options.pass_credentials.get().then_some(message.sender);
    }

    /// Takes a message's files, or looks at them; were there any?
    fn take_rights(&mut self, message: &mut Message, peek: bool) -> bool {
        let rights = match &message.rights {
            Some(rights) if peek => rights.files().to_vec(),
            Some(_) => message.rights.take().map_or_else(Vec::new, |rights| rights.land()),
            None => return false,
        };
        self.rights.extend(rights);
        true
    }
}
