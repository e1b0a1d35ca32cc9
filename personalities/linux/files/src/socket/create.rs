//! Making sockets: socket(2) and socketpair(2); and what all sockets share.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::{Rc, Weak};
use core::cell::{Cell, RefCell};

use linux_raw_sys::net;

use super::address::{AbstractKey, Name};
use super::file::SocketFile;
use super::flight::Flight;
use super::message::{Account, Pool};
use super::options::Options;
use super::{ProcessCredentials, Socket, SocketKind};
use crate::caller::Caller;
use crate::clock::Clock;
use crate::inode::{Body, Filesystem, Inode};
use crate::open::{OpenFile, OpenFlags};
use crate::vfs::Location;
use crate::wait::WaitQueue;
use crate::{Errno, Result};

/// All sockets of the machine: abstract names, and files in flight.
pub struct SocketSpace {
    filesystem: Rc<Filesystem>,
    names: RefCell<BTreeMap<AbstractKey, Weak<Socket>>>,
    next_number: Cell<u32>,
    pub(super) flight: Flight,
    pool: Rc<Pool>,
}

/// Bytes that all messages together may take, unless the server says otherwise.
const MEMORY: usize = 16 << 20;

impl SocketSpace {
    /// `filesystem` numbers the sockets' inodes and gives the clock.
    pub fn new(filesystem: &Rc<Filesystem>) -> Rc<Self> {
        Rc::new(SocketSpace {
            filesystem: filesystem.clone(),
            names: RefCell::default(),
            next_number: Cell::default(),
            flight: Flight::default(),
            pool: Pool::new(MEMORY),
        })
    }

    /// socket(2). `kind` may hold SOCK_NONBLOCK; SOCK_CLOEXEC is the descriptor table's. `EAFNOSUPPORT` for all domains but
    /// AF_UNIX, `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`, `EINVAL` for unknown flags.
    pub fn socket(self: &Rc<Self>, caller: &Caller, domain: u32, kind: u32, protocol: u32) -> Result<Rc<OpenFile>> {
        let (kind, flags) = arguments(domain, kind, protocol)?;
        Ok(self.open(&self.make(ProcessCredentials::of(caller), kind), flags))
    }

    /// socketpair(2): two sockets, connected.
    pub fn pair(self: &Rc<Self>, caller: &Caller, domain: u32, kind: u32, protocol: u32) -> Result<[Rc<OpenFile>; 2]> {
        let (kind, flags) = arguments(domain, kind, protocol)?;
        let maker = ProcessCredentials::of(caller);
        let [first, second] = [self.make(maker, kind), self.make(maker, kind)];
        for (one, other) in [(&first, &second), (&second, &first)] {
            one.peer_credentials.set(maker);
            if kind == SocketKind::Datagram {
                one.follow(other);
            } else {
                *one.peer.borrow_mut() = Some(other.clone());
            }
        }
        Ok([self.open(&first, flags), self.open(&second, flags)])
    }

    /// How many bytes messages that nobody has read may take, of all sockets together (16 MiB if never set); sends fail with
    /// `ENOBUFS` beyond that.
    pub fn limit_memory(&self, bytes: usize) {
        self.pool.most.set(bytes);
    }

    /// Closes sockets in flight that nothing but circles of each other keeps, as far as some closed since this was done last.
    pub fn collect(&self) {
        self.flight.collect_what_closed();
    }

    /// Most messages' bytes are taken: three quarters.
    pub fn is_nearly_full(&self) -> bool {
        self.pool.used() > self.pool.most.get() / 4 * 3
    }

    /// Bytes that they take now.
    pub fn memory_used(&self) -> usize {
        self.pool.used()
    }

    pub(super) fn make(self: &Rc<Self>, maker: ProcessCredentials, kind: SocketKind) -> Rc<Socket> {
        let waiters = WaitQueue::new();
        Rc::new_cyclic(|itself| Socket {
            space: self.clone(),
            itself: itself.clone(),
            kind,
            name: RefCell::default(),
            peer: RefCell::default(),
            followers: RefCell::default(),
            listening: RefCell::default(),
            listener: RefCell::default(),
            queue: RefCell::default(),
            account: Rc::new(Account::new(&self.pool, waiters.clone())),
            shut_reading: Cell::default(),
            shut_writing: Cell::default(),
            closed: Cell::default(),
            error: Cell::default(),
            options: Options::default(),
            maker,
            peer_credentials: Cell::new(ProcessCredentials::NOBODY),
            waiters,
            room: WaitQueue::new(),
        })
    }

    /// The open file of a socket; there is one at most.
    pub(super) fn open(&self, socket: &Rc<Socket>, flags: OpenFlags) -> Rc<OpenFile> {
        let ProcessCredentials { user, group, .. } = socket.maker;
        let inode = Inode::new(&self.filesystem, Body::Socket(RefCell::default()), 0o777, user, group);
        let label = format!("socket:[{}]", inode.number);
        let location = Location::detached(inode, label.as_bytes());
        OpenFile::new(Rc::new(SocketFile(socket.clone())), location, flags | OpenFlags::READ_WRITE)
    }

    pub(super) fn clock(&self) -> &Rc<dyn Clock> {
        &self.filesystem.clock
    }

    /// Takes an abstract name; `EADDRINUSE`.
    pub(super) fn claim(&self, kind: SocketKind, name: &Rc<[u8]>, socket: &Weak<Socket>) -> Result<()> {
        let mut names = self.names.borrow_mut();
        let entry = names.entry((kind, name.clone())).or_default();
        if entry.upgrade().is_some_and(|known| !known.closed.get()) {
            return Err(Errno::EADDRINUSE);
        }
        *entry = socket.clone();
        Ok(())
    }

    pub(super) fn find(&self, kind: SocketKind, name: &Rc<[u8]>) -> Option<Rc<Socket>> {
        let found = self.names.borrow().get(&(kind, name.clone()))?.upgrade();
        found.filter(|socket| !socket.closed.get())
    }

    /// A name is free again, if it was this socket's (those made by accept(2) share their listener's).
    pub(super) fn forget(&self, kind: SocketKind, name: &Name, socket: &Weak<Socket>) {
        if let Name::Abstract(name) = name {
            let key = (kind, name.clone());
            let mut names = self.names.borrow_mut();
            if names.get(&key).is_some_and(|known| Weak::ptr_eq(known, socket)) {
                names.remove(&key);
            }
        }
    }

    pub(super) fn next_number(&self) -> u32 {
        self.next_number.replace((self.next_number.get() + 1) & 0xf_ffff)
    }
}

fn arguments(domain: u32, kind: u32, protocol: u32) -> Result<(SocketKind, OpenFlags)> {
    const FLAGS: u32 = OpenFlags::NONBLOCKING.union(OpenFlags::CLOSE_ON_EXEC).bits();
    const KIND: u32 = 0xf;
    if kind & !(FLAGS | KIND) != 0 {
        return Err(Errno::EINVAL);
    }
    if domain != net::AF_UNIX {
        return Err(Errno::EAFNOSUPPORT);
    }
    if protocol != 0 && protocol != net::AF_UNIX {
        return Err(Errno::EPROTONOSUPPORT);
    }
    let flags = OpenFlags::from_argument(kind) & OpenFlags::NONBLOCKING;
    let kind = match kind & KIND {
        net::SOCK_STREAM => SocketKind::Stream,
        net::SOCK_DGRAM | net::SOCK_RAW => SocketKind::Datagram,
        net::SOCK_SEQPACKET => SocketKind::Sequence,
        _ => return Err(Errno::ESOCKTNOSUPPORT),
    };
    Ok((kind, flags))
}
