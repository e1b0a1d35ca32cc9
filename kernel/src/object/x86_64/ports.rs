//! I/O ports: which ranges are issued. Ranges don't overlap, so a port belongs to at most one issued capability and its copies.

use core::cell::Cell;

/// One bit for each of the 65,536 ports.
pub struct IoPorts([Cell<u64>; 1024]);

impl IoPorts {
    pub const fn new() -> Self {
        Self([const { Cell::new(0) }; 1024])
    }

    /// Whether any port from `first` to `last` is issued.
    pub fn any_issued(&self, first: u16, last: u16) -> bool {
        self.words(first, last).any(|(word, bits)| word.get() & bits != 0)
    }

    pub fn set_issued(&self, first: u16, last: u16, issued: bool) {
        for (word, bits) in self.words(first, last) {
            word.set(if issued { word.get() | bits } else { word.get() & !bits });
        }
    }

    /// The words that hold the bits of ports `first` to `last`, each with those bits.
    fn words(&self, first: u16, last: u16) -> impl Iterator<Item = (&Cell<u64>, u64)> {
        (first / 64..=last / 64).map(move |index| {
            let from = if index == first / 64 { first % 64 } else { 0 };
            let to = if index == last / 64 { last % 64 } else { 63 };
            (&self.0[index as usize % self.0.len()], u64::MAX << from & u64::MAX >> (63 - to))
        })
    }
}

impl Default for IoPorts {
    fn default() -> Self {
        Self::new()
    }
}
