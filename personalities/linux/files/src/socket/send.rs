//! Sending: send(2), sendto(2), sendmsg(2).

use alloc::rc::Rc;

use super::address::{Address, decode};
use super::ancillary::Ancillary;
use super::flight::Rights;
use super::message::{Message, STREAM_MESSAGE};
use super::{MessageFlags, ProcessCredentials, Socket};
use crate::buffer::{Source, partial};
use crate::caller::Caller;
use crate::vfs::Vfs;
use crate::wait::{Events, retry};
use crate::{Errno, Result};

/// Messages in a datagram socket's queue, beyond which only its own peer may send (/proc/sys/net/unix/max_dgram_qlen).
pub(super) const DATAGRAMS_MAX: usize = 10;

/// What goes with the bytes of one send.
pub struct Outgoing {
    to: Option<Rc<Socket>>,
    sender: ProcessCredentials,
    rights: Option<Rights>,
    /// Bytes that are on their way already (streams).
    sent: usize,
}

impl Outgoing {
    /// For a send whose future was dropped by a signal: so many bytes are on their way.
    pub fn sent(&self) -> usize {
        self.sent
    }
}

impl Socket {
    /// Looks at all arguments of a send but its bytes. `address` is the `sockaddr` of sendto(2) or `msg_name`.
    ///
    /// `EISCONN`, `EOPNOTSUPP` for a stream with an address; `EPERM` for credentials that aren't the caller's; `EINVAL`,
    /// `ETOOMANYREFS` for files; and the errors of finding an address.
    pub fn outgoing(
        &self,
        vfs: &Vfs,
        caller: &Caller,
        address: Option<&[u8]>,
        ancillary: Ancillary,
    ) -> Result<Outgoing> {
        let own = ProcessCredentials::of(caller);
        let sender = ancillary.credentials.unwrap_or(own);
        if sender != own && !caller.credentials.privileged {
            return Err(Errno::EPERM);
        }
        let to = match address.filter(|address| !address.is_empty()) {
            Some(_) if self.is_stream() => {
                return Err(if self.peer.borrow().is_some() { Errno::EISCONN } else { Errno::EOPNOTSUPP });
            }
            Some(address) if self.is_datagram() => match decode(address)? {
                Address::Named(name) => Some(self.find(vfs, caller, &name)?),
                _ => return Err(Errno::EINVAL),
            },
            _ => None,
        };
        if self.options.pass_credentials.get() {
            self.bind_automatically()?;
        }
        let rights = match ancillary.rights {
            files if files.is_empty() => None,
            files => Some(Rights::new(&self.space, caller, files)?),
        };
        Ok(Outgoing { to, sender, rights, sent: 0 })
    }

    /// A send of bytes only, by whoever made the socket.
    pub(super) fn plain_outgoing(&self) -> Outgoing {
        Outgoing { to: None, sender: self.maker, rights: None, sent: 0 }
    }

    /// send(2), now. A stream takes what fits, others all or nothing. `EPIPE` (the server sends SIGPIPE unless MSG_NOSIGNAL),
    /// `ENOTCONN`, `ECONNREFUSED`, `EMSGSIZE`, `EOPNOTSUPP` for MSG_OOB.
    pub fn try_send(&self, outgoing: &mut Outgoing, flags: MessageFlags, source: &mut dyn Source) -> Result<usize> {
        if flags.contains(MessageFlags::OUT_OF_BAND) {
            return Err(Errno::EOPNOTSUPP);
        }
        if self.is_datagram() {
            return self.send_datagram(outgoing, source);
        }
        let peer = self.peer().ok_or(Errno::ENOTCONN)?;
        if self.shut_writing.get() || peer.shut_reading.get() {
            return Err(Errno::EPIPE);
        }
        if self.is_stream() {
            return self.send_stream(&peer, outgoing, source);
        }
        self.check_length(source)?;
        self.send_whole(&peer, outgoing, source)
    }

    /// send(2): waits for room unless `nonblocking` or MSG_DONTWAIT, at most SO_SNDTIMEO; a stream until all is sent.
    pub async fn send(
        &self,
        outgoing: &mut Outgoing,
        flags: MessageFlags,
        nonblocking: bool,
        source: &mut dyn Source,
    ) -> Result<usize> {
        let deadline = self.send_deadline(nonblocking || flags.contains(MessageFlags::DO_NOT_WAIT));
        loop {
            let target = outgoing.to.clone().or_else(|| self.peer());
            let room = target.as_ref().map_or(&self.waiters, |target| &target.room);
            let attempt = || self.try_send(outgoing, flags, source);
            let queues = [&self.waiters, room];
            match retry(&queues, Events::WRITABLE, self.space.clock(), deadline, attempt).await {
                Err(_) if outgoing.sent > 0 => return Ok(outgoing.sent),
                Err(error) => return Err(error),
                Ok(count) => outgoing.sent += count,
            }
            if !self.is_stream() || source.remaining() == 0 {
                return Ok(outgoing.sent);
            }
        }
    }

    fn send_stream(&self, peer: &Rc<Socket>, outgoing: &mut Outgoing, source: &mut dyn Source) -> Result<usize> {
        let mut sent = 0;
        while source.remaining() > 0 {
            let room = self.options.send_buffer.get().saturating_sub(self.account.used());
            if room == 0 {
                return if sent == 0 { Err(Errno::EAGAIN) } else { Ok(sent) };
            }
            let length = source.remaining().min(STREAM_MESSAGE).min(room);
            let step = partial(sent, peer.append(self, outgoing, source, length).map(|()| length))?;
            if step == 0 {
                break;
            }
            sent += step;
        }
        Ok(sent)
    }

    /// Puts a part of a stream into this socket's queue.
    fn append(&self, from: &Socket, outgoing: &mut Outgoing, source: &mut dyn Source, length: usize) -> Result<()> {
        let mut queue = self.queue.borrow_mut();
        let last = queue.back_mut().filter(|_| outgoing.rights.is_none());
        match last.filter(|last| last.takes_more(&from.account, outgoing.sender, length)) {
            Some(last) => last.extend(source, length)?,
            None => {
                drop(queue);
                return self.enqueue(from, outgoing, source, length);
            }
        }
        drop(queue);
        self.waiters.wake(Events::READABLE);
        Ok(())
    }

    fn send_datagram(&self, outgoing: &mut Outgoing, source: &mut dyn Source) -> Result<usize> {
        self.check_length(source)?;
        if self.shut_writing.get() {
            return Err(Errno::EPIPE);
        }
        let target = match (&outgoing.to, self.peer()) {
            (Some(to), _) => to.clone(),
            (None, peer) => peer.ok_or(Errno::ENOTCONN)?,
        };
        if target.closed.get() {
            if outgoing.to.is_none() {
                self.unfollow();
            }
            return Err(Errno::ECONNREFUSED);
        }
        target.check_accepts(self)?;
        if target.shut_reading.get() {
            return Err(Errno::EPIPE);
        }
        if target.is_full_for(self) {
            return Err(Errno::EAGAIN);
        }
        self.send_whole(&target, outgoing, source)
    }

    /// Has it all the datagrams that it may have from others than its peer?
    pub(super) fn is_full_for(&self, sender: &Socket) -> bool {
        let is_peer = self.peer.borrow().as_ref().is_some_and(|peer| core::ptr::eq(Rc::as_ptr(peer), sender));
        !is_peer && self.queue.borrow().len() > DATAGRAMS_MAX
    }

    fn check_length(&self, source: &dyn Source) -> Result<()> {
        const HEADROOM: usize = 32;
        let most = self.options.send_buffer.get().saturating_sub(HEADROOM);
        if source.remaining() > most { Err(Errno::EMSGSIZE) } else { Ok(()) }
    }

    fn send_whole(&self, target: &Rc<Socket>, outgoing: &mut Outgoing, source: &mut dyn Source) -> Result<usize> {
        if self.account.used() >= self.options.send_buffer.get() {
            return Err(Errno::EAGAIN);
        }
        let length = source.remaining();
        target.enqueue(self, outgoing, source, length)?;
        Ok(length)
    }

    /// Puts a new message into this socket's queue.
    fn enqueue(&self, from: &Socket, outgoing: &mut Outgoing, source: &mut dyn Source, length: usize) -> Result<()> {
        let name = from.name.borrow().clone();
        let mut message = Message::new(&from.account, outgoing.sender, name, source, length)?;
        message.rights = outgoing.rights.take();
        if message.rights.is_some() {
            self.space.flight.held_by(&self.itself);
        }
        self.queue.borrow_mut().push_back(message);
        self.waiters.wake(Events::READABLE);
        Ok(())
    }

    /// Is there room to send, so that poll(2) says OUT? A quarter of the buffer may be in use.
    pub(super) fn has_room(&self) -> bool {
        self.account.used() * 4 <= self.options.send_buffer.get()
    }
}
