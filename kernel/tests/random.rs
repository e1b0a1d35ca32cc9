//! Random system calls by several threads, through the whole kernel, with every invariant checked on the way.
//!
//! `CHESTNUT_RANDOM_SEED=n` plays one sequence and prints each of its steps; `CHESTNUT_RANDOM_STEPS=n` changes how many steps are made.

mod machine;

use machine::choices::Choices;
use machine::coverage::Coverage;
use machine::play::Player;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Steps in all, and in one sequence at most.
const STEPS: u64 = 1_000_000;
const SEQUENCE: u64 = 4000;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Plays the sequence of a seed; returns how many steps it took.
fn play(seed: u64, trace: bool, total: &Mutex<Coverage>) -> u64 {
    let mut player = Player::new(Choices::from_seed(seed));
    let mut step = 0;
    while step < SEQUENCE && !player.is_over() {
        let outcome = catch_unwind(AssertUnwindSafe(|| player.step()));
        if trace {
            eprintln!("{step}: {}\n      {}", player.last, player.describe());
        }
        if let Err(why) = outcome {
            eprintln!("seed {seed}, step {step}: {}", player.last);
            resume_unwind(why);
        }
        step += 1;
    }
    total.lock().expect("no thread has failed").add(&player.coverage);
    let m = player.m;
    drop(player);
    // SAFETY: the player is gone, and with it all that came from the machine.
    unsafe { m.end() };
    step
}

struct StopOthers<'d>(&'d AtomicU64);

impl Drop for StopOthers<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fetch_add(u64::MAX / 2, Ordering::Relaxed);
        }
    }
}

#[test]
fn random_system_calls_keep_every_invariant() {
    let coverage = Mutex::new(Coverage::default());
    if let Some(seed) = number("CHESTNUT_RANDOM_SEED") {
        play(seed, true, &coverage);
        return;
    }
    let most = number("CHESTNUT_RANDOM_STEPS").unwrap_or(STEPS);
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                // One that fails stops the others.
                let stop = StopOthers(&done);
                while done.load(Ordering::Relaxed) < most {
                    done.fetch_add(play(next.fetch_add(1, Ordering::Relaxed), false, &coverage), Ordering::Relaxed);
                }
                drop(stop);
            });
        }
    });
    let (steps, sequences) = (done.into_inner(), next.into_inner());
    let coverage = coverage.into_inner().expect("no thread has failed");
    println!("{steps} steps in {sequences} sequences\n{}", coverage.report());
    let missing = coverage.missing();
    assert!(most < STEPS || missing.is_empty(), "in {steps} steps:\n{}", missing.join("\n"));
}
