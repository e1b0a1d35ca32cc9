//! The requests of ioctl_tty(2).

use core::task::Poll;

use linux_raw_sys::{general as linux, ioctl};

use crate::buffer::{Structure, Word};
use crate::terminal::{Settings, WindowSize};
use crate::testing::{Desk, Task, now, put};
use crate::{Errno, Result};

fn with_word(desk: &Desk, request: u32, word: u32) -> Result<i64> {
    now(desk.file.ioctl(&desk.caller, request, &mut Word(word.into())))
}

fn with_bytes(desk: &Desk, request: u32, bytes: &mut [u8]) -> Result<i64> {
    now(desk.file.ioctl(&desk.caller, request, &mut Structure(bytes)))
}

fn number(desk: &Desk, request: u32) -> Result<i32> {
    let mut bytes = [0; 4];
    with_bytes(desk, request, &mut bytes)?;
    Ok(i32::from_le_bytes(bytes))
}

#[test]
fn settings_are_read_and_written() {
    let desk = Desk::new();
    let mut bytes = [0; 36];
    with_bytes(&desk, ioctl::TCGETS, &mut bytes).unwrap();
    assert_eq!(bytes, Settings::default().encode());
    bytes[12] &= !(linux::ECHO as u8);
    with_bytes(&desk, ioctl::TCSETS, &mut bytes).unwrap();
    assert_eq!(desk.terminal.settings().local, Settings::default().local & !linux::ECHO);
    let mut longer = [0; 44];
    with_bytes(&desk, ioctl::TCGETS2, &mut longer).unwrap();
    assert_eq!(&longer[..36], &bytes);
    assert_eq!(longer[36..40], 38400u32.to_le_bytes());
    assert_eq!(with_word(&desk, ioctl::TCGETS, 0), Err(Errno::EFAULT));
    assert_eq!(with_word(&desk, 0x1234, 0), Err(Errno::ENOTTY));
}

#[test]
fn settings_may_wait_for_output_and_throw_input_away() {
    let desk = Desk::new();
    let mut bytes = desk.terminal.settings().encode();
    desk.type_in("typed\n");
    desk.line.room.set(0);
    put(&desk.file, b"waiting").unwrap();
    let mut argument = Structure(&mut bytes);
    let mut set = Task::new(desk.file.ioctl(&desk.caller, ioctl::TCSETSF, &mut argument));
    assert_eq!(set.poll(), Poll::Pending);
    desk.line.room.set(usize::MAX);
    desk.line.pending.set(3);
    desk.terminal.output_drained();
    assert_eq!(set.poll_if_woken(), Poll::Pending);
    desk.line.pending.set(0);
    desk.terminal.output_drained();
    assert_eq!(set.poll_if_woken(), Poll::Ready(Ok(0)));
    assert_eq!(desk.read(), Err(Errno::EAGAIN));
}

#[test]
fn draining_waits_for_output() {
    let desk = Desk::new();
    assert_eq!(with_word(&desk, ioctl::TCSBRK, 1), Ok(0));
    desk.line.pending.set(1);
    let mut argument = Word(1);
    let mut drain = Task::new(desk.file.ioctl(&desk.caller, ioctl::TCSBRK, &mut argument));
    assert_eq!(drain.poll(), Poll::Pending);
    desk.line.pending.set(0);
    desk.terminal.output_drained();
    assert_eq!(drain.poll_if_woken(), Poll::Ready(Ok(0)));
}

#[test]
fn the_window_has_a_size_and_tells_when_it_changes() {
    let desk = Desk::new();
    let mut bytes = [24, 0, 80, 0, 1, 0, 2, 0];
    with_bytes(&desk, ioctl::TIOCSWINSZ, &mut bytes).unwrap();
    assert_eq!(desk.terminal.window_size(), WindowSize { rows: 24, columns: 80, width: 1, height: 2 });
    with_bytes(&desk, ioctl::TIOCSWINSZ, &mut bytes).unwrap();
    assert_eq!(desk.jobs.signals.take(), [(1, linux::SIGWINCH)]);
    let mut read = [0; 8];
    with_bytes(&desk, ioctl::TIOCGWINSZ, &mut read).unwrap();
    assert_eq!(read, bytes);
}

#[test]
fn queues_are_counted_and_emptied() {
    let desk = Desk::new();
    desk.set(|settings| settings.local &= !linux::ECHO);
    desk.type_in("one\ntwo\npart");
    assert_eq!(number(&desk, ioctl::FIONREAD), Ok(8));
    desk.line.room.set(0);
    desk.line.pending.set(2);
    put(&desk.file, b"12345").unwrap();
    assert_eq!(number(&desk, ioctl::TIOCOUTQ), Ok(7));
    assert_eq!(with_word(&desk, ioctl::TCFLSH, 3), Err(Errno::EINVAL));
    with_word(&desk, ioctl::TCFLSH, linux::TCIFLUSH).unwrap();
    assert_eq!((number(&desk, ioctl::FIONREAD), number(&desk, ioctl::TIOCOUTQ)), (Ok(0), Ok(7)));
    with_word(&desk, ioctl::TCFLSH, linux::TCOFLUSH).unwrap();
    assert_eq!(number(&desk, ioctl::TIOCOUTQ), Ok(2));
    desk.type_in("\n");
    assert_eq!(desk.read().unwrap(), "\n");
}

#[test]
fn output_is_held_and_let_go() {
    let desk = Desk::new();
    with_word(&desk, ioctl::TCXONC, linux::TCOOFF).unwrap();
    put(&desk.file, b"held").unwrap();
    desk.type_in("\x11");
    assert_eq!(desk.line.take(), "");
    with_word(&desk, ioctl::TCXONC, linux::TCOON).unwrap();
    assert_eq!(desk.line.take(), "held");
    with_word(&desk, ioctl::TCXONC, linux::TCIOFF).unwrap();
    with_word(&desk, ioctl::TCXONC, linux::TCION).unwrap();
    assert_eq!(desk.line.take(), "\x13\x11");
    assert_eq!(with_word(&desk, ioctl::TCXONC, 9), Err(Errno::EINVAL));
}

#[test]
fn non_blocking_can_be_set_by_ioctl() {
    let desk = Desk::new();
    with_bytes(&desk, ioctl::FIONBIO, &mut 1i32.to_le_bytes()).unwrap();
    assert!(desk.file.flags().contains(crate::open::OpenFlags::NONBLOCKING));
    with_bytes(&desk, ioctl::FIONBIO, &mut 0i32.to_le_bytes()).unwrap();
    assert!(!desk.file.flags().contains(crate::open::OpenFlags::NONBLOCKING));
}

#[test]
fn there_is_one_discipline() {
    let desk = Desk::new();
    assert_eq!(number(&desk, ioctl::TIOCGETD), Ok(0));
    assert_eq!(with_bytes(&desk, ioctl::TIOCSETD, &mut 0i32.to_le_bytes()), Ok(0));
    assert_eq!(with_bytes(&desk, ioctl::TIOCSETD, &mut 1i32.to_le_bytes()), Err(Errno::EINVAL));
}
