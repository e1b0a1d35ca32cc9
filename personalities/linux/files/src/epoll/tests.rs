//! epoll by epoll(7), epoll_ctl(2) and epoll_wait(2), and as Linux was seen to behave where these are silent.

use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::task::Poll;
use core::time::Duration;

use super::{EpollEvent, Mode, Operation, create};
use crate::clock::Clock;
use crate::open::{EventCounter, OpenFile, OpenFlags};
use crate::pipe::pipe;
use crate::testing::{Task, World, get, now, put};
use crate::wait::Events;
use crate::{Errno, Result};

const IN: u32 = Events::IN.bits() as u32;
const OUT: u32 = Events::OUT.bits() as u32;
const HUP: u32 = Events::HUP.bits() as u32;
const EDGE: u32 = Mode::EDGE.bits();
const ONE_SHOT: u32 = Mode::ONE_SHOT.bits();
const EXCLUSIVE: u32 = Mode::EXCLUSIVE.bits();

struct Set {
    world: World,
    file: Rc<OpenFile>,
}

impl Set {
    fn new() -> Self {
        let world = World::new();
        Set { file: create(&world.filesystem), world }
    }

    fn pipe(&self) -> [Rc<OpenFile>; 2] {
        pipe(&self.world.filesystem, 0, 0, OpenFlags::empty()).unwrap()
    }

    fn add(&self, descriptor: i32, file: &Rc<OpenFile>, events: u32) -> Result<()> {
        add(&self.file, descriptor, file, events)
    }

    fn modify(&self, descriptor: i32, file: &Rc<OpenFile>, events: u32) -> Result<()> {
        let event = EpollEvent { events, data: 100 + descriptor as u64 };
        self.file.epoll().unwrap().control(descriptor, file, Operation::Modify(event))
    }

    fn delete(&self, descriptor: i32, file: &Rc<OpenFile>) -> Result<()> {
        self.file.epoll().unwrap().control(descriptor, file, Operation::Delete)
    }

    /// What is ready now: events and data.
    fn look(&self) -> Vec<(u32, u64)> {
        look(&self.file)
    }
}

fn add(epoll: &Rc<OpenFile>, descriptor: i32, file: &Rc<OpenFile>, events: u32) -> Result<()> {
    let event = EpollEvent { events, data: 100 + descriptor as u64 };
    epoll.epoll().unwrap().control(descriptor, file, Operation::Add(event))
}

fn look(epoll: &Rc<OpenFile>) -> Vec<(u32, u64)> {
    let epoll = epoll.epoll().unwrap();
    let only = epoll.only_event();
    let all = epoll.collect(64);
    // What is told of one that stays is what would be told anyway, and telling changes nothing.
    if let Some(only) = only {
        assert_eq!((&all[..], epoll.only_event()), (&[only][..], Some(only)));
    }
    all.iter().map(|event| (event.events, event.data)).collect()
}

#[test]
fn the_only_one_is_told_of_if_it_stays() {
    let set = Set::new();
    let [(first, one), (second, two)] = [set.pipe(), set.pipe()].map(|[reader, writer]| (reader, writer));
    let only = || set.file.epoll().unwrap().only_event().map(|event| event.data);
    set.add(3, &first, IN).unwrap();
    set.add(4, &second, IN).unwrap();
    assert_eq!(only(), None);
    put(&one, b"x").unwrap();
    assert_eq!((only(), only()), (Some(103), Some(103)));
    put(&two, b"x").unwrap();
    assert_eq!((only(), look(&set.file).len()), (None, 2));
    get(&second, 1).unwrap();
    // It leaves the list when that is looked at.
    assert_eq!((only(), look(&set.file), only()), (None, vec![(IN, 103)], Some(103)));
    for mode in [EDGE, ONE_SHOT] {
        set.modify(3, &first, IN | mode).unwrap();
        assert_eq!((only(), look(&set.file)), (None, vec![(IN, 103)]));
        assert_eq!((only(), look(&set.file)), (None, vec![]));
    }
    set.modify(3, &first, IN).unwrap();
    drop(first);
    assert_eq!((only(), look(&set.file)), (None, vec![]));
}

#[test]
fn the_structure_is_packed() {
    let event = EpollEvent { events: 0x8000_0001, data: 0x1122_3344_5566_7788 };
    assert_eq!(event.encode(), [1, 0, 0, 0x80, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]);
    assert_eq!(EpollEvent::decode(&event.encode()), event);
}

#[test]
fn levels_are_reported_as_long_as_they_last() {
    let set = Set::new();
    let [reader, writer] = set.pipe();
    set.add(3, &reader, IN).unwrap();
    assert_eq!(set.look(), []);
    put(&writer, b"xy").unwrap();
    assert_eq!(set.look(), [(IN, 103)]);
    assert_eq!(set.look(), [(IN, 103)]);
    get(&reader, 2).unwrap();
    assert_eq!(set.look(), []);
    put(&writer, b"z").unwrap();
    assert_eq!(set.look(), [(IN, 103)]);
}

#[test]
fn what_is_ready_when_added_is_reported() {
    let set = Set::new();
    let [reader, writer] = set.pipe();
    put(&writer, b"x").unwrap();
    set.add(3, &reader, IN | EDGE).unwrap();
    set.add(4, &writer, OUT | IN).unwrap();
    assert_eq!(set.look(), [(IN, 103), (OUT, 104)]);
    assert_eq!(set.look(), [(OUT, 104)]);
}

#[test]
fn edges_are_reported_once_for_each_arrival() {
    let set = Set::new();
    let [reader, writer] = set.pipe();
    set.add(3, &reader, IN | EDGE).unwrap();
    put(&writer, b"xx").unwrap();
    assert_eq!((set.look(), set.look()), (vec![(IN, 103)], vec![]));
    get(&reader, 1).unwrap();
    assert_eq!(set.look(), []);
    put(&writer, b"y").unwrap();
    assert_eq!((set.look(), set.look()), (vec![(IN, 103)], vec![]));
    drop(writer);
    assert_eq!((set.look(), set.look()), (vec![(IN | HUP, 103)], vec![]));
}

#[test]
fn one_shot_members_are_silent_until_modified() {
    let set = Set::new();
    let [reader, writer] = set.pipe();
    set.add(3, &reader, IN | ONE_SHOT).unwrap();
    put(&writer, b"x").unwrap();
    assert_eq!((set.look(), set.look()), (vec![(IN, 103)], vec![]));
    drop(writer);
    assert_eq!(set.look(), []);
    set.modify(3, &reader, 0).unwrap();
    assert_eq!(set.look(), [(HUP, 103)]);
}

#[test]
fn members_are_found_by_descriptor_and_description() {
    let set = Set::new();
    let [reader, writer] = set.pipe();
    set.add(3, &reader, IN).unwrap();
    assert_eq!(set.add(3, &reader, IN), Err(Errno::EEXIST));
    assert_eq!(set.add(4, &reader, IN), Ok(()));
    assert_eq!(set.modify(5, &reader, IN), Err(Errno::ENOENT));
    assert_eq!(set.delete(3, &writer), Err(Errno::ENOENT));
    put(&writer, b"x").unwrap();
    assert_eq!(set.look(), [(IN, 103), (IN, 104)]);
    set.delete(3, &reader).unwrap();
    assert_eq!(set.look(), [(IN, 104)]);
    set.delete(4, &reader).unwrap();
    assert_eq!(set.look(), []);
    assert!(reader.waiters().unwrap().is_empty());
}

#[test]
fn what_cannot_be_waited_for_is_refused() {
    let set = Set::new();
    set.world.write("/f", "");
    for (path, flags, error) in [
        ("/f", OpenFlags::empty(), Errno::EPERM),
        ("/", OpenFlags::DIRECTORY, Errno::EPERM),
        ("/f", OpenFlags::PATH, Errno::EBADF),
    ] {
        assert_eq!(set.add(3, &set.world.open(path, flags).unwrap(), IN), Err(error));
    }
    assert_eq!(set.add(3, &set.file, IN), Err(Errno::EINVAL));
    assert!(set.pipe()[0].epoll().is_err_and(|error| error == Errno::EINVAL));
    assert_eq!(Operation::from_arguments(4, || Err(Errno::EFAULT)), Err(Errno::EINVAL));
    assert_eq!(Operation::from_arguments(2, || Err(Errno::EFAULT)), Ok(Operation::Delete));
    assert_eq!(Operation::from_arguments(1, || Err(Errno::EFAULT)), Err(Errno::EFAULT));
}

#[test]
fn exclusive_goes_with_few_flags() {
    let set = Set::new();
    let [reader, _writer] = set.pipe();
    for events in [IN | ONE_SHOT, IN | u32::from(Events::RDHUP.bits()), IN | u32::from(Events::PRI.bits())] {
        assert_eq!(set.add(3, &reader, events | EXCLUSIVE), Err(Errno::EINVAL));
    }
    assert_eq!(set.add(3, &create(&set.world.filesystem), IN | EXCLUSIVE), Err(Errno::EINVAL));
    assert_eq!(set.add(3, &reader, IN | EDGE | EXCLUSIVE), Ok(()));
    assert_eq!(set.modify(3, &reader, IN), Err(Errno::EINVAL));
    assert_eq!(set.add(4, &reader, IN), Ok(()));
    assert_eq!(set.modify(4, &reader, IN | EXCLUSIVE), Err(Errno::EINVAL));
}

#[test]
fn closed_files_leave() {
    let set = Set::new();
    let [reader, writer] = set.pipe();
    let again = reader.clone();
    set.add(3, &reader, IN).unwrap();
    put(&writer, b"x").unwrap();
    drop(reader);
    // Another descriptor still leads to it.
    assert_eq!(set.look(), [(IN, 103)]);
    drop(again);
    assert_eq!(set.look(), []);
    let [reader, _writer] = set.pipe();
    assert_eq!(set.add(3, &reader, IN), Ok(()));
}

#[test]
fn the_list_goes_round() {
    let set = Set::new();
    let pipes: Vec<_> = (0..3).map(|_| set.pipe()).collect();
    for (number, [reader, writer]) in pipes.iter().enumerate() {
        set.add(number as i32, reader, IN).unwrap();
        put(writer, b"x").unwrap();
    }
    let epoll = set.file.epoll().unwrap();
    let order = || epoll.collect(2).iter().map(|event| event.data).collect::<Vec<_>>();
    assert_eq!([order(), order(), order()], [[100, 101], [102, 100], [101, 102]]);
}

#[test]
fn waiting_ends_with_a_member_or_the_deadline() {
    let set = Set::new();
    let clock: Rc<dyn Clock> = set.world.clock.clone();
    let [reader, writer] = set.pipe();
    set.add(3, &reader, IN).unwrap();
    let epoll = set.file.epoll().unwrap();
    assert_eq!(now(epoll.wait(0, None, &clock)), Err(Errno::EINVAL));
    assert_eq!(now(epoll.wait(8, Some(Duration::ZERO), &clock)), Ok(vec![]));
    let mut wait = Task::new(epoll.wait(8, None, &clock));
    assert_eq!(wait.poll(), Poll::Pending);
    put(&writer, b"x").unwrap();
    assert_eq!(wait.poll_if_woken(), Poll::Ready(Ok(vec![EpollEvent { events: IN, data: 103 }])));
    get(&reader, 1).unwrap();
    let mut wait = Task::new(epoll.wait(8, Some(Duration::from_secs(1)), &clock));
    assert_eq!(wait.poll(), Poll::Pending);
    set.world.clock.advance(Duration::from_secs(1));
    assert_eq!(wait.poll_if_woken(), Poll::Ready(Ok(vec![])));
}

#[test]
fn members_added_while_waiting_count() {
    let set = Set::new();
    let clock: Rc<dyn Clock> = set.world.clock.clone();
    let epoll = set.file.epoll().unwrap();
    let mut wait = Task::new(epoll.wait(8, None, &clock));
    assert_eq!(wait.poll(), Poll::Pending);
    let counter = Rc::new(EventCounter::new(1, false));
    let counter = OpenFile::anonymous(&set.world.filesystem, counter, b"", OpenFlags::READ_WRITE);
    set.add(3, &counter, IN).unwrap();
    assert!(matches!(wait.poll_if_woken(), Poll::Ready(Ok(found)) if found.len() == 1));
}

#[test]
fn instances_nest_and_wake_each_other() {
    let set = Set::new();
    let inner = create(&set.world.filesystem);
    let [reader, writer] = set.pipe();
    set.add(3, &inner, IN).unwrap();
    add(&inner, 4, &reader, IN | EDGE).unwrap();
    let clock: Rc<dyn Clock> = set.world.clock.clone();
    let epoll = set.file.epoll().unwrap();
    let mut wait = Task::new(epoll.wait(8, None, &clock));
    assert_eq!(wait.poll(), Poll::Pending);
    put(&writer, b"x").unwrap();
    assert_eq!(wait.poll_if_woken(), Poll::Ready(Ok(vec![EpollEvent { events: IN, data: 103 }])));
    // Looking from outside hasn't used the edge up.
    assert_eq!((set.look(), look(&inner), set.look()), (vec![(IN, 103)], vec![(IN, 104)], vec![]));
}

#[test]
fn circles_and_deep_nests_are_refused() {
    let world = World::new();
    let rows: Vec<_> = (0..6).map(|_| create(&world.filesystem)).collect();
    for pair in rows[..5].windows(2) {
        assert_eq!(add(&pair[1], 3, &pair[0], IN), Ok(()));
    }
    assert_eq!(add(&rows[5], 3, &rows[4], IN), Err(Errno::ELOOP));
    assert_eq!(add(&rows[0], 3, &rows[5], IN), Err(Errno::ELOOP));
    assert_eq!(add(&rows[0], 3, &rows[2], IN), Err(Errno::ELOOP));
    assert_eq!(add(&rows[4], 4, &rows[0], IN), Ok(()));
    let [reader, _writer] = pipe(&world.filesystem, 0, 0, OpenFlags::empty()).unwrap();
    assert_eq!(add(&rows[0], 3, &reader, IN), Ok(()));
    let control = |operation| rows[1].epoll().unwrap().control(3, &rows[0], operation);
    assert_eq!(control(Operation::Delete), Ok(()));
    assert_eq!(add(&rows[5], 3, &rows[4], IN), Ok(()));
}
