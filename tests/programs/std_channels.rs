//! Eight threads and channels: a pipeline, a pool with answers by channel, a ring around which a token goes, and many senders for one
//! receiver. What is printed doesn't depend on the order in which they ran.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const THREADS: usize = 8;

/// Each stage adds its number to what goes through it, over channels that hold two at most.
fn pipeline() {
    let (first, mut last) = mpsc::sync_channel::<u64>(2);
    let mut stages = Vec::new();
    for stage in 0..THREADS as u64 {
        let (sender, receiver) = mpsc::sync_channel(2);
        let source = std::mem::replace(&mut last, receiver);
        stages.push(thread::spawn(move || {
            for item in source {
                sender.send(item * 2 + stage).expect("the next stage lives");
            }
            stage
        }));
    }
    let feeder = thread::spawn(move || (0..1000).try_for_each(|item| first.send(item)));
    let sum: u64 = last.iter().sum();
    feeder.join().expect("no panic").expect("all sent");
    let stages: Vec<u64> = stages.into_iter().map(|stage| stage.join().expect("no panic")).collect();
    println!("pipeline: {sum} through {stages:?}");
}

/// Workers take requests from one shared receiver; each request brings the channel for its answer.
fn pool() {
    let (sender, receiver) = mpsc::channel::<(u64, mpsc::Sender<(u64, u64)>)>();
    let receiver = Arc::new(Mutex::new(receiver));
    let workers: Vec<_> = (0..THREADS)
        .map(|_| {
            let receiver = receiver.clone();
            thread::spawn(move || loop {
                let request = receiver.lock().expect("no panic").recv();
                let Ok((number, answer)) = request else { return };
                let mut steps = 0;
                let mut n = number;
                while n != 1 {
                    n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
                    steps += 1;
                }
                answer.send((number, steps)).expect("the asker waits");
            })
        })
        .collect();
    let (answer, answers) = mpsc::channel();
    for number in 1..=2000 {
        sender.send((number, answer.clone())).expect("workers live");
    }
    drop((sender, answer));
    let longest = answers.iter().map(|(number, steps)| (steps, number)).max();
    workers.into_iter().for_each(|worker| worker.join().expect("no panic"));
    println!("pool: {longest:?}");
}

/// A token goes round a ring of threads a thousand times; rendezvous channels hold nothing.
fn ring() {
    let pairs: Vec<(SyncSender<u32>, Receiver<u32>)> = (0..THREADS).map(|_| mpsc::sync_channel(0)).collect();
    let (mut senders, receivers): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let start = senders[0].clone();
    senders.rotate_left(1);
    let threads: Vec<_> = senders
        .into_iter()
        .zip(receivers)
        .map(|(next, own)| {
            thread::spawn(move || {
                let mut seen = 0;
                while let Ok(token) = own.recv() {
                    seen += 1;
                    if token == 0 || next.send(token - 1).is_err() {
                        break;
                    }
                }
                seen
            })
        })
        .collect();
    start.send(4000 - 1).expect("the ring is there");
    drop(start);
    let seen: u32 = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    println!("ring: {seen} hops");
}

fn many_to_one() {
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for id in 0..THREADS {
            let sender = sender.clone();
            scope.spawn(move || {
                for item in 0..500 {
                    sender.send((id, item)).expect("received");
                    if item % 100 == 0 {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }
        drop(sender);
        let mut last: BTreeMap<usize, i32> = BTreeMap::new();
        let mut count = 0;
        for (id, item) in &receiver {
            assert!(last.insert(id, item).is_none_or(|before| before + 1 == item), "{id} out of order");
            count += 1;
        }
        println!("many to one: {count} from {}", last.len());
    });
    let (sender, receiver) = mpsc::channel::<()>();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(receiver.recv_timeout(Duration::from_millis(20)), Err(RecvTimeoutError::Timeout));
    drop(sender);
    assert_eq!(receiver.recv_timeout(Duration::from_secs(5)), Err(RecvTimeoutError::Disconnected));
}

fn main() {
    pipeline();
    pool();
    ring();
    many_to_one();
}
