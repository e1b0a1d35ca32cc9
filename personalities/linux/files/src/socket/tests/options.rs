//! Options and credentials.

use alloc::vec::Vec;

use super::{DATAGRAM, MessageFlags, NO_FLAGS, Net, SEQUENCE, STREAM, receive_with, socket};
use crate::caller::Caller;
use crate::open::OpenFile;
use crate::socket::ancillary::Ancillary;
use crate::socket::{ProcessCredentials, SocketKind};
use crate::testing::{now, put};
use crate::{Errno, Result};

const TYPE: u32 = 3;
const ERROR: u32 = 4;
const SEND_BUFFER: u32 = 7;
const RECEIVE_BUFFER: u32 = 8;
const PASS_CREDENTIALS: u32 = 16;
const PEER_CREDENTIALS: u32 = 17;
const ACCEPTS: u32 = 30;
const SEND_BUFFER_FORCE: u32 = 32;
const DOMAIN: u32 = 39;

fn ask(file: &OpenFile, name: u32) -> Result<u32> {
    socket(file).option(1, name).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap()))
}

fn set(net: &Net, file: &OpenFile, name: u32, value: u32) -> Result<()> {
    socket(file).set_option(net.caller(), 1, name, &value.to_le_bytes())
}

#[test]
fn what_a_socket_is() {
    let net = Net::new();
    for (kind, name) in
        [(STREAM, SocketKind::Stream), (DATAGRAM, SocketKind::Datagram), (SEQUENCE, SocketKind::Sequence)]
    {
        let file = net.socket(kind);
        assert_eq!((ask(&file, TYPE), ask(&file, DOMAIN), socket(&file).kind()), (Ok(kind), Ok(1), name));
        assert_eq!(ask(&file, ACCEPTS), Ok(0));
        for fixed in [TYPE, DOMAIN, ERROR, ACCEPTS, PEER_CREDENTIALS, 9999] {
            assert_eq!(set(&net, &file, fixed, 1), Err(Errno::ENOPROTOOPT));
        }
        assert_eq!(ask(&file, 9999), Err(Errno::ENOPROTOOPT));
        assert_eq!(socket(&file).option(6, 1), Err(Errno::EOPNOTSUPP));
        assert_eq!(socket(&file).set_option(net.caller(), 6, 1, &[0; 4]), Err(Errno::EOPNOTSUPP));
        assert_eq!(socket(&file).set_option(net.caller(), 1, SEND_BUFFER, &[1]), Err(Errno::EINVAL));
    }
    assert_eq!(ask(&net.listener(STREAM, "@l", 1), ACCEPTS), Ok(1));
}

#[test]
fn buffers_are_doubled_and_bounded() {
    let net = Net::new();
    let file = net.socket(STREAM);
    assert_eq!((ask(&file, SEND_BUFFER), ask(&file, RECEIVE_BUFFER)), (Ok(212_992), Ok(212_992)));
    for (value, told) in [(0, 4608), (10_000, 20_000), (1 << 30, 425_984)] {
        set(&net, &file, SEND_BUFFER, value).unwrap();
        assert_eq!(ask(&file, SEND_BUFFER), Ok(told));
    }
    set(&net, &file, RECEIVE_BUFFER, 0).unwrap();
    assert_eq!(ask(&file, RECEIVE_BUFFER), Ok(2304));
    set(&net, &file, SEND_BUFFER_FORCE, 1 << 20).unwrap();
    assert_eq!(ask(&file, SEND_BUFFER), Ok(2 << 20));
    let forced = socket(&file).set_option(&net.world.user(5, 5), 1, SEND_BUFFER_FORCE, &[0; 4]);
    assert_eq!(forced, Err(Errno::EPERM));
    let [a, _b] = net.pair(STREAM);
    set(&net, &a, SEND_BUFFER, 0).unwrap();
    assert!(net.send(&a, &[0; 10_000]).unwrap() <= 4608);
}

#[test]
fn errors_are_told_once() {
    let net = Net::new();
    let [a, b] = net.pair(STREAM);
    net.send(&a, b"unread").unwrap();
    drop(b);
    assert_eq!((ask(&a, ERROR), ask(&a, ERROR)), (Ok(104), Ok(0)));
}

#[test]
fn times_to_wait() {
    let net = Net::new();
    let file = net.socket(STREAM);
    let time = |seconds: i64, micros: u64| [seconds.to_le_bytes(), micros.to_le_bytes()].concat();
    let set = |bytes: &[u8]| socket(&file).set_option(net.caller(), 1, 21, bytes);
    assert_eq!(set(&time(1, 500_000)), Ok(()));
    assert_eq!(socket(&file).option(1, 21), Ok(time(1, 500_000)));
    assert_eq!(set(&time(0, 1_000_000)), Err(Errno::EDOM));
    assert_eq!(set(&[0; 8]), Err(Errno::EINVAL));
}

fn person(net: &Net, process: u32, user: u32) -> Caller {
    Caller { process, ..net.world.user(user, user + 1) }
}

fn peer(file: &OpenFile) -> Vec<u8> {
    socket(file).option(1, PEER_CREDENTIALS).unwrap()
}

fn credentials(process: u32, user: u32, group: u32) -> ProcessCredentials {
    ProcessCredentials { process, user, group }
}

#[test]
fn peers_are_known() {
    let net = Net::new();
    let [a, b] = net.pair(STREAM);
    assert_eq!((peer(&a), peer(&b)), (credentials(1, 0, 0).encode().to_vec(), credentials(1, 0, 0).encode().to_vec()));
    let nobody = credentials(0, u32::MAX, u32::MAX).encode();
    assert_eq!(peer(&net.socket(STREAM)), nobody);
    let listener = net.socket(STREAM);
    net.bind(&listener, "@l").unwrap();
    socket(&listener).listen(&person(&net, 7, 70), 1).unwrap();
    let client = net.socket(STREAM);
    let caller = person(&net, 8, 80);
    now(socket(&client).connect(&net.world.vfs, &caller, &super::address("@l"), true)).unwrap();
    let server = socket(&listener).try_accept(NO_FLAGS).unwrap();
    assert_eq!(peer(&client), credentials(7, 70, 71).encode());
    assert_eq!(peer(&server), credentials(8, 80, 81).encode());
}

#[test]
fn senders_are_told_to_who_asks() {
    let net = Net::new();
    for kind in [STREAM, DATAGRAM, SEQUENCE] {
        let [a, b] = net.pair(kind);
        net.send(&a, b"x").unwrap();
        assert_eq!(receive_with(&b, 9, MessageFlags::empty()).unwrap().1.credentials, None);
        set(&net, &b, PASS_CREDENTIALS, 1).unwrap();
        put(&a, b"x").unwrap();
        assert_eq!(receive_with(&b, 9, MessageFlags::empty()).unwrap().1.credentials, Some(credentials(1, 0, 0)));
        // The privileged may claim to be anybody.
        let claimed = Ancillary { credentials: Some(credentials(99, 5, 6)), ..Ancillary::default() };
        net.send_with(&a, None, b"x", claimed).unwrap();
        assert_eq!(receive_with(&b, 9, MessageFlags::empty()).unwrap().1.credentials, Some(credentials(99, 5, 6)));
        let caller = person(&net, 8, 80);
        let outgoing = |claimed| {
            let ancillary = Ancillary { credentials: Some(claimed), ..Ancillary::default() };
            socket(&a).outgoing(&net.world.vfs, &caller, None, ancillary).err()
        };
        assert_eq!(outgoing(credentials(8, 80, 81)), None);
        assert_eq!(outgoing(credentials(9, 80, 81)), Some(Errno::EPERM));
        assert_eq!(outgoing(credentials(8, 0, 81)), Some(Errno::EPERM));
    }
}

#[test]
fn a_stream_does_not_join_what_different_processes_sent() {
    let net = Net::new();
    let [a, b] = net.pair(STREAM);
    set(&net, &b, PASS_CREDENTIALS, 1).unwrap();
    for (process, text) in [(3, &b"ab"[..]), (3, b"cd"), (4, b"ef")] {
        let claimed = Ancillary { credentials: Some(credentials(process, 0, 0)), ..Ancillary::default() };
        net.send_with(&a, None, text, claimed).unwrap();
    }
    let (found, received) = receive_with(&b, 99, MessageFlags::empty()).unwrap();
    assert_eq!((&found[..], received.credentials.unwrap().process), (&b"abcd"[..], 3));
    let (found, received) = receive_with(&b, 99, MessageFlags::empty()).unwrap();
    assert_eq!((&found[..], received.credentials.unwrap().process), (&b"ef"[..], 4));
}

#[test]
fn who_asks_for_credentials_gets_a_name() {
    let net = Net::new();
    let file = net.socket(DATAGRAM);
    let server = net.socket(DATAGRAM);
    net.bind(&server, "@s").unwrap();
    set(&net, &file, PASS_CREDENTIALS, 1).unwrap();
    net.send_to(&file, "@s", b"x").unwrap();
    assert_eq!(socket(&file).local_address().len(), 8);
}
