//! Sockets of the unix domain (unix(7)): streams, datagrams and sequences of packets between processes of this machine.
//!
//! A [`Socket`] has a queue of messages that it has been sent; a connection is two sockets that know each other. What a socket
//! has sent and nobody has read is charged to it and bounded by SO_SNDBUF, so nobody's queue grows without bound. Files
//! that travel in messages (SCM_RIGHTS) are counted per user; circles of sockets in flight are found and closed
//! ([`flight`]).
//!
//! The server fetches arguments (`sockaddr`, `msghdr`, control messages) and hands them in as bytes; [`ancillary`] reads and
//! writes control messages. For read(2) and write(2) it should call [`Socket::receive`] and [`Socket::send`] too, because only
//! these know who asks; a socket written to as an ordinary [`File`](crate::open::File) sends the credentials of the process
//! that made it.
//!
//! ```text
//! let sockets = SocketSpace::new(&filesystem, clock);                    // one for all processes
//! let file = sockets.socket(&caller, domain, kind, protocol)?;           // socket(2); flags of `kind` included
//! let socket = file.socket()?;                                           // ENOTSOCK
//! socket.bind(&vfs, &caller, address)?;  socket.listen(&caller, backlog)?;
//! let file = socket.accept(flags, nonblocking).await?;
//! socket.connect(&vfs, &caller, address, nonblocking).await?;
//! let mut outgoing = socket.outgoing(&vfs, &caller, address, ancillary)?;  // sendto(2), sendmsg(2)
//! let count = socket.send(&mut outgoing, flags, nonblocking, &mut source).await?;
//! let received = socket.receive(flags, nonblocking, &mut sink).await?;     // recvfrom(2), recvmsg(2)
//! let (control, flags) = ancillary::deliver(received, room, flags, &mut descriptors);
//! ```

mod address;
pub mod ancillary;
mod connect;
mod create;
mod file;
pub mod flight;
mod message;
mod options;
mod receive;
mod send;
#[cfg(test)]
mod tests;

pub use create::SocketSpace;
pub use receive::Received;
pub use send::Outgoing;

use alloc::collections::VecDeque;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use bitflags::bitflags;
use linux_raw_sys::net;

use address::Name;
use message::{Account, Message};
use options::Options;

use crate::caller::Caller;
use crate::open::OpenFile;
use crate::wait::{Events, WaitQueue};
use crate::{Errno, Result};

/// The types of sockets that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum SocketKind {
    Stream = net::SOCK_STREAM,
    /// SOCK_RAW is the same in this domain.
    Datagram = net::SOCK_DGRAM,
    Sequence = net::SOCK_SEQPACKET,
}

bitflags! {
    /// MSG_… of send(2) and recv(2) that mean something here.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct MessageFlags: u32 {
        const OUT_OF_BAND = net::MSG_OOB;
        const PEEK = net::MSG_PEEK;
        /// On receiving, the result: control messages had no room.
        const CONTROL_TRUNCATED = net::MSG_CTRUNC;
        /// Asked for: tell the true length. The result: there was more than fitted.
        const TRUNCATED = net::MSG_TRUNC;
        const DO_NOT_WAIT = net::MSG_DONTWAIT;
        const END_OF_RECORD = net::MSG_EOR;
        const WAIT_FOR_ALL = net::MSG_WAITALL;
        /// No SIGPIPE: the server's affair, as the signal is.
        const NO_SIGNAL = net::MSG_NOSIGNAL;
        const CLOSE_ON_EXEC = net::MSG_CMSG_CLOEXEC;
    }
}

/// `struct ucred`: who sent or connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessCredentials {
    pub process: u32,
    pub user: u32,
    pub group: u32,
}

impl ProcessCredentials {
    /// Of nobody: SO_PEERCRED of a socket without a peer.
    const NOBODY: Self = ProcessCredentials { process: 0, user: u32::MAX, group: u32::MAX };

    pub fn of(caller: &Caller) -> Self {
        let credentials = &caller.credentials;
        ProcessCredentials { process: caller.process, user: credentials.user, group: credentials.group }
    }

    pub fn encode(&self) -> [u8; 12] {
        let mut bytes = [0; 12];
        let words = [self.process, self.user, self.group].map(u32::to_le_bytes);
        bytes.chunks_exact_mut(4).zip(words).for_each(|(to, word)| to.copy_from_slice(&word));
        bytes
    }

    pub fn decode(bytes: &[u8; 12]) -> Self {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        ProcessCredentials { process: word(0), user: word(4), group: word(8) }
    }
}

/// A socket. It lives as long as its open file, as a name's or peer's reference keeps only the shell of it.
pub struct Socket {
    space: Rc<SocketSpace>,
    itself: Weak<Socket>,
    kind: SocketKind,
    name: RefCell<Option<Name>>,
    /// The other end of a connection; where datagrams go. Circles of these end when either closes.
    peer: RefCell<Option<Rc<Socket>>>,
    /// Datagram sockets whose peer this is: they hear when there is room.
    followers: RefCell<Vec<Weak<Socket>>>,
    listening: RefCell<Option<Listening>>,
    /// Whose [`Listening::queue`] it is in.
    listener: RefCell<Weak<Socket>>,
    queue: RefCell<VecDeque<Message>>,
    /// What it has sent.
    account: Rc<Account>,
    shut_reading: Cell<bool>,
    shut_writing: Cell<bool>,
    closed: Cell<bool>,
    /// SO_ERROR.
    error: Cell<Option<Errno>>,
    options: Options,
    /// Who made it.
    maker: ProcessCredentials,
    /// SO_PEERCRED; for a listening socket, who listens.
    peer_credentials: Cell<ProcessCredentials>,
    /// Who waits for messages, connections, or room to send.
    waiters: WaitQueue,
    /// Who waits for room in this socket's queues.
    room: WaitQueue,
}

struct Listening {
    backlog: usize,
    /// Connections that nobody has accepted.
    queue: VecDeque<Rc<Socket>>,
}

impl OpenFile {
    /// The socket behind a descriptor; `ENOTSOCK`, or `EBADF` for an O_PATH one.
    pub fn socket(&self) -> Result<Rc<Socket>> {
        if self.is_path() {
            return Err(Errno::EBADF);
        }
        file::socket_of(self).ok_or(Errno::ENOTSOCK)
    }
}

impl Socket {
    pub fn kind(&self) -> SocketKind {
        self.kind
    }

    fn is_stream(&self) -> bool {
        self.kind == SocketKind::Stream
    }

    fn is_datagram(&self) -> bool {
        self.kind == SocketKind::Datagram
    }

    fn peer(&self) -> Option<Rc<Socket>> {
        self.peer.borrow().clone()
    }

    /// getsockname(2): a `sockaddr_un`.
    pub fn local_address(&self) -> Vec<u8> {
        address::encode(self.name.borrow().as_ref())
    }

    /// getpeername(2); `ENOTCONN`.
    pub fn peer_address(&self) -> Result<Vec<u8>> {
        let peer = self.peer().ok_or(Errno::ENOTCONN)?;
        Ok(peer.local_address())
    }

    /// shutdown(2): `EINVAL` for an unknown `how`. Of a connection the other end learns of it.
    pub fn shut_down(&self, how: u32) -> Result<()> {
        let (reading, writing) = match how {
            0 => (true, false),
            1 => (false, true),
            2 => (true, true),
            _ => return Err(Errno::EINVAL),
        };
        self.mark_shut(reading, writing);
        if let Some(peer) = self.peer().filter(|_| !self.is_datagram()) {
            peer.mark_shut(writing, reading);
        }
        Ok(())
    }

    fn mark_shut(&self, reading: bool, writing: bool) {
        self.shut_reading.set(self.shut_reading.get() || reading);
        self.shut_writing.set(self.shut_writing.get() || writing);
        self.waiters.wake(Events::all());
        self.room.wake(Events::all());
    }

    /// The last descriptor is gone.
    fn close(&self) {
        if self.closed.replace(true) {
            return;
        }
        if let Some(name) = self.name.borrow().as_ref() {
            self.space.forget(self.kind, name, &self.itself);
        }
        let unread = !self.queue.borrow().is_empty();
        if let Some(peer) = self.peer.take().filter(|_| !self.is_datagram()) {
            if unread {
                peer.error.set(Some(Errno::ECONNRESET));
            }
            peer.mark_shut(true, true);
        }
        let listening = self.listening.take();
        for waiting in listening.into_iter().flat_map(|listening| listening.queue) {
            waiting.close();
        }
        // Nothing is borrowed while messages, and with them files, go.
        drop(self.queue.take());
        self.mark_shut(true, true);
        self.wake_followers();
    }

    /// There is room in the queue, or nobody will read it.
    fn wake_followers(&self) {
        let followers: Vec<_> = self.followers.borrow().iter().filter_map(Weak::upgrade).collect();
        followers.iter().for_each(|follower| follower.waiters.wake(Events::WRITABLE));
    }
}
