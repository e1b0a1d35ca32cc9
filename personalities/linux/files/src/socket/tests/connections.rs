//! Names, listening, connecting, accepting.

use alloc::vec;
use core::task::Poll;
use core::time::Duration;

use super::{DATAGRAM, NO_FLAGS, Net, SEQUENCE, STREAM, address, bytes, receive, socket};
use crate::Errno;
use crate::testing::{Task, now};
use crate::wait::Events;

#[test]
fn a_connection_by_path() {
    let net = Net::new();
    let listener = net.listener(STREAM, "/s", 5);
    assert_eq!(net.world.find("/s").unwrap().inode().metadata().mode(), 0o140755);
    assert_eq!(listener.readiness(), Events::empty());
    assert_eq!(socket(&listener).try_accept(NO_FLAGS).err(), Some(Errno::EAGAIN));
    let client = net.socket(STREAM);
    net.connect(&client, "/s").unwrap();
    net.send(&client, b"early").unwrap();
    assert_eq!(listener.readiness(), Events::READABLE);
    let server = socket(&listener).try_accept(NO_FLAGS).unwrap();
    assert_eq!(receive(&server, 9), bytes("early"));
    net.send(&server, b"reply").unwrap();
    assert_eq!(receive(&client, 9), bytes("reply"));
    let name = [1, 0, b'/', b's', 0];
    assert_eq!(socket(&server).local_address(), name);
    assert_eq!(socket(&client).peer_address().unwrap(), name);
    assert_eq!((socket(&server).peer_address(), socket(&client).local_address()), (Ok(vec![1, 0]), vec![1, 0]));
    assert_eq!(net.connect(&client, "/s"), Err(Errno::EISCONN));
    assert_eq!(socket(&client).listen(net.caller(), 1), Err(Errno::EINVAL));
}

#[test]
fn abstract_names_belong_to_their_type_and_end_with_the_socket() {
    let net = Net::new();
    let listener = net.listener(STREAM, "@name", 1);
    assert_eq!(socket(&listener).local_address(), b"\x01\0\0name");
    assert_eq!(net.bind(&net.socket(STREAM), "@name"), Err(Errno::EADDRINUSE));
    assert_eq!(net.bind(&net.socket(SEQUENCE), "@name"), Ok(()));
    assert_eq!(net.connect(&net.socket(DATAGRAM), "@name"), Err(Errno::ECONNREFUSED));
    let client = net.socket(STREAM);
    net.connect(&client, "@name").unwrap();
    let server = socket(&listener).try_accept(NO_FLAGS).unwrap();
    drop(server);
    // What accept made shares the name, but doesn't take it along.
    assert_eq!(net.connect(&net.socket(STREAM), "@name"), Ok(()));
    drop(listener);
    assert_eq!(net.connect(&net.socket(STREAM), "@name"), Err(Errno::ECONNREFUSED));
    assert_eq!(net.bind(&net.socket(STREAM), "@name"), Ok(()));
}

#[test]
fn names_are_chosen_on_demand() {
    let net = Net::new();
    let file = net.socket(STREAM);
    assert_eq!(socket(&file).bind(&net.world.vfs, net.caller(), &[1, 0]), Ok(()));
    let name = socket(&file).local_address();
    assert_eq!((name.len(), &name[..3]), (8, &[1, 0, 0][..]));
    assert!(name[3..].iter().all(|byte| b"0123456789abcdef".contains(byte)));
    assert_eq!(net.bind(&file, "@other"), Err(Errno::EINVAL));
    let other = net.socket(STREAM);
    socket(&other).bind(&net.world.vfs, net.caller(), &[1, 0]).unwrap();
    assert_ne!(socket(&other).local_address(), name);
}

#[test]
fn wrong_addresses() {
    let net = Net::new();
    net.world.write("/file", "");
    net.listener(STREAM, "/closed", 1);
    let silent = net.socket(STREAM);
    net.bind(&silent, "/silent").unwrap();
    for (name, error) in [
        ("/none", Errno::ENOENT),
        ("/file", Errno::ECONNREFUSED),
        ("/file/x", Errno::ENOTDIR),
        ("/closed", Errno::ECONNREFUSED),
        ("/silent", Errno::ECONNREFUSED),
        ("@none", Errno::ECONNREFUSED),
    ] {
        assert_eq!(net.connect(&net.socket(STREAM), name), Err(error), "{name}");
    }
    assert_eq!(net.connect(&net.socket(SEQUENCE), "/silent"), Err(Errno::EPROTOTYPE));
    assert_eq!(net.bind(&net.socket(STREAM), "/file"), Err(Errno::EADDRINUSE));
    assert_eq!(net.bind(&net.socket(STREAM), "/none/x"), Err(Errno::ENOENT));
    let bind = |bytes: &[u8]| socket(&net.socket(STREAM)).bind(&net.world.vfs, net.caller(), bytes);
    let connect = |bytes: &[u8]| now(socket(&net.socket(STREAM)).connect(&net.world.vfs, net.caller(), bytes, true));
    for wrong in [&[1][..], &[2, 0, 65], &[1; 111], &[0, 0]] {
        assert_eq!((bind(wrong), connect(wrong)), (Err(Errno::EINVAL), Err(Errno::EINVAL)));
    }
    assert_eq!(connect(&[1, 0]), Err(Errno::EINVAL));
    assert_eq!(bind(b"\x01\0/ended\0rubbish"), Ok(()));
    assert!(net.world.find("/ended").is_ok());
    let stranger = net.world.user(5, 5);
    net.listener(STREAM, "/mine", 1);
    let result = now(socket(&net.socket(STREAM)).connect(&net.world.vfs, &stranger, &address("/mine"), true));
    assert_eq!(result, Err(Errno::EACCES));
}

#[test]
fn a_full_backlog_makes_clients_wait() {
    let net = Net::new();
    let listener = net.listener(STREAM, "@l", 0);
    let clients = [net.socket(STREAM), net.socket(STREAM)];
    assert_eq!(net.connect(&clients[0], "@l"), Ok(()));
    assert_eq!(net.connect(&clients[1], "@l"), Err(Errno::EAGAIN));
    let waiting = socket(&clients[1]);
    let name = address("@l");
    let mut connect = Task::new(waiting.connect(&net.world.vfs, net.caller(), &name, false));
    assert!(connect.poll().is_pending());
    let first = socket(&listener).try_accept(NO_FLAGS).unwrap();
    assert_eq!(connect.poll_if_woken(), Poll::Ready(Ok(())));
    drop(first);
    assert_eq!(receive(&clients[0], 1), bytes(""));
}

#[test]
fn a_closed_listener_turns_all_away() {
    let net = Net::new();
    let listener = net.listener(STREAM, "@l", 0);
    let clients = [net.socket(STREAM), net.socket(STREAM)];
    net.connect(&clients[0], "@l").unwrap();
    let waiting = socket(&clients[1]);
    let name = address("@l");
    let mut connect = Task::new(waiting.connect(&net.world.vfs, net.caller(), &name, false));
    assert!(connect.poll().is_pending());
    let server = socket(&listener);
    let mut accept = Task::new(server.accept(NO_FLAGS, false));
    assert!(matches!(accept.poll(), Poll::Ready(Ok(_))));
    drop(accept);
    assert_eq!(connect.poll_if_woken(), Poll::Ready(Ok(())));
    drop(listener);
    assert!(clients[1].readiness().contains(Events::HUP));
    assert_eq!(receive(&clients[1], 1), bytes(""));
}

#[test]
fn accepting_waits_and_may_time_out() {
    let net = Net::new();
    let listener = net.listener(SEQUENCE, "@l", 1);
    let server = socket(&listener);
    let mut accept = Task::new(server.accept(NO_FLAGS, false));
    assert!(accept.poll().is_pending());
    net.connect(&net.socket(SEQUENCE), "@l").unwrap();
    assert!(matches!(accept.poll_if_woken(), Poll::Ready(Ok(_))));
    drop(accept);
    let mut timeout = [0; 16];
    timeout[0] = 2;
    server.set_option(net.caller(), 1, 20, &timeout).unwrap();
    let mut accept = Task::new(server.accept(NO_FLAGS, false));
    assert!(accept.poll().is_pending());
    net.world.clock.advance(Duration::from_secs(2));
    assert!(matches!(accept.poll_if_woken(), Poll::Ready(Err(Errno::EAGAIN))));
}

#[test]
fn who_cannot_listen_or_accept() {
    let net = Net::new();
    let listen = |kind| socket(&net.socket(kind)).listen(net.caller(), 1);
    let accept = |kind| socket(&net.socket(kind)).try_accept(NO_FLAGS).err().unwrap();
    assert_eq!((listen(STREAM), listen(SEQUENCE), listen(DATAGRAM)), {
        (Err(Errno::EINVAL), Err(Errno::EINVAL), Err(Errno::EOPNOTSUPP))
    });
    assert_eq!((accept(STREAM), accept(SEQUENCE), accept(DATAGRAM)), (Errno::EINVAL, Errno::EINVAL, Errno::EOPNOTSUPP));
    let listener = net.listener(STREAM, "@l", 1);
    assert_eq!((receive(&listener, 1), net.send(&listener, b"x")), (Err(Errno::EINVAL), Err(Errno::ENOTCONN)));
    socket(&listener).shut_down(0).unwrap();
    assert_eq!(listener.readiness(), Events::READABLE | Events::RDHUP);
    assert_eq!(socket(&listener).try_accept(NO_FLAGS).err(), Some(Errno::EINVAL));
    assert_eq!(net.connect(&net.socket(STREAM), "@l"), Err(Errno::ECONNREFUSED));
}
