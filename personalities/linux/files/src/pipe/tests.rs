//! Pipes and FIFOs by pipe(7) and fifo(7).

use alloc::rc::Rc;
use alloc::vec;
use core::task::Poll;

use super::{ATOMIC, DEFAULT_CAPACITY, pipe};
use crate::Errno;
use crate::buffer::{SliceSink, SliceSource, Structure};
use crate::open::{OpenFile, OpenFlags};
use crate::testing::{Task, World, get, put};
use crate::vfs::{At, NodeKind};
use crate::wait::Events;

fn make() -> [Rc<OpenFile>; 2] {
    pipe(&World::new().filesystem, 0, 0, OpenFlags::empty()).unwrap()
}

#[test]
fn bytes_come_out_as_they_went_in() {
    let [reader, writer] = make();
    put(&writer, b"hello ").unwrap();
    put(&writer, b"world").unwrap();
    assert_eq!(get(&reader, 8).unwrap(), b"hello wo");
    assert_eq!(get(&reader, 8).unwrap(), b"rld");
    assert_eq!(get(&reader, 8), Err(Errno::EAGAIN));
}

#[test]
fn each_end_goes_one_way() {
    let [reader, writer] = make();
    assert_eq!(put(&reader, b"x"), Err(Errno::EBADF));
    assert_eq!(get(&writer, 1), Err(Errno::EBADF));
    assert_eq!(reader.seek(crate::open::Whence::Start, 0), Err(Errno::ESPIPE));
    assert_eq!(reader.metadata().mode(), 0o010600);
    assert_eq!(reader.allocate(0, 0, 1), Err(Errno::EBADF));
    assert_eq!(writer.allocate(0, 0, 1), Err(Errno::ESPIPE));
}

#[test]
fn without_writers_there_is_an_end() {
    let [reader, writer] = make();
    put(&writer, b"x").unwrap();
    drop(writer);
    assert_eq!(get(&reader, 8).unwrap(), b"x");
    assert_eq!(get(&reader, 8).unwrap(), b"");
}

#[test]
fn without_readers_writing_is_epipe() {
    let [reader, writer] = make();
    drop(reader);
    assert_eq!(put(&writer, b"x"), Err(Errno::EPIPE));
}

#[test]
fn a_full_pipe_takes_small_writes_whole_or_not_at_all() {
    let [reader, writer] = make();
    assert_eq!(put(&writer, &vec![1; DEFAULT_CAPACITY - 100]), Ok(DEFAULT_CAPACITY - 100));
    assert_eq!(put(&writer, &[2; 101]), Err(Errno::EAGAIN));
    assert_eq!(put(&writer, &[2; ATOMIC + 1]), Ok(100));
    assert_eq!(put(&writer, &[2]), Err(Errno::EAGAIN));
    assert_eq!(get(&reader, 200).unwrap(), [1; 200]);
    assert_eq!(put(&writer, &[3; 200]), Ok(200));
    let rest = get(&reader, 1 << 20).unwrap();
    assert_eq!(rest.len(), DEFAULT_CAPACITY);
    assert_eq!(&rest[DEFAULT_CAPACITY - 301..DEFAULT_CAPACITY - 198], {
        let mut expected = vec![1];
        expected.extend([2; 100]);
        expected.extend([3; 2]);
        expected
    });
}

#[test]
fn a_reader_waits_for_bytes() {
    let [reader, writer] = make();
    let mut bytes = [0; 8];
    let mut sink = SliceSink::new(&mut bytes);
    let mut read = Task::new(reader.read(&mut sink));
    assert_eq!(read.poll(), Poll::Pending);
    assert_eq!(read.poll_if_woken(), Poll::Pending);
    put(&writer, b"x").unwrap();
    assert_eq!(read.poll_if_woken(), Poll::Ready(Ok(1)));
}

#[test]
fn a_reader_waits_for_the_end() {
    let [reader, writer] = make();
    let mut bytes = [0; 8];
    let mut sink = SliceSink::new(&mut bytes);
    let mut read = Task::new(reader.read(&mut sink));
    assert_eq!(read.poll(), Poll::Pending);
    drop(writer);
    assert_eq!(read.poll_if_woken(), Poll::Ready(Ok(0)));
}

#[test]
fn a_writer_goes_on_until_all_is_written() {
    let [reader, writer] = make();
    let bytes = vec![7; 2 * DEFAULT_CAPACITY + 5];
    let mut source = SliceSource::new(&bytes);
    let mut write = Task::new(writer.write(&mut source));
    let mut read = 0;
    let written = loop {
        match write.poll() {
            Poll::Ready(written) => break written,
            Poll::Pending => read += get(&reader, 50_000).unwrap().len(),
        }
    };
    assert_eq!(written, Ok(bytes.len()));
    read += get(&reader, 1 << 20).unwrap().len();
    assert_eq!(read, bytes.len());
}

#[test]
fn a_writer_that_is_interrupted_knows_how_far_it_came() {
    use crate::buffer::Source;
    let [_reader, writer] = make();
    let bytes = vec![7; DEFAULT_CAPACITY + 5];
    let mut source = SliceSource::new(&bytes);
    let mut write = Task::new(writer.write(&mut source));
    assert_eq!(write.poll(), Poll::Pending);
    drop(write);
    assert_eq!(source.remaining(), 5);
    assert!(writer.waiters().unwrap().is_empty());
}

#[test]
fn a_waiting_writer_hears_that_the_reader_left() {
    let [reader, writer] = make();
    put(&writer, &vec![1; DEFAULT_CAPACITY]).unwrap();
    let mut source = SliceSource::new(b"x");
    let mut write = Task::new(writer.write(&mut source));
    assert_eq!(write.poll(), Poll::Pending);
    drop(reader);
    assert_eq!(write.poll_if_woken(), Poll::Ready(Err(Errno::EPIPE)));
}

#[test]
fn non_blocking_ends_do_not_wait() {
    let [reader, writer] = make();
    reader.set_flags(OpenFlags::NONBLOCKING).unwrap();
    writer.set_flags(OpenFlags::NONBLOCKING).unwrap();
    let read = crate::testing::now(reader.read(&mut SliceSink::new(&mut [0; 4])));
    assert_eq!(read, Err(Errno::EAGAIN));
    let bytes = vec![0; DEFAULT_CAPACITY + 1];
    assert_eq!(crate::testing::now(writer.write(&mut SliceSource::new(&bytes))), Ok(DEFAULT_CAPACITY));
}

#[test]
fn readiness() {
    let [reader, writer] = make();
    assert_eq!(reader.readiness(), Events::empty());
    assert_eq!(writer.readiness(), Events::WRITABLE);
    put(&writer, &vec![1; DEFAULT_CAPACITY - ATOMIC + 1]).unwrap();
    assert_eq!(reader.readiness(), Events::READABLE);
    assert_eq!(writer.readiness(), Events::empty());
    let again = reader.clone();
    drop(reader);
    assert_eq!(writer.readiness(), Events::empty());
    drop(again);
    assert_eq!(writer.readiness(), Events::WRITABLE & Events::empty() | Events::ERR);
    let [reader, writer] = make();
    drop(writer);
    assert_eq!(reader.readiness(), Events::HUP);
}

#[test]
fn capacity_is_a_power_of_two_of_pages() {
    let [reader, writer] = make();
    let pipe = reader.pipe().unwrap();
    assert_eq!(pipe.capacity(), DEFAULT_CAPACITY);
    assert_eq!(pipe.set_capacity(1, false), Ok(4096));
    assert_eq!(pipe.set_capacity(4097, false), Ok(8192));
    put(&writer, &[1; 5000]).unwrap();
    assert_eq!(pipe.set_capacity(4096, false), Err(Errno::EBUSY));
    assert_eq!(pipe.set_capacity(1 << 21, false), Err(Errno::EPERM));
    assert_eq!(pipe.set_capacity(1 << 21, true), Ok(1 << 21));
}

#[test]
fn the_number_of_bytes_can_be_asked_for() {
    let world = World::new();
    let [reader, writer] = pipe(&world.filesystem, 0, 0, OpenFlags::empty()).unwrap();
    put(&writer, b"12345").unwrap();
    let mut number = [0; 4];
    let mut argument = Structure(&mut number);
    crate::testing::now(reader.ioctl(&world.caller, linux_raw_sys::ioctl::FIONREAD, &mut argument)).unwrap();
    assert_eq!(number, 5i32.to_le_bytes());
}

fn fifo() -> World {
    let world = World::new();
    world.vfs.make_node(&world.caller, At::WorkingDirectory, b"/f", NodeKind::Fifo, 0o666).unwrap();
    world
}

#[test]
fn opening_a_fifo_waits_for_the_other_side() {
    let world = fifo();
    let reader = world.open("/f", OpenFlags::empty()).unwrap();
    let mut open = Task::new(reader.opened());
    assert_eq!(open.poll(), Poll::Pending);
    let writer = world.open("/f", OpenFlags::WRITE_ONLY).unwrap();
    assert_eq!(crate::testing::now(writer.opened()), Ok(()));
    // Even if the writer is gone again by now.
    drop(writer);
    assert_eq!(open.poll_if_woken(), Poll::Ready(Ok(())));
    assert_eq!(get(&reader, 1).unwrap(), b"");
}

#[test]
fn opening_a_fifo_without_waiting() {
    let world = fifo();
    assert_eq!(world.open("/f", OpenFlags::WRITE_ONLY | OpenFlags::NONBLOCKING).err(), Some(Errno::ENXIO));
    let reader = world.open("/f", OpenFlags::NONBLOCKING).unwrap();
    assert_eq!(crate::testing::now(reader.opened()), Ok(()));
    assert_eq!(reader.readiness(), Events::empty());
    let writer = world.open("/f", OpenFlags::WRITE_ONLY | OpenFlags::NONBLOCKING).unwrap();
    put(&writer, b"x").unwrap();
    drop(writer);
    assert_eq!(reader.readiness(), Events::READABLE | Events::HUP);
    let both = world.open("/f", OpenFlags::READ_WRITE).unwrap();
    assert_eq!(crate::testing::now(both.opened()), Ok(()));
}

#[test]
fn a_writer_that_was_there_first_hangs_up_too() {
    let world = fifo();
    let both = world.open("/f", OpenFlags::READ_WRITE).unwrap();
    let writer = world.open("/f", OpenFlags::WRITE_ONLY).unwrap();
    let reader = world.open("/f", OpenFlags::empty()).unwrap();
    drop(both);
    assert_eq!(reader.readiness(), Events::empty());
    drop(writer);
    assert_eq!(reader.readiness(), Events::HUP);
}

#[test]
fn a_nameless_pipe_opened_once_more_waits_for_nobody() {
    let [reader, writer] = make();
    put(&writer, b"all").unwrap();
    drop(writer);
    let again = reader.pipe().unwrap().open(OpenFlags::empty()).unwrap();
    assert_eq!(again.opened(), Ok(()));
    assert_eq!(again.readiness(), Events::READABLE | Events::HUP);
    drop(reader);
    let alone = again;
    assert_eq!(alone.readiness(), Events::READABLE | Events::HUP);
}

#[test]
fn what_nobody_read_is_gone_when_all_have_closed() {
    let world = fifo();
    let both = world.open("/f", OpenFlags::READ_WRITE).unwrap();
    put(&both, b"old").unwrap();
    drop(both);
    let both = world.open("/f", OpenFlags::READ_WRITE).unwrap();
    assert_eq!(get(&both, 9), Err(Errno::EAGAIN));
}

#[test]
fn opening_a_nameless_pipe_again_waits_for_nobody() {
    let [reader, writer] = make();
    put(&writer, b"left").unwrap();
    drop(writer);
    let pipe = reader.pipe().unwrap().clone();
    let again = pipe.open(OpenFlags::empty()).unwrap();
    assert_eq!(again.opened(), Ok(()));
    drop(reader);
    // Not refused although nobody else reads or writes (a FIFO's ENXIO).
    assert!(pipe.open(OpenFlags::WRITE_ONLY | OpenFlags::NONBLOCKING).is_ok());
    drop(again);
}
