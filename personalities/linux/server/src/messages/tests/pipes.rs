//! Pipes as several threads read and write them ([`crate::syscall::pipes`], [`crate::process::pipe_read`]): whatever way the bytes take, they come
//! out once and in order, and who has waited longest gets them first.

use super::*;
use std::collections::VecDeque;
use std::vec;

const READ: u64 = 0;
const WRITE: u64 = 1;
const IOCTL: u64 = 16;
const PIPE: u64 = 22;
const FIONREAD: u64 = 0x541b;

const WORD: u64 = ARENA + 0x1000;
/// What is written, and for each reader what it reads: two pages each.
const WRITTEN: u64 = ARENA + 0x2000;
const BUFFERS: u64 = ARENA + 0x4000;
/// May not be written to.
const BAD: u64 = ARENA + ARENA_PAGES * 4096;
const READERS: usize = 3;
/// No byte that is written.
const UNTOUCHED: u8 = 0xee;
/// The longest read or write.
const MOST: usize = 40;

#[derive(Clone, Debug)]
enum Step {
    /// So many bytes; in the first page, or across the next one's beginning.
    Write(usize, bool),
    /// By whom, how many, across two pages, into memory that can't be written to.
    Read(usize, usize, bool, bool),
    /// Its call becomes a task.
    Disturb(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let length = || prop_oneof![Just(1), 1..=MOST];
    prop_oneof![
        4 => (length(), any::<bool>()).prop_map(|(length, across)| Step::Write(length, across)),
        5 => (0..READERS, length(), any::<bool>(), proptest::bool::weighted(0.1))
            .prop_map(|(who, length, across, bad)| Step::Read(who, length, across, bad)),
        1 => (0..READERS).prop_map(Step::Disturb),
    ]
}

/// A read that waits: by whom, into what, how many bytes.
type Wait = (usize, u64, usize);

/// What a pipe does, by its manual page.
#[derive(Default)]
struct Model {
    inside: VecDeque<u8>,
    parked: Vec<Wait>,
    tasks: Vec<Wait>,
}

impl Model {
    /// Lets those who wait read what there is, and says what each got.
    fn serve(&mut self) -> Vec<(Wait, Vec<u8>)> {
        let mut served = Vec::new();
        for queue in [&mut self.parked, &mut self.tasks] {
            queue.retain(|&(who, place, length)| {
                if self.inside.is_empty() {
                    return true;
                }
                let count = if place == BAD { 0 } else { length.min(self.inside.len()) };
                served.push(((who, place, length), self.inside.drain(..count).collect()));
                false
            });
        }
        served
    }
}

fn near(base: u64, length: usize, across: bool) -> u64 {
    if across { base + 4096 - length as u64 / 2 } else { base }
}

fn play_steps(server: &'static Server, steps: &[Step]) {
    let writer = start(server, false);
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let thread = server.add_thread(&writer.process, server.table.new_id().unwrap()).unwrap();
            thread.set_activity(Activity::Running);
            thread
        })
        .collect();
    let space = writer.space();
    let call = |thread: &Thread, number, [a, b, c]: [u64; 3]| {
        send(server, thread, SYSCALL, 4, number, [a, b, c, 0, 0, 0]);
    };
    call(&writer, PIPE, [WORD, 0, 0]);
    let both = space.read_u64(WORD).unwrap();
    let (from, to) = (both & 0xffff_ffff, both >> 32);
    let (mut model, mut next) = (Model::default(), 0u8);
    for step in steps {
        match *step {
            Step::Write(length, across) => {
                let bytes: Vec<u8> = (0..length).map(|index| (next as usize + index) as u8 % UNTOUCHED).collect();
                next = (next as usize + length) as u8;
                let place = near(WRITTEN, length, across);
                space.write(place, &bytes).unwrap();
                call(&writer, WRITE, [to, place, length as u64]);
                assert!(!writer.is_held(), "{length} bytes find room");
                model.inside.extend(bytes);
            }
            Step::Read(who, length, across, bad) if !readers[who].is_held() => {
                let place = if bad { BAD } else { near(BUFFERS + 0x2000 * who as u64, length, across) };
                if !bad {
                    space.write(place, &[UNTOUCHED; MOST]).unwrap();
                }
                call(&readers[who], READ, [from, place, length as u64]);
                model.parked.push((who, place, length));
            }
            Step::Disturb(who) => {
                readers[who].wake();
                server.executor.run();
                let disturbed = model.parked.extract_if(.., |wait| wait.0 == who);
                model.tasks.extend(disturbed);
            }
            Step::Read(..) => {}
        }
        for ((who, place, _), mut bytes) in model.serve() {
            assert!(!readers[who].is_held(), "reader {who} waits on although there was something");
            if place != BAD {
                let mut found = vec![0; MOST];
                space.read(place, &mut found).unwrap();
                bytes.resize(MOST, UNTOUCHED);
                assert_eq!(found, bytes, "what reader {who} got");
            }
        }
        for (who, reader) in readers.iter().enumerate() {
            let waits = model.parked.iter().chain(&model.tasks).any(|wait| wait.0 == who);
            assert_eq!(reader.is_held(), waits, "reader {who}");
        }
        call(&writer, IOCTL, [from, FIONREAD, WORD]);
        assert_eq!(space.read_u32(WORD).unwrap() as usize, model.inside.len());
    }
    // Killed while they wait, they leave the queue.
    server.end_process(&writer.process, Ending::Killed(Signal::KILL));
    server.executor.run();
    server.flush_answer();
    assert!(readers.iter().all(|reader| reader.ended.get()));
}

#[test]
fn bytes_come_out_once_and_in_order_by_whatever_way() {
    let server = server();
    let tasks = server.executor.len();
    let config = ProptestConfig {
        cases: 150,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(SEED),
        ..ProptestConfig::default()
    };
    proptest!(config, |(steps in proptest::collection::vec(step(), 1..40))| {
        play_steps(server, &steps);
        prop_assert_eq!(server.executor.len(), tasks);
    });
}

/// A single reader whose buffer is gone when the bytes come: it fails, and the next one reads them.
#[test]
fn a_bad_buffer_loses_nothing() {
    let read = |who, bad| Step::Read(who, 9, false, bad);
    play_steps(
        server(),
        &[read(0, true), Step::Write(9, false), read(1, false), read(1, false), Step::Write(3, false)],
    );
}
