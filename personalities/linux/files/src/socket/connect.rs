//! Connections: listen(2), accept(2), connect(2).

use alloc::collections::VecDeque;
use alloc::rc::Rc;

use super::address::{Address, decode};
use super::{Listening, ProcessCredentials, Socket};
use crate::caller::Caller;
use crate::open::{OpenFile, OpenFlags};
use crate::vfs::Vfs;
use crate::wait::{Events, retry};
use crate::{Errno, Result};

/// The longest queue of connections (/proc/sys/net/core/somaxconn).
const BACKLOG_MAX: usize = 4096;

impl Socket {
    /// listen(2): `EOPNOTSUPP` for datagrams, `EINVAL` without a name or when connected. Again, it changes the backlog.
    pub fn listen(&self, caller: &Caller, backlog: i32) -> Result<()> {
        if self.is_datagram() {
            return Err(Errno::EOPNOTSUPP);
        }
        if self.name.borrow().is_none() || self.peer.borrow().is_some() {
            return Err(Errno::EINVAL);
        }
        let backlog = usize::try_from(backlog).unwrap_or(BACKLOG_MAX).min(BACKLOG_MAX);
        let mut listening = self.listening.borrow_mut();
        let queue = listening.take().map_or_else(VecDeque::new, |listening| listening.queue);
        *listening = Some(Listening { backlog, queue });
        drop(listening);
        self.peer_credentials.set(ProcessCredentials::of(caller));
        self.room.wake(Events::WRITABLE);
        Ok(())
    }

    /// accept4(2), now: `EINVAL` if it doesn't listen, `EOPNOTSUPP` for datagrams. The peer's address is the new socket's
    /// [`Socket::peer_address`].
    pub fn try_accept(&self, flags: OpenFlags) -> Result<Rc<OpenFile>> {
        if self.is_datagram() {
            return Err(Errno::EOPNOTSUPP);
        }
        let mut listening = self.listening.borrow_mut();
        let queue = &mut listening.as_mut().ok_or(Errno::EINVAL)?.queue;
        let Some(accepted) = queue.pop_front() else {
            return Err(if self.shut_reading.get() { Errno::EINVAL } else { Errno::EAGAIN });
        };
        drop(listening);
        accepted.listener.take();
        self.room.wake(Events::WRITABLE);
        Ok(self.space.open(&accepted, flags & OpenFlags::NONBLOCKING))
    }

    /// accept4(2): waits unless `nonblocking`, at most SO_RCVTIMEO.
    pub async fn accept(&self, flags: OpenFlags, nonblocking: bool) -> Result<Rc<OpenFile>> {
        let deadline = self.receive_deadline(nonblocking);
        retry(&[&self.waiters], Events::READABLE, self.space.clock(), deadline, || self.try_accept(flags)).await
    }

    /// connect(2): waits for room in the listener's queue unless `nonblocking` (`EAGAIN`), at most SO_SNDTIMEO. A datagram socket
    /// only notes its peer, or with AF_UNSPEC forgets it.
    pub async fn connect(&self, vfs: &Vfs, caller: &Caller, address: &[u8], nonblocking: bool) -> Result<()> {
        let name = match decode(address)? {
            Address::Named(name) => name,
            Address::Unspecified if self.is_datagram() => {
                self.unfollow();
                return Ok(());
            }
            _ => return Err(Errno::EINVAL),
        };
        if self.options.pass_credentials.get() {
            self.bind_automatically()?;
        }
        let target = self.find(vfs, caller, &name)?;
        if self.is_datagram() {
            target.check_accepts(self)?;
            self.follow(&target);
            return Ok(());
        }
        let deadline = self.send_deadline(nonblocking);
        let attempt = || self.try_connect(&target, caller);
        retry(&[&target.room], Events::WRITABLE, self.space.clock(), deadline, attempt).await
    }

    fn try_connect(&self, target: &Rc<Socket>, caller: &Caller) -> Result<()> {
        let full = target.listening.borrow().as_ref().map(|listening| listening.queue.len() > listening.backlog);
        match full {
            Some(_) if target.closed.get() || target.shut_reading.get() => return Err(Errno::ECONNREFUSED),
            Some(true) => return Err(Errno::EAGAIN),
            Some(false) => {}
            None => return Err(Errno::ECONNREFUSED),
        }
        if self.listening.borrow().is_some() {
            return Err(Errno::EINVAL);
        }
        if self.peer.borrow().is_some() {
            return Err(Errno::EISCONN);
        }
        let myself = self.itself.upgrade().ok_or(Errno::EBADF)?;
        let other = self.space.make(target.maker, self.kind);
        *other.name.borrow_mut() = target.name.borrow().clone();
        *other.listener.borrow_mut() = Rc::downgrade(target);
        other.options.pass_credentials.set(target.options.pass_credentials.get());
        other.peer_credentials.set(ProcessCredentials::of(caller));
        *other.peer.borrow_mut() = Some(myself);
        *self.peer.borrow_mut() = Some(other.clone());
        self.peer_credentials.set(target.peer_credentials.get());
        target.listening.borrow_mut().iter_mut().for_each(|listening| listening.queue.push_back(other.clone()));
        target.waiters.wake(Events::READABLE);
        self.waiters.wake(Events::WRITABLE);
        Ok(())
    }

    /// Sends its datagrams to `target` from now on.
    pub(super) fn follow(&self, target: &Rc<Socket>) {
        self.unfollow();
        let mut followers = target.followers.borrow_mut();
        followers.retain(|follower| follower.strong_count() > 0);
        followers.push(self.itself.clone());
        drop(followers);
        *self.peer.borrow_mut() = Some(target.clone());
        self.waiters.wake(Events::WRITABLE);
    }

    pub(super) fn unfollow(&self) {
        if let Some(old) = self.peer.take() {
            old.followers.borrow_mut().retain(|follower| !follower.ptr_eq(&self.itself));
        }
    }

    /// A datagram socket that is connected takes datagrams only from its peer: `EPERM`.
    pub(super) fn check_accepts(&self, sender: &Socket) -> Result<()> {
        match &*self.peer.borrow() {
            Some(peer) if !core::ptr::eq(Rc::as_ptr(peer), sender) => Err(Errno::EPERM),
            _ => Ok(()),
        }
    }
}
