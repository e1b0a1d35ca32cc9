//! Words that the threads of a test share, and the clock.

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

const WORDS: usize = 32;
static SHARED: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];
static TICKS_PER_US: AtomicU64 = AtomicU64::new(1000);

/// Sets all words to 0, before each test.
pub fn clear() {
    SHARED.iter().for_each(|word| word.store(0, SeqCst));
}

/// Reads a word.
pub fn get(index: usize) -> u64 {
    SHARED[index % WORDS].load(SeqCst)
}

/// Writes a word.
pub fn set(index: usize, value: u64) {
    SHARED[index % WORDS].store(value, SeqCst);
}

/// Adds to a word and returns what it was.
pub fn add(index: usize, value: u64) -> u64 {
    SHARED[index % WORDS].fetch_add(value, SeqCst)
}

/// Where a word is, for threads in assembly.
pub fn address(index: usize) -> u64 {
    SHARED[index % WORDS].as_ptr() as u64
}

pub fn set_ticks_per_us(ticks: u64) {
    TICKS_PER_US.store(ticks, SeqCst);
}

pub fn ticks() -> u64 {
    chestnut_runtime::clock::ticks()
}

/// Microseconds since the time-stamp counter was 0.
pub fn now_us() -> u64 {
    ticks() / TICKS_PER_US.load(SeqCst)
}

/// Keeps the processor busy for this long.
pub fn spin_us(microseconds: u64) {
    let end = now_us() + microseconds;
    while now_us() < end {
        core::hint::spin_loop();
    }
}
