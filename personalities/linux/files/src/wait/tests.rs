//! Waiting on one and on many files (poll(2)).

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::task::Poll;
use core::time::Duration;

use super::{Events, PollEntry, WaitQueue, poll_files};
use crate::clock::Clock;
use crate::open::{OpenFile, OpenFlags};
use crate::pipe::pipe;
use crate::testing::{Task, TestClock, World, now, put};

#[test]
fn a_wait_ends_with_a_wake_up_for_its_events() {
    let queue = WaitQueue::new();
    let mut wait = Task::new(queue.wait(Events::IN));
    assert_eq!(wait.poll(), Poll::Pending);
    queue.wake(Events::OUT);
    assert_eq!(wait.wakes(), 0);
    queue.wake(Events::READABLE);
    assert_eq!(wait.poll_if_woken(), Poll::Ready(()));
    assert!(queue.is_empty());
}

#[test]
fn all_hear_of_errors() {
    let queue = WaitQueue::new();
    let mut wait = Task::new(queue.wait(Events::IN));
    assert_eq!(wait.poll(), Poll::Pending);
    queue.wake(Events::HUP);
    assert_eq!(wait.wakes(), 1);
}

#[test]
fn a_dropped_wait_leaves_the_queue() {
    let queue = WaitQueue::new();
    let mut first = Task::new(queue.wait(Events::IN));
    let mut second = Task::new(queue.wait(Events::IN));
    assert!(first.poll().is_pending() && second.poll().is_pending());
    drop(first);
    assert_eq!(queue.len(), 1);
    queue.wake(Events::IN);
    assert_eq!(second.wakes(), 1);
}

fn pipes() -> (Rc<TestClock>, [Rc<OpenFile>; 2], [Rc<OpenFile>; 2]) {
    let world = World::new();
    let make = || pipe(&world.filesystem, 0, 0, OpenFlags::empty()).unwrap();
    (world.clock.clone(), make(), make())
}

#[test]
fn polling_many_waits_for_any() {
    let (clock, [first, _writer], [second, writer]) = pipes();
    let clock: Rc<dyn Clock> = clock;
    let mut entries =
        [PollEntry::new(first.clone(), Events::IN), PollEntry::new(second.clone(), Events::IN | Events::OUT)];
    let mut poll = Task::new(poll_files(&mut entries, None, &clock));
    assert_eq!(poll.poll(), Poll::Pending);
    put(&writer, b"x").unwrap();
    assert_eq!(poll.poll_if_woken(), Poll::Ready(1));
    drop(poll);
    assert_eq!(entries.iter().map(|entry| entry.ready).collect::<Vec<_>>(), [Events::empty(), Events::IN]);
    assert!(first.waiters().unwrap().is_empty() && second.waiters().unwrap().is_empty());
}

#[test]
fn polling_ends_at_its_deadline() {
    let (clock, [reader, _writer], _) = pipes();
    let dynamic: Rc<dyn Clock> = clock.clone();
    let mut entries = [PollEntry::new(reader, Events::IN)];
    let mut poll = Task::new(poll_files(&mut entries, Some(Duration::from_millis(10)), &dynamic));
    assert_eq!(poll.poll(), Poll::Pending);
    clock.advance(Duration::from_millis(9));
    assert_eq!(poll.poll_if_woken(), Poll::Pending);
    clock.advance(Duration::from_millis(1));
    assert_eq!(poll.poll_if_woken(), Poll::Ready(0));
}

#[test]
fn a_past_deadline_only_looks() {
    let (clock, [reader, writer], _) = pipes();
    let clock: Rc<dyn Clock> = clock;
    let mut entries = [PollEntry::new(reader, Events::empty()), PollEntry::new(writer.clone(), Events::OUT)];
    assert_eq!(now(poll_files(&mut entries, Some(Duration::ZERO), &clock)), 1);
    drop(writer);
    entries[1].file = None;
    entries[1].ready = Events::empty();
    // Hanging up is told unasked.
    assert_eq!(now(poll_files(&mut entries, Some(Duration::ZERO), &clock)), 1);
    assert_eq!(entries[0].ready, Events::HUP);
}

#[test]
fn who_waits_again_and_again_leaves_nothing_behind() {
    let (clock, [reader, writer], _) = pipes();
    let dynamic: Rc<dyn Clock> = clock.clone();
    for _ in 0..10 {
        let mut entries = [PollEntry::new(reader.clone(), Events::IN)];
        let mut poll = Task::new(poll_files(&mut entries, Some(Duration::from_secs(3600)), &dynamic));
        assert_eq!(poll.poll(), Poll::Pending);
        assert_eq!(poll.poll(), Poll::Pending);
        assert_eq!(clock.sleepers(), 1);
        crate::testing::put(&writer, b"x").unwrap();
        assert_eq!(poll.poll_if_woken(), Poll::Ready(1));
        drop(poll);
        assert_eq!(clock.sleepers(), 0);
        crate::testing::get(&reader, 1).unwrap();
    }
}
