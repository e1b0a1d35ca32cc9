//! A Rust program with threads: locks, channels, thread-local values, panics in threads. Output is the same in each run.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

thread_local!(static OWN: Cell<u64> = const { Cell::new(5) });

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("sum") => sum(),
        Some("channel") => channels(),
        Some("barrier") => barrier(),
        Some("condvar") => condvar(),
        Some("panic") => return panics(),
        Some("sleep") => sleeps(),
        Some("input") => input(),
        Some("child") => return child(&arguments[1..]),
        Some("files") => files(),
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}

fn sum() {
    let total = AtomicU64::new(0);
    let results = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for index in 0..8_u64 {
            let (total, results) = (&total, &results);
            scope.spawn(move || {
                OWN.set(OWN.get() + index);
                let part: u64 = (index * 1000..(index + 1) * 1000).map(|number| number * number).sum();
                total.fetch_add(part, Ordering::Relaxed);
                results.lock().unwrap().insert(index, (part, OWN.get()));
            });
        }
    });
    println!("{:?}", results.lock().unwrap());
    println!("total {}, own {}", total.load(Ordering::Relaxed), OWN.get());
}

fn channels() {
    let (send, receive) = channel();
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let send = send.clone();
            thread::Builder::new()
                .name(format!("worker {worker}"))
                .spawn(move || (0..100).for_each(|number| send.send(worker * 100 + number).unwrap()))
                .unwrap()
        })
        .collect();
    drop(send);
    let mut all: Vec<u32> = receive.iter().collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    all.sort_unstable();
    println!("{} messages, {:?} to {:?}", all.len(), all.first(), all.last());
}

fn barrier() {
    let barrier = Arc::new(Barrier::new(6));
    let leaders: usize = (0..6)
        .map(|_| {
            let barrier = barrier.clone();
            thread::spawn(move || (0..20).filter(|_| barrier.wait().is_leader()).count())
        })
        .collect::<Vec<_>>()
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    println!("{leaders} leaders");
}

fn condvar() {
    let turn = Arc::new((Mutex::new(0_u32), Condvar::new()));
    let threads: Vec<_> = (0..3)
        .map(|own| {
            let turn = turn.clone();
            thread::spawn(move || {
                for _ in 0..50 {
                    let mut now = turn.1.wait_while(turn.0.lock().unwrap(), |now| *now % 3 != own).unwrap();
                    *now += 1;
                    turn.1.notify_all();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    println!("{} turns", turn.0.lock().unwrap());
    let (lock, none) = (Mutex::new(()), Condvar::new());
    let (_guard, result) = none.wait_timeout(lock.lock().unwrap(), Duration::from_millis(20)).unwrap();
    println!("timed out: {}", result.timed_out());
}

fn panics() -> ExitCode {
    std::panic::set_hook(Box::new(|info| eprintln!("panic: {info}")));
    let result = thread::spawn(|| [1, 2, 3][std::env::args().count() + 5]).join();
    println!("the thread panicked: {}", result.is_err());
    ExitCode::from(101)
}

fn sleeps() {
    let start = Instant::now();
    let threads: Vec<_> = (0..10).map(|_| thread::spawn(|| thread::sleep(Duration::from_millis(50)))).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    println!("at least 50 ms: {}", start.elapsed() >= Duration::from_millis(50));
}

fn input() {
    let words: usize = std::io::stdin().lock().lines().map(|line| line.unwrap().split_whitespace().count()).sum();
    println!("{words} words");
    std::io::stderr().write_all(b"on standard error\n").unwrap();
}

fn child(arguments: &[String]) -> ExitCode {
    let output = Command::new(&arguments[0]).args(&arguments[1..]).output().unwrap();
    print!("it printed: {}", String::from_utf8_lossy(&output.stdout));
    println!("it ended: {:?}", output.status.code());
    match Command::new("no-such-program").spawn() {
        Ok(_) => println!("it exists"),
        Err(error) => println!("{error}"),
    }
    ExitCode::from(7)
}

fn files() {
    std::fs::create_dir_all("a/b/c").unwrap();
    std::fs::write("a/b/c/file", "contents").unwrap();
    std::fs::rename("a/b/c", "a/moved").unwrap();
    let text = std::fs::read_to_string("a/moved/file").unwrap();
    println!("{text}, {} bytes", std::fs::metadata("a/moved/file").unwrap().len());
    std::fs::remove_dir_all("a").unwrap();
    println!("gone: {}", !std::path::Path::new("a").exists());
}
