//! Streams and sequences of packets.

use alloc::vec;
use core::task::Poll;

use super::{DATAGRAM, MessageFlags, Net, SEQUENCE, STREAM, bytes, receive, receive_with, socket};
use crate::buffer::{SliceSink, SliceSource, Structure};
use crate::testing::{Task, get, now, put};
use crate::wait::Events;
use crate::{Errno, Result};

const READY: Events = Events::WRITABLE.union(Events::WRBAND);

#[test]
fn bytes_go_both_ways() {
    let net = Net::new();
    let [a, b] = net.pair(STREAM);
    assert_eq!(put(&a, b"hello "), Ok(6));
    assert_eq!(net.send(&a, b"world"), Ok(5));
    assert_eq!(net.send(&b, b"back"), Ok(4));
    assert_eq!(get(&b, 8), bytes("hello wo"));
    assert_eq!(receive(&b, 8), bytes("rld"));
    assert_eq!(receive(&b, 8), Err(Errno::EAGAIN));
    assert_eq!(get(&a, 99), bytes("back"));
    assert_eq!((a.metadata().mode(), a.seek(crate::open::Whence::Start, 0)), (0o140777, Err(Errno::ESPIPE)));
}

#[test]
fn peeking_takes_nothing() {
    let net = Net::new();
    let [a, b] = net.pair(STREAM);
    net.send(&a, b"hello").unwrap();
    assert_eq!(receive_with(&b, 3, MessageFlags::PEEK).unwrap().0, b"hel");
    let (found, received) = receive_with(&b, 3, MessageFlags::TRUNCATED).unwrap();
    assert_eq!((&found[..], received.count, received.flags), (&b"hel"[..], 3, MessageFlags::empty()));
    assert_eq!(receive(&b, 9), bytes("lo"));
}

#[test]
fn a_full_stream_makes_writers_wait() {
    let net = Net::new();
    let [a, b] = net.pair(STREAM);
    let sent = net.send(&a, &vec![7; 1 << 20]).unwrap();
    assert!((100_000..300_000).contains(&sent), "{sent}");
    assert_eq!((net.send(&a, b"x"), a.readiness()), (Err(Errno::EAGAIN), Events::empty()));
    let everything = vec![8; 300_000];
    let mut source = SliceSource::new(&everything);
    let sender = socket(&a);
    let mut outgoing = sender.plain_outgoing();
    let mut send = Task::new(sender.send(&mut outgoing, MessageFlags::empty(), false, &mut source));
    let mut read = 0;
    let result = loop {
        match send.poll() {
            Poll::Ready(result) => break result,
            Poll::Pending => read += receive(&b, 50_000).unwrap().len(),
        }
        assert!(read < 1_000_000);
    };
    assert_eq!(result, Ok(300_000));
    while let Ok(more) = receive(&b, 1 << 20) {
        read += more.len();
    }
    assert_eq!(read, sent + 300_000);
    assert_eq!(a.readiness(), READY);
}

#[test]
fn an_interrupted_send_knows_how_far_it_came() {
    let net = Net::new();
    let [a, _b] = net.pair(STREAM);
    let everything = vec![8; 1 << 20];
    let mut source = SliceSource::new(&everything);
    let sender = socket(&a);
    let mut outgoing = sender.plain_outgoing();
    let mut send = Task::new(sender.send(&mut outgoing, MessageFlags::empty(), false, &mut source));
    assert!(send.poll().is_pending());
    drop(send);
    use crate::buffer::Source;
    assert!(outgoing.sent() > 0);
    assert_eq!(outgoing.sent() + source.remaining(), 1 << 20);
}

#[test]
fn readers_wait_for_bytes_or_for_all() {
    let net = Net::new();
    let [a, b] = net.pair(STREAM);
    let reader = socket(&b);
    let mut buffer = [0; 8];
    let mut sink = SliceSink::new(&mut buffer);
    let mut read = Task::new(reader.receive(MessageFlags::empty(), false, &mut sink));
    assert!(read.poll().is_pending());
    net.send(&a, b"abc").unwrap();
    assert!(matches!(read.poll_if_woken(), Poll::Ready(Ok(received)) if received.count == 3));
    drop(read);
    let mut sink = SliceSink::new(&mut buffer);
    let mut read = Task::new(reader.receive(MessageFlags::WAIT_FOR_ALL, false, &mut sink));
    net.send(&a, b"abc").unwrap();
    assert!(read.poll().is_pending());
    net.send(&a, b"defgh").unwrap();
    assert!(matches!(read.poll_if_woken(), Poll::Ready(Ok(received)) if received.count == 8));
    drop(read);
    assert_eq!(&buffer, b"abcdefgh");
    let mut sink = SliceSink::new(&mut buffer);
    let mut read = Task::new(reader.receive(MessageFlags::WAIT_FOR_ALL, false, &mut sink));
    net.send(&a, b"end").unwrap();
    assert!(read.poll().is_pending());
    drop(a);
    assert!(matches!(read.poll_if_woken(), Poll::Ready(Ok(received)) if received.count == 3));
}

#[test]
fn a_closed_peer_is_the_end() {
    for kind in [STREAM, SEQUENCE] {
        let net = Net::new();
        let [a, b] = net.pair(kind);
        net.send(&b, b"last").unwrap();
        drop(b);
        assert_eq!(a.readiness(), READY | Events::READABLE | Events::RDHUP | Events::HUP);
        assert_eq!(receive(&a, 9), bytes("last"));
        assert_eq!(receive(&a, 9), bytes(""));
        assert_eq!(net.send(&a, b"x"), Err(Errno::EPIPE));
        assert_eq!(socket(&a).peer_address(), Ok(vec![1, 0]));
    }
}

#[test]
fn what_the_peer_did_not_read_resets() {
    for kind in [STREAM, SEQUENCE] {
        let net = Net::new();
        let [a, b] = net.pair(kind);
        net.send(&a, b"unread").unwrap();
        drop(b);
        assert!(a.readiness().contains(Events::ERR));
        assert_eq!(receive(&a, 9), Err(Errno::ECONNRESET));
        assert_eq!(receive(&a, 9), bytes(""));
    }
}

#[test]
fn shutting_down_one_way() {
    let net = Net::new();
    for kind in [STREAM, SEQUENCE] {
        let [a, b] = net.pair(kind);
        net.send(&a, b"q").unwrap();
        socket(&a).shut_down(1).unwrap();
        assert_eq!((a.readiness(), b.readiness()), (READY, READY | Events::READABLE | Events::RDHUP));
        assert_eq!(net.send(&a, b"x"), Err(Errno::EPIPE));
        assert_eq!((receive(&b, 4), receive(&b, 4)), (bytes("q"), bytes("")));
        assert_eq!((net.send(&b, b"r"), receive(&a, 4)), (Ok(1), bytes("r")));
        socket(&b).shut_down(1).unwrap();
        let all = READY | Events::READABLE | Events::RDHUP | Events::HUP;
        assert_eq!((a.readiness(), b.readiness()), (all, all));
        let [a, b] = net.pair(kind);
        socket(&b).shut_down(0).unwrap();
        assert_eq!((net.send(&a, b"x"), receive(&b, 1)), (Err(Errno::EPIPE), bytes("")));
        assert_eq!(socket(&b).shut_down(3), Err(Errno::EINVAL));
    }
}

#[test]
fn sequences_keep_their_packets_apart() {
    let net = Net::new();
    let [a, b] = net.pair(SEQUENCE);
    assert_eq!((net.send(&a, b"one"), net.send(&a, b""), net.send(&a, b"three")), (Ok(3), Ok(0), Ok(5)));
    let (found, received) = receive_with(&b, 2, MessageFlags::TRUNCATED).unwrap();
    assert_eq!((&found[..], received.count, received.flags), (&b"on"[..], 3, MessageFlags::TRUNCATED));
    assert_eq!((receive(&b, 9), receive(&b, 9), receive(&b, 9)), (bytes(""), bytes("three"), Err(Errno::EAGAIN)));
    assert_eq!(net.send(&a, &vec![0; 300_000]), Err(Errno::EMSGSIZE));
    let sender = socket(&a);
    let mut outgoing = sender.plain_outgoing();
    let flags = MessageFlags::END_OF_RECORD;
    assert_eq!(now(sender.send(&mut outgoing, flags, true, &mut SliceSource::new(b"end"))), Ok(3));
    assert_eq!(receive_with(&b, 9, MessageFlags::empty()).unwrap().1.flags, MessageFlags::empty());
}

#[test]
fn out_of_band_data_is_refused() {
    let net = Net::new();
    for (kind, sending, receiving) in [
        (STREAM, Errno::EOPNOTSUPP, Errno::EINVAL),
        (SEQUENCE, Errno::EOPNOTSUPP, Errno::EOPNOTSUPP),
        (DATAGRAM, Errno::EOPNOTSUPP, Errno::EOPNOTSUPP),
    ] {
        let [a, _b] = net.pair(kind);
        let mut outgoing = socket(&a).plain_outgoing();
        let flags = MessageFlags::OUT_OF_BAND;
        let sent = socket(&a).try_send(&mut outgoing, flags, &mut SliceSource::new(b"x"));
        assert_eq!(sent, Err(sending));
        assert_eq!(receive_with(&a, 1, flags).err(), Some(receiving));
    }
}

#[test]
fn the_number_of_bytes_can_be_asked_for() {
    let net = Net::new();
    let ask = |file: &crate::open::OpenFile, request| -> Result<i32> {
        let mut number = [0; 4];
        now(file.ioctl(net.caller(), request, &mut Structure(&mut number)))?;
        Ok(i32::from_le_bytes(number))
    };
    for (kind, expected) in [(STREAM, 8), (SEQUENCE, 5), (DATAGRAM, 5)] {
        let [a, b] = net.pair(kind);
        net.send(&a, b"hello").unwrap();
        net.send(&a, b"all").unwrap();
        assert_eq!(ask(&b, linux_raw_sys::ioctl::FIONREAD), Ok(expected));
        assert!(ask(&a, linux_raw_sys::ioctl::TIOCOUTQ).unwrap() > 8);
        receive(&b, 99).unwrap();
        receive(&b, 99).ok();
        assert_eq!(ask(&a, linux_raw_sys::ioctl::TIOCOUTQ), Ok(0));
    }
    let listener = net.listener(STREAM, "@l", 1);
    assert_eq!(ask(&listener, linux_raw_sys::ioctl::FIONREAD), Err(Errno::EINVAL));
}

#[test]
fn fresh_sockets() {
    let net = Net::new();
    for (kind, receiving, ready) in [
        (STREAM, Errno::EINVAL, READY | Events::HUP),
        (SEQUENCE, Errno::ENOTCONN, READY | Events::HUP),
        (DATAGRAM, Errno::EAGAIN, READY),
    ] {
        let file = net.socket(kind);
        assert_eq!(file.readiness(), ready);
        assert_eq!((receive(&file, 1), net.send(&file, b"x")), (Err(receiving), Err(Errno::ENOTCONN)));
        assert_eq!(socket(&file).peer_address(), Err(Errno::ENOTCONN));
        assert_eq!(socket(&file).local_address(), [1, 0]);
        assert_eq!(socket(&file).shut_down(1), Ok(()));
    }
    let make = |domain, kind, protocol| net.space.socket(net.caller(), domain, kind, protocol).err();
    assert_eq!(make(2, STREAM, 0), Some(Errno::EAFNOSUPPORT));
    assert_eq!(make(1, STREAM, 2), Some(Errno::EPROTONOSUPPORT));
    assert_eq!(make(1, 4, 0), Some(Errno::ESOCKTNOSUPPORT));
    assert_eq!(make(1, STREAM | 0x100, 0), Some(Errno::EINVAL));
    assert_eq!(make(1, 3, 1), None);
    assert_eq!(net.world.open("/", super::NO_FLAGS).unwrap().socket().err(), Some(Errno::ENOTSOCK));
}

#[test]
fn all_messages_together_are_bounded() {
    let net = Net::new();
    net.space.limit_memory(100_000);
    let [a, b] = net.pair(STREAM);
    let [c, _d] = net.pair(DATAGRAM);
    assert!(net.send(&a, &vec![0; 200_000]).unwrap() < 100_000);
    assert_eq!(net.send(&a, &[0; 20_000]), Err(Errno::ENOBUFS));
    assert_eq!(net.send(&c, &[0; 20_000]), Err(Errno::ENOBUFS));
    assert!(net.space.memory_used() <= 100_000);
    drop((a, b));
    assert_eq!(net.space.memory_used(), 0);
    assert_eq!(net.send(&c, &[0; 20_000]), Ok(20_000));
}
