//! The random generator behind /dev/urandom and getrandom(2).

use alloc::boxed::Box;
use core::cell::{Cell, RefCell};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::Result;
use crate::buffer::{Sink, partial};

/// Fills bytes as far as it can at once; returns how many.
pub type Source = Box<dyn Fn(&mut [u8]) -> usize>;

/// ChaCha20, seeded by the server and stirred by what its source gives now and then.
pub struct Generator {
    state: RefCell<ChaCha20Rng>,
    source: Source,
    /// Bytes that it has given since it was stirred.
    given: Cell<usize>,
}

/// So many bytes are given between two times that the source is asked.
const STIRRED_EVERY: usize = 64 << 10;

impl Generator {
    pub fn new(seed: [u8; 32], source: Source) -> Self {
        Generator { state: RefCell::new(ChaCha20Rng::from_seed(seed)), source, given: Cell::new(0) }
    }

    /// Random bytes for AT_RANDOM and address-space layout.
    pub fn fill(&self, bytes: &mut [u8]) {
        let given = self.given.get() + bytes.len();
        self.given.set(given);
        if given > STIRRED_EVERY {
            self.given.set(0);
            let mut news = [0; 32];
            let count = (self.source)(&mut news);
            self.mix(&news[..count]);
        }
        self.state.borrow_mut().fill_bytes(bytes);
    }

    /// Random bytes into user memory, as many as it takes (getrandom(2), read(2)).
    pub fn read(&self, sink: &mut dyn Sink) -> Result<usize> {
        let mut moved = 0;
        let mut chunk = [0; 256];
        while sink.remaining() > 0 {
            let part = sink.remaining().min(chunk.len());
            self.fill(&mut chunk[..part]);
            let stored = partial(moved, sink.put(&chunk[..part]))?;
            moved += stored;
            if stored < part {
                break;
            }
        }
        Ok(moved)
    }

    /// Mixes bytes in (writing to /dev/urandom): they change what comes next, and can't make it predictable to a writer who
    /// doesn't know the state.
    pub fn mix(&self, bytes: &[u8]) {
        let mut seed = [0; 32];
        for part in bytes.chunks(seed.len()) {
            self.fill(&mut seed);
            seed.iter_mut().zip(part).for_each(|(old, new)| *old ^= new);
            *self.state.borrow_mut() = ChaCha20Rng::from_seed(seed);
        }
    }
}
