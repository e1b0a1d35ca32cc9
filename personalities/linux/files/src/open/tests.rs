//! Descriptors, descriptions and eventfd (open(2), dup(2), fcntl(2), lseek(2), pread(2), eventfd(2), close_range(2)).

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::task::Poll;

use super::{Descriptors, EventCounter, OpenFile, OpenFlags, Whence};
use crate::Errno;
use crate::buffer::{SliceSink, SliceSource};
use crate::testing::{Task, World, get, now, put};
use crate::wait::Events;

fn table(limit: usize) -> (World, Descriptors, Rc<OpenFile>) {
    let world = World::new();
    world.write("/f", "0123456789");
    let file = world.open("/f", OpenFlags::READ_WRITE).unwrap();
    (world, Descriptors::new(limit), file)
}

#[test]
fn the_lowest_free_number_is_taken() {
    let (_, mut table, file) = table(10);
    for expected in 0..4 {
        assert_eq!(table.insert(file.clone(), false), Ok(expected));
    }
    table.close(1).unwrap();
    table.close(2).unwrap();
    assert_eq!(table.duplicate(3), Ok(1));
    assert_eq!(table.insert_from(5, file.clone(), false), Ok(5));
    assert_eq!(table.insert_from(1, file.clone(), true), Ok(2));
    assert!(table.entry(2).unwrap().close_on_exec);
    let numbers: Vec<i32> = table.iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 5]);
}

#[test]
fn numbers_are_limited() {
    let (_, mut table, file) = table(2);
    table.insert(file.clone(), false).unwrap();
    assert_eq!(table.insert_pair([file.clone(), file.clone()], false), Err(Errno::EMFILE));
    assert_eq!(table.insert(file.clone(), false), Ok(1));
    assert_eq!(table.insert(file.clone(), false), Err(Errno::EMFILE));
    assert_eq!(table.insert_from(2, file.clone(), false), Err(Errno::EINVAL));
    assert_eq!(table.insert_from(-1, file.clone(), false), Err(Errno::EINVAL));
    assert_eq!(table.duplicate_to(0, 2, false, false).err(), Some(Errno::EBADF));
    table.set_limit(1);
    assert!(table.get(1).is_ok());
}

#[test]
fn duplicating_to_a_number() {
    let (world, mut table, file) = table(10);
    world.write("/g", "");
    let other = world.open("/g", OpenFlags::empty()).unwrap();
    table.insert(file.clone(), false).unwrap();
    table.insert(other.clone(), true).unwrap();
    let replaced = table.duplicate_to(0, 1, false, false).unwrap();
    assert!(replaced.is_some_and(|replaced| Rc::ptr_eq(&replaced, &other)));
    assert!(Rc::ptr_eq(table.get(1).unwrap(), &file));
    assert!(!table.entry(1).unwrap().close_on_exec);
    assert!(table.duplicate_to(0, 0, true, false).unwrap().is_none());
    assert!(!table.entry(0).unwrap().close_on_exec);
    assert_eq!(table.duplicate_to(0, 0, false, true).err(), Some(Errno::EINVAL));
    assert_eq!(table.duplicate_to(7, 7, false, false).err(), Some(Errno::EBADF));
    assert_eq!(table.duplicate_to(0, -1, false, false).err(), Some(Errno::EBADF));
}

#[test]
fn wrong_numbers() {
    let (_, mut table, _) = table(10);
    for number in [-100, -1, 0, 9, i32::MAX] {
        assert_eq!(table.get(number).err(), Some(Errno::EBADF));
        assert_eq!(table.close(number).err(), Some(Errno::EBADF));
        assert_eq!(table.set_close_on_exec(number, true), Err(Errno::EBADF));
    }
}

#[test]
fn exec_closes_what_is_marked_and_fork_copies_the_table() {
    let (_, mut table, file) = table(10);
    table.insert(file.clone(), true).unwrap();
    table.insert(file.clone(), false).unwrap();
    let mut child = table.clone();
    assert_eq!(child.close_on_exec().len(), 1);
    assert_eq!(child.iter().map(|(number, _)| number).collect::<Vec<_>>(), [1]);
    assert_eq!(table.iter().count(), 2);
}

#[test]
fn closing_a_range() {
    let (_, mut table, file) = table(10);
    for number in 0..6 {
        assert_eq!(table.insert(file.clone(), false), Ok(number));
    }
    assert_eq!(table.close_range(3, 2, false).err(), Some(Errno::EINVAL));
    assert_eq!(table.close_range(4, u32::MAX, true).unwrap().len(), 0);
    assert_eq!(table.close_range(2, 3, false).unwrap().len(), 2);
    assert_eq!(table.close_range(100, u32::MAX, false).unwrap().len(), 0);
    let left: Vec<_> = table.iter().map(|(number, entry)| (number, entry.close_on_exec)).collect();
    assert_eq!(left, [(0, false), (1, false), (4, true), (5, true)]);
}

#[test]
fn duplicates_share_the_offset_and_other_opens_do_not() {
    let (world, mut table, file) = table(10);
    table.insert(file, false).unwrap();
    table.duplicate(0).unwrap();
    assert_eq!(get(table.get(0).unwrap(), 3).unwrap(), b"012");
    assert_eq!(get(table.get(1).unwrap(), 3).unwrap(), b"345");
    assert_eq!(get(&world.open("/f", OpenFlags::empty()).unwrap(), 3).unwrap(), b"012");
}

#[test]
fn positions() {
    let (_, _, file) = table(10);
    for (whence, offset, result) in [
        (Whence::Start, 4, Ok(4)),
        (Whence::Current, 3, Ok(7)),
        (Whence::Current, -8, Err(Errno::EINVAL)),
        (Whence::End, -1, Ok(9)),
        (Whence::End, 90, Ok(100)),
        (Whence::Current, i64::MAX, Err(Errno::EOVERFLOW)),
        (Whence::Data, 2, Ok(2)),
        (Whence::Hole, 2, Ok(10)),
        (Whence::Data, 10, Err(Errno::ENXIO)),
    ] {
        assert_eq!(file.seek(whence, offset), result, "{whence:?} {offset}");
    }
    assert_eq!(Whence::from_argument(5), Err(Errno::EINVAL));
}

#[test]
fn reading_and_writing_elsewhere_keeps_the_offset() {
    let (world, _, file) = table(10);
    let mut bytes = [0; 3];
    assert_eq!(now(file.read_at(4, &mut SliceSink::new(&mut bytes))), Ok(3));
    assert_eq!(&bytes, b"456");
    assert_eq!(now(file.write_at(20, &mut SliceSource::new(b"x"))), Ok(1));
    assert_eq!(file.offset(), 0);
    assert_eq!(now(file.read_at(1 << 63, &mut SliceSink::new(&mut bytes))), Err(Errno::EINVAL));
    let append = world.open("/f", OpenFlags::WRITE_ONLY | OpenFlags::APPEND).unwrap();
    assert_eq!(now(append.write_at(0, &mut SliceSource::new(b"end"))), Ok(3));
    assert_eq!(world.read("/f").unwrap().len(), 24);
}

#[test]
fn status_flags() {
    let (_, _, file) = table(10);
    assert_eq!(file.flags(), OpenFlags::READ_WRITE | OpenFlags::LARGE_FILE);
    file.set_flags(OpenFlags::APPEND | OpenFlags::WRITE_ONLY | OpenFlags::CREATE).unwrap();
    assert_eq!(file.flags(), OpenFlags::READ_WRITE | OpenFlags::LARGE_FILE | OpenFlags::APPEND);
}

#[test]
fn writes_and_reads_stamp_times() {
    let (world, _, file) = table(10);
    let before = file.metadata();
    world.clock.advance(core::time::Duration::from_secs(5));
    put(&file, b"x").unwrap();
    let after = file.metadata();
    assert_eq!(after.modified.seconds, before.modified.seconds + 5);
    assert_eq!((after.changed, after.accessed), (after.modified, before.accessed));
    get(&file, 1).unwrap();
    assert_eq!(file.metadata().accessed, after.modified);
}

#[test]
fn allocation_modes() {
    let (_, _, file) = table(10);
    let (keep, punch, zero, collapse) = (1, 2, 16, 8);
    assert_eq!(file.allocate(keep, 0, 8192), Ok(()));
    assert_eq!((file.metadata().size, file.metadata().blocks), (10, 16));
    assert_eq!(file.allocate(0, 0, 20), Ok(()));
    assert_eq!(file.metadata().size, 20);
    assert_eq!(file.allocate(punch | keep, 2, 3), Ok(()));
    assert_eq!(file.allocate(zero, 19, 6), Ok(()));
    assert_eq!(get(&file, 99).unwrap(), b"01\0\0\x0056789\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(file.allocate(punch, 0, 1), Err(Errno::EOPNOTSUPP));
    assert_eq!(file.allocate(collapse, 0, 4096), Err(Errno::EOPNOTSUPP));
    assert_eq!(file.allocate(0, 0, 0), Err(Errno::EINVAL));
    assert_eq!(file.allocate(0, -1, 1), Err(Errno::EINVAL));
    assert_eq!(file.allocate(0, i64::MAX, 1), Err(Errno::EFBIG));
}

fn counter(initial: u32, semaphore: bool) -> Rc<OpenFile> {
    let counter = Rc::new(EventCounter::new(initial, semaphore));
    OpenFile::anonymous(&World::new().filesystem, counter, b"anon_inode:[eventfd]", OpenFlags::READ_WRITE)
}

fn number(file: &OpenFile) -> crate::Result<u64> {
    get(file, 8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
}

#[test]
fn an_event_counter_adds_and_resets() {
    let file = counter(2, false);
    assert_eq!(put(&file, &3u64.to_le_bytes()), Ok(8));
    assert_eq!(file.readiness(), Events::READABLE | Events::WRITABLE);
    assert_eq!(number(&file), Ok(5));
    assert_eq!(number(&file), Err(Errno::EAGAIN));
    assert_eq!(get(&file, 7), Err(Errno::EINVAL));
    assert_eq!(put(&file, &[0; 7]), Err(Errno::EINVAL));
    assert_eq!(put(&file, &u64::MAX.to_le_bytes()), Err(Errno::EINVAL));
    assert_eq!(file.location().path(&World::new().vfs.root()), b"anon_inode:[eventfd]");
}

#[test]
fn a_semaphore_gives_ones() {
    let file = counter(2, true);
    assert_eq!((number(&file), number(&file), number(&file)), (Ok(1), Ok(1), Err(Errno::EAGAIN)));
}

#[test]
fn a_full_event_counter_makes_writers_wait() {
    let file = counter(0, false);
    put(&file, &(u64::MAX - 2).to_le_bytes()).unwrap();
    let bytes = 5u64.to_le_bytes();
    let mut source = SliceSource::new(&bytes);
    let mut write = Task::new(file.write(&mut source));
    assert_eq!(write.poll(), Poll::Pending);
    assert_eq!(number(&file), Ok(u64::MAX - 2));
    assert_eq!(write.poll_if_woken(), Poll::Ready(Ok(8)));
    assert_eq!(number(&file), Ok(5));
}

#[test]
fn writing_takes_the_set_id_bits() {
    let (world, _, _) = table(10);
    let user = world.user(5, 5);
    let place = world.find("/f").unwrap();
    let set = |mode| world.vfs.change_mode(&world.caller, &place, mode).unwrap();
    let open = |caller| world.open_as(caller, "/f", OpenFlags::WRITE_ONLY).unwrap();
    let mode = || place.inode().permissions();
    set(0o6777);
    put(&open(&world.caller), b"x").unwrap();
    assert_eq!(mode(), 0o6777);
    let file = open(&user);
    put(&file, b"").unwrap();
    assert_eq!(mode(), 0o6777);
    put(&file, b"x").unwrap();
    assert_eq!(mode(), 0o777);
    // Without group execution the bit means something else.
    set(0o2666);
    put(&file, b"x").unwrap();
    assert_eq!(mode(), 0o2666);
    set(0o4777);
    file.truncate(3).unwrap();
    assert_eq!(mode(), 0o777);
    set(0o4777);
    file.allocate(0, 0, 100).unwrap();
    assert_eq!(mode(), 0o777);
}

#[test]
fn files_do_not_grow_beyond_the_limit() {
    let (world, _, file) = table(10);
    let limited = |limit| crate::open::Attempt { size_limit: Some(limit), ..file.attempt() };
    let write_at =
        |limit, offset, bytes: &[u8]| now(file.write_at_with(limited(limit), offset, &mut SliceSource::new(bytes)));
    assert_eq!(write_at(12, 8, b"abcdefgh"), Ok(4));
    assert_eq!(world.read("/f").unwrap(), b"01234567abcd");
    assert_eq!(
        (write_at(12, 12, b"x"), write_at(12, 12, b""), write_at(5, 3, b"xyz")),
        (Err(Errno::EFBIG), Ok(0), Ok(2))
    );
    assert_eq!(now(file.write_with(limited(4), &mut SliceSource::new(b"012345"))), Ok(4));
    assert_eq!(now(file.write_with(limited(4), &mut SliceSource::new(b"45"))), Err(Errno::EFBIG));
    let [_reader, writer] = crate::pipe::pipe(&world.filesystem, 0, 0, OpenFlags::empty()).unwrap();
    assert_eq!(now(writer.write_with(limited(0), &mut SliceSource::new(b"x"))), Ok(1));
}
