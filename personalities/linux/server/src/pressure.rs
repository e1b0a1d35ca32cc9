//! What the server does when its memory comes to its end, so that no program takes it along.
//!
//! Everything that programs make the server remember lies on its heap, and a heap that can't grow ends the server. So the heap
//! has a reserve that neither frames nor kernel objects are made of (`capability`), and as it is used up, one thing after the other happens:
//!
//! 1. Who holds much is refused more: calls that would make the server keep something for the program fail as Linux lets them fail for want
//!    of memory or of open files ([`Server::refusal`]). Who holds little doesn't notice. The same when nearly all open files or bytes in
//!    sockets are taken.
//! 2. File systems take no new names, since nobody's end would give that memory back.
//! 3. A process ends by SIGKILL, and the console says which. So too where there is no frame for a page that a program needs.
//!
//! Who "holds much", and who ends where nobody has much for itself alone, is told by process group: so whoever forks without end, or has its
//! children hold things, isn't saved by the smallness of each. What counts is what would be free again: the server's bytes for its want, frames for
//! theirs. A shell that holds nothing is no help and stays, and the launcher's own program ends last. `oom_score_adj` counts as on Linux.

mod refusal;
mod victim;

use crate::capability::Capabilities;
use crate::server::Server;
use alloc::boxed::Box;
use chestnut_linux_files::open::OpenFile;
use core::cell::{Cell, RefCell};
pub use victim::{Burden, NEVER, Want};

/// How near the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    None,
    /// Nothing more for who holds much.
    Scarce,
    /// No new names and inodes.
    Names,
    /// Somebody must go.
    Now,
}

/// Bytes below which somebody must go. No call allocates more at a stroke unless it has asked first ([`allows`]).
const LEAST: usize = 6 << 20;
/// Bytes below which there are no new names.
const LEAST_FOR_NAMES: usize = 8 << 20;
/// Bytes below which who holds much gets no more. The heap's reserve is larger than this on every machine.
const SCARCE: usize = 12 << 20;
/// The same for the largest block.
const LEAST_BLOCK: usize = 512 << 10;
const BLOCK_FOR_NAMES: usize = 1 << 20;
const SCARCE_BLOCK: usize = 3 << 20;
const _: () = assert!(SCARCE < crate::capability::HEAP_RESERVE);

impl Pressure {
    /// By what the heap still has and can get.
    pub const fn of(headroom: usize) -> Self {
        match headroom {
            0..LEAST => Self::Now,
            LEAST..LEAST_FOR_NAMES => Self::Names,
            LEAST_FOR_NAMES..SCARCE => Self::Scarce,
            _ => Self::None,
        }
    }

    /// By the largest block that the heap still has or can get: many small ones are no help to who needs a large one.
    const fn of_block(block: usize) -> Self {
        match block {
            0..LEAST_BLOCK => Self::Now,
            LEAST_BLOCK..BLOCK_FOR_NAMES => Self::Names,
            BLOCK_FOR_NAMES..SCARCE_BLOCK => Self::Scarce,
            _ => Self::None,
        }
    }

    /// By what the heap has and can get.
    pub fn of_heap(capabilities: &Capabilities) -> Self {
        let block = capabilities.largest_block(&[SCARCE_BLOCK, BLOCK_FOR_NAMES, LEAST_BLOCK]);
        Self::of(capabilities.headroom()).max(Self::of_block(block))
    }

    /// By how many open files there are, of how many there may be.
    const fn of_files(count: usize, most: usize) -> Self {
        match most.saturating_sub(count) {
            left if left < most / 32 => Self::Now,
            left if left < most / 8 => Self::Scarce,
            _ => Self::None,
        }
    }
}

/// Whether so many bytes may be allocated at a stroke.
pub fn allows(capabilities: &Capabilities, bytes: usize) -> bool {
    let least = if bytes <= LITTLE { LEAST / 2 } else { LEAST };
    capabilities.headroom().saturating_sub(bytes) >= least && capabilities.heap_fits(bytes)
}

/// How many bytes a call may take at a stroke that can do with less: a part of what there is beyond the reserve.
pub fn spare(capabilities: &Capabilities) -> usize {
    capabilities.headroom().saturating_sub(LEAST / 2) / 8
}

/// So many bytes at a stroke are what nearly all calls take.
const LITTLE: usize = 128 << 10;

/// Where what users should see is written.
type Herald = Box<dyn Fn(&str)>;

/// What is remembered between two looks.
#[derive(Default)]
pub struct Watch {
    /// There was some pressure at the last look.
    scarce: Cell<bool>,
    /// When that was: ticks.
    looked: Cell<u64>,
    /// When those who hold much were told from the others, and when it may be done again: ticks.
    next_weighing: Cell<u64>,
    /// Nobody could be ended: not to be tried before then, ticks.
    next_attempt: Cell<u64>,
    /// Tells the user whose program runs.
    pub herald: RefCell<Option<Herald>>,
}

impl Watch {
    pub const fn is_scarce(&self) -> bool {
        self.scarce.get()
    }
}

impl Server {
    /// How near the end is.
    pub fn pressure(&self) -> Pressure {
        let heap = Pressure::of_heap(self.capabilities);
        let files = Pressure::of_files(OpenFile::count(), OpenFile::most());
        let sockets = if self.files.sockets.is_nearly_full() { Pressure::Scarce } else { Pressure::None };
        heap.max(files).max(sockets)
    }

    /// Looks how things are if the server can have done much since the last look, and ends processes if it must be. Called between two messages;
    /// `now` is the reading of the time-stamp counter. Returns when it is to be called again.
    pub fn watch_memory(&'static self, now: u64) -> u64 {
        let watch = &self.watch;
        if now.wrapping_sub(watch.looked.get()) >= LOOKS || watch.is_scarce() {
            watch.looked.set(now);
            self.look_at_memory();
        }
        if watch.is_scarce() { now } else { watch.looked.get() + LOOKS }
    }

    fn look_at_memory(&'static self) {
        let pressure = self.pressure();
        self.watch.scarce.set(pressure >= Pressure::Scarce);
        if pressure == Pressure::Now {
            self.relieve();
        }
    }

    /// Ends processes until there is room again, or nobody is left whose end would help.
    fn relieve(&'static self) {
        let now = crate::capability::ticks();
        if now < self.watch.next_attempt.get() {
            return;
        }
        self.files.sockets.collect();
        // Until there is some distance to the next time.
        while self.pressure() >= Pressure::Names {
            if self.memory.kept.forget() {
                continue;
            }
            if self.end_one_for_memory(Want::Server).is_none() {
                self.watch.next_attempt.set(now + self.clock.ticks(ATTEMPTS));
                return;
            }
            // What their calls waited for goes with them.
            self.executor.run();
        }
    }
}

/// Between two looks: ticks. The calls that so little time is enough for, ten or so that take [`LITTLE`] without asking, don't take what lies between
/// two kinds of [`Pressure`]; and it is longer than most calls and their answers, which so mostly go without a look.
const LOOKS: u64 = 16384;

/// Between two attempts to end somebody, after one that was in vain: nanoseconds.
const ATTEMPTS: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_much_is_refused_first_then_names_then_somebody_goes() {
        assert_eq!(Pressure::of(100 << 20), Pressure::None);
        assert_eq!(Pressure::of(SCARCE - 1), Pressure::Scarce);
        assert_eq!(Pressure::of(LEAST_FOR_NAMES - 1), Pressure::Names);
        assert_eq!(Pressure::of(LEAST - 1), Pressure::Now);
        assert_eq!(Pressure::of_block(SCARCE_BLOCK), Pressure::None);
        assert_eq!(Pressure::of_block(LEAST_BLOCK - 1), Pressure::Now);
    }

    #[test]
    fn the_last_open_files_are_for_those_who_have_few() {
        assert_eq!(Pressure::of_files(0, 3200), Pressure::None);
        assert_eq!(Pressure::of_files(2801, 3200), Pressure::Scarce);
        assert_eq!(Pressure::of_files(3101, 3200), Pressure::Now);
        assert_eq!(Pressure::of_files(4000, 3200), Pressure::Now);
    }
}
