//! The program's heap: an allocator over memory that root mapped, and more where the program knows where to get some.
//!
//! A program that can find memory by itself (it owns untyped) says so by [`grow_by`]; the allocator then asks for more before an
//! allocation fails. What is asked must not allocate: it runs inside an allocation. What was claimed once stays claimed.

use core::alloc::Layout;
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::{TalcLock, source::Source};

/// A spinning lock is enough where one thread uses the heap, and is never contended then.
type Heap = TalcLock<spinning_top::RawSpinlock, Growing>;

#[cfg(target_os = "none")]
#[global_allocator]
static HEAP: Heap = TalcLock::new(Growing { more: None, end: 0 });
#[cfg(not(target_os = "none"))]
static HEAP: Heap = TalcLock::new(Growing { more: None, end: 0 });

/// Finds at least so many bytes if it can: address and length of memory that is mapped and used by nobody else.
pub type More = fn(usize) -> Option<(*mut u8, usize)>;

/// Bytes that an allocation takes beyond its own, at most: the allocator's records at both ends of a new piece.
const MARGIN: usize = 4096;

/// Where further memory comes from.
#[derive(Debug)]
struct Growing {
    more: Option<More>,
    /// The end of the last piece: one that begins there makes it longer.
    end: usize,
}

// SAFETY: `acquire` uses the allocator through its argument alone, and `grow_by` makes the same demand of what it calls.
unsafe impl Source for Growing {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        let more = talc.source.more.ok_or(())?;
        let wanted = layout.size().checked_add(layout.align()).and_then(|bytes| bytes.checked_add(MARGIN)).ok_or(())?;
        let (start, bytes) = more(wanted).ok_or(())?;
        let last_end = core::ptr::NonNull::new(talc.source.end as *mut u8).filter(|end| end.as_ptr() == start);
        let end = match last_end {
            // SAFETY: that is where the last piece ended, and `grow_by`'s caller promises that the memory behind it is ours.
            Some(last_end) => Some(unsafe { talc.extend(last_end, start.wrapping_add(bytes)) }),
            // SAFETY: as promised by `grow_by`'s caller.
            None => unsafe { talc.claim(start, bytes) },
        };
        talc.source.end = end.ok_or(())?.as_ptr() as usize;
        Ok(())
    }
}

/// Gives memory to the allocator.
///
/// # Safety
/// The memory is mapped, readable and writable, and used by nobody else from now on.
pub unsafe fn claim(start: *mut u8, bytes: usize) {
    if bytes > 0 {
        // SAFETY: the caller promises what `claim` asks for.
        let claimed = unsafe { HEAP.lock().claim(start, bytes) };
        assert!(claimed.is_some(), "a heap of {bytes} bytes is too small");
    }
}

/// Asks `more` from now on when an allocation finds no room.
///
/// # Safety
/// `more` allocates nothing and frees nothing, and what it returns is mapped, readable and writable, and used by nobody else.
pub unsafe fn grow_by(more: More) {
    HEAP.lock().source.more = Some(more);
}

/// What the heap holds, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Handed out.
    pub used: usize,
    /// Given to the allocator, in all.
    pub claimed: usize,
    /// Pieces handed out.
    pub pieces: usize,
}

pub fn usage() -> Usage {
    let heap = HEAP.lock();
    let counters = heap.counters();
    Usage { used: counters.allocated_bytes, claimed: counters.claimed_bytes, pieces: counters.allocation_count }
}
