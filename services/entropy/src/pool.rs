//! The generator and how it is given a new key.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const WORDS_OF_KEY: usize = 4;

/// Random bytes.
pub struct Pool(ChaCha20Rng);

impl Default for Pool {
    /// Says nothing random before it is stirred.
    fn default() -> Self {
        Self(ChaCha20Rng::from_seed([0; 32]))
    }
}

impl Pool {
    /// Makes the key anew for each four words that `gather` gives, from them and from the generator itself: a source that
    /// somebody controls does no harm, and what was said before can't be found out from the new key.
    pub fn stir(&mut self, gather: impl FnOnce(&mut dyn FnMut(u64))) {
        let mut words = [0; WORDS_OF_KEY];
        let mut count = 0;
        gather(&mut |word| {
            words[count] = word;
            count += 1;
            if count == WORDS_OF_KEY {
                self.rekey(&words);
                (words, count) = ([0; WORDS_OF_KEY], 0);
            }
        });
        // The number of words in the last portion counts too.
        words[WORDS_OF_KEY - 1] ^= count as u64;
        self.rekey(&words);
    }

    fn rekey(&mut self, words: &[u64; WORDS_OF_KEY]) {
        let mut key = [0; 32];
        self.0.fill_bytes(&mut key);
        for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
            bytes.iter_mut().zip(word.to_le_bytes()).for_each(|(byte, more)| *byte ^= more);
        }
        self.0 = ChaCha20Rng::from_seed(key);
    }

    pub fn draw(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(pool: &mut Pool) -> [u8; 64] {
        let mut bytes = [0; 64];
        pool.draw(&mut bytes);
        bytes
    }

    #[test]
    fn every_word_and_everything_before_counts() {
        let stirred = |words: &[&[u64]]| {
            let mut pool = Pool::default();
            for words in words {
                pool.stir(|put| words.iter().for_each(|word| put(*word)));
            }
            drawn(&mut pool)
        };
        let all = [
            stirred(&[&[]]),
            stirred(&[&[], &[]]),
            stirred(&[&[1, 2]]),
            stirred(&[&[2, 1]]),
            stirred(&[&[1], &[2]]),
            stirred(&[&[1, 2], &[]]),
        ];
        for (index, bytes) in all.iter().enumerate() {
            assert!(!all[..index].contains(bytes), "{index}");
        }
        assert_eq!(stirred(&[&[1, 2]]), stirred(&[&[1, 2]]));
    }

    #[test]
    fn what_the_machine_gives_differs_from_time_to_time() {
        let mut pools = [Pool::default(), Pool::default()];
        let [a, b] = pools.each_mut().map(|pool| {
            pool.stir(crate::sources::gather);
            drawn(pool)
        });
        assert_ne!(a, b);
    }
}
