//! Files whose reads and writes need nothing but their arguments: what is near the program may answer them, if it is told of which
//! descriptors it can.

use bitflags::bitflags;

bitflags! {
    /// How a file is read and written, if the answer never depends on anything that is kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Plain: u8 {
        /// A read finds the end.
        const READS_END = 1;
        /// A read finds zeros without end.
        const READS_ZEROS = 2;
        /// A write succeeds, and nobody looks at what was written.
        const DISCARDS = 4;
        const READS = Self::READS_END.bits() | Self::READS_ZEROS.bits();
    }
}

/// Where it is shown which descriptors of a table lead to such files.
pub trait Board {
    /// From now on a descriptor is like this: nothing if it isn't, or isn't open.
    fn show(&self, number: usize, plain: Plain);
}
