//! Sockets by unix(7), socket(7), send(2), recv(2), and as Linux was seen to behave where these are silent.

mod connections;
mod datagrams;
mod options;
mod rights;
mod streams;

use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;

use super::ancillary::Ancillary;
use super::{MessageFlags, Received, Socket, SocketSpace};
use crate::Result;
use crate::buffer::{SliceSink, SliceSource};
use crate::caller::Caller;
use crate::open::{OpenFile, OpenFlags};
use crate::testing::{World, now};

const STREAM: u32 = 1;
const DATAGRAM: u32 = 2;
const SEQUENCE: u32 = 5;
const UNIX: u32 = 1;

struct Net {
    world: World,
    space: Rc<SocketSpace>,
}

impl Net {
    fn new() -> Self {
        let world = World::new();
        Net { space: SocketSpace::new(&world.filesystem), world }
    }

    fn caller(&self) -> &Caller {
        &self.world.caller
    }

    fn socket(&self, kind: u32) -> Rc<OpenFile> {
        self.space.socket(self.caller(), UNIX, kind, 0).unwrap()
    }

    fn pair(&self, kind: u32) -> [Rc<OpenFile>; 2] {
        self.space.pair(self.caller(), UNIX, kind, 0).unwrap()
    }

    fn bind(&self, file: &OpenFile, name: &str) -> Result<()> {
        socket(file).bind(&self.world.vfs, self.caller(), &address(name))
    }

    fn connect(&self, file: &OpenFile, name: &str) -> Result<()> {
        now(socket(file).connect(&self.world.vfs, self.caller(), &address(name), true))
    }

    fn listener(&self, kind: u32, name: &str, backlog: i32) -> Rc<OpenFile> {
        let file = self.socket(kind);
        self.bind(&file, name).unwrap();
        socket(&file).listen(self.caller(), backlog).unwrap();
        file
    }

    /// One try at sending.
    fn send_to(&self, file: &OpenFile, name: &str, bytes: &[u8]) -> Result<usize> {
        self.send_with(file, Some(name), bytes, Ancillary::default())
    }

    fn send(&self, file: &OpenFile, bytes: &[u8]) -> Result<usize> {
        self.send_with(file, None, bytes, Ancillary::default())
    }

    fn send_files(&self, file: &OpenFile, bytes: &[u8], rights: Vec<Rc<OpenFile>>) -> Result<usize> {
        self.send_with(file, None, bytes, Ancillary { rights, credentials: None })
    }

    fn send_with(&self, file: &OpenFile, name: Option<&str>, bytes: &[u8], ancillary: Ancillary) -> Result<usize> {
        let address = name.map(address);
        let mut outgoing = socket(file).outgoing(&self.world.vfs, self.caller(), address.as_deref(), ancillary)?;
        now(socket(file).send(&mut outgoing, MessageFlags::empty(), true, &mut SliceSource::new(bytes)))
    }
}

fn socket(file: &OpenFile) -> Rc<Socket> {
    file.socket().unwrap()
}

/// A `sockaddr_un`; '@' begins an abstract name.
fn address(name: &str) -> Vec<u8> {
    let path =
        name.strip_prefix('@').map_or_else(|| name.as_bytes().to_vec(), |rest| [b"\0", rest.as_bytes()].concat());
    [&1u16.to_le_bytes()[..], &path].concat()
}

fn receive_with(file: &OpenFile, most: usize, flags: MessageFlags) -> Result<(Vec<u8>, Received)> {
    let mut bytes = vec![0; most];
    let mut sink = SliceSink::new(&mut bytes);
    let received = now(socket(file).receive(flags, true, &mut sink))?;
    Ok((sink.filled().to_vec(), received))
}

fn receive(file: &OpenFile, most: usize) -> Result<Vec<u8>> {
    receive_with(file, most, MessageFlags::empty()).map(|(bytes, _)| bytes)
}

fn bytes(text: &str) -> Result<Vec<u8>> {
    Ok(text.as_bytes().to_vec())
}

const NO_FLAGS: OpenFlags = OpenFlags::empty();
