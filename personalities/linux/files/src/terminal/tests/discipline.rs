//! Canonical and noncanonical reading, flow control, output (termios(3)).

use core::task::Poll;
use core::time::Duration;

use linux_raw_sys::general as linux;

use crate::Errno;
use crate::buffer::SliceSink;
use crate::open::{Attempt, OpenFlags};
use crate::terminal::Settings;
use crate::testing::{Desk, Task, get, now, put};
use crate::wait::Events;

fn raw(desk: &Desk, minimum: u8, tenths: u8) {
    desk.set(|settings| {
        settings.local &= !(linux::ICANON | linux::ECHO);
        settings.characters[linux::VMIN as usize] = minimum;
        settings.characters[linux::VTIME as usize] = tenths;
    });
}

#[test]
fn a_line_is_read_when_it_is_complete() {
    let desk = Desk::new();
    desk.type_in("ls -x\x7fl");
    assert_eq!(desk.read(), Err(Errno::EAGAIN));
    assert_eq!(desk.file.readiness(), Events::WRITABLE);
    desk.type_in("\rnext\n");
    assert_eq!(desk.file.readiness(), Events::READABLE | Events::WRITABLE);
    assert_eq!(desk.read().unwrap(), "ls -l\n");
    assert_eq!(desk.read().unwrap(), "next\n");
    assert_eq!(desk.line.take(), "ls -x\x08 \x08l\r\nnext\r\n");
}

#[test]
fn a_line_may_be_read_in_parts() {
    let desk = Desk::new();
    desk.type_in("abcdef\n");
    assert_eq!(get(&desk.file, 3).unwrap(), b"abc");
    assert_eq!(get(&desk.file, 4).unwrap(), b"def\n");
    assert_eq!(desk.read(), Err(Errno::EAGAIN));
}

#[test]
fn the_end_of_file_is_an_empty_read_and_ends_a_line_quietly() {
    let desk = Desk::new();
    desk.type_in("abc\x04\x04x\n");
    // It goes with the bytes before it, even if they are read exactly.
    assert_eq!(get(&desk.file, 3).unwrap(), b"abc");
    assert_eq!(desk.read().unwrap(), "");
    assert_eq!(desk.read().unwrap(), "x\n");
}

#[test]
fn a_reader_is_woken_by_the_end_of_the_line() {
    let desk = Desk::new();
    let mut bytes = [0; 10];
    let mut sink = SliceSink::new(&mut bytes);
    let mut read = Task::new(desk.file.read(&mut sink));
    assert_eq!(read.poll(), Poll::Pending);
    desk.type_in("ab");
    assert_eq!(read.poll_if_woken(), Poll::Pending);
    desk.type_in("\n");
    assert_eq!(read.poll_if_woken(), Poll::Ready(Ok(3)));
}

#[test]
fn lines_have_4095_bytes_and_an_end() {
    let desk = Desk::new();
    desk.type_in(&"x".repeat(5000));
    desk.type_in("\n");
    let line = desk.read().unwrap();
    assert_eq!(line.len(), 4096);
    assert!(line.ends_with("x\n"));
}

#[test]
fn what_nobody_reads_is_held_back_and_asked_for_again() {
    let desk = Desk::new();
    raw(&desk, 1, 0);
    let bytes = [b'x'; 5000];
    assert_eq!(desk.terminal.receive(&bytes), 4096);
    assert_eq!(desk.terminal.receive(&bytes), 0);
    assert_eq!(desk.line.wanted.get(), 0);
    assert_eq!(get(&desk.file, 100).unwrap().len(), 100);
    assert_eq!(desk.line.wanted.get(), 1);
    assert_eq!(desk.terminal.receive(&bytes), 100);
}

#[test]
fn raw_reads_wait_for_vmin_bytes() {
    let desk = Desk::new();
    raw(&desk, 3, 0);
    let mut bytes = [0; 10];
    let mut sink = SliceSink::new(&mut bytes);
    let mut read = Task::new(desk.file.read(&mut sink));
    assert_eq!(read.poll(), Poll::Pending);
    desk.type_in("ab");
    assert_eq!(read.poll_if_woken(), Poll::Pending);
    assert_eq!(desk.file.readiness() & Events::IN, Events::empty());
    desk.type_in("\x03");
    desk.set(|settings| settings.local &= !linux::ISIG);
    desk.type_in("abc\x03");
    assert_eq!(read.poll_if_woken(), Poll::Ready(Ok(4)));
    drop(read);
    assert_eq!(&bytes[..4], b"abc\x03");
    // A smaller request waits for no more than it wants.
    desk.type_in("x");
    assert_eq!(now(desk.file.read(&mut SliceSink::new(&mut bytes[..1]))), Ok(1));
}

#[test]
fn with_no_minimum_and_no_time_a_read_never_waits() {
    let desk = Desk::new();
    raw(&desk, 0, 0);
    assert_eq!(now(desk.file.read(&mut SliceSink::new(&mut [0; 4]))), Ok(0));
    desk.type_in("ab");
    assert_eq!(now(desk.file.read(&mut SliceSink::new(&mut [0; 4]))), Ok(2));
}

#[test]
fn vtime_alone_limits_the_wait_for_the_first_byte() {
    let desk = Desk::new();
    raw(&desk, 0, 5);
    let mut bytes = [0; 4];
    let mut sink = SliceSink::new(&mut bytes);
    let mut read = Task::new(desk.file.read(&mut sink));
    assert_eq!(read.poll(), Poll::Pending);
    desk.clock.advance(Duration::from_millis(499));
    assert_eq!(read.poll_if_woken(), Poll::Pending);
    desk.clock.advance(Duration::from_millis(1));
    assert_eq!(read.poll_if_woken(), Poll::Ready(Ok(0)));
    drop(read);
    let mut sink = SliceSink::new(&mut bytes);
    let mut read = Task::new(desk.file.read(&mut sink));
    assert_eq!(read.poll(), Poll::Pending);
    desk.type_in("a");
    assert_eq!(read.poll_if_woken(), Poll::Ready(Ok(1)));
}

#[test]
fn vtime_with_vmin_runs_from_byte_to_byte() {
    let desk = Desk::new();
    raw(&desk, 3, 1);
    let mut bytes = [0; 4];
    let mut sink = SliceSink::new(&mut bytes);
    let mut read = Task::new(desk.file.read(&mut sink));
    assert_eq!(read.poll(), Poll::Pending);
    desk.clock.advance(Duration::from_secs(10));
    assert_eq!(read.poll_if_woken(), Poll::Pending);
    desk.type_in("a");
    assert_eq!(read.poll_if_woken(), Poll::Pending);
    desk.clock.advance(Duration::from_millis(90));
    desk.type_in("b");
    assert_eq!(read.poll_if_woken(), Poll::Pending);
    desk.clock.advance(Duration::from_millis(90));
    assert_eq!(read.poll_if_woken(), Poll::Pending);
    desk.clock.advance(Duration::from_millis(10));
    assert_eq!(read.poll_if_woken(), Poll::Ready(Ok(2)));
}

#[test]
fn a_non_blocking_raw_read_takes_what_there_is() {
    let desk = Desk::new();
    raw(&desk, 3, 0);
    desk.file.set_flags(OpenFlags::NONBLOCKING).unwrap();
    assert_eq!(now(desk.file.read(&mut SliceSink::new(&mut [0; 9]))), Err(Errno::EAGAIN));
    desk.type_in("ab");
    assert_eq!(now(desk.file.read(&mut SliceSink::new(&mut [0; 9]))), Ok(2));
}

#[test]
fn leaving_canonical_mode_frees_what_was_typed() {
    let desk = Desk::new();
    desk.type_in("line\nrest");
    raw(&desk, 1, 0);
    assert_eq!(desk.read().unwrap(), "line\nrest");
    desk.type_in("xy");
    desk.set(|settings| settings.local |= linux::ICANON);
    assert_eq!(desk.read().unwrap(), "xy");
}

#[test]
fn stop_and_start() {
    let desk = Desk::new();
    desk.type_in("\x13");
    put(&desk.file, b"held").unwrap();
    assert_eq!(desk.line.take(), "");
    desk.type_in("\x11");
    assert_eq!(desk.line.take(), "held");
    desk.type_in("\x13");
    put(&desk.file, b"x").unwrap();
    desk.set(|settings| settings.input |= linux::IXANY);
    desk.type_in("a");
    assert_eq!(desk.line.take(), "xa");
    desk.type_in("\x13");
    put(&desk.file, b"y").unwrap();
    desk.set(|settings| settings.input &= !linux::IXON);
    assert_eq!(desk.line.take(), "y");
    desk.type_in("\x13");
    assert_eq!(desk.line.take(), "^S");
}

#[test]
fn the_keyboard_sends_signals() {
    let desk = Desk::new();
    desk.line.room.set(0);
    put(&desk.file, b"waiting").unwrap();
    desk.type_in("typed\x03");
    desk.line.room.set(usize::MAX);
    desk.terminal.output_drained();
    desk.type_in("\x1c");
    desk.type_in("\x1a");
    assert_eq!(desk.jobs.signals.take(), [(1, linux::SIGINT), (1, linux::SIGQUIT), (1, linux::SIGTSTP)]);
    assert_eq!(desk.line.take(), "^C^\\^Z");
    desk.type_in("\n");
    assert_eq!(desk.read().unwrap(), "\n");
}

#[test]
fn noflsh_keeps_what_was_typed() {
    let desk = Desk::new();
    desk.set(|settings| settings.local |= linux::NOFLSH);
    desk.type_in("ab\x03c\n");
    assert_eq!(desk.read().unwrap(), "abc\n");
}

#[test]
fn disabled_characters_match_nothing() {
    let desk = Desk::new();
    desk.set(|settings| settings.characters = [0; 19]);
    desk.type_in("\0\x03\x04\x7f\n");
    assert_eq!(desk.read().unwrap(), "\0\x03\x04\x7f\n");
    assert!(desk.jobs.signals.take().is_empty());
}

#[test]
fn output_is_processed_and_tabs_know_their_column() {
    let desk = Desk::new();
    desk.set(|settings| settings.output |= linux::XTABS);
    put(&desk.file, b"a\tb\n\tc\x08\td\n").unwrap();
    assert_eq!(desk.line.take(), "a       b\r\n        c\x08        d\r\n");
    desk.set(|settings| settings.output = 0);
    put(&desk.file, b"a\tb\n").unwrap();
    assert_eq!(desk.line.take(), "a\tb\n");
}

#[test]
fn a_slow_line_makes_writers_wait() {
    let desk = Desk::new();
    desk.line.room.set(1000);
    let text = std::vec![b'x'; 10_000];
    let mut source = crate::buffer::SliceSource::new(&text);
    let mut write = Task::new(desk.file.write(&mut source));
    assert_eq!(write.poll(), Poll::Pending);
    assert_eq!(desk.line.take().len(), 1000);
    desk.line.room.set(3000);
    desk.terminal.output_drained();
    assert_eq!(write.poll_if_woken(), Poll::Pending);
    desk.line.room.set(usize::MAX);
    desk.terminal.output_drained();
    assert_eq!(write.poll_if_woken(), Poll::Ready(Ok(10_000)));
    assert_eq!(desk.line.take().len(), 9000);
}

#[test]
fn echo_cannot_fill_memory() {
    let desk = Desk::new();
    desk.line.room.set(0);
    for _ in 0..100 {
        desk.type_in(&"x\x7f".repeat(500));
    }
    desk.line.room.set(usize::MAX);
    desk.terminal.output_drained();
    assert!(desk.line.take().len() < 10_000);
}

#[test]
fn a_hang_up_ends_everything() {
    let desk = Desk::new();
    desk.type_in("text\n");
    let mut bytes = [0; 10];
    desk.read().unwrap();
    let mut sink = SliceSink::new(&mut bytes);
    let mut read = Task::new(desk.file.read(&mut sink));
    assert_eq!(read.poll(), Poll::Pending);
    desk.terminal.hang_up();
    assert_eq!(read.poll_if_woken(), Poll::Ready(Ok(0)));
    assert_eq!(put(&desk.file, b"x"), Err(Errno::EIO));
    assert!(desk.file.readiness().contains(Events::HUP));
    assert_eq!(desk.jobs.hung_up.take(), [1]);
    assert_eq!(desk.jobs.signals.take(), [(1, linux::SIGHUP), (1, linux::SIGCONT)]);
    assert_eq!(desk.terminal.session(), None);
    // Who opens it now has a living terminal.
    let again = desk.terminal.open();
    assert_eq!(again.readiness(), Events::WRITABLE);
    assert_eq!(again.write(&mut Attempt::once(), 0, &mut crate::buffer::SliceSource::new(b"x")), Ok(1));
}

#[test]
fn the_structure_is_linux_s() {
    let settings = Settings::default();
    assert_eq!(settings.encode().len(), core::mem::size_of::<linux::termios>());
    assert_eq!(Settings::decode(&settings.encode()), settings);
    assert_eq!((settings.input, settings.output, settings.control, settings.local), (0x500, 5, 0x4bf, 0x8a3b));
}
