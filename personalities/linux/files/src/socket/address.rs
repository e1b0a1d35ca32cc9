//! Addresses: `struct sockaddr_un`, and the names in it (unix(7)).

use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;

use linux_raw_sys::net;

use super::{Socket, SocketKind};
use crate::caller::Caller;
use crate::inode::{Access, Body};
use crate::vfs::{At, Follow, NodeKind, Vfs};
use crate::{Errno, Result};

/// Bytes of `sun_path`.
const PATH_MAX: usize = 108;

/// A socket's name.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// As it was given; the node may have been renamed or removed since.
    Path(Rc<[u8]>),
    /// Without the leading zero.
    Abstract(Rc<[u8]>),
}

/// What an address says.
pub(super) enum Address {
    Named(Name),
    /// Only a family: bind(2) chooses a name.
    Unnamed,
    /// AF_UNSPEC, which dissolves a datagram socket's association.
    Unspecified,
}

/// Reads a `sockaddr`: `EINVAL` for a wrong length or family.
pub(super) fn decode(bytes: &[u8]) -> Result<Address> {
    let [low, high, path @ ..] = bytes else { return Err(Errno::EINVAL) };
    match u32::from(u16::from_le_bytes([*low, *high])) {
        net::AF_UNSPEC => return Ok(Address::Unspecified),
        net::AF_UNIX if path.len() <= PATH_MAX => {}
        _ => return Err(Errno::EINVAL),
    }
    Ok(match path {
        [] => Address::Unnamed,
        [0, name @ ..] => Address::Named(Name::Abstract(name.into())),
        _ => {
            let length = path.iter().position(|&byte| byte == 0).unwrap_or(path.len());
            Address::Named(Name::Path(path[..length].into()))
        }
    })
}

/// The `sockaddr_un` of a name, or of none.
pub(super) fn encode(name: Option<&Name>) -> Vec<u8> {
    let mut bytes = Vec::from((net::AF_UNIX as u16).to_le_bytes());
    match name {
        Some(Name::Path(path)) => {
            bytes.extend_from_slice(path);
            bytes.push(0);
        }
        Some(Name::Abstract(name)) => {
            bytes.push(0);
            bytes.extend_from_slice(name);
        }
        None => {}
    }
    bytes
}

/// What a socket node in the tree leads to. Weak: a name keeps no socket open.
struct Bound(alloc::rc::Weak<Socket>);

impl Socket {
    /// bind(2): a path makes a node in the tree (`EADDRINUSE` if there is something, and the errors of mknod(2)); a leading zero
    /// is an abstract name; without a name, one is chosen. `EINVAL` if it has a name already.
    pub fn bind(&self, vfs: &Vfs, caller: &Caller, address: &[u8]) -> Result<()> {
        let address = decode(address)?;
        if self.name.borrow().is_some() && !matches!(address, Address::Unnamed) {
            return Err(Errno::EINVAL);
        }
        let name = match address {
            Address::Unspecified => return Err(Errno::EINVAL),
            Address::Unnamed => return self.bind_automatically(),
            Address::Named(name) => name,
        };
        match &name {
            Name::Abstract(bytes) => self.space.claim(self.kind, bytes, &self.itself)?,
            Name::Path(path) => {
                let made = vfs.make_node(caller, At::WorkingDirectory, path, NodeKind::Socket, 0o777);
                let made = made.map_err(|error| if error == Errno::EEXIST { Errno::EADDRINUSE } else { error })?;
                if let Body::Socket(bound) = &made.inode().body {
                    *bound.borrow_mut() = Some(Rc::new(Bound(self.itself.clone())));
                }
            }
        }
        *self.name.borrow_mut() = Some(name);
        Ok(())
    }

    /// Gives it an abstract name of five hexadecimal digits, unless it has a name.
    pub(super) fn bind_automatically(&self) -> Result<()> {
        if self.name.borrow().is_some() {
            return Ok(());
        }
        for _ in 0..1 << 20 {
            let number = self.space.next_number();
            let name: Rc<[u8]> = format!("{number:05x}").into_bytes().into();
            if self.space.claim(self.kind, &name, &self.itself).is_ok() {
                *self.name.borrow_mut() = Some(Name::Abstract(name));
                return Ok(());
            }
        }
        Err(Errno::ENOSPC)
    }

    /// The socket of a name. `ECONNREFUSED` if nobody has it any more, `EPROTOTYPE` for another type, `EACCES` without write
    /// permission on the node, and the errors of a lookup.
    pub(super) fn find(&self, vfs: &Vfs, caller: &Caller, name: &Name) -> Result<Rc<Socket>> {
        let path = match name {
            Name::Abstract(name) => return self.space.find(self.kind, name).ok_or(Errno::ECONNREFUSED),
            Name::Path(path) => path,
        };
        let place = vfs.lookup(caller, At::WorkingDirectory, path, Follow::Yes)?;
        place.inode().check(&caller.credentials, Access::WRITE)?;
        let Body::Socket(bound) = &place.inode().body else { return Err(Errno::ECONNREFUSED) };
        let bound = bound.borrow().clone().and_then(|bound| bound.downcast::<Bound>().ok());
        let found = bound.and_then(|bound| bound.0.upgrade()).filter(|found| !found.closed.get());
        let found = found.ok_or(Errno::ECONNREFUSED)?;
        if found.kind != self.kind { Err(Errno::EPROTOTYPE) } else { Ok(found) }
    }
}

/// A key for abstract names: types have names of their own.
pub(super) type AbstractKey = (SocketKind, Rc<[u8]>);
