//! timerfd by timerfd_create(2).

use alloc::rc::Rc;
use core::task::Poll;
use core::time::Duration;

use super::{TimerSetting, create};
use crate::clock::Clock;
use crate::epoll::{self, EpollEvent, Operation};
use crate::open::OpenFile;
use crate::testing::{Task, World, get, now};
use crate::wait::{Events, PollEntry, poll_files};
use crate::{Errno, Result};

const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;
const ABSOLUTE: u32 = 1;

fn timer(world: &World, clock: u32) -> Rc<OpenFile> {
    create(&world.filesystem, &world.caller, clock, 0).unwrap()
}

fn millis(value: u64) -> Duration {
    Duration::from_millis(value)
}

fn setting(interval: u64, value: u64) -> TimerSetting {
    TimerSetting { interval: millis(interval), value: millis(value) }
}

fn arm(file: &OpenFile, flags: u32, interval: u64, value: u64) -> TimerSetting {
    file.timer().unwrap().set(flags, setting(interval, value)).unwrap()
}

fn count(file: &OpenFile) -> Result<u64> {
    get(file, 8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
}

#[test]
fn expirations_are_counted() {
    let world = World::new();
    let file = timer(&world, MONOTONIC);
    assert_eq!((count(&file), get(&file, 7)), (Err(Errno::EAGAIN), Err(Errno::EINVAL)));
    arm(&file, 0, 10, 25);
    assert_eq!((file.readiness(), file.timer().unwrap().setting()), (Events::empty(), setting(10, 25)));
    world.clock.advance(millis(24));
    assert_eq!((count(&file), file.timer().unwrap().setting()), (Err(Errno::EAGAIN), setting(10, 1)));
    world.clock.advance(millis(24));
    assert_eq!((file.readiness(), file.timer().unwrap().setting()), (Events::READABLE, setting(10, 7)));
    assert_eq!((count(&file), count(&file)), (Ok(3), Err(Errno::EAGAIN)));
    world.clock.advance(millis(7));
    assert_eq!(count(&file), Ok(1));
    assert_eq!(arm(&file, 0, 0, 0), setting(10, 10));
    world.clock.advance(millis(100));
    assert_eq!((count(&file), file.timer().unwrap().setting()), (Err(Errno::EAGAIN), setting(0, 0)));
}

#[test]
fn once_is_once() {
    let world = World::new();
    let file = timer(&world, MONOTONIC);
    arm(&file, 0, 0, 5);
    world.clock.advance(millis(50));
    assert_eq!(file.timer().unwrap().setting(), setting(0, 0));
    assert_eq!((count(&file), count(&file)), (Ok(1), Err(Errno::EAGAIN)));
}

#[test]
fn absolute_times() {
    let world = World::new();
    world.clock.advance(millis(1000));
    let file = timer(&world, MONOTONIC);
    arm(&file, ABSOLUTE, 0, 400);
    assert_eq!(count(&file), Ok(1));
    arm(&file, ABSOLUTE, 0, 1400);
    assert_eq!(file.timer().unwrap().setting(), setting(0, 400));
    let wall = timer(&world, REALTIME);
    let value = Duration::from_secs(world.clock.realtime().seconds as u64 + 2);
    let timer = wall.timer().unwrap();
    timer.set(ABSOLUTE | 2, TimerSetting { interval: Duration::ZERO, value }).unwrap();
    assert_eq!(timer.setting(), setting(0, 2000));
    timer.clock_was_set();
    assert_eq!((wall.readiness(), count(&wall)), (Events::READABLE, Err(Errno::ECANCELED)));
    world.clock.advance(millis(2000));
    assert_eq!(count(&wall), Ok(1));
}

#[test]
fn wrong_arguments() {
    let world = World::new();
    let make = |clock, flags| create(&world.filesystem, &world.caller, clock, flags).err();
    assert_eq!((make(2, 0), make(1, 1), make(7, 0o2000000), make(8, 0o4000)), {
        (Some(Errno::EINVAL), Some(Errno::EINVAL), None, None)
    });
    assert_eq!(create(&world.filesystem, &world.user(5, 5), 8, 0).err(), Some(Errno::EPERM));
    assert_eq!(timer(&world, MONOTONIC).timer().unwrap().set(4, setting(0, 1)), Err(Errno::EINVAL));
    assert!(world.open("/", Default::default()).unwrap().timer().is_err());
    let bytes = setting(1500, 20).encode();
    assert_eq!((bytes[0], TimerSetting::decode(&bytes)), (1, Ok(setting(1500, 20))));
    let wrong = |at: usize, byte: u8| {
        let mut bytes = bytes;
        bytes[at] = byte;
        TimerSetting::decode(&bytes)
    };
    assert_eq!((wrong(7, 0x80), wrong(12, 0x80)), (Err(Errno::EINVAL), Err(Errno::EINVAL)));
}

#[test]
fn readers_and_pollers_wake_in_time() {
    let world = World::new();
    let clock: Rc<dyn Clock> = world.clock.clone();
    let file = timer(&world, MONOTONIC);
    let mut bytes = [0; 8];
    let mut sink = crate::buffer::SliceSink::new(&mut bytes);
    let mut read = Task::new(file.read(&mut sink));
    let mut entries = [PollEntry::new(file.clone(), Events::IN)];
    let mut poll = Task::new(poll_files(&mut entries, None, &clock));
    assert!(read.poll().is_pending() && poll.poll().is_pending());
    // Armed while they wait.
    arm(&file, 0, 0, 10);
    assert!(read.poll_if_woken().is_pending() && poll.poll_if_woken().is_pending());
    world.clock.advance(millis(10));
    assert_eq!(poll.poll_if_woken(), Poll::Ready(1));
    assert_eq!(read.poll_if_woken(), Poll::Ready(Ok(8)));
}

#[test]
fn epoll_hears_of_timers_also_nested() {
    let world = World::new();
    let clock: Rc<dyn Clock> = world.clock.clone();
    let file = timer(&world, MONOTONIC);
    let [inner, outer] = [epoll::create(&world.filesystem), epoll::create(&world.filesystem)];
    let add = |set: &OpenFile, file: &Rc<OpenFile>, events| {
        set.epoll().unwrap().control(3, file, Operation::Add(EpollEvent { events, data: 0 })).unwrap();
    };
    add(&inner, &file, 1 << 31 | 1);
    add(&outer, &inner, 1);
    let set = outer.epoll().unwrap();
    let mut wait = Task::new(set.wait(9, None, &clock));
    assert!(wait.poll().is_pending());
    arm(&file, 0, 10, 10);
    assert!(wait.poll_if_woken().is_pending());
    world.clock.advance(millis(10));
    assert!(matches!(wait.poll_if_woken(), Poll::Ready(Ok(found)) if found.len() == 1));
    drop(wait);
    let look = |set: &OpenFile| set.epoll().unwrap().collect(9).len();
    // Each expiration is an edge.
    assert_eq!((look(&inner), look(&inner), look(&outer)), (1, 0, 0));
    world.clock.advance(millis(10));
    assert_eq!((look(&outer), look(&inner), look(&inner)), (1, 1, 0));
    let mut wait = Task::new(set.wait(9, None, &clock));
    assert!(wait.poll().is_pending());
    world.clock.advance(millis(10));
    assert!(matches!(wait.poll_if_woken(), Poll::Ready(Ok(found)) if found.len() == 1));
    assert_eq!(now(set.wait(9, Some(Duration::ZERO), &clock)).unwrap().len(), 1);
}
