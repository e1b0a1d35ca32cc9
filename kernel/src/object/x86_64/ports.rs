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
        (first..=last).any(|port| self.word(port).get() >> (port % 64) & 1 != 0)
    }

    pub fn set_issued(&self, first: u16, last: u16, issued: bool) {
        for port in first..=last {
            let (word, bit) = (self.word(port), 1 << (port % 64));
            word.set(if issued { word.get() | bit } else { word.get() & !bit });
        }
    }

    fn word(&self, port: u16) -> &Cell<u64> {
        &self.0[(port / 64) as usize]
    }
}

impl Default for IoPorts {
    fn default() -> Self {
        Self::new()
    }
}
