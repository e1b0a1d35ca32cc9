//! Connected pairs of sockets (unix(7)): two queues of bytes or packets, one each way.
//!
//! Sockets with names, and passing descriptors and credentials along, come with the rest of AF_UNIX.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::buffer::{Sink, Source};
use chestnut_linux_files::open::{Attempt, File};
use chestnut_linux_files::wait::{Events, WaitQueue};
use chestnut_linux_files::{Errno, Result};
use core::any::Any;
use core::cell::{Cell, RefCell};

/// Bytes that may wait in one direction (net.core.wmem_default).
const CAPACITY: usize = 212_992;

/// What is kept between two writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundaries {
    /// SOCK_STREAM: nothing.
    None,
    /// SOCK_SEQPACKET, SOCK_DGRAM: each write is read by one read.
    Packets,
}

/// One direction.
#[derive(Default)]
struct Queue {
    packets: RefCell<VecDeque<Vec<u8>>>,
    bytes: Cell<usize>,
    /// Nothing more will be written.
    ended: Cell<bool>,
    /// Nobody will read any more.
    deaf: Cell<bool>,
}

/// One end of a pair.
pub struct Socket {
    boundaries: Boundaries,
    incoming: Rc<Queue>,
    outgoing: Rc<Queue>,
    waiters: WaitQueue,
    peer_waiters: WaitQueue,
}

/// Two connected sockets.
pub fn pair(boundaries: Boundaries) -> [Rc<Socket>; 2] {
    let (one, two) = (Rc::new(Queue::default()), Rc::new(Queue::default()));
    let (first, second) = (WaitQueue::new(), WaitQueue::new());
    [
        Rc::new(Socket {
            boundaries,
            incoming: one.clone(),
            outgoing: two.clone(),
            waiters: first.clone(),
            peer_waiters: second.clone(),
        }),
        Rc::new(Socket { boundaries, incoming: two, outgoing: one, waiters: second, peer_waiters: first }),
    ]
}

impl Socket {
    /// shutdown(2).
    pub fn shut_down(&self, reading: bool, writing: bool) {
        if reading {
            self.incoming.deaf.set(true);
            self.incoming.ended.set(true);
        }
        if writing {
            self.outgoing.ended.set(true);
        }
        self.waiters.wake(Events::all());
        self.peer_waiters.wake(Events::all());
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.shut_down(true, true);
    }
}

impl File for Socket {
    fn read(&self, _: &mut Attempt, _: u64, sink: &mut dyn Sink) -> Result<usize> {
        let mut packets = self.incoming.packets.borrow_mut();
        let Some(front) = packets.front_mut() else {
            return if self.incoming.ended.get() { Ok(0) } else { Err(Errno::EAGAIN) };
        };
        let mut count = sink.put(front)?;
        match self.boundaries {
            Boundaries::Packets => {
                // What didn't fit is lost.
                self.incoming.bytes.set(self.incoming.bytes.get() - front.len());
                packets.pop_front();
            }
            Boundaries::None => {
                front.drain(..count);
                let mut emptied = front.is_empty();
                while emptied {
                    packets.pop_front();
                    let Some(next) = packets.front_mut().filter(|_| sink.remaining() > 0) else { break };
                    let more = sink.put(next).unwrap_or(0);
                    next.drain(..more);
                    count += more;
                    emptied = more > 0 && next.is_empty();
                }
                self.incoming.bytes.set(self.incoming.bytes.get() - count);
            }
        }
        drop(packets);
        self.peer_waiters.wake(Events::WRITABLE);
        Ok(count)
    }

    fn write(&self, _: &mut Attempt, _: u64, source: &mut dyn Source) -> Result<usize> {
        if self.outgoing.ended.get() || self.outgoing.deaf.get() {
            return Err(Errno::EPIPE);
        }
        let (wanted, room) = (source.remaining(), CAPACITY.saturating_sub(self.outgoing.bytes.get()));
        let length = match self.boundaries {
            Boundaries::Packets if wanted > CAPACITY => return Err(Errno::EMSGSIZE),
            Boundaries::Packets if wanted > room => return Err(Errno::EAGAIN),
            Boundaries::None if room == 0 && wanted > 0 => return Err(Errno::EAGAIN),
            _ => wanted.min(room),
        };
        let mut packet = vec![0; length];
        let taken = if length > 0 { source.take(&mut packet)? } else { 0 };
        packet.truncate(taken);
        if taken > 0 || self.boundaries == Boundaries::Packets {
            self.outgoing.packets.borrow_mut().push_back(packet);
            self.outgoing.bytes.set(self.outgoing.bytes.get() + taken);
            self.peer_waiters.wake(Events::READABLE);
        }
        Ok(taken)
    }

    fn writes_everything(&self) -> bool {
        true
    }

    fn readiness(&self) -> Events {
        let mut ready = Events::empty();
        let ended = self.incoming.ended.get();
        if ended || !self.incoming.packets.borrow().is_empty() {
            ready |= Events::READABLE;
        }
        if ended {
            ready |= Events::RDHUP;
        }
        let closed = self.outgoing.ended.get() || self.outgoing.deaf.get();
        if closed || self.outgoing.bytes.get() < CAPACITY {
            ready |= Events::WRITABLE;
        }
        if ended && closed {
            ready |= Events::HUP;
        }
        ready
    }

    fn waiters(&self) -> Option<&WaitQueue> {
        Some(&self.waiters)
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chestnut_linux_files::buffer::{SliceSink, SliceSource};

    fn put(socket: &Socket, bytes: &[u8]) -> Result<usize> {
        socket.write(&mut Attempt::once(), 0, &mut SliceSource::new(bytes))
    }
    fn get(socket: &Socket, most: usize) -> Result<Vec<u8>> {
        let mut buffer = vec![0; most];
        let count = socket.read(&mut Attempt::once(), 0, &mut SliceSink::new(&mut buffer))?;
        buffer.truncate(count);
        Ok(buffer)
    }

    #[test]
    fn a_stream_has_no_boundaries() {
        let [one, two] = pair(Boundaries::None);
        assert_eq!((put(&one, b"abc"), put(&one, b"defg")), (Ok(3), Ok(4)));
        assert_eq!(get(&two, 2), Ok(b"ab".to_vec()));
        assert_eq!(get(&two, 100), Ok(b"cdefg".to_vec()));
        assert_eq!(get(&two, 1), Err(Errno::EAGAIN));
        assert_eq!(get(&one, 1), Err(Errno::EAGAIN));
    }

    #[test]
    fn packets_come_one_by_one_and_are_cut() {
        let [one, two] = pair(Boundaries::Packets);
        for packet in [&b"abc"[..], b"", b"de"] {
            assert_eq!(put(&one, packet), Ok(packet.len()));
        }
        assert_eq!(get(&two, 2), Ok(b"ab".to_vec()));
        assert_eq!(get(&two, 9), Ok(Vec::new()));
        assert_eq!(get(&two, 9), Ok(b"de".to_vec()));
        assert_eq!(two.incoming.bytes.get(), 0);
    }

    #[test]
    fn a_closed_peer_is_the_end_and_a_broken_pipe() {
        let [one, two] = pair(Boundaries::None);
        put(&one, b"last").unwrap();
        drop(one);
        assert_eq!(get(&two, 9), Ok(b"last".to_vec()));
        assert_eq!(get(&two, 9), Ok(Vec::new()));
        assert_eq!(put(&two, b"x"), Err(Errno::EPIPE));
        assert!(two.readiness().contains(Events::HUP));
    }

    #[test]
    fn a_full_direction_waits() {
        let [one, two] = pair(Boundaries::None);
        assert_eq!(put(&one, &vec![1; CAPACITY + 5]), Ok(CAPACITY));
        assert_eq!(put(&one, b"x"), Err(Errno::EAGAIN));
        assert!(!one.readiness().contains(Events::OUT));
        assert_eq!(get(&two, 10).map(|bytes| bytes.len()), Ok(10));
        assert_eq!(put(&one, &[1; 20]), Ok(10));
    }
}
