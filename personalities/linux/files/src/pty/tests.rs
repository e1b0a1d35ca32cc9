//! Pseudo-terminals by pty(7), pts(4), ioctl_tty(2), and as Linux was seen to behave where these are silent.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use core::cell::Cell;
use core::task::Poll;

use linux_raw_sys::{general as linux, ioctl};

use super::{PAIRS_MAX, PseudoTerminals};
use crate::buffer::{Structure, Word};
use crate::devfs::{self, Generator};
use crate::open::{OpenFile, OpenFlags};
use crate::terminal::{Terminal, WindowSize};
use crate::testing::{Desk, Task, TestJobs, World, get, now, put};
use crate::transfer::{End, send_file};
use crate::wait::Events;
use crate::{Errno, Result};

struct Room {
    world: World,
    jobs: Rc<TestJobs>,
    _all: Rc<PseudoTerminals>,
}

impl Room {
    fn new() -> Self {
        let (world, jobs) = (World::new(), Rc::new(TestJobs::default()));
        let console = Desk::new().terminal;
        let generator = Rc::new(Generator::new([0; 32], Box::new(|_| 0)));
        devfs::mount(&world.vfs, 5, world.clock.clone(), world.store.clone(), generator, console).unwrap();
        let all = super::mount(&world.vfs, 6, world.clock.clone(), world.store.clone(), jobs.clone()).unwrap();
        Room { world, jobs, _all: all }
    }

    fn master(&self) -> Rc<OpenFile> {
        self.world.open("/dev/ptmx", OpenFlags::READ_WRITE).unwrap()
    }

    fn slave(&self, number: u32) -> Result<Rc<OpenFile>> {
        self.world.open(&std::format!("/dev/pts/{number}"), OpenFlags::READ_WRITE)
    }

    /// A master and its terminal, unlocked and open.
    fn pair(&self) -> [Rc<OpenFile>; 2] {
        let master = self.master();
        self.set(&master, ioctl::TIOCSPTLCK, 0).unwrap();
        let number = self.ask(&master, ioctl::TIOCGPTN).unwrap();
        [master, self.slave(number as u32).unwrap()]
    }

    fn ask(&self, file: &OpenFile, request: u32) -> Result<i32> {
        let mut bytes = [0; 4];
        now(file.ioctl(&self.world.caller, request, &mut Structure(&mut bytes)))?;
        Ok(i32::from_le_bytes(bytes))
    }

    fn set(&self, file: &OpenFile, request: u32, value: i32) -> Result<i64> {
        now(file.ioctl(&self.world.caller, request, &mut Structure(&mut value.to_le_bytes())))
    }

    fn word(&self, file: &OpenFile, request: u32, value: u64) -> Result<i64> {
        now(file.ioctl(&self.world.caller, request, &mut Word(value)))
    }
}

fn terminal(slave: &OpenFile) -> &Rc<Terminal> {
    slave.terminal().unwrap()
}

#[test]
fn opening_makes_a_node() {
    let room = Room::new();
    let master = room.master();
    assert_eq!((room.ask(&master, ioctl::TIOCGPTN), room.ask(&master, ioctl::TIOCGPTLCK)), (Ok(0), Ok(1)));
    assert_eq!((master.readiness(), get(&master, 9)), (Events::WRITABLE, Err(Errno::EAGAIN)));
    assert!(master.terminal().is_none());
    let node = room.world.find("/dev/pts/0").unwrap().inode().metadata();
    assert_eq!((node.mode(), node.represents, node.group), (0o020620, 0x8800, 5));
    assert_eq!(room.slave(0).err(), Some(Errno::EIO));
    assert_eq!(master.pseudo_terminal_peer(OpenFlags::READ_WRITE).err(), Some(Errno::EIO));
    room.set(&master, ioctl::TIOCSPTLCK, 0).unwrap();
    let slave = room.slave(0).unwrap();
    assert_eq!(room.ask(&slave, ioctl::TIOCGPTN), Err(Errno::ENOTTY));
    assert_eq!(terminal(&slave).device(), 0x8800);
    let peer = master.pseudo_terminal_peer(OpenFlags::READ_WRITE).unwrap();
    assert_eq!(peer.location().path(&room.world.vfs.root()), b"/dev/pts/0");
    assert!(Rc::ptr_eq(terminal(&peer), terminal(&slave)));
    assert_eq!(slave.pseudo_terminal_peer(OpenFlags::empty()).err(), Some(Errno::ENOTTY));
}

#[test]
fn the_directory_shows_what_is_open() {
    let room = Room::new();
    let masters = [room.master(), room.master()];
    assert_eq!(room.world.list("/dev/pts"), [".", "..", "ptmx", "0", "1"]);
    for wrong in ["/dev/pts/2", "/dev/pts/00", "/dev/pts/+0", "/dev/pts/x"] {
        assert_eq!(room.world.find(wrong).err(), Some(Errno::ENOENT), "{wrong}");
    }
    let flags = OpenFlags::CREATE | OpenFlags::READ_WRITE;
    assert_eq!(room.world.open("/dev/pts/x", flags).err(), Some(Errno::EPERM));
    let [first, _second] = masters;
    drop(first);
    assert_eq!(room.world.list("/dev/pts"), [".", "..", "ptmx", "1"]);
    assert_eq!(room.ask(&room.master(), ioctl::TIOCGPTN), Ok(0));
}

#[test]
fn numbers_run_out() {
    let room = Room::new();
    let masters: vec::Vec<_> = (0..PAIRS_MAX).map(|_| room.master()).collect();
    assert_eq!(room.world.open("/dev/ptmx", OpenFlags::READ_WRITE).err(), Some(Errno::ENOSPC));
    drop(masters);
    room.master();
}

#[test]
fn bytes_go_through_the_line_discipline() {
    let room = Room::new();
    let [master, slave] = room.pair();
    put(&master, b"typed\r").unwrap();
    assert_eq!(master.readiness(), Events::READABLE | Events::WRITABLE);
    assert_eq!(get(&master, 99).unwrap(), b"typed\r\n");
    assert_eq!(get(&slave, 99).unwrap(), b"typed\n");
    put(&slave, b"out\n").unwrap();
    assert_eq!(room.ask(&master, ioctl::FIONREAD), Ok(5));
    assert_eq!(get(&master, 3).unwrap(), b"out");
    assert_eq!(get(&master, 3).unwrap(), b"\r\n");
}

#[test]
fn what_is_typed_early_waits() {
    let room = Room::new();
    let master = room.master();
    room.set(&master, ioctl::TIOCSPTLCK, 0).unwrap();
    put(&master, b"before\n").unwrap();
    assert_eq!(get(&room.slave(0).unwrap(), 99).unwrap(), b"before\n");
}

#[test]
fn without_a_terminal_the_master_reads_the_rest_and_fails() {
    let room = Room::new();
    let [master, slave] = room.pair();
    let again = slave.clone();
    put(&slave, b"left").unwrap();
    drop(slave);
    assert!(!master.readiness().contains(Events::HUP));
    drop(again);
    assert_eq!(master.readiness(), Events::READABLE | Events::WRITABLE | Events::HUP);
    assert_eq!(get(&master, 99).unwrap(), b"left");
    assert_eq!(get(&master, 99), Err(Errno::EIO));
    let _slave = room.slave(0).unwrap();
    assert!(!master.readiness().contains(Events::HUP));
    assert_eq!(get(&master, 99), Err(Errno::EAGAIN));
}

#[test]
fn without_a_master_the_terminal_is_hung_up() {
    let room = Room::new();
    let [master, slave] = room.pair();
    terminal(&slave).opened_by(&room.world.caller);
    drop(master);
    assert_eq!((get(&slave, 9), put(&slave, b"x")), (Ok(vec![]), Err(Errno::EIO)));
    assert!(slave.readiness().contains(Events::HUP | Events::ERR | Events::IN));
    assert_eq!(room.jobs.hung_up.take(), [1]);
    assert_eq!(room.jobs.signals.take(), [(1, linux::SIGHUP), (1, linux::SIGCONT)]);
    assert_eq!(room.ask(&slave, ioctl::TIOCGPGRP), Err(Errno::EIO));
    assert_eq!(room.slave(0).err(), Some(Errno::ENOENT));
    // The number is taken as long as a file of it is open.
    assert_eq!(room.ask(&room.master(), ioctl::TIOCGPTN), Ok(1));
    drop(slave);
    assert_eq!(room.ask(&room.master(), ioctl::TIOCGPTN), Ok(0));
}

#[test]
fn both_sides_share_size_settings_and_jobs() {
    let room = Room::new();
    let [master, slave] = room.pair();
    assert_eq!(room.ask(&master, ioctl::TIOCGPGRP), Ok(0));
    assert_eq!(room.ask(&master, ioctl::TIOCGSID), Err(Errno::ENOTTY));
    terminal(&slave).opened_by(&room.world.caller);
    assert_eq!((room.ask(&master, ioctl::TIOCGPGRP), room.ask(&master, ioctl::TIOCGSID)), (Ok(1), Ok(1)));
    let mut size = [24, 0, 80, 0, 0, 0, 0, 0];
    now(master.ioctl(&room.world.caller, ioctl::TIOCSWINSZ, &mut Structure(&mut size))).unwrap();
    assert_eq!(terminal(&slave).window_size(), WindowSize { rows: 24, columns: 80, ..WindowSize::default() });
    assert_eq!(room.jobs.signals.take(), [(1, linux::SIGWINCH)]);
    put(&master, b"\x03").unwrap();
    assert_eq!(room.jobs.signals.take(), [(1, linux::SIGINT)]);
    assert_eq!(room.word(&master, ioctl::TIOCSIG, linux::SIGQUIT.into()), Ok(0));
    assert_eq!(room.jobs.signals.take(), [(1, linux::SIGQUIT)]);
    assert_eq!(room.word(&master, ioctl::TIOCSIG, linux::SIGUSR1.into()), Err(Errno::EINVAL));
    assert_eq!(room.word(&master, ioctl::TIOCSCTTY, 0), Err(Errno::ENOTTY));
}

fn raw(slave: &OpenFile) {
    let mut settings = terminal(slave).settings();
    (settings.input, settings.output, settings.local) = (0, 0, 0);
    terminal(slave).set_settings(settings);
}

#[test]
fn full_lines_make_both_sides_wait() {
    let room = Room::new();
    let [master, slave] = room.pair();
    raw(&slave);
    let pattern: vec::Vec<u8> = (0..100_000u32).map(|at| (at % 251) as u8).collect();
    for (from, to) in [(&master, &slave), (&slave, &master)] {
        let (mut sent, mut received) = (0, vec![]);
        while received.len() < pattern.len() {
            while sent < pattern.len() {
                match put(from, &pattern[sent..]) {
                    Ok(count) => sent += count,
                    Err(error) => {
                        assert_eq!((error, from.readiness().contains(Events::OUT)), (Errno::EAGAIN, false));
                        break;
                    }
                }
            }
            let mut heard = crate::testing::Task::new(from.waiters().unwrap().wait(Events::OUT));
            assert!(heard.poll().is_pending());
            received.extend(get(to, 5000).unwrap());
            assert!(heard.wakes() > 0 || sent == pattern.len() || !from.readiness().contains(Events::OUT));
        }
        assert!(received == pattern);
    }
}

#[test]
fn packet_mode() {
    let room = Room::new();
    let [master, slave] = room.pair();
    room.set(&master, ioctl::TIOCPKT, 1).unwrap();
    assert_eq!(room.ask(&master, super::master::TIOCGPKT), Ok(1));
    assert_eq!(get(&master, 9), Err(Errno::EAGAIN));
    put(&slave, b"data").unwrap();
    assert_eq!(get(&master, 3).unwrap(), b"\0da");
    assert_eq!((get(&master, 1).unwrap(), get(&master, 9).unwrap()), (b"\0".to_vec(), b"\0ta".to_vec()));
    let told = |status: u8| {
        assert!(master.readiness().contains(Events::PRI | Events::IN));
        assert_eq!(get(&master, 9).unwrap(), [status]);
        assert!(!master.readiness().contains(Events::PRI));
    };
    for (queues, status) in [(linux::TCIFLUSH, 1), (linux::TCOFLUSH, 2), (linux::TCIOFLUSH, 3)] {
        room.word(&slave, ioctl::TCFLSH, queues.into()).unwrap();
        told(status);
    }
    for (action, status) in [(linux::TCOOFF, 4), (linux::TCOON, 8)] {
        room.word(&slave, ioctl::TCXONC, action.into()).unwrap();
        told(status);
    }
    for (key, status) in [(b"\x13", 4), (b"\x11", 8)] {
        put(&master, key).unwrap();
        told(status);
    }
    let mut settings = terminal(&slave).settings();
    for (flags, status) in [(0, 16), (linux::IXON, 32)] {
        settings.input = flags;
        terminal(&slave).set_settings(settings);
        told(status);
    }
    settings.characters[linux::VSTART as usize] = 1;
    terminal(&slave).set_settings(settings);
    told(16);
    put(&master, b"\x03").unwrap();
    told(3);
    put(&slave, b"kept").unwrap();
    room.word(&slave, ioctl::TCFLSH, linux::TCOFLUSH.into()).unwrap();
    told(2);
    // The echo of the interrupt, and what had been sent before the flush.
    assert_eq!(get(&master, 99).unwrap(), b"\0^Ckept");
    room.set(&master, ioctl::TIOCPKT, 0).unwrap();
    put(&slave, b"x").unwrap();
    assert_eq!(get(&master, 99).unwrap(), b"x");
}

/// A line that is full throws away what comes, so that its end can still be typed: what has no end must not be sent for ever.
#[test]
fn sending_without_end_comes_back() {
    let room = Room::new();
    let [master, _slave] = room.pair();
    let zeros = room.world.open("/dev/zero", OpenFlags::empty()).unwrap();
    let moved = Cell::new(0);
    let mut task = Task::new(send_file(End::new(&master, None), End::new(&zeros, None), usize::MAX, &moved));
    let Poll::Ready(Ok(count)) = task.poll() else { panic!("a full line made it wait") };
    assert!((1..=2 << 20).contains(&count), "{count}");
}
