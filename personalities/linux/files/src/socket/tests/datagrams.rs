//! Datagrams.

use core::task::Poll;

use super::{DATAGRAM, MessageFlags, NO_FLAGS, Net, STREAM, address, bytes, receive, receive_with, socket};
use crate::Errno;
use crate::buffer::SliceSource;
use crate::testing::{Task, now};
use crate::wait::Events;

#[test]
fn datagrams_go_to_names() {
    let net = Net::new();
    let [server, client] = [net.socket(DATAGRAM), net.socket(DATAGRAM)];
    net.bind(&server, "/server").unwrap();
    assert_eq!(net.send_to(&client, "/server", b"anonymous"), Ok(9));
    net.bind(&client, "@client").unwrap();
    assert_eq!(net.send_to(&client, "/server", b""), Ok(0));
    let (found, received) = receive_with(&server, 4, MessageFlags::empty()).unwrap();
    assert_eq!((&found[..], received.flags, received.from), (&b"anon"[..], MessageFlags::TRUNCATED, None));
    let (found, received) = receive_with(&server, 4, MessageFlags::empty()).unwrap();
    assert_eq!((&found[..], received.from.unwrap()), (&b""[..], address("@client")));
    assert_eq!(net.send_to(&client, "@none", b"x"), Err(Errno::ECONNREFUSED));
    assert_eq!(net.send_to(&client, "/none", b"x"), Err(Errno::ENOENT));
    assert_eq!(net.send_to(&net.socket(STREAM), "/server", b"x"), Err(Errno::EOPNOTSUPP));
    assert_eq!(net.send_to(&net.pair(STREAM)[0], "/server", b"x"), Err(Errno::EISCONN));
}

#[test]
fn a_connected_socket_hears_only_its_peer() {
    let net = Net::new();
    let [a, b, stranger] = [(); 3].map(|()| net.socket(DATAGRAM));
    net.bind(&a, "@a").unwrap();
    net.bind(&b, "@b").unwrap();
    net.connect(&a, "@b").unwrap();
    assert_eq!(net.send_to(&stranger, "@a", b"x"), Err(Errno::EPERM));
    assert_eq!(net.connect(&stranger, "@a"), Err(Errno::EPERM));
    assert_eq!((net.send(&a, b"to b"), receive(&b, 9)), (Ok(4), bytes("to b")));
    assert_eq!(net.send_to(&b, "@a", b"to a"), Ok(4));
    assert_eq!(socket(&a).peer_address(), Ok(address("@b")));
    assert_eq!(now(socket(&a).connect(&net.world.vfs, net.caller(), &[0, 0, 0, 0], true)), Ok(()));
    assert_eq!(net.send(&a, b"x"), Err(Errno::ENOTCONN));
    assert_eq!(net.send_to(&stranger, "@a", b"x"), Ok(1));
}

#[test]
fn a_queue_holds_few_datagrams_of_strangers() {
    let net = Net::new();
    let [server, client] = [net.socket(DATAGRAM), net.socket(DATAGRAM)];
    net.bind(&server, "@s").unwrap();
    for _ in 0..11 {
        assert_eq!(net.send_to(&client, "@s", b"x"), Ok(1));
    }
    assert_eq!(net.send_to(&client, "@s", b"x"), Err(Errno::EAGAIN));
    assert!(client.readiness().contains(Events::OUT));
    net.connect(&client, "@s").unwrap();
    assert_eq!(client.readiness(), Events::empty());
    let sender = socket(&client);
    let mut outgoing = sender.plain_outgoing();
    let mut source = SliceSource::new(b"late");
    let mut send = Task::new(sender.send(&mut outgoing, MessageFlags::empty(), false, &mut source));
    assert!(send.poll().is_pending());
    let mut watch = Task::new(client.waiters().unwrap().wait(Events::OUT));
    assert!(watch.poll().is_pending());
    receive(&server, 1).unwrap();
    assert_eq!(send.poll_if_woken(), Poll::Ready(Ok(4)));
    assert!(watch.wakes() > 0);
}

#[test]
fn pairs_are_only_limited_by_their_buffers() {
    let net = Net::new();
    let [a, b] = net.pair(DATAGRAM);
    let mut sent = 0;
    while net.send(&a, &[0; 1000]) == Ok(1000) {
        sent += 1;
    }
    assert!((50..200).contains(&sent));
    assert_eq!(a.readiness(), Events::empty());
    receive(&b, 1).unwrap();
    assert_eq!(net.send(&a, b"x"), Ok(1));
    assert_eq!(net.send(&a, &alloc::vec![0; 300_000]), Err(Errno::EMSGSIZE));
}

#[test]
fn the_peer_of_datagrams_may_vanish() {
    let net = Net::new();
    let [a, b] = net.pair(DATAGRAM);
    net.send(&a, b"unread").unwrap();
    drop(b);
    assert_eq!(a.readiness(), Events::WRITABLE | Events::WRBAND);
    assert_eq!(receive(&a, 9), Err(Errno::EAGAIN));
    assert_eq!((net.send(&a, b"x"), net.send(&a, b"x")), (Err(Errno::ECONNREFUSED), Err(Errno::ENOTCONN)));
}

#[test]
fn shutting_down_is_not_told_to_the_peer() {
    let net = Net::new();
    let [a, b] = net.pair(DATAGRAM);
    socket(&a).shut_down(1).unwrap();
    assert_eq!(net.send(&a, b"x"), Err(Errno::EPIPE));
    assert_eq!(receive(&b, 1), Err(Errno::EAGAIN));
    assert_eq!((net.send(&b, b"r"), receive(&a, 4)), (Ok(1), bytes("r")));
    socket(&a).shut_down(0).unwrap();
    assert_eq!(net.send(&b, b"x"), Err(Errno::EPIPE));
    assert_eq!(receive(&a, 1), Err(Errno::EAGAIN));
    // Who waits is told of the end.
    let mut buffer = [0; 4];
    let mut sink = crate::buffer::SliceSink::new(&mut buffer);
    assert_eq!(now(socket(&a).receive(MessageFlags::empty(), false, &mut sink)).unwrap().count, 0);
    assert_eq!(socket(&b).try_accept(NO_FLAGS).err(), Some(Errno::EOPNOTSUPP));
}
