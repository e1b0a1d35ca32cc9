//! Threads of Rust's standard library: channels, mutexes, conditions, atomics, scopes, thread-locals, a panic that is caught.
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, OnceLock, RwLock, mpsc};
use std::thread;

const THREADS: u64 = 8;

thread_local! {
    static OWN: Cell<u64> = const { Cell::new(1) };
}

/// Eight producers, one consumer: each producer's numbers arrive in its order.
fn channels() {
    let (sender, receiver) = mpsc::sync_channel::<(u64, u64)>(16);
    let producers: Vec<_> = (0..THREADS)
        .map(|id| {
            let sender = sender.clone();
            thread::Builder::new()
                .name(format!("producer {id}"))
                .spawn(move || {
                    for i in 0..1000 {
                        sender.send((id, i)).expect("the receiver lives");
                    }
                    OWN.set(OWN.get() + id);
                    (thread::current().name().map(str::to_owned), OWN.get())
                })
                .expect("a thread")
        })
        .collect();
    drop(sender);
    let mut next = [0; THREADS as usize];
    let mut sum = 0;
    for (id, i) in receiver {
        assert_eq!(next[id as usize], i);
        next[id as usize] += 1;
        sum += id * i;
    }
    println!("received {} numbers, sum {sum}", next.iter().sum::<u64>());
    for producer in producers {
        println!("{:?}", producer.join().expect("no panic"));
    }
}

/// A ring of eight threads hands a token round.
fn ring() {
    let mut channels: Vec<_> = (0..THREADS).map(|_| mpsc::channel::<u64>()).map(|(s, r)| (Some(s), Some(r))).collect();
    thread::scope(|scope| {
        let first = channels[0].0.clone().expect("there");
        for id in 0..THREADS as usize {
            let receiver = channels[id].1.take().expect("there");
            let sender = channels[(id + 1) % THREADS as usize].0.take().expect("there");
            scope.spawn(move || {
                for token in receiver {
                    if token >= 10_000 {
                        if token == 10_000 {
                            println!("the token ended at thread {id}");
                        }
                        let _ = sender.send(token + 1);
                        break;
                    }
                    sender.send(token + 1).expect("the neighbour lives");
                }
            });
        }
        first.send(1).expect("thread 0 lives");
    });
}

fn shared() {
    let counter = AtomicU64::new(0);
    let table = RwLock::new(BTreeMap::new());
    let once = OnceLock::new();
    let barrier = Barrier::new(THREADS as usize);
    let leaders = AtomicU64::new(0);
    thread::scope(|scope| {
        for id in 0..THREADS {
            let (counter, table, once, barrier, leaders) = (&counter, &table, &once, &barrier, &leaders);
            scope.spawn(move || {
                for i in 0..500 {
                    counter.fetch_add(1, Ordering::Relaxed);
                    *table.write().expect("not poisoned").entry(i % 10).or_insert(0) += id;
                    assert!(table.read().expect("not poisoned").len() <= 10);
                }
                once.get_or_init(|| 5);
                for _ in 0..5 {
                    leaders.fetch_add(barrier.wait().is_leader() as u64, Ordering::Relaxed);
                }
            });
        }
    });
    println!("counter {}, leaders {}, once {:?}", counter.into_inner(), leaders.into_inner(), once.get());
    println!("{:?}", table.into_inner().expect("not poisoned"));
}

fn condition() {
    let pair = Arc::new((Mutex::new(0), Condvar::new()));
    let workers: Vec<_> = (0..THREADS)
        .map(|id| {
            let pair = pair.clone();
            thread::spawn(move || {
                let (turn, changed) = &*pair;
                let mut guard =
                    changed.wait_while(turn.lock().expect("not poisoned"), |turn| *turn != id).expect("not poisoned");
                *guard += 1;
                changed.notify_all();
            })
        })
        .collect();
    for worker in workers {
        worker.join().expect("no panic");
    }
    println!("turns {}", pair.0.lock().expect("not poisoned"));
}

fn panic_in_a_thread() {
    std::panic::set_hook(Box::new(|_| {}));
    let lock = Arc::new(Mutex::new(0));
    let result = thread::spawn({
        let lock = lock.clone();
        move || {
            let _guard = lock.lock();
            panic!("on purpose");
        }
    })
    .join();
    let message = result.err().and_then(|e| e.downcast_ref::<&str>().map(|s| s.to_string()));
    println!("panicked: {message:?}, poisoned: {}", lock.is_poisoned());
}

fn main() {
    channels();
    ring();
    shared();
    condition();
    panic_in_a_thread();
}
