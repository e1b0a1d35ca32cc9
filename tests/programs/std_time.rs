//! Time of Rust's standard library: clocks, sleeping, waiting with a limit.
use std::sync::{Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

fn main() {
    let mut last = Instant::now();
    for _ in 0..100_000 {
        let now = Instant::now();
        assert!(now >= last);
        last = now;
    }
    println!("the monotonic clock goes forwards");
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    println!("after 2019: {}", since.as_secs() > 1_577_836_800);

    let start = Instant::now();
    thread::sleep(Duration::from_millis(50));
    println!("slept long enough: {}", start.elapsed() >= Duration::from_millis(50));

    // Sleep sort, with threads.
    let (sender, receiver) = mpsc::channel();
    for delay in [5, 2, 4, 1, 3] {
        let sender = sender.clone();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(60 * delay));
            sender.send(delay).expect("the receiver lives");
        });
    }
    drop(sender);
    println!("{:?}", receiver.iter().collect::<Vec<_>>());

    let (sender, receiver) = mpsc::channel::<()>();
    let start = Instant::now();
    println!("{:?}", receiver.recv_timeout(Duration::from_millis(30)));
    assert!(start.elapsed() >= Duration::from_millis(30));
    drop(sender);
    println!("{:?}", receiver.recv_timeout(Duration::from_secs(60)));

    let (lock, changed) = (Mutex::new(()), Condvar::new());
    let guard = lock.lock().expect("not poisoned");
    let (_guard, result) =
        changed.wait_timeout_while(guard, Duration::from_millis(20), |_| true).expect("not poisoned");
    println!("timed out: {}", result.timed_out());

    let parked = thread::spawn(|| thread::park_timeout(Duration::from_secs(60)));
    thread::sleep(Duration::from_millis(20));
    parked.thread().unpark();
    parked.join().expect("no panic");
    println!("unparked");
}
