//! The short way ([`crate::short`]) does what the ordinary one does.

use super::*;
use crate::short::value;

const CLOSE: u64 = 3;
const LSEEK: u64 = 8;
const DUP: u64 = 32;
const SETRLIMIT: u64 = 160;

fn ordinary(server: &'static Server, thread: &Thread, number: u64, [first, second, third]: [u64; 3]) -> u64 {
    send(server, thread, SYSCALL, 4, number, [first, second, third, 0, 0, 0]);
    server.kernel.replies.borrow().last().unwrap().2[0]
}

fn short(thread: &Thread, number: u64, arguments: [u64; 3]) -> Option<u64> {
    value(&mut thread.process.descriptors().borrow_mut(), number, arguments)
}

/// Which numbers stand for the same.
fn table(thread: &Thread) -> Vec<(i32, usize, u64)> {
    let descriptors = thread.process.descriptors();
    let descriptors = descriptors.borrow();
    let place = |file: &Rc<_>| descriptors.iter().position(|(_, other)| Rc::ptr_eq(&other.file, file)).unwrap();
    descriptors.iter().map(|(number, entry)| (number, place(&entry.file), entry.file.offset())).collect()
}

#[test]
fn both_ways_come_to_the_same() {
    let servers = [server(), server()];
    let taken = [CLOSE, LSEEK, DUP].map(|number| (number, Cell::new(0)));
    let config = ProptestConfig {
        cases: 60,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(SEED),
        ..ProptestConfig::default()
    };
    let number = || prop_oneof![4 => Just(0), 8 => 0..14u64, 1 => argument()];
    let offset = prop_oneof![2 => (-20..60i64).prop_map(|offset| offset as u64), 1 => argument()];
    let call = (proptest::sample::select(&[CLOSE, LSEEK, LSEEK, DUP, DUP][..]), number(), offset, 0..6u64);
    proptest!(config, |(calls in proptest::collection::vec(call, 1..100))| {
        let [first, second] = servers.map(|server| start(server, true));
        for (server, thread) in servers.iter().zip([&first, &second]) {
            thread.space().write(ARENA + 0x2000, &[[12, 0, 0, 0, 0, 0, 0, 0]; 2].concat()).unwrap();
            prop_assert_eq!(ordinary(server, thread, SETRLIMIT, [7, ARENA + 0x2000, 0]), 0);
        }
        for (number, descriptor, offset, whence) in calls {
            // The file stays, to be moved about in.
            if (number, descriptor) == (CLOSE, 0) {
                continue;
            }
            let arguments = [descriptor, offset, whence];
            let expected = ordinary(servers[0], &first, number, arguments);
            let found = match short(&second, number, arguments) {
                Some(value) => {
                    taken.iter().filter(|(one, _)| *one == number).for_each(|(_, times)| times.set(times.get() + 1));
                    value
                }
                None => ordinary(servers[1], &second, number, arguments),
            };
            prop_assert_eq!(expected, found, "{} {:?}", number, arguments);
            prop_assert_eq!(table(&first), table(&second));
        }
        for (server, thread) in servers.iter().zip([first, second]) {
            drop(thread);
            server.end_all();
            server.executor.run();
        }
    });
    assert!(taken.iter().all(|(_, times)| times.get() > 50), "{taken:?}");
}

/// What a close does besides is left to the ordinary way: the last one of a file, and one that ends the process's locks.
#[test]
fn a_close_with_consequences_is_not_short() {
    let server = server();
    let thread = start(server, true);
    assert_eq!(short(&thread, CLOSE, [0, 0, 0]), None);
    let copy = short(&thread, DUP, [0, 0, 0]).unwrap();
    // F_SETLK: a write lock on the whole file.
    thread.space().write(ARENA + 0x2000, &[1, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    assert_eq!(ordinary(server, &thread, 72, [0, 6, ARENA + 0x2000]), 0);
    assert_eq!(short(&thread, CLOSE, [copy, 0, 0]), None);
    assert_eq!(ordinary(server, &thread, CLOSE, [copy, 0, 0]), 0);
    assert_eq!(short(&thread, CLOSE, [copy, 0, 0]), None, "there is none");
}
