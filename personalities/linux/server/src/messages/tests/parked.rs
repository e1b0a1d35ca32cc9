//! Calls that wait without a task ([`crate::process::parked`]).

use super::*;

const PLACE: u64 = ARENA + 0x3000;
const WORD: u64 = ARENA + 0x4000;
const OTHER_WORD: u64 = WORD + 8;

const READ: u64 = 0;
const WRITE: u64 = 1;
const CLOSE: u64 = 3;
const SIGACTION: u64 = 13;
const PIPE: u64 = 22;
const SOCKETPAIR: u64 = 53;
const FUTEX: u64 = 202;
const FCNTL: u64 = 72;
const TGKILL: u64 = 234;
const WAIT: u64 = 0;
const WAKE: u64 = 1;
const SET_FLAGS: u64 = 4;
const SET_OWNER: u64 = 8;
const ASYNC: u64 = 0o20000;

/// Two threads of one process.
fn pair(server: &'static Server) -> [Rc<Thread>; 2] {
    let first = start(server, false);
    let tid = server.table.new_id().unwrap();
    let second = server.add_thread(&first.process, tid).unwrap();
    second.set_activity(Activity::Running);
    [first, second]
}

/// Descriptors of what is read and of what is written there.
fn pipe(server: &'static Server, thread: &Thread) -> (u64, u64) {
    call(server, thread, PIPE, [WORD, 0, 0, 0]);
    made(thread)
}
fn sockets(server: &'static Server, thread: &Thread) -> (u64, u64) {
    call(server, thread, SOCKETPAIR, [1, 1, 0, WORD]);
    made(thread)
}
fn made(thread: &Thread) -> (u64, u64) {
    let both = thread.space().read_u64(WORD).unwrap();
    (both & 0xffff_ffff, both >> 32)
}

fn call(server: &'static Server, thread: &Thread, number: u64, [a, b, c, d]: [u64; 4]) {
    send(server, thread, SYSCALL, 4, number, [a, b, c, d, 0, 0]);
}

fn text(thread: &Thread) -> [u8; 9] {
    let mut bytes = [0; 9];
    thread.space().read(PLACE, &mut bytes).unwrap();
    bytes
}

#[test]
fn whoever_writes_carries_out_the_read_that_waits() {
    let server = server();
    let [reader, writer] = pair(server);
    let tasks = server.executor.len();
    for (from, to) in [pipe(server, &reader), sockets(server, &reader)] {
        reader.space().write(PLACE, &[0; 9]).unwrap();
        call(server, &reader, READ, [from, PLACE, 100, 0]);
        assert_eq!((reader.is_held(), server.executor.len()), (true, tasks));
        call(server, &writer, WRITE, [to, ARENA, 9, 0]);
        assert_eq!((reader.is_held(), writer.is_held(), &text(&reader)), (false, false, b"/tmp/file"));
        // The end wakes it, too.
        call(server, &reader, READ, [from, PLACE, 100, 0]);
        assert!(reader.is_held());
        call(server, &writer, CLOSE, [to, 0, 0, 0]);
        assert!(!reader.is_held());
    }
    assert_eq!(server.executor.len(), tasks);
}

/// Of two who read, one gets what was written, and the other one what is written next.
#[test]
fn who_comes_away_with_nothing_waits_on() {
    let server = server();
    let [first, second] = pair(server);
    let tid = server.table.new_id().unwrap();
    let writer = server.add_thread(&first.process, tid).unwrap();
    writer.set_activity(Activity::Running);
    let (from, to) = pipe(server, &first);
    for reader in [&first, &second] {
        call(server, reader, READ, [from, PLACE, 9, 0]);
    }
    call(server, &writer, WRITE, [to, ARENA, 9, 0]);
    assert_eq!([first.is_held(), second.is_held()], [false, true]);
    call(server, &writer, WRITE, [to, ARENA, 9, 0]);
    assert_eq!([first.is_held(), second.is_held()], [false, false]);
}

#[test]
fn a_signal_ends_a_parked_call() {
    for (number, arguments) in [(READ, [0, PLACE, 9, 0]), (FUTEX, [PLACE, WAIT, 0, 0])] {
        let server = server();
        let [waiter, other] = pair(server);
        let tasks = server.executor.len();
        // A handler for SIGUSR1, with SA_RESTORER.
        waiter.space().write_words(WORD, &[ARENA, 0x0400_0000, ARENA, 0]).unwrap();
        call(server, &waiter, SIGACTION, [10, WORD, 0, 8]);
        let (from, _) = pipe(server, &waiter);
        let arguments = if number == READ { [from, PLACE, 9, 0] } else { arguments };
        call(server, &waiter, number, arguments);
        assert_eq!((waiter.is_held(), server.executor.len()), (true, tasks));
        call(server, &other, TGKILL, [waiter.process.pid.into(), waiter.tid.get().into(), 10, 0]);
        assert_eq!((waiter.is_held(), server.executor.len()), (false, tasks));
        // Whatever it has waited for comes too late.
        call(server, &other, FUTEX, [PLACE, WAKE, 1, 0]);
        // The end, while it waits once more.
        call(server, &other, number, arguments);
        assert_eq!((other.is_held(), server.executor.len()), (true, tasks));
        server.end_process(&waiter.process, Ending::Killed(Signal::KILL));
        server.executor.run();
        assert_eq!((other.ended.get(), server.executor.len()), (true, tasks));
    }
}

#[test]
fn who_waits_after_waking_gives_way() {
    let server = server();
    let [first, second] = pair(server);
    let tasks = server.executor.len();
    call(server, &first, FUTEX, [WORD, WAIT, 0, 0]);
    assert_eq!((first.is_held(), server.executor.len()), (true, tasks));
    call(server, &second, FUTEX, [WORD, WAKE, 1, 0]);
    assert!(!first.is_held());
    call(server, &second, FUTEX, [OTHER_WORD, WAIT, 0, 0]);
    assert!(second.is_held());
    call(server, &first, FUTEX, [OTHER_WORD, WAKE, 1, 0]);
    assert_eq!((first.is_held(), second.is_held()), (false, false));
    // The first has waited first and woken then; only the second waited because of what it had asked.
    assert!(!first.gives_way() && second.gives_way());
    let times = (0..1000).take_while(|_| second.gives_way()).count();
    assert!((10..200).contains(&times), "{times}");
}

/// The reader's process owns the pipe's other end, which tells it by a signal when there is room: its own read makes that.
#[test]
fn a_read_that_signals_its_own_process() {
    for handled in [false, true] {
        let server = server();
        let [reader, writer] = pair(server);
        let tasks = server.executor.len();
        if handled {
            reader.space().write_words(WORD, &[ARENA, 0x0400_0000, ARENA, 0]).unwrap();
            call(server, &reader, SIGACTION, [29, WORD, 0, 8]);
        }
        let (from, to) = pipe(server, &reader);
        call(server, &reader, FCNTL, [to, SET_OWNER, reader.process.pid.into(), 0]);
        call(server, &reader, FCNTL, [to, SET_FLAGS, ASYNC, 0]);
        call(server, &reader, READ, [from, PLACE, 8192, 0]);
        assert!(reader.is_held());
        call(server, &writer, WRITE, [to, ARENA, 80_000, 0]);
        assert!(!reader.is_held());
        if handled {
            assert!(!reader.all_pending().is_empty());
        } else {
            assert_eq!(reader.process.ending.get(), Some(Ending::Killed(Signal::IO)));
        }
        server.end_process(&reader.process, Ending::Killed(Signal::KILL));
        server.executor.run();
        assert_eq!(server.executor.len(), tasks);
    }
}
