//! Calls on sockets apart from sending and receiving: socket(2), bind(2), listen(2), accept(2), connect(2), names, options.

use super::{Call, Outcome, files};
use crate::memory::AddressSpace;
use crate::process::INIT;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::open::OpenFlags;
use chestnut_linux_files::socket::Socket;
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::general::{O_CLOEXEC, O_NONBLOCK};
use linux_raw_sys::net;

/// Bytes of `struct sockaddr_storage`, which no address is longer than.
pub const ADDRESS_MAX: usize = 128;
/// Bytes of an option's value that are looked at.
const OPTION_MAX: usize = 64;

/// socket(family, type, protocol)
pub fn socket(call: &Call) -> Result<u64> {
    let kind = call.half(1);
    let file = call.server.files.sockets.socket(&call.caller(), call.half(0), kind, call.half(2))?;
    call.install(file, kind & O_CLOEXEC != 0)
}

/// socketpair(family, type, protocol, fds)
pub fn socketpair(call: &Call) -> Result<u64> {
    let kind = call.half(1);
    let ends = call.server.files.sockets.pair(&call.caller(), call.half(0), kind, call.half(2))?;
    files::insert_pair(call, ends, kind & O_CLOEXEC != 0, call.word(3))
}

/// bind(fd, address, length)
pub fn bind(call: &Call) -> Result<u64> {
    let socket = socket_of(call)?;
    let address = read_address(&call.space(), call.word(1), call.int(2))?;
    socket.bind(&call.server.vfs, &call.caller(), &address)?;
    Ok(0)
}

/// listen(fd, backlog)
pub fn listen(call: &Call) -> Result<u64> {
    socket_of(call)?.listen(&call.caller(), call.int(1))?;
    Ok(0)
}

/// accept(fd, address, length)
pub fn accept(call: &Call) -> Result<Outcome> {
    accept_with(call, 0)
}

/// accept4(fd, address, length, flags)
pub fn accept4(call: &Call) -> Result<Outcome> {
    accept_with(call, call.half(3))
}

fn accept_with(call: &Call, flags: u32) -> Result<Outcome> {
    if flags & !(O_CLOEXEC | O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let file = call.file(0)?;
    let socket = file.socket()?;
    let (address, length) = (call.word(1), call.word(2));
    let (space, descriptors) = (call.space(), call.process().descriptors());
    // A connection that could be given no number would be lost.
    descriptors.borrow().check_room()?;
    let nonblocking = file.attempt().nonblocking;
    let restarts = !socket.has_receive_timeout();
    let future = async move {
        let accepted = socket.accept(OpenFlags::from_argument(flags), nonblocking).await?;
        if address != 0 {
            put_address(&space, address, length, &accepted.socket()?.peer_address()?)?;
        }
        // The listening socket stays open while somebody waits at it.
        drop(file);
        let number = descriptors.borrow_mut().insert(accepted, flags & O_CLOEXEC != 0)?;
        Ok(number as u64)
    };
    Ok(if restarts { call.wait(future) } else { call.wait_once(future) })
}

/// connect(fd, address, length)
pub fn connect(call: &Call) -> Result<Outcome> {
    let file = call.file(0)?;
    let socket = file.socket()?;
    let address = read_address(&call.space(), call.word(1), call.int(2))?;
    let (server, caller, nonblocking) = (call.server, call.caller_copy(), file.attempt().nonblocking);
    let restarts = !socket.has_send_timeout();
    let future = async move {
        socket.connect(&server.vfs, &caller, &address, nonblocking).await?;
        drop(file);
        Ok(0)
    };
    Ok(if restarts { call.wait(future) } else { call.wait_once(future) })
}

/// getsockname(fd, address, length)
pub fn getsockname(call: &Call) -> Result<u64> {
    let address = socket_of(call)?.local_address();
    put_address(&call.space(), call.word(1), call.word(2), &address)?;
    Ok(0)
}

/// getpeername(fd, address, length)
pub fn getpeername(call: &Call) -> Result<u64> {
    let address = socket_of(call)?.peer_address()?;
    put_address(&call.space(), call.word(1), call.word(2), &address)?;
    Ok(0)
}

/// shutdown(fd, how)
pub fn shutdown(call: &Call) -> Result<u64> {
    socket_of(call)?.shut_down(call.half(1))?;
    Ok(0)
}

/// setsockopt(fd, level, name, value, length)
pub fn setsockopt(call: &Call) -> Result<u64> {
    let socket = socket_of(call)?;
    let length = usize::try_from(call.int(4)).map_err(|_| Errno::EINVAL)?;
    let mut value = vec![0; length.min(OPTION_MAX)];
    call.space().read(call.word(3), &mut value)?;
    socket.set_option(&call.caller(), call.half(1), call.half(2), &value)?;
    Ok(0)
}

/// getsockopt(fd, level, name, value, length)
pub fn getsockopt(call: &Call) -> Result<u64> {
    let (socket, space) = (socket_of(call)?, call.space());
    let room = usize::try_from(space.read_u32(call.word(4))? as i32).map_err(|_| Errno::EINVAL)?;
    if let Some(value) = of_peer(call, &socket, room)? {
        space.write(call.word(3), &value)?;
        space.write_u32(call.word(4), value.len() as u32)?;
        return Ok(0);
    }
    let mut value = socket.option(call.half(1), call.half(2))?;
    value.truncate(room);
    space.write(call.word(3), &value)?;
    space.write_u32(call.word(4), value.len() as u32)?;
    Ok(0)
}

/// The options that tell of the process at the other end, by whoever has its id: SO_PEERGROUPS (its supplementary groups, now) and
/// SO_PEERPIDFD (a descriptor for it).
fn of_peer(call: &Call, socket: &Socket, room: usize) -> Result<Option<Vec<u8>>> {
    const SO_PEERPIDFD: u32 = 77;
    if call.half(1) != net::SOL_SOCKET || !matches!(call.half(2), net::SO_PEERGROUPS | SO_PEERPIDFD) {
        return Ok(None);
    }
    let process = call.server.table.process(socket.peer_credentials().process).filter(|process| process.pid != INIT);
    if call.half(2) == SO_PEERPIDFD {
        let process =
            process.ok_or(if socket.peer_credentials().process == 0 { Errno::ENODATA } else { Errno::ESRCH })?;
        let descriptor = call.server.open_process(call.process(), &process, OpenFlags::empty())?;
        let mut bytes = descriptor.to_le_bytes().to_vec();
        bytes.truncate(room);
        return Ok(Some(bytes));
    }
    let groups = process.ok_or(Errno::ENODATA)?.caller.borrow().credentials.supplementary.clone();
    let bytes: Vec<u8> = groups.iter().flat_map(|group| group.to_le_bytes()).collect();
    if bytes.len() > room {
        call.space().write_u32(call.word(4), bytes.len() as u32)?;
        return Err(Errno::ERANGE);
    }
    Ok(Some(bytes))
}

fn socket_of(call: &Call) -> Result<Rc<Socket>> {
    call.file(0)?.socket()
}

/// A `sockaddr` argument.
pub fn read_address(space: &AddressSpace, address: u64, length: i32) -> Result<Vec<u8>> {
    let length = usize::try_from(length).ok().filter(|&length| length <= ADDRESS_MAX).ok_or(Errno::EINVAL)?;
    let mut bytes = vec![0; length];
    space.read(address, &mut bytes)?;
    Ok(bytes)
}

/// Stores a `sockaddr` cut to the room that a program says there is, and its true length in that word's place.
pub fn put_address(space: &AddressSpace, address: u64, length_address: u64, bytes: &[u8]) -> Result<()> {
    let room = usize::try_from(space.read_u32(length_address)? as i32).map_err(|_| Errno::EINVAL)?;
    space.write(address, &bytes[..bytes.len().min(room)])?;
    space.write_u32(length_address, bytes.len() as u32)
}
