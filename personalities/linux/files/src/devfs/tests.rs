//! /dev by null(4), full(4), random(4), tty(4).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use super::{CONSOLE, Generator, device_number, mount};
use crate::Errno;
use crate::caller::Caller;
use crate::inode::Kind;
use crate::inotify;
use crate::open::{Board, Descriptors, OpenFile, OpenFlags, Plain, Whence};
use crate::testing::{Desk, World, get, put};
use crate::vfs::Location;

fn world() -> (World, Desk) {
    let (world, desk) = (World::new(), Desk::new());
    let generator = Rc::new(Generator::new([7; 32], Box::new(|_| 0)));
    mount(&world.vfs, 5, world.clock.clone(), world.store.clone(), generator, desk.terminal.clone()).unwrap();
    (world, desk)
}

#[test]
fn everything_is_there() {
    let (world, _desk) = world();
    let names = world.list("/dev");
    let expected = [
        ".", "..", "null", "zero", "full", "random", "urandom", "tty", "console", "ttyS0", "fd", "stdin", "stdout",
        "stderr", "shm", "pts",
    ];
    assert_eq!(names, expected);
    let null = world.find("/dev/null").unwrap().inode().metadata();
    assert_eq!((null.kind, null.represents, null.permissions), (Kind::CharacterDevice, 0x103, 0o666));
    let fd = world.find_link("/dev/fd").unwrap();
    assert_eq!(world.vfs.read_link(&world.caller, &fd).unwrap(), b"/proc/self/fd");
    assert_eq!(world.find("/dev/shm").unwrap().inode().permissions(), 0o1777);
}

#[test]
fn device_numbers_are_packed_as_linux_packs_them() {
    assert_eq!(device_number(1, 3), 0x103);
    assert_eq!(CONSOLE, 0x501);
    assert_eq!(device_number(0x12345, 0x6789a), 0x0001_2000_6783_459a);
}

#[test]
fn null_swallows_and_gives_nothing() {
    let (world, _desk) = world();
    let null = world.open("/dev/null", OpenFlags::READ_WRITE | OpenFlags::TRUNCATE).unwrap();
    assert_eq!(put(&null, b"text"), Ok(4));
    assert_eq!(get(&null, 4).unwrap(), b"");
    assert_eq!(null.seek(Whence::End, 10), Ok(0));
    assert_eq!(put(&null, b"text"), Ok(4));
    assert_eq!(null.offset(), 0);
}

#[test]
fn zero_and_full_give_zeros_and_full_is_full() {
    let (world, _desk) = world();
    let zero = world.open("/dev/zero", OpenFlags::READ_WRITE).unwrap();
    assert_eq!(get(&zero, 1000).unwrap(), [0; 1000]);
    assert_eq!(put(&zero, b"text"), Ok(4));
    let full = world.open("/dev/full", OpenFlags::READ_WRITE).unwrap();
    assert_eq!(get(&full, 3).unwrap(), [0; 3]);
    assert_eq!(put(&full, b"x"), Err(Errno::ENOSPC));
}

#[test]
fn random_bytes_differ_and_can_be_stirred() {
    let (world, _desk) = world();
    let random = world.open("/dev/urandom", OpenFlags::READ_WRITE).unwrap();
    let first = get(&random, 600).unwrap();
    assert_ne!(first[..300], first[300..]);
    assert_eq!(put(&random, &[1; 100]), Ok(100));
    let same = |seed| {
        let generator = Generator::new(seed, Box::new(|_| 0));
        let mut bytes = [0; 8];
        generator.fill(&mut bytes);
        bytes
    };
    assert_eq!(same([1; 32]), same([1; 32]));
    assert_ne!(same([1; 32]), same([2; 32]));
    let stirred = Generator::new([1; 32], Box::new(|_| 0));
    stirred.mix(b"x");
    let mut bytes = [0; 8];
    stirred.fill(&mut bytes);
    assert_ne!(bytes, same([1; 32]));
}

#[test]
fn the_console_is_the_terminal() {
    let (world, desk) = world();
    let console = world.open("/dev/console", OpenFlags::READ_WRITE).unwrap();
    assert!(console.terminal().is_some_and(|terminal| Rc::ptr_eq(terminal, &desk.terminal)));
    put(&console, b"hello\n").unwrap();
    assert_eq!(desk.line.take(), "hello\r\n");
}

#[test]
fn tty_is_the_controlling_terminal() {
    let (world, desk) = world();
    assert_eq!(world.open("/dev/tty", OpenFlags::READ_WRITE).err(), Some(Errno::ENXIO));
    let caller = Caller { controlling_terminal: Some(desk.terminal.clone()), ..world.caller.clone() };
    let tty = world.open_as(&caller, "/dev/tty", OpenFlags::READ_WRITE).unwrap();
    put(&tty, b"x").unwrap();
    assert_eq!(desk.line.take(), "x");
}

#[test]
fn the_generator_asks_its_source_now_and_then() {
    let asked = Rc::new(Cell::new(0));
    let counted = asked.clone();
    let generator = |source: super::random::Source| Generator::new([3; 32], source);
    let stirred = generator(Box::new(move |bytes: &mut [u8]| {
        counted.set(counted.get() + 1);
        bytes.fill(counted.get());
        bytes.len()
    }));
    let alone = generator(Box::new(|_| 0));
    let mut bytes = [vec![0; 60_000], vec![0; 60_000]];
    stirred.fill(&mut bytes[0]);
    alone.fill(&mut bytes[1]);
    assert!(asked.get() == 0 && bytes[0] == bytes[1]);
    stirred.fill(&mut bytes[0]);
    alone.fill(&mut bytes[1]);
    assert!(asked.get() == 1 && bytes[0] != bytes[1]);
}

/// A board that keeps what it is shown.
#[derive(Default)]
struct Shown(RefCell<BTreeMap<usize, Plain>>);

impl Board for Shown {
    fn show(&self, number: usize, plain: Plain) {
        assert_ne!(self.0.borrow_mut().insert(number, plain), Some(plain), "shown twice: {number}");
    }
}

impl Shown {
    fn list(&self) -> Vec<(usize, u8)> {
        let shown = self.0.borrow();
        shown.iter().filter(|(_, plain)| !plain.is_empty()).map(|(number, plain)| (*number, plain.bits())).collect()
    }
}

#[test]
fn a_board_shows_which_descriptors_are_plain() {
    let (world, _desk) = world();
    // Not while nobody would hear of watches.
    assert!(world.open("/dev/null", OpenFlags::READ_WRITE).unwrap().plain().is_empty());
    world.find("/dev").unwrap().inode().filesystem.tell_of_watches(Box::new(|_| ()));
    let open = |path, flags| world.open(path, flags).unwrap();
    for (path, flags, plain) in [
        ("/dev/null", OpenFlags::empty(), Plain::READS_END),
        ("/dev/null", OpenFlags::WRITE_ONLY, Plain::DISCARDS),
        ("/dev/zero", OpenFlags::READ_WRITE, Plain::READS_ZEROS | Plain::DISCARDS),
        ("/dev/full", OpenFlags::READ_WRITE, Plain::READS_ZEROS),
        ("/dev/urandom", OpenFlags::READ_WRITE, Plain::empty()),
        ("/dev/null", OpenFlags::PATH, Plain::empty()),
    ] {
        assert_eq!(open(path, flags).plain(), plain, "{path}");
    }

    let (null, zero) = (open("/dev/null", OpenFlags::READ_WRITE), open("/dev/zero", OpenFlags::empty()));
    let other = open("/dev/urandom", OpenFlags::empty());
    let mut table = Descriptors::new(20);
    for file in [&null, &other, &zero] {
        table.insert(file.clone(), false).unwrap();
    }
    let board = Rc::new(Shown::default());
    table.show_on(board.clone());
    assert_eq!(board.list(), [(0, 5), (2, 2)]);
    table.duplicate_to(0, 1, true, false).unwrap();
    table.duplicate_to(1, 2, false, false).unwrap();
    table.insert_from(7, zero.clone(), true).unwrap();
    assert_eq!(board.list(), [(0, 5), (1, 5), (2, 5), (7, 2)]);
    // A copy is another process's.
    let mut copy = table.clone();
    copy.close(0).unwrap();
    table.close_on_exec();
    assert_eq!(board.list(), [(0, 5), (2, 5)]);
    table.duplicate_to(2, 5, false, false).unwrap();
    table.close(0).unwrap();
    table.close_range(3, 9, true).unwrap();
    assert_eq!(board.list(), [(2, 5), (5, 5)]);
    table.close_range(3, 9, false).unwrap();
    assert_eq!(board.list(), [(2, 5)]);
    // What is shown is also taken back, and what stands for the same is shown.
    assert_eq!((table.close_held(2), table.duplicate(2)), (None, Ok(0)));
    assert_eq!(board.list(), [(0, 5), (2, 5)]);
    table.close(0).unwrap();
    table.stop_showing();
    table.show_on(board.clone());
    table.insert(null, false).unwrap();
    assert_eq!(board.list(), []);
    let new = Rc::new(Shown::default());
    copy.show_on(new.clone());
    assert_eq!(new.list(), [(1, 5), (2, 5), (7, 2)]);
}

#[test]
fn who_asks_is_told_of_watches() {
    let (world, _desk) = world();
    let told: Rc<Cell<(bool, u32)>> = Rc::default();
    let place = world.find("/dev/zero").unwrap();
    let listener = told.clone();
    let filesystem = place.inode().filesystem.clone();
    filesystem.tell_of_watches(Box::new(move |some| listener.set((some, listener.get().1 + 1))));
    let ears = [(); 2].map(|()| inotify::create(&world.filesystem, 0).unwrap());
    let add = |ear: &OpenFile, place: &Location| ear.inotify().unwrap().add(&world.caller, place, 2).unwrap();
    add(&ears[0], &world.find("/").unwrap());
    assert_eq!(told.get(), (false, 0));
    let number = add(&ears[0], &place);
    add(&ears[1], &world.find("/dev").unwrap());
    assert_eq!(told.get(), (true, 1));
    ears[0].inotify().unwrap().remove(number).unwrap();
    assert_eq!(told.get(), (true, 1));
    drop(ears);
    assert_eq!(told.get(), (false, 2));
}
