//! Files in messages (SCM_RIGHTS), and what becomes of them on the way.

use alloc::rc::{Rc, Weak};
use alloc::vec;
use alloc::vec::Vec;

use super::{DATAGRAM, MessageFlags, NO_FLAGS, Net, SEQUENCE, STREAM, receive, receive_with, socket};
use crate::Errno;
use crate::caller::Caller;
use crate::open::{Descriptors, OpenFile, OpenFlags};
use crate::pipe::pipe;
use crate::socket::ancillary::{self, Ancillary};
use crate::socket::flight::{PER_MESSAGE_MAX, PER_USER_MAX};
use crate::socket::{ProcessCredentials, Received};
use crate::testing::{get, put};

fn pipe_of(net: &Net) -> [Rc<OpenFile>; 2] {
    pipe(&net.world.filesystem, 0, 0, OpenFlags::empty()).unwrap()
}

#[test]
fn a_file_arrives() {
    let net = Net::new();
    for kind in [STREAM, DATAGRAM, SEQUENCE] {
        let [a, b] = net.pair(kind);
        let [reader, writer] = pipe_of(&net);
        net.send_files(&a, b"x", vec![reader]).unwrap();
        put(&writer, b"through").unwrap();
        let (_, peeked) = receive_with(&b, 9, MessageFlags::PEEK).unwrap();
        let (_, received) = receive_with(&b, 9, MessageFlags::empty()).unwrap();
        assert!(Rc::ptr_eq(&peeked.rights[0], &received.rights[0]));
        assert_eq!(get(&received.rights[0], 9).unwrap(), b"through");
    }
}

#[test]
fn the_collector_leaves_alone_who_receives() {
    let net = Net::new();
    for kind in [STREAM, DATAGRAM, SEQUENCE] {
        let [a, b] = net.pair(kind);
        // Since then the collector is due.
        drop(net.pair(kind));
        let more = net.pair(kind);
        for file in &more {
            net.send_files(&a, b"x", vec![file.clone()]).unwrap();
        }
        for file in &more {
            let (_, received) = receive_with(&b, 1, MessageFlags::empty()).unwrap();
            assert!(Rc::ptr_eq(&received.rights[0], file));
        }
    }
}

#[test]
fn files_that_nobody_takes_are_closed() {
    let net = Net::new();
    let [a, b] = net.pair(STREAM);
    for unread in [false, true] {
        let [reader, writer] = pipe_of(&net);
        net.send_files(&a, b"x", vec![reader]).unwrap();
        assert_eq!(put(&writer, b"x"), Ok(1));
        if unread {
            drop((a, b));
            assert_eq!(put(&writer, b"x"), Err(Errno::EPIPE));
            return;
        }
        get(&b, 1).unwrap();
        assert_eq!(put(&writer, b"x"), Err(Errno::EPIPE));
    }
}

#[test]
fn files_mark_a_place_in_the_stream() {
    let net = Net::new();
    let [a, b] = net.pair(STREAM);
    let [reader, _writer] = pipe_of(&net);
    net.send(&a, b"four").unwrap();
    net.send_files(&a, b"1", vec![reader]).unwrap();
    net.send(&a, b"more").unwrap();
    let (found, received) = receive_with(&b, 20, MessageFlags::empty()).unwrap();
    assert_eq!((&found[..], received.rights.len()), (&b"four1"[..], 1));
    assert_eq!(receive(&b, 20).unwrap(), b"more");
}

#[test]
fn there_are_limits() {
    let net = Net::new();
    let [a, b] = net.pair(STREAM);
    let [reader, _writer] = pipe_of(&net);
    assert_eq!(net.send_files(&a, b"x", vec![reader.clone(); PER_MESSAGE_MAX + 1]), Err(Errno::EINVAL));
    let caller = net.world.user(5, 5);
    let try_send = |caller: &Caller, count| {
        let ancillary = Ancillary { rights: vec![reader.clone(); count], credentials: None };
        let mut outgoing = socket(&a).outgoing(&net.world.vfs, caller, None, ancillary)?;
        socket(&a).try_send(&mut outgoing, MessageFlags::empty(), &mut crate::buffer::SliceSource::new(b"x"))
    };
    let mut sent = 0;
    while try_send(&caller, 64) == Ok(1) {
        sent += 64;
    }
    assert_eq!((sent, try_send(&caller, 64)), (PER_USER_MAX, Err(Errno::ETOOMANYREFS)));
    assert_eq!(try_send(net.caller(), 64), Ok(1));
    receive(&b, 1).unwrap();
    assert_eq!(try_send(&caller, 64), Ok(1));
    drop((a, b));
    // Whatever way messages go, they leave the count.
    let [a, _b] = net.pair(STREAM);
    let ancillary = Ancillary { rights: vec![reader.clone(); 64], credentials: None };
    assert!(socket(&a).outgoing(&net.world.vfs, &caller, None, ancillary).is_ok());
    assert_eq!(Rc::strong_count(&reader), 1);
}

fn watch(files: &[Rc<OpenFile>]) -> Vec<Weak<OpenFile>> {
    files.iter().map(Rc::downgrade).collect()
}

fn all_closed(watched: &[Weak<OpenFile>]) -> bool {
    watched.iter().all(|file| file.strong_count() == 0)
}

#[test]
fn a_socket_in_its_own_queue_is_closed() {
    let net = Net::new();
    for kind in [STREAM, DATAGRAM, SEQUENCE] {
        let [a, b] = net.pair(kind);
        let watched = watch(&[a.clone(), b.clone()]);
        net.send_files(&a, b"x", vec![b.clone()]).unwrap();
        drop(b);
        assert!(watched[1].strong_count() > 0);
        drop(a);
        assert!(all_closed(&watched));
    }
}

#[test]
fn circles_are_closed_and_what_is_reachable_is_not() {
    let net = Net::new();
    let [a, b] = net.pair(DATAGRAM);
    let [c, d] = net.pair(DATAGRAM);
    let [reader, writer] = pipe_of(&net);
    let watched = watch(&[a.clone(), b.clone(), c.clone(), d.clone()]);
    // b is in d's queue and d in b's.
    net.send_files(&a, b"x", vec![d.clone(), reader]).unwrap();
    net.send_files(&c, b"x", vec![b.clone()]).unwrap();
    drop((c, d));
    // From b, which is open, d can be had.
    let (_, received) = receive_with(&b, 1, MessageFlags::PEEK).unwrap();
    assert!(Weak::ptr_eq(&Rc::downgrade(&received.rights[0]), &watched[3]));
    drop(received);
    drop(a);
    assert!(watched[3].strong_count() > 0);
    drop(b);
    // b's file was the last that led in.
    net.space.flight.socket_closed();
    assert!(all_closed(&watched));
    assert_eq!(put(&writer, b"x"), Err(Errno::EPIPE));
}

#[test]
fn circles_through_listeners_are_closed() {
    let net = Net::new();
    let listener = net.listener(STREAM, "@l", 5);
    let client = net.socket(STREAM);
    net.connect(&client, "@l").unwrap();
    let watched = watch(&[listener.clone(), client.clone()]);
    net.send_files(&client, b"x", vec![listener.clone(), client.clone()]).unwrap();
    drop(client);
    assert!(socket(&listener).try_accept(NO_FLAGS).is_ok());
    let client = net.socket(STREAM);
    net.connect(&client, "@l").unwrap();
    net.send_files(&client, b"x", vec![listener.clone(), client.clone()]).unwrap();
    drop((client, listener));
    net.space.flight.socket_closed();
    assert!(all_closed(&watched));
}

#[test]
fn long_chains_close_without_recursion() {
    let net = Net::new();
    let [first, mut inner] = net.pair(DATAGRAM);
    let mut last = first;
    let mut watched = Vec::new();
    for _ in 0..2_000 {
        let [a, b] = net.pair(DATAGRAM);
        watched.extend(watch(&[a.clone(), b.clone()]));
        net.send_files(&a, b"x", vec![inner, last]).unwrap();
        (inner, last) = (b, a);
    }
    assert!(watched.iter().all(|file| file.strong_count() > 0));
    drop((inner, last));
    assert!(all_closed(&watched));
}

#[test]
fn control_messages_are_read() {
    let net = Net::new();
    let mut table = Descriptors::new(10);
    let [reader, writer] = pipe_of(&net);
    table.insert(reader.clone(), false).unwrap();
    table.insert(writer.clone(), false).unwrap();
    let rights = |numbers: &[i32]| message(1, 1, &numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>());
    let parse = |control: &[u8]| ancillary::parse(control, &table);
    let parsed = parse(&rights(&[1, 0])).unwrap();
    assert!(Rc::ptr_eq(&parsed.rights[0], &writer) && Rc::ptr_eq(&parsed.rights[1], &reader));
    assert_eq!(parse(&rights(&[7])).err(), Some(Errno::EBADF));
    let credentials = ProcessCredentials { process: 1, user: 2, group: 3 };
    let both = [rights(&[0]), message(1, 2, &credentials.encode())].concat();
    let parsed = parse(&both).unwrap();
    assert_eq!((parsed.rights.len(), parsed.credentials), (1, Some(credentials)));
    assert_eq!(parse(&message(1, 3, &[])).err(), Some(Errno::EINVAL));
    assert!(parse(&message(41, 1, &[9; 4])).unwrap().rights.is_empty());
    for length in [0, 15, 25, u64::MAX] {
        let mut wrong = rights(&[0]);
        wrong[..8].copy_from_slice(&length.to_le_bytes());
        assert_eq!(parse(&wrong).err(), Some(Errno::EINVAL), "{length}");
    }
    assert!(parse(&[1; 15]).unwrap().rights.is_empty());
}

fn message(level: u32, kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&(16 + data.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&level.to_le_bytes());
    bytes.extend_from_slice(&kind.to_le_bytes());
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

#[test]
fn what_arrives_gets_descriptors() {
    let net = Net::new();
    let received = || Received {
        rights: pipe_of(&net).to_vec(),
        credentials: Some(ProcessCredentials { process: 1, user: 2, group: 3 }),
        ..Received::default()
    };
    let mut table = Descriptors::new(10);
    let (control, flags) = ancillary::deliver(received(), 100, MessageFlags::CLOSE_ON_EXEC, &mut table);
    assert_eq!(flags, MessageFlags::empty());
    assert_eq!(
        control,
        [message(1, 2, &[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]), message(1, 1, &[0, 0, 0, 0, 1, 0, 0, 0])].concat()
    );
    assert!(table.entry(1).unwrap().close_on_exec);
    // Room for the credentials and one file.
    let (control, flags) = ancillary::deliver(received(), 52, MessageFlags::empty(), &mut table);
    assert_eq!((control.len(), flags), (52, MessageFlags::CONTROL_TRUNCATED));
    assert_eq!(table.iter().count(), 3);
    let (control, flags) = ancillary::deliver(received(), 0, MessageFlags::empty(), &mut table);
    assert_eq!((control.len(), flags), (0, MessageFlags::CONTROL_TRUNCATED));
    table.set_limit(4);
    let received = Received { credentials: None, ..received() };
    let (control, flags) = ancillary::deliver(received, 100, MessageFlags::empty(), &mut table);
    assert_eq!((control, flags), (message(1, 1, &[3, 0, 0, 0]), MessageFlags::CONTROL_TRUNCATED));
}
