//! A socket as an open file: read, write, poll, FIONREAD.

use alloc::rc::Rc;

use linux_raw_sys::ioctl;

use super::{MessageFlags, Socket};
use crate::buffer::{Argument, Sink, Source};
use crate::caller::Caller;
use crate::open::{Attempt, File, OpenFile};
use crate::wait::{Events, WaitQueue};
use crate::{Errno, Result};

/// Keeps a socket open.
pub(super) struct SocketFile(pub(super) Rc<Socket>);

/// The socket that a file is.
pub(super) fn socket_of(file: &OpenFile) -> Option<Rc<Socket>> {
    let any = file.file().as_any()?;
    any.downcast_ref::<SocketFile>().map(|file| file.0.clone())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.0.close();
        self.0.space.flight.socket_closed();
    }
}

impl File for SocketFile {
    fn read(&self, _: &mut Attempt, _: u64, sink: &mut dyn Sink) -> Result<usize> {
        self.0.try_receive(MessageFlags::empty(), sink).map(|received| received.count)
    }

    fn write(&self, _: &mut Attempt, _: u64, source: &mut dyn Source) -> Result<usize> {
        self.0.try_send(&mut self.0.plain_outgoing(), MessageFlags::empty(), source)
    }

    fn writes_everything(&self) -> bool {
        self.0.is_stream()
    }

    fn ioctl(&self, _: &mut Attempt, _: &Caller, request: u32, argument: &mut dyn Argument) -> Result<i64> {
        let count = match request {
            ioctl::FIONREAD if self.0.listening.borrow().is_some() => return Err(Errno::EINVAL),
            ioctl::FIONREAD => self.0.unread(),
            ioctl::TIOCOUTQ => self.0.account.used(),
            _ => return Err(Errno::ENOTTY),
        };
        argument.write(&(count as i32).to_le_bytes())?;
        Ok(0)
    }

    fn readiness(&self) -> Events {
        self.0.readiness()
    }

    fn waiters(&self) -> Option<&WaitQueue> {
        Some(&self.0.waiters)
    }

    fn gives_notice(&self) -> bool {
        true
    }

    fn held(&self) -> usize {
        // What it has sent is charged to it, wherever it lies; the files in its queue go with it.
        let queue = self.0.queue.borrow();
        let files: usize =
            queue.iter().filter_map(|message| message.rights.as_ref()).map(|rights| rights.files().len()).sum();
        self.0.account.used() + files * OpenFile::COST
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

impl Socket {
    /// Bytes that a read would find: all of a stream, one message of others.
    fn unread(&self) -> usize {
        let queue = self.queue.borrow();
        let most = if self.is_stream() { usize::MAX } else { 1 };
        queue.iter().take(most).map(|message| message.rest().len()).sum()
    }

    fn readiness(&self) -> Events {
        let listening = self.listening.borrow().as_ref().map(|listening| !listening.queue.is_empty());
        let connected = self.peer.borrow().is_some();
        let (reading, writing) = (self.shut_reading.get(), self.shut_writing.get());
        let mut ready = Events::empty();
        ready.set(Events::READABLE, reading || listening == Some(true) || !self.queue.borrow().is_empty());
        ready.set(Events::RDHUP, reading);
        let unconnected = !self.is_datagram() && !connected && listening.is_none();
        ready.set(Events::HUP, (reading && writing) || unconnected);
        ready.set(Events::ERR, self.error.get().is_some());
        ready.set(Events::WRITABLE | Events::WRBAND, listening.is_none() && self.is_writable());
        ready
    }

    fn is_writable(&self) -> bool {
        let blocked = match self.peer() {
            Some(peer) if self.is_datagram() => !peer.closed.get() && peer.is_full_for(self),
            _ => false,
        };
        self.has_room() && !blocked
    }
}
