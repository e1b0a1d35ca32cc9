//! Sending and receiving on sockets: send(2), recv(2) and their relatives, and read(2) and write(2) on sockets.
//!
//! A send or a receive is tried at once; if it has to wait, a [`Party`] keeps what of the call outlives it.

use super::sockets::{ADDRESS_MAX, put_address, read_address};
use super::{Call, Outcome, read_write};
use crate::clock::{duration_of, timespec_of};
use crate::memory::{AddressSpace, Buffers, Iovec, UserSink, UserSource};
use crate::process::Thread;
use crate::process::parked::{self, may_park};
use crate::server::Server;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::buffer::Source;
use chestnut_linux_files::clock::Clock;
use chestnut_linux_files::open::{Descriptors, OpenFile};
use chestnut_linux_files::socket::ancillary::{self, Ancillary};
use chestnut_linux_files::socket::{MessageFlags, Outgoing, Received, Socket, SocketKind};
use chestnut_linux_files::{Errno, Result};
use core::cell::{Cell, RefCell};

/// Bytes of `struct msghdr`, and of `struct mmsghdr`, which is one with a length behind it.
const HEADER: usize = 56;
const NUMBERED_HEADER: u64 = 64;
/// Where fields are in it.
const NAME_LENGTH_AT: u64 = 8;
const CONTROL_LENGTH_AT: u64 = 40;
const FLAGS_AT: u64 = 48;
const COUNT_AT: u64 = 56;
/// Messages that one sendmmsg or recvmmsg moves, and entries of a vector (UIO_MAXIOV).
const MOST: u64 = 1024;
/// Bytes of control messages that may be sent at once (net.core.optmem_max).
const CONTROL_MAX: u64 = 131_072;
/// After the first message don't wait for more.
const WAIT_FOR_ONE: u32 = 0x10000;

/// `struct msghdr`, read once.
#[derive(Clone, Copy)]
struct Header {
    name: u64,
    name_length: u32,
    vector: u64,
    vector_length: u64,
    control: u64,
    control_length: u64,
}

impl Header {
    fn read(space: &AddressSpace, address: u64) -> Result<Self> {
        let mut bytes = [0; HEADER];
        space.read(address, &mut bytes)?;
        let word = |at: usize| bytes[at..at + 8].iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        let header = Self {
            name: word(0),
            name_length: word(8) as u32,
            vector: word(16),
            vector_length: word(24),
            control: word(32),
            control_length: word(40),
        };
        if (header.name_length as i32) < 0 {
            return Err(Errno::EINVAL);
        }
        if header.vector_length > MOST {
            return Err(Errno::EMSGSIZE);
        }
        Ok(header)
    }
    fn pieces(&self, space: &AddressSpace) -> Result<Buffers> {
        space.read_vector(self.vector, self.vector_length).map(Buffers::from)
    }
}

/// What is to be sent, its address and control messages copied.
struct Letter {
    pieces: Buffers,
    address: Option<Vec<u8>>,
    ancillary: Ancillary,
}

impl Letter {
    fn plain(pieces: Buffers) -> Self {
        Self { pieces, address: None, ancillary: Ancillary::default() }
    }
}

/// Where what comes with the bytes of a receive is put.
#[derive(Clone, Copy)]
enum Place {
    Nowhere,
    /// recvfrom(2): the address and its length.
    Address(u64, u64),
    /// recvmsg(2): where the header is, and what it said.
    Header(u64, Header),
}

/// Who sends or receives.
#[derive(Clone)]
struct Party {
    server: &'static Server,
    thread: Rc<Thread>,
    space: Rc<AddressSpace>,
    descriptors: Rc<RefCell<Descriptors>>,
    /// Keeps the socket open meanwhile.
    file: Rc<OpenFile>,
    socket: Rc<Socket>,
}

impl Party {
    fn new(call: &Call, file: Rc<OpenFile>) -> Result<Self> {
        let socket = file.socket()?;
        let (space, descriptors) = (call.space(), call.process().descriptors());
        Ok(Self { server: call.server, thread: call.thread.clone(), space, descriptors, file, socket })
    }

    fn is_impatient(&self, flags: MessageFlags) -> bool {
        self.file.attempt().nonblocking || flags.contains(MessageFlags::DO_NOT_WAIT)
    }

    /// What a `struct msghdr` of sendmsg(2) says.
    fn letter(&self, header: &Header) -> Result<Letter> {
        let address = match header.name {
            0 => None,
            name => Some(read_address(&self.space, name, header.name_length.min(ADDRESS_MAX as u32) as i32)?),
        };
        if header.control_length > CONTROL_MAX {
            return Err(Errno::ENOBUFS);
        }
        let mut control = vec![0; header.control_length as usize];
        self.space.read(header.control, &mut control)?;
        let pieces = header.pieces(&self.space)?;
        let ancillary = ancillary::parse(&control, &self.descriptors.borrow())?;
        if let Some(credentials) = ancillary.credentials
            && self.server.table.process(credentials.process).is_none()
        {
            return Err(Errno::ESRCH);
        }
        Ok(Letter { pieces, address, ancillary })
    }

    fn begin(&self, letter: Letter) -> Result<(Outgoing, UserSource)> {
        let Letter { pieces, address, ancillary } = letter;
        let caller = self.thread.process.caller.borrow();
        let outgoing = self.socket.outgoing(&self.server.vfs, &caller, address.as_deref(), ancillary)?;
        Ok((outgoing, UserSource::new(&self.space, pieces)))
    }

    /// SIGPIPE comes with a stream's EPIPE.
    fn failed(&self, flags: MessageFlags, error: Errno) -> Errno {
        let signals = self.socket.kind() == SocketKind::Stream && !flags.contains(MessageFlags::NO_SIGNAL);
        if error == Errno::EPIPE && signals {
            read_write::signal_broken_pipe(self.server, &self.thread);
        }
        error
    }

    fn send(self, letter: Letter, flags: MessageFlags) -> Result<Outcome> {
        let (mut outgoing, mut source) = self.begin(letter)?;
        let result = self.socket.try_send(&mut outgoing, flags, &mut source);
        self.send_on(outgoing, source, flags, result)
    }

    /// After a first try: waits until the rest is sent too, if that is called for.
    fn send_on(
        self,
        mut outgoing: Outgoing,
        mut source: UserSource,
        flags: MessageFlags,
        tried: Result<usize>,
    ) -> Result<Outcome> {
        let impatient = self.is_impatient(flags);
        let is_stream = self.socket.kind() == SocketKind::Stream;
        let before = match tried {
            Err(Errno::EAGAIN) if !impatient => 0,
            Ok(count) if is_stream && !impatient && source.remaining() > 0 => count,
            Ok(count) => return Ok(Outcome::value(count as u64)),
            Err(error) => return Err(self.failed(flags, error)),
        };
        let (moved, restarts) = (source.moved(), !self.socket.has_send_timeout());
        let (server, thread) = (self.server, self.thread.clone());
        let future = async move {
            match self.socket.send(&mut outgoing, flags, false, &mut source).await {
                Ok(count) => Ok((before + count) as u64),
                Err(_) if before > 0 => Ok(before as u64),
                Err(error) => Err(self.failed(flags, error)),
            }
        };
        Ok(Outcome::later(server, thread, future, restarts, Some(moved)))
    }

    fn receive(self, pieces: Buffers, flags: MessageFlags, place: Place) -> Result<Outcome> {
        let mut sink = UserSink::new(&self.space, pieces);
        let impatient = self.is_impatient(flags);
        if impatient || !flags.contains(MessageFlags::WAIT_FOR_ALL) {
            match self.socket.try_receive(flags, &mut sink) {
                Err(Errno::EAGAIN) if !impatient => {}
                Err(error) => return Err(error),
                Ok(received) => return self.deliver(received, flags, place).map(Outcome::value),
            }
        }
        let (moved, restarts) = (sink.moved(), !self.socket.has_receive_timeout());
        let (server, thread) = (self.server, self.thread.clone());
        let future = async move {
            let received = self.socket.receive(flags, false, &mut sink).await?;
            self.deliver(received, flags, place)
        };
        Ok(Outcome::later(server, thread, future, restarts, Some(moved)))
    }

    /// Stores address, control messages and flags.
    fn deliver(&self, mut received: Received, flags: MessageFlags, place: Place) -> Result<u64> {
        let count = received.count as u64;
        let from = received.from.take().unwrap_or_default();
        match place {
            Place::Nowhere => {}
            Place::Address(address, length) => put_address(&self.space, address, length, &from)?,
            Place::Header(at, header) => {
                let room = if header.control == 0 { 0 } else { header.control_length.min(CONTROL_MAX) as usize };
                let (control, told) = ancillary::deliver(received, room, flags, &mut self.descriptors.borrow_mut());
                self.space.write(header.control, &control)?;
                if header.name != 0 {
                    let stored = from.len().min(header.name_length as usize);
                    self.space.write(header.name, &from[..stored])?;
                    self.space.write_u32(at + NAME_LENGTH_AT, from.len() as u32)?;
                }
                let told = told | (flags & MessageFlags::CLOSE_ON_EXEC);
                self.space.write_u32(at + FLAGS_AT, told.bits())?;
                self.space.write_u64(at + CONTROL_LENGTH_AT, control.len() as u64)?;
            }
        }
        Ok(count)
    }
}

/// read(2) and readv(2) on a socket.
pub fn read(call: &Call, file: Rc<OpenFile>, pieces: Buffers, now: bool) -> Result<Outcome> {
    if pieces.is_empty() {
        return Ok(Outcome::value(0u64));
    }
    let (socket, flags) = (file.socket()?, MessageFlags::empty());
    let mut sink = UserSink::new(&call.space(), pieces.clone());
    let impatient = now || file.attempt().nonblocking;
    match socket.try_receive(flags, &mut sink) {
        Err(Errno::EAGAIN) if !impatient => {}
        result => return Ok(Outcome::value(result?.count as u64)),
    }
    if socket.waits_for_messages() && may_park(call) {
        return Ok(parked::Read::park(call, file, Some(socket), sink));
    }
    Party::new(call, file)?.receive(pieces, flags, Place::Nowhere)
}

/// write(2) and writev(2) on a socket.
pub fn write(call: &Call, file: Rc<OpenFile>, pieces: Buffers, now: bool) -> Result<Outcome> {
    let socket = file.socket()?;
    let mut outgoing = socket.outgoing(&call.server.vfs, &call.caller(), None, Ancillary::default())?;
    let mut source = UserSource::new(&call.space(), pieces);
    match socket.try_send(&mut outgoing, MessageFlags::empty(), &mut source) {
        Ok(count) if source.remaining() == 0 => Ok(Outcome::value(count as u64)),
        result => {
            let flags = if now { MessageFlags::DO_NOT_WAIT } else { MessageFlags::empty() };
            Party::new(call, file)?.send_on(outgoing, source, flags, result)
        }
    }
}

/// sendto(fd, buf, length, flags, address, address length)
pub fn sendto(call: &Call) -> Result<Outcome> {
    let party = Party::new(call, call.file(0)?)?;
    let mut letter = Letter::plain(Iovec::one(call.word(1), call.word(2)));
    if call.word(4) != 0 {
        letter.address = Some(read_address(&party.space, call.word(4), call.int(5))?);
    }
    party.send(letter, MessageFlags::from_bits_truncate(call.half(3)))
}

/// recvfrom(fd, buf, length, flags, address, address length)
pub fn recvfrom(call: &Call) -> Result<Outcome> {
    let party = Party::new(call, call.file(0)?)?;
    let place = if call.word(4) == 0 { Place::Nowhere } else { Place::Address(call.word(4), call.word(5)) };
    let flags = MessageFlags::from_bits_truncate(call.half(3));
    party.receive(Iovec::one(call.word(1), call.word(2)), flags, place)
}

/// sendmsg(fd, header, flags)
pub fn sendmsg(call: &Call) -> Result<Outcome> {
    let party = Party::new(call, call.file(0)?)?;
    let header = Header::read(&party.space, call.word(1))?;
    let letter = party.letter(&header)?;
    party.send(letter, MessageFlags::from_bits_truncate(call.half(2)))
}

/// recvmsg(fd, header, flags)
pub fn recvmsg(call: &Call) -> Result<Outcome> {
    let party = Party::new(call, call.file(0)?)?;
    let header = Header::read(&party.space, call.word(1))?;
    let pieces = header.pieces(&party.space)?;
    party.receive(pieces, MessageFlags::from_bits_truncate(call.half(2)), Place::Header(call.word(1), header))
}

/// sendmmsg(fd, headers, count, flags)
pub fn sendmmsg(call: &Call) -> Result<Outcome> {
    let party = Party::new(call, call.file(0)?)?;
    let (address, count) = (call.word(1), u64::from(call.half(2)).min(MOST));
    let flags = MessageFlags::from_bits_truncate(call.half(3));
    let restarts = !party.socket.has_send_timeout();
    let sent = Rc::new(Cell::new(0));
    let counter = sent.clone();
    let future = async move {
        for index in 0..count {
            match party.send_one(address.wrapping_add(index * NUMBERED_HEADER), flags).await {
                Ok(()) => counter.set(index + 1),
                Err(error) if index == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(counter.get())
    };
    Ok(call.later(future, restarts, Some(sent)))
}

/// recvmmsg(fd, headers, count, flags, timeout): the timeout is looked at after each message, as on Linux.
pub fn recvmmsg(call: &Call) -> Result<Outcome> {
    let party = Party::new(call, call.file(0)?)?;
    let (address, count, timeout_address) = (call.word(1), u64::from(call.half(2)).min(MOST), call.word(4));
    let mut flags = MessageFlags::from_bits_truncate(call.half(3));
    let for_one = call.half(3) & WAIT_FOR_ONE != 0;
    let clock = call.server.clock.clone();
    let deadline = match timeout_address {
        0 => None,
        address => {
            let timeout = duration_of(party.space.read_words(address)?).ok_or(Errno::EINVAL)?;
            Some(clock.monotonic() + timeout)
        }
    };
    let restarts = !party.socket.has_receive_timeout();
    let got = Rc::new(Cell::new(0));
    let counter = got.clone();
    let future = async move {
        for index in 0..count {
            match party.receive_one(address.wrapping_add(index * NUMBERED_HEADER), flags).await {
                Ok(()) => counter.set(index + 1),
                Err(error) if index == 0 => return Err(error),
                Err(_) => break,
            }
            flags.set(MessageFlags::DO_NOT_WAIT, flags.contains(MessageFlags::DO_NOT_WAIT) || for_one);
            if deadline.is_some_and(|deadline| clock.monotonic() >= deadline) {
                break;
            }
        }
        if let Some(deadline) = deadline {
            let left = deadline.saturating_sub(clock.monotonic());
            party.space.write_words(timeout_address, &timespec_of(left))?;
        }
        Ok(counter.get())
    };
    Ok(call.later(future, restarts, Some(got)))
}

impl Party {
    /// One message of sendmmsg(2).
    async fn send_one(&self, at: u64, flags: MessageFlags) -> Result<()> {
        let header = Header::read(&self.space, at)?;
        let (mut outgoing, mut source) = self.begin(self.letter(&header)?)?;
        let sent = self.socket.send(&mut outgoing, flags, self.is_impatient(flags), &mut source).await;
        let count = sent.map_err(|error| self.failed(flags, error))?;
        self.space.write_u32(at.wrapping_add(COUNT_AT), count as u32)
    }

    /// One message of recvmmsg(2).
    async fn receive_one(&self, at: u64, flags: MessageFlags) -> Result<()> {
        let header = Header::read(&self.space, at)?;
        let mut sink = UserSink::new(&self.space, header.pieces(&self.space)?);
        let received = self.socket.receive(flags, self.is_impatient(flags), &mut sink).await?;
        let count = self.deliver(received, flags, Place::Header(at, header))?;
        self.space.write_u32(at.wrapping_add(COUNT_AT), count as u32)
    }
}
