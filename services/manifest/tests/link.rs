//! The host channel's two ends over a line whose driver dies at random: every message arrives once and in order.

use chestnut_manifest::link::{KEPT, Link, Lost};
use proptest::prelude::*;
use std::collections::VecDeque;

type End = Link<Vec<u8>, Vec<u8>>;

/// The two ends with what is under way between them.
#[derive(Default)]
struct Line {
    ends: [End; 2],
    /// From the end of the same index.
    wires: [VecDeque<u8>; 2],
    arrived: [Vec<Vec<u8>>; 2],
}

/// What a wire holds at most.
const CAPACITY: usize = 8 * 1024;

impl Line {
    /// Moves at most so many bytes from an end to its wire, and from there to the other end.
    fn step(&mut self, from: usize, bytes: usize) {
        for _ in 0..bytes {
            let Some(byte) = self.ends[from].outgoing().first().copied() else { break };
            if self.wires[from].len() == CAPACITY {
                break;
            }
            self.wires[from].push_back(byte);
            self.ends[from].written(1);
        }
        let count = bytes.min(self.wires[from].len());
        let bytes: Vec<u8> = self.wires[from].drain(..count).collect();
        let messages = self.ends[1 - from].receive(&bytes).expect("what is missing is kept");
        self.arrived[1 - from].extend(messages);
    }

    /// The driver dies: of what it was about to pass on, some bytes are lost or passed on twice.
    fn die(&mut self, lost: [usize; 2], twice: [usize; 2]) {
        for ((wire, lost), twice) in self.wires.iter_mut().zip(lost).zip(twice) {
            let count = lost.min(wire.len());
            wire.drain(..count);
            let again: Vec<u8> = wire.iter().copied().take(twice).collect();
            again.into_iter().rev().for_each(|byte| wire.push_front(byte));
        }
        self.ends[0].broken().expect("can be encoded");
    }

    fn settle(&mut self) {
        while (0..2).any(|from| !self.ends[from].outgoing().is_empty() || !self.wires[from].is_empty()) {
            self.step(0, 1000);
            self.step(1, 1000);
        }
    }
}

#[derive(Clone, Debug)]
enum Action {
    Send(usize, Vec<u8>),
    Step(usize, usize),
    Die([usize; 2], [usize; 2]),
}

fn action() -> impl Strategy<Value = Action> {
    let message = (0..2usize, proptest::collection::vec(any::<u8>(), 0..600)).prop_map(|(end, m)| Action::Send(end, m));
    let step = (0..2usize, 1..2000usize).prop_map(|(end, bytes)| Action::Step(end, bytes));
    let few = || prop_oneof![Just(0usize), 1..80usize];
    let die = ([few(), few()], [few(), few()]).prop_map(|(lost, twice)| Action::Die(lost, twice));
    prop_oneof![3 => message, 6 => step, 1 => die]
}

proptest! {
    #[test]
    fn nothing_is_lost(actions in proptest::collection::vec(action(), 1..200)) {
        let mut line = Line::default();
        let mut sent: [Vec<Vec<u8>>; 2] = Default::default();
        for action in actions {
            match action {
                Action::Send(end, message) => {
                    line.ends[end].send(&message).expect("can be encoded");
                    sent[end].push(message);
                }
                Action::Step(end, bytes) => line.step(end, bytes),
                Action::Die(lost, twice) => line.die(lost, twice),
            }
        }
        line.settle();
        prop_assert_eq!(&line.arrived[0], &sent[1]);
        prop_assert_eq!(&line.arrived[1], &sent[0]);
        prop_assert_eq!((line.ends[0].queued(), line.ends[1].queued()), (0, 0));
    }

    #[test]
    fn nonsense_does_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let mut end = End::default();
        prop_assert!(end.receive(&bytes).is_ok_and(|messages| messages.is_empty()));
        let mut line = Line::default();
        line.ends[0].send(&b"through".to_vec()).expect("can be encoded");
        line.wires[0].extend(&bytes);
        line.wires[0].push_back(0);
        line.settle();
        prop_assert_eq!(&line.arrived[1], &[b"through".to_vec()]);
    }
}

#[test]
fn a_message_that_nobody_reported_lost_is_asked_for() {
    let mut line = Line::default();
    for text in ["one", "two", "three"] {
        line.ends[0].send(&text.as_bytes().to_vec()).expect("can be encoded");
    }
    let first = line.ends[0].outgoing().len();
    line.ends[0].written(first);
    line.settle();
    assert_eq!(line.arrived[1], [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
}

#[test]
fn what_is_not_kept_is_an_error() {
    let mut line = Line::default();
    for _ in 0..2 * KEPT / 1000 {
        line.ends[0].send(&vec![7; 1000]).expect("can be encoded");
    }
    while !line.ends[0].outgoing().is_empty() {
        let count = line.ends[0].outgoing().len();
        line.ends[0].written(count);
    }
    // The other end got nothing of it, and says so when it is asked.
    let mut other = End::default();
    other.broken().expect("can be encoded");
    assert_eq!(line.ends[0].receive(other.outgoing()), Err(Lost::Message(0)));
}
