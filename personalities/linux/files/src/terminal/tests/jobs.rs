//! Sessions, foreground and background (credentials(7), tty_ioctl(4), setpgid(2)).

use linux_raw_sys::{general as linux, ioctl};

use crate::buffer::{Structure, Word};
use crate::caller::Caller;
use crate::terminal::{Terminal, Use, Verdict};
use crate::testing::{Desk, now};
use crate::{Errno, Result};

fn ask(desk: &Desk, caller: &Caller, request: u32) -> Result<i32> {
    let mut bytes = [0; 4];
    now(desk.file.ioctl(caller, request, &mut Structure(&mut bytes)))?;
    Ok(i32::from_le_bytes(bytes))
}

fn set_foreground(desk: &Desk, caller: &Caller, group: i32) -> Result<i64> {
    now(desk.file.ioctl(caller, ioctl::TIOCSPGRP, &mut Structure(&mut group.to_le_bytes())))
}

/// A process of group 5 in the terminal's session.
fn member(desk: &Desk) -> Caller {
    Caller { process: 5, process_group: 5, ..desk.caller.clone() }
}

/// The leader of session 10, without a terminal.
fn stranger(desk: &Desk) -> Caller {
    Caller { process: 10, process_group: 10, session: 10, controlling_terminal: None, ..desk.caller.clone() }
}

#[test]
fn the_foreground_is_set_and_asked_for() {
    let desk = Desk::new();
    assert_eq!(ask(&desk, &desk.caller, ioctl::TIOCGPGRP), Ok(1));
    assert_eq!(set_foreground(&desk, &desk.caller, 5), Ok(0));
    assert_eq!(ask(&desk, &desk.caller, ioctl::TIOCGPGRP), Ok(5));
    assert_eq!(ask(&desk, &desk.caller, ioctl::TIOCGSID), Ok(1));
    assert_eq!(set_foreground(&desk, &desk.caller, -1), Err(Errno::EINVAL));
    assert_eq!(set_foreground(&desk, &desk.caller, 77), Err(Errno::ESRCH));
    assert_eq!(set_foreground(&desk, &desk.caller, 10), Err(Errno::EPERM));
    for request in [ioctl::TIOCGPGRP, ioctl::TIOCGSID] {
        assert_eq!(ask(&desk, &stranger(&desk), request), Err(Errno::ENOTTY));
    }
    assert_eq!(set_foreground(&desk, &stranger(&desk), 10), Err(Errno::ENOTTY));
}

#[test]
fn the_background_is_told() {
    let desk = Desk::new();
    let (caller, member) = (&desk.caller, member(&desk));
    for wanted in [Use::Read, Use::Write, Use::Change] {
        assert_eq!(desk.terminal.check_access(caller, wanted), Verdict::Allowed);
        assert_eq!(desk.terminal.check_access(&stranger(&desk), wanted), Verdict::Allowed);
    }
    assert_eq!(desk.terminal.check_access(&member, Use::Read), Verdict::BackgroundRead);
    assert_eq!(desk.terminal.check_access(&member, Use::Write), Verdict::Allowed);
    assert_eq!(desk.terminal.check_access(&member, Use::Change), Verdict::BackgroundWrite);
    desk.set(|settings| settings.local |= linux::TOSTOP);
    assert_eq!(desk.terminal.check_access(&member, Use::Write), Verdict::BackgroundWrite);
    assert!(Terminal::is_changing(ioctl::TCSETSW) && !Terminal::is_changing(ioctl::TCGETS));
}

#[test]
fn leaders_without_a_terminal_take_a_free_one() {
    let desk = Desk::new();
    let mut stranger = stranger(&desk);
    desk.terminal.opened_by(&stranger);
    assert_eq!(desk.terminal.session(), Some(1));
    let take = |caller: &Caller, steal| now(desk.file.ioctl(caller, ioctl::TIOCSCTTY, &mut Word(steal)));
    assert_eq!(take(&desk.caller, 0), Ok(0));
    assert_eq!(take(&member(&desk), 0), Err(Errno::EPERM));
    assert_eq!(take(&stranger, 0), Err(Errno::EPERM));
    stranger.credentials.privileged = false;
    assert_eq!(take(&stranger, 1), Err(Errno::EPERM));
    stranger.credentials.privileged = true;
    desk.jobs.controlling.take();
    assert_eq!(take(&stranger, 1), Ok(0));
    assert_eq!(desk.jobs.controlling.take(), [(1, false), (10, true)]);
    assert_eq!((desk.terminal.session(), desk.terminal.foreground_group()), (Some(10), Some(10)));
}

#[test]
fn a_terminal_is_given_up() {
    let desk = Desk::new();
    let leave = |caller: &Caller| now(desk.file.ioctl(caller, ioctl::TIOCNOTTY, &mut Word(0)));
    assert_eq!(leave(&stranger(&desk)), Err(Errno::ENOTTY));
    assert_eq!(leave(&member(&desk)), Ok(0));
    assert_eq!(desk.jobs.left.take(), [5]);
    assert_eq!(desk.terminal.session(), Some(1));
    assert_eq!(leave(&desk.caller), Ok(0));
    assert_eq!(desk.jobs.signals.take(), [(1, linux::SIGHUP), (1, linux::SIGCONT)]);
    assert_eq!(desk.terminal.session(), None);
}

#[test]
fn it_is_free_when_the_session_ends() {
    let desk = Desk::new();
    set_foreground(&desk, &desk.caller, 5).unwrap();
    desk.terminal.session_ended(10);
    assert_eq!(desk.terminal.session(), Some(1));
    desk.terminal.session_ended(1);
    assert_eq!(desk.jobs.signals.take(), [(5, linux::SIGHUP), (5, linux::SIGCONT)]);
    desk.terminal.opened_by(&stranger(&desk));
    assert_eq!(desk.terminal.session(), Some(10));
}
