//! Where surprise comes from: the processor's generator of random numbers, and how long things take.

use chestnut_runtime::clock;
use core::arch::x86_64::{__cpuid, __cpuid_count, _rdrand64_step, _rdseed64_step};

/// Words from the processor's generator: four times what the key can hold.
const WORDS: usize = 16;
/// Readings of the time-stamp counter.
const READINGS: u64 = 1024;
/// The generator may have nothing for a moment.
const ATTEMPTS: usize = 16;

/// Gives everything to `put`.
pub fn gather(put: &mut dyn FnMut(u64)) {
    let generator = generator();
    for _ in 0..WORDS {
        let word = generator.and_then(|generator| (0..ATTEMPTS).find_map(|_| generator()));
        put(word.unwrap_or_else(clock::ticks));
    }
    let mut mixed = clock::ticks();
    for _ in 0..READINGS {
        // Work whose length depends on the time that was read, so that small differences grow.
        for _ in 0..mixed % 8 {
            mixed = mixed.rotate_left(7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        mixed ^= clock::ticks();
        put(mixed);
    }
}

/// The best instruction that the processor has.
fn generator() -> Option<fn() -> Option<u64>> {
    if __cpuid(0).eax >= 7 && __cpuid_count(7, 0).ebx >> 18 & 1 != 0 {
        return Some(|| {
            let mut word = 0;
            // SAFETY: CPUID says that the processor has RDSEED.
            (unsafe { _rdseed64_step(&mut word) } != 0).then_some(word)
        });
    }
    if __cpuid(1).ecx >> 30 & 1 != 0 {
        return Some(|| {
            let mut word = 0;
            // SAFETY: CPUID says that the processor has RDRAND.
            (unsafe { _rdrand64_step(&mut word) } != 0).then_some(word)
        });
    }
    None
}
