//! Further memory for a heap whose program can find some by itself (it owns untyped): asked for before an allocation fails. What
//! was taken once stays the heap's.

use core::alloc::Layout;
use core::ptr::NonNull;
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::source::Source;

/// Finds at least so many bytes if it can: address and length of memory that is mapped and used by nobody else.
pub type More = fn(usize) -> Option<(*mut u8, usize)>;

/// Bytes that an allocation takes beyond its own, at most: the allocator's records at both ends of a new piece.
const MARGIN: usize = 4096;

/// Where further memory comes from.
#[derive(Debug)]
pub struct Growing {
    more: Option<More>,
    /// The end of the last piece: one that begins there makes it longer.
    end: usize,
}

impl Growing {
    /// Nowhere, so far.
    pub const NOT: Growing = Growing { more: None, end: 0 };

    pub fn grow_by(&mut self, more: More) {
        self.more = Some(more);
    }
}

// SAFETY: `acquire` uses the allocator through its argument alone, and who sets `more` promises that it allocates nothing.
unsafe impl Source for Growing {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        let more = talc.source.more.ok_or(())?;
        let wanted = layout.size().checked_add(layout.align()).and_then(|bytes| bytes.checked_add(MARGIN)).ok_or(())?;
        let (start, bytes) = more(wanted).ok_or(())?;
        let last_end = NonNull::new(talc.source.end as *mut u8).filter(|end| end.as_ptr() == start);
        let end = match last_end {
            // SAFETY: that is where the last piece ended, and the memory behind it is ours, as who set `more` promised.
            Some(last_end) => Some(unsafe { talc.extend(last_end, start.wrapping_add(bytes)) }),
            // SAFETY: the same promise.
            None => unsafe { talc.claim(start, bytes) },
        };
        talc.source.end = end.ok_or(())?.as_ptr() as usize;
        Ok(())
    }
}
