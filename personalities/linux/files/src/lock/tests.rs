//! Locks by flock(2) and fcntl(2).

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::task::Poll;

use proptest::prelude::*;

use super::range::Range;
use super::{Blocked, LockKind, LockRequest, Owner, RECORDS_MAX};
use crate::open::{OpenFile, OpenFlags};
use crate::testing::{Task, World, now};
use crate::{Errno, Result};

const SHARED: u32 = 1;
const EXCLUSIVE: u32 = 2;
const NOW: u32 = 4;
const UNLOCK: u32 = 8;

fn file(world: &World, path: &str) -> Rc<OpenFile> {
    world.open(path, OpenFlags::READ_WRITE | OpenFlags::CREATE).unwrap()
}

fn request(kind: Option<LockKind>, first: u64, last: u64) -> LockRequest {
    LockRequest { kind, range: Range { first, last } }
}

const READ: Option<LockKind> = Some(LockKind::Shared);
const WRITE: Option<LockKind> = Some(LockKind::Exclusive);

fn process(number: u32) -> Owner {
    Owner::Process(number)
}

/// What is in the way of an exclusive lock of all by nobody.
fn held(file: &OpenFile) -> Vec<(Owner, LockKind, u64, u64)> {
    let records = file.locks().unwrap().records.borrow().clone();
    records.into_iter().map(|record| (record.owner, record.kind, record.range.first, record.range.last)).collect()
}

#[test]
fn whole_files_are_shared_or_exclusive() {
    let world = World::new();
    let [a, b, c] = [file(&world, "/f"), file(&world, "/f"), file(&world, "/f")];
    assert_eq!((a.try_flock(SHARED), b.try_flock(SHARED)), (Ok(()), Ok(())));
    assert_eq!(c.try_flock(EXCLUSIVE | NOW), Err(Errno::EAGAIN));
    assert_eq!(b.try_flock(UNLOCK), Ok(()));
    assert_eq!(a.try_flock(EXCLUSIVE), Ok(()));
    assert_eq!(c.try_flock(SHARED), Err(Errno::EAGAIN));
    // Another kind of lock doesn't see it.
    assert_eq!(c.set_lock(process(1), request(WRITE, 0, 9)), Ok(()));
    assert_eq!(a.try_flock(3), Err(Errno::EINVAL));
    drop(a);
    assert_eq!(c.try_flock(EXCLUSIVE), Ok(()));
    assert_eq!(file(&world, "/g").try_flock(EXCLUSIVE), Ok(()));
    let path = world.open("/f", OpenFlags::PATH).unwrap();
    assert_eq!(path.try_flock(SHARED), Err(Errno::EBADF));
}

#[test]
fn a_failed_conversion_loses_the_lock() {
    let world = World::new();
    let [a, b] = [file(&world, "/f"), file(&world, "/f")];
    a.try_flock(SHARED).unwrap();
    b.try_flock(SHARED).unwrap();
    assert_eq!(a.try_flock(EXCLUSIVE | NOW), Err(Errno::EAGAIN));
    assert_eq!(b.try_flock(EXCLUSIVE | NOW), Ok(()));
}

#[test]
fn waiting_for_a_whole_file() {
    let world = World::new();
    let [a, b] = [file(&world, "/f"), file(&world, "/f")];
    a.try_flock(EXCLUSIVE).unwrap();
    assert_eq!(now(b.flock(EXCLUSIVE | NOW)), Err(Errno::EAGAIN));
    let mut wait = Task::new(b.flock(EXCLUSIVE));
    assert!(wait.poll().is_pending());
    drop(a);
    assert_eq!(wait.poll_if_woken(), Poll::Ready(Ok(())));
}

#[test]
fn records_exclude_each_other_where_they_overlap() {
    let world = World::new();
    let file = file(&world, "/f");
    let set = |owner, kind, first, last| file.set_lock(process(owner), request(kind, first, last));
    assert_eq!(set(1, WRITE, 0, 9), Ok(()));
    assert_eq!((set(2, READ, 9, 9), set(2, READ, 10, 19)), (Err(Errno::EAGAIN), Ok(())));
    assert_eq!((set(1, READ, 15, 30), set(1, WRITE, 15, 30)), (Ok(()), Err(Errno::EAGAIN)));
    // One's own locks are replaced, split and joined.
    assert_eq!(set(1, READ, 3, 5), Ok(()));
    assert_eq!(set(2, READ, 4, 4), Ok(()));
    set(2, None, 0, u64::MAX).unwrap();
    let (own, shared, exclusive) = (process(1), LockKind::Shared, LockKind::Exclusive);
    assert_eq!(
        held(&file),
        [(own, exclusive, 0, 2), (own, shared, 3, 5), (own, exclusive, 6, 9), (own, shared, 15, 30)]
    );
    set(1, READ, 0, u64::MAX).unwrap();
    assert_eq!(held(&file), [(own, shared, 0, u64::MAX)]);
    set(1, None, 10, 19).unwrap();
    assert_eq!(held(&file), [(own, shared, 0, 9), (own, shared, 20, u64::MAX)]);
}

#[test]
fn locks_need_the_access_that_they_are_for() {
    let world = World::new();
    world.write("/f", "");
    let reader = world.open("/f", OpenFlags::empty()).unwrap();
    let writer = world.open("/f", OpenFlags::WRITE_ONLY).unwrap();
    let set = |file: &OpenFile, kind| file.set_lock(process(1), request(kind, 0, 9));
    assert_eq!((set(&reader, READ), set(&reader, WRITE)), (Ok(()), Err(Errno::EBADF)));
    assert_eq!((set(&writer, READ), set(&writer, WRITE)), (Err(Errno::EBADF), Ok(())));
    assert_eq!(set(&world.open("/f", OpenFlags::PATH).unwrap(), None), Err(Errno::EBADF));
}

#[test]
fn closing_any_descriptor_drops_a_processes_locks() {
    let world = World::new();
    let [a, b] = [file(&world, "/f"), file(&world, "/f")];
    a.set_lock(process(1), request(WRITE, 0, 9)).unwrap();
    a.set_lock(process(2), request(WRITE, 10, 19)).unwrap();
    b.closed_by(3);
    assert_eq!(held(&a).len(), 2);
    b.closed_by(1);
    assert_eq!(held(&a), [(process(2), LockKind::Exclusive, 10, 19)]);
}

#[test]
fn locks_of_descriptions_go_with_them() {
    let world = World::new();
    let [a, b] = [file(&world, "/f"), file(&world, "/f")];
    let set = |file: &Rc<OpenFile>, kind| file.set_lock(file.own_locks(), request(kind, 0, 9));
    assert_eq!((set(&a, WRITE), set(&b, WRITE)), (Ok(()), Err(Errno::EAGAIN)));
    assert_eq!(b.set_lock(process(1), request(READ, 0, 0)), Err(Errno::EAGAIN));
    a.closed_by(1);
    assert_eq!(set(&b, READ), Err(Errno::EAGAIN));
    drop(a);
    assert_eq!(set(&b, WRITE), Ok(()));
}

#[test]
fn what_is_in_the_way_is_told() {
    let world = World::new();
    let file = file(&world, "/f");
    file.set_lock(process(7), request(WRITE, 5, 9)).unwrap();
    file.set_lock(file.own_locks(), request(READ, 20, u64::MAX)).unwrap();
    let ask = |owner, kind, first, last| file.conflicting_lock(owner, request(kind, first, last));
    let mut bytes = encode(0, 0, 0, 100);
    ask(process(1), READ, 0, 99).unwrap().encode(&mut bytes);
    assert_eq!(bytes, with_process(encode(1, 0, 5, 5), 7));
    ask(process(7), WRITE, 0, 99).unwrap().encode(&mut bytes);
    assert_eq!(bytes, with_process(encode(0, 0, 20, 0), u32::MAX));
    let mut bytes = encode(1, 1, 3, 4);
    ask(process(1), READ, 10, 99).unwrap().encode(&mut bytes);
    assert_eq!(bytes, encode(2, 1, 3, 4));
    assert_eq!(ask(process(1), None, 0, 1), Err(Errno::EINVAL));
}

fn encode(kind: u16, whence: u16, start: i64, length: i64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&kind.to_le_bytes());
    bytes[2..4].copy_from_slice(&whence.to_le_bytes());
    bytes[8..16].copy_from_slice(&start.to_le_bytes());
    bytes[16..24].copy_from_slice(&length.to_le_bytes());
    bytes
}

fn with_process(mut bytes: [u8; 32], process: u32) -> [u8; 32] {
    bytes[24..28].copy_from_slice(&process.to_le_bytes());
    bytes
}

#[test]
fn the_structure_is_read() {
    let world = World::new();
    world.write("/f", "0123456789");
    let file = file(&world, "/f");
    file.seek(crate::open::Whence::Start, 4).unwrap();
    let decode = |kind, whence, start, length| -> Result<(u64, u64)> {
        let request = LockRequest::decode(&encode(kind, whence, start, length), &file)?;
        Ok((request.range.first, request.range.last))
    };
    assert_eq!(decode(0, 0, 2, 3), Ok((2, 4)));
    assert_eq!(decode(1, 1, 2, 0), Ok((6, u64::MAX)));
    assert_eq!(decode(2, 2, -1, 1), Ok((9, 9)));
    assert_eq!(decode(0, 0, 10, -4), Ok((6, 9)));
    assert_eq!(decode(0, 0, 2, -3), Err(Errno::EINVAL));
    assert_eq!(decode(0, 0, -1, 3), Err(Errno::EINVAL));
    assert_eq!(decode(0, 0, i64::MAX, 2), Err(Errno::EOVERFLOW));
    assert_eq!(decode(0, 1, i64::MAX, 0), Err(Errno::EOVERFLOW));
    assert_eq!((decode(3, 0, 0, 1), decode(0, 3, 0, 1)), (Err(Errno::EINVAL), Err(Errno::EINVAL)));
    assert_eq!(LockRequest::check_no_process(&encode(0, 0, 0, 0)), Ok(()));
    assert_eq!(LockRequest::check_no_process(&with_process(encode(0, 0, 0, 0), 1)), Err(Errno::EINVAL));
}

#[test]
fn waiting_for_a_record() {
    let world = World::new();
    let file = file(&world, "/f");
    let blocked = Blocked::new();
    file.set_lock(process(1), request(WRITE, 0, 9)).unwrap();
    let mut wait = Task::new(file.wait_for_lock(&blocked, process(2), request(READ, 5, 5)));
    assert!(wait.poll().is_pending());
    file.set_lock(process(1), request(None, 0, 4)).unwrap();
    assert!(wait.poll_if_woken().is_pending());
    // Loosening is enough.
    file.set_lock(process(1), request(READ, 5, 9)).unwrap();
    assert_eq!(wait.poll_if_woken(), Poll::Ready(Ok(())));
    drop(wait);
    assert!(blocked.waiting.borrow().is_empty());
}

#[test]
fn circles_of_waiters_are_refused() {
    let world = World::new();
    let [f, g] = [file(&world, "/f"), file(&world, "/g")];
    let blocked = Blocked::new();
    f.set_lock(process(1), request(WRITE, 0, 0)).unwrap();
    f.set_lock(process(2), request(WRITE, 1, 1)).unwrap();
    g.set_lock(process(3), request(WRITE, 0, 0)).unwrap();
    let mut first = Task::new(f.wait_for_lock(&blocked, process(1), request(WRITE, 1, 1)));
    let mut second = Task::new(g.wait_for_lock(&blocked, process(2), request(READ, 0, 9)));
    assert!(first.poll().is_pending() && second.poll().is_pending());
    let third = || now(f.wait_for_lock(&blocked, process(3), request(READ, 0, 0)));
    assert_eq!(third(), Err(Errno::EDEADLK));
    // Nobody waits for a process that only waits for a description's lock.
    let mut other = Task::new(f.wait_for_lock(&blocked, f.own_locks(), request(READ, 0, 0)));
    assert!(other.poll().is_pending());
    drop(second);
    let mut third = Task::new(f.wait_for_lock(&blocked, process(3), request(READ, 0, 0)));
    assert!(third.poll().is_pending());
    drop((first, third, other));
    assert!(blocked.waiting.borrow().is_empty());
}

#[test]
fn a_file_has_only_so_many_records() {
    let world = World::new();
    let file = file(&world, "/f");
    let set = |at: u64| file.set_lock(process(1), request(WRITE, 2 * at, 2 * at));
    let made = (0..).take_while(|&at| set(at) == Ok(())).count();
    assert!((RECORDS_MAX - 2..=RECORDS_MAX).contains(&made));
    assert_eq!(set(1 << 20), Err(Errno::ENOLCK));
    file.closed_by(1);
    assert_eq!(set(0), Ok(()));
}

proptest! {
    /// Whatever is locked and unlocked, each byte is as a byte-wise model says.
    #[test]
    fn ranges_are_as_their_bytes(steps in proptest::collection::vec((0u32..3, 0u8..3, 0u64..24, 0u64..24), 1..40)) {
        let world = World::new();
        let file = file(&world, "/f");
        let mut model = [[None; 24]; 3];
        for (owner, kind, a, b) in steps {
            let (first, last) = (a.min(b), a.max(b));
            let kind = [None, READ, WRITE][kind as usize];
            let bytes = first as usize..=last as usize;
            let free = (0..3).filter(|&other| other != owner as usize).all(|other| {
                model[other][bytes.clone()].iter().all(|&held| {
                    kind.is_none() || held.is_none() || (held == READ && kind == READ)
                })
            });
            let result = file.set_lock(process(owner), request(kind, first, last));
            prop_assert_eq!(result.is_ok(), free);
            if free {
                model[owner as usize][bytes].fill(kind);
            }
            for (owner, expected) in model.iter().enumerate() {
                let mut actual = [None; 24];
                for (holder, kind, first, last) in held(&file) {
                    if holder == process(owner as u32) {
                        actual[first as usize..=last as usize].fill(Some(kind));
                    }
                }
                prop_assert_eq!(&actual, expected);
            }
        }
    }
}
