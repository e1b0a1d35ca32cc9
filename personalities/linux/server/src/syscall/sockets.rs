//! Calls on sockets: pairs of AF_UNIX. Other families, and sockets with names, are refused as unknown families are.

use super::{Call, Outcome, files};
use crate::sockets::{Boundaries, Socket, pair};
use alloc::format;
use alloc::rc::Rc;
use chestnut_linux_files::inode::{Body, Inode};
use chestnut_linux_files::open::{File, OpenFile, OpenFlags};
use chestnut_linux_files::vfs::Location;
use chestnut_linux_files::{Errno, Result};
use core::cell::RefCell;
use linux_raw_sys::general::{O_CLOEXEC, O_NONBLOCK};

const AF_UNIX: u32 = 1;
const SOCK_STREAM: u32 = 1;
const SOCK_DGRAM: u32 = 2;
const SOCK_SEQPACKET: u32 = 5;
const EAFNOSUPPORT: Errno = Errno(97);
const EPROTONOSUPPORT: Errno = Errno(93);
const MSG_NOSIGNAL: u32 = 0x4000;

/// socket(family, type, protocol)
pub fn socket(_: &Call) -> Result<u64> {
    Err(EAFNOSUPPORT)
}

/// socketpair(family, type, protocol, fds)
pub fn socketpair(call: &Call) -> Result<u64> {
    let (family, kind, protocol) = (call.half(0), call.half(1), call.half(2));
    if family != AF_UNIX {
        return Err(EAFNOSUPPORT);
    }
    if protocol > 1 {
        return Err(EPROTONOSUPPORT);
    }
    let boundaries = match kind & !(O_CLOEXEC | O_NONBLOCK) {
        SOCK_STREAM => Boundaries::None,
        SOCK_DGRAM | SOCK_SEQPACKET => Boundaries::Packets,
        _ => return Err(EPROTONOSUPPORT),
    };
    let flags = OpenFlags::READ_WRITE | (OpenFlags::from_argument(kind) & OpenFlags::NONBLOCKING);
    let ends = pair(boundaries).map(|socket| {
        let body = Body::Socket(RefCell::new(None));
        let inode = Inode::new(&call.server.nameless, body, 0o777, 0, 0);
        let location = Location::detached(inode.clone(), format!("socket:[{}]", inode.number).as_bytes());
        let file: Rc<dyn File> = socket;
        OpenFile::new(file, location, flags)
    });
    files::insert_pair(call, ends, kind & O_CLOEXEC != 0, call.word(3))
}

fn socket_of(file: &OpenFile) -> Result<&Socket> {
    file.file().as_any().and_then(|any| any.downcast_ref()).ok_or(Errno::ENOTSOCK)
}

/// shutdown(fd, how)
pub fn shutdown(call: &Call) -> Result<u64> {
    let file = call.file(0)?;
    let socket = socket_of(&file)?;
    let (reading, writing) = match call.half(1) {
        0 => (true, false),
        1 => (false, true),
        2 => (true, true),
        _ => return Err(Errno::EINVAL),
    };
    socket.shut_down(reading, writing);
    Ok(0)
}

/// sendto(fd, buf, length, flags, address, address length): to the other end of a pair; flags as write(2) has none.
pub fn sendto(call: &Call) -> Result<Outcome> {
    let file = call.file(0)?;
    socket_of(&file)?;
    if call.word(4) != 0 {
        return Err(Errno::EISCONN);
    }
    match call.half(3) {
        0 => files::write(call),
        MSG_NOSIGNAL => files::write_without_signal(call),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

/// recvfrom(fd, buf, length, flags, address, address length)
pub fn recvfrom(call: &Call) -> Result<Outcome> {
    let file = call.file(0)?;
    socket_of(&file)?;
    if call.half(3) != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    if call.word(4) != 0 && call.word(5) != 0 {
        // The other end has no name.
        call.space().write_u32(call.word(5), 0)?;
    }
    files::read(call)
}
