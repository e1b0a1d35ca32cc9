//! The random generator behind /dev/urandom and getrandom(2).
use core::cell::RefCell;
use rand_chacha::ChaCha20Rng;

/// ChaCha20, seeded by the server.
pub struct Generator {
    state: RefCell<ChaCha20Rng>,
}

impl Generator {
    pub fn new(seed: [u8; 32]) -> Self {
        todo!()
    }

    /// Random bytes for getrandom(2), AT_RANDOM and address-space layout.
    pub fn fill(&self, bytes: &mut [u8]) {
        todo!()
    }
}
