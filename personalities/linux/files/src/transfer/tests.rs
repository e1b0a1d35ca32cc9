//! By sendfile(2), splice(2), tee(2), copy_file_range(2).

use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;
use core::task::Poll;

use super::{End, copy_range, send_file, splice, tee};
use crate::open::{OpenFile, OpenFlags};
use crate::pipe::{DEFAULT_CAPACITY, pipe};
use crate::testing::{Task, World, get, now, put};
use crate::{Errno, Result};

fn world() -> (World, Rc<OpenFile>, Rc<OpenFile>) {
    let world = World::new();
    world.write("/from", "0123456789");
    let from = world.open("/from", OpenFlags::empty()).unwrap();
    let to = world.open("/to", OpenFlags::READ_WRITE | OpenFlags::CREATE).unwrap();
    (world, from, to)
}

fn pipe_of(world: &World) -> [Rc<OpenFile>; 2] {
    pipe(&world.filesystem, 0, 0, OpenFlags::empty()).unwrap()
}

fn at(file: &Rc<OpenFile>, offset: u64) -> End<'_> {
    End::new(file, Some(offset))
}

fn here(file: &Rc<OpenFile>) -> End<'_> {
    End::new(file, None)
}

fn send(to: &Rc<OpenFile>, from: End<'_>, count: usize) -> Result<usize> {
    now(send_file(here(to), from, count, &Cell::default()))
}

fn splice_now(from: End<'_>, to: End<'_>, count: usize) -> Result<usize> {
    now(splice(from, to, count, true, &Cell::default()))
}

#[test]
fn sending_a_file() {
    let (world, from, to) = world();
    assert_eq!(send(&to, here(&from), 4), Ok(4));
    assert_eq!((from.offset(), to.offset()), (4, 4));
    assert_eq!(send(&to, at(&from, 8), 99), Ok(2));
    assert_eq!((from.offset(), send(&to, at(&from, 10), 9)), (4, Ok(0)));
    assert_eq!(world.read("/to").unwrap(), b"012389");
    let [reader, writer] = pipe_of(&world);
    assert_eq!(send(&writer, here(&from), 99), Ok(6));
    assert_eq!(get(&reader, 99).unwrap(), b"456789");
    assert_eq!(send(&to, here(&reader), 1), Err(Errno::EINVAL));
    assert_eq!(send(&from, here(&to), 1), Err(Errno::EBADF));
    let append = world.open("/to", OpenFlags::WRITE_ONLY | OpenFlags::APPEND).unwrap();
    assert_eq!(send(&append, here(&from), 1), Err(Errno::EINVAL));
}

#[test]
fn sending_waits_for_a_full_pipe() {
    let (world, _, to) = world();
    put(&to, &vec![7; 2 * DEFAULT_CAPACITY]).unwrap();
    let [reader, writer] = pipe_of(&world);
    let moved = Cell::new(0);
    let mut task = Task::new(send_file(here(&writer), at(&to, 0), usize::MAX, &moved));
    assert!(task.poll().is_pending());
    assert_eq!(moved.get(), DEFAULT_CAPACITY);
    get(&reader, DEFAULT_CAPACITY).unwrap();
    assert!(matches!(task.poll_if_woken(), Poll::Ready(Ok(count)) if count == 2 * DEFAULT_CAPACITY));
    writer.set_flags(OpenFlags::NONBLOCKING).unwrap();
    assert_eq!(send(&writer, at(&to, 0), 1), Err(Errno::EAGAIN));
}

#[test]
fn splicing_needs_a_pipe() {
    let (world, from, to) = world();
    let [reader, writer] = pipe_of(&world);
    assert_eq!(splice_now(here(&from), here(&to), 9), Err(Errno::EINVAL));
    assert_eq!(splice_now(here(&reader), here(&writer), 9), Err(Errno::EINVAL));
    assert_eq!(splice_now(at(&reader, 0), here(&to), 9), Err(Errno::ESPIPE));
    assert_eq!(splice_now(here(&writer), here(&to), 9), Err(Errno::EBADF));
    let append = world.open("/to", OpenFlags::WRITE_ONLY | OpenFlags::APPEND).unwrap();
    assert_eq!(splice_now(here(&reader), here(&append), 9), Err(Errno::EINVAL));
}

#[test]
fn splicing_in_and_out() {
    let (world, from, to) = world();
    let [reader, writer] = pipe_of(&world);
    assert_eq!(splice_now(at(&from, 2), here(&writer), 5), Ok(5));
    assert_eq!(splice_now(here(&from), here(&writer), 99), Ok(10));
    assert_eq!((from.offset(), splice_now(here(&from), here(&writer), 99)), (10, Ok(0)));
    assert_eq!(splice_now(here(&reader), at(&to, 3), 7), Ok(7));
    let [second_reader, second_writer] = pipe_of(&world);
    assert_eq!(splice_now(here(&reader), here(&second_writer), 99), Ok(8));
    assert_eq!(splice_now(here(&reader), here(&to), 99), Err(Errno::EAGAIN));
    drop(writer);
    assert_eq!(splice_now(here(&reader), here(&to), 99), Ok(0));
    assert_eq!(get(&second_reader, 99).unwrap(), b"23456789");
    assert_eq!(world.read("/to").unwrap(), b"\0\0\x002345601");
    drop(second_reader);
    assert_eq!(splice_now(at(&from, 0), here(&second_writer), 1), Err(Errno::EPIPE));
}

#[test]
fn splicing_waits_for_the_pipe() {
    let (world, from, to) = world();
    let [reader, writer] = pipe_of(&world);
    let moved = Cell::new(0);
    let mut task = Task::new(splice(here(&reader), here(&to), 99, false, &moved));
    assert!(task.poll().is_pending());
    put(&writer, b"late").unwrap();
    assert_eq!(task.poll_if_woken(), Poll::Ready(Ok(4)));
    put(&writer, &vec![1; DEFAULT_CAPACITY]).unwrap();
    let moved = Cell::new(0);
    let mut task = Task::new(splice(here(&from), here(&writer), 99, false, &moved));
    assert!(task.poll().is_pending());
    get(&reader, 4).unwrap();
    assert_eq!(task.poll_if_woken(), Poll::Ready(Ok(4)));
    assert_eq!(from.offset(), 4);
}

#[test]
fn big_splices_lose_nothing() {
    let (world, _, to) = world();
    let pattern: Vec<u8> = (0..200_000u32).map(|at| (at % 241) as u8).collect();
    put(&to, &pattern).unwrap();
    let [reader, writer] = pipe_of(&world);
    let (mut at_offset, mut received) = (0, Vec::new());
    while received.len() < pattern.len() {
        at_offset += splice_now(at(&to, at_offset), here(&writer), 1 << 20).unwrap() as u64;
        received.extend(get(&reader, 30_001).unwrap());
    }
    assert!(received == pattern);
}

#[test]
fn tee_leaves_the_bytes() {
    let (world, from, _) = world();
    let [reader, writer] = pipe_of(&world);
    let [second_reader, second_writer] = pipe_of(&world);
    assert_eq!(now(tee(&reader, &second_writer, 9, true)), Err(Errno::EAGAIN));
    put(&writer, b"tee").unwrap();
    assert_eq!(now(tee(&reader, &second_writer, 2, true)), Ok(2));
    assert_eq!((get(&reader, 9).unwrap(), get(&second_reader, 9).unwrap()), (b"tee".to_vec(), b"te".to_vec()));
    assert_eq!(now(tee(&reader, &writer, 2, true)), Err(Errno::EINVAL));
    assert_eq!(now(tee(&from, &writer, 2, true)), Err(Errno::EINVAL));
}

#[test]
fn copying_ranges() {
    let (world, from, to) = world();
    assert_eq!(copy_range(here(&from), at(&to, 2), 4), Ok(4));
    assert_eq!((from.offset(), to.offset()), (4, 0));
    assert_eq!(copy_range(at(&from, 8), here(&to), 99), Ok(2));
    assert_eq!((from.offset(), to.offset(), copy_range(at(&from, 10), here(&to), 9)), (4, 2, Ok(0)));
    assert_eq!(world.read("/to").unwrap(), b"890123");
    assert_eq!(copy_range(at(&to, 0), at(&to, 2), 3), Err(Errno::EINVAL));
    assert_eq!(copy_range(at(&to, 0), at(&to, 3), 3), Ok(3));
    assert_eq!(world.read("/to").unwrap(), b"890890");
    assert_eq!(copy_range(at(&from, 0), at(&to, i64::MAX as u64), 3), Err(Errno::EOVERFLOW));
    let [reader, writer] = pipe_of(&world);
    assert_eq!(copy_range(here(&reader), here(&to), 3), Err(Errno::EINVAL));
    assert_eq!(copy_range(here(&from), here(&writer), 3), Err(Errno::EINVAL));
    let directory = world.open("/", OpenFlags::empty()).unwrap();
    assert_eq!(copy_range(here(&directory), here(&to), 3), Err(Errno::EISDIR));
    assert_eq!(copy_range(here(&to), here(&from), 3), Err(Errno::EBADF));
    let append = world.open("/to", OpenFlags::WRITE_ONLY | OpenFlags::APPEND).unwrap();
    assert_eq!(copy_range(here(&from), here(&append), 3), Err(Errno::EBADF));
}

#[test]
fn bytes_that_somebody_else_read_are_not_spliced() {
    let (world, ..) = world();
    let [reader, writer] = pipe_of(&world);
    let [second_reader, second_writer] = pipe_of(&world);
    put(&second_writer, &vec![0; DEFAULT_CAPACITY]).unwrap();
    put(&writer, b"first").unwrap();
    let moved = Cell::new(0);
    let mut task = Task::new(splice(here(&reader), here(&second_writer), 99, false, &moved));
    assert!(task.poll().is_pending());
    get(&reader, 5).unwrap();
    put(&writer, b"then").unwrap();
    get(&second_reader, DEFAULT_CAPACITY).unwrap();
    assert_eq!(task.poll_if_woken(), Poll::Ready(Ok(4)));
    assert_eq!(get(&second_reader, 99).unwrap(), b"then");
}
