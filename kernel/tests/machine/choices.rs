//! Where a random sequence's decisions come from: a seed, or the bytes of a fuzzer's input.

pub enum Choices<'b> {
    /// xorshift64*: the seed is the sequence's name.
    Seed(u64),
    Bytes(std::slice::Iter<'b, u8>),
}

impl<'b> Choices<'b> {
    pub fn from_seed(seed: u64) -> Self {
        Self::Seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn from_bytes(bytes: &'b [u8]) -> Self {
        Self::Bytes(bytes.iter())
    }

    /// Whether there is nothing left to decide with.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Bytes(bytes) if bytes.as_slice().is_empty())
    }

    /// A number below `bound`, which isn't 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let value = match self {
            Self::Seed(state) => {
                *state ^= *state >> 12;
                *state ^= *state << 25;
                *state ^= *state >> 27;
                state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
            }
            Self::Bytes(bytes) => {
                let count = (64 - (bound - 1).leading_zeros()).div_ceil(8);
                (0..count).fold(0, |value, _| value << 8 | u64::from(bytes.next().copied().unwrap_or(0)))
            }
        };
        value % bound
    }

    pub fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}
