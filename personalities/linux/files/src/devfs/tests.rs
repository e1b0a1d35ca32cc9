//! /dev by null(4), full(4), random(4), tty(4).

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use core::cell::Cell;

use super::{CONSOLE, Generator, device_number, mount};
use crate::Errno;
use crate::caller::Caller;
use crate::inode::Kind;
use crate::open::{OpenFlags, Whence};
use crate::testing::{Desk, World, get, put};

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
