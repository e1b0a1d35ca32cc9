//! What the server does when its memory comes to an end, so that no program takes it along.
//!
//! Everything that programs make the server remember lies on its heap, and a heap that can't grow ends the server. So the heap
//! has a reserve that neither frames nor kernel objects are made of (`capability`). When that is being used up, file systems
//! take no new names first, since nobody's end would give that memory back. When little is left, or no frame for a page
//! that a program needs, a process ends by SIGKILL and the log says which: one of the heaviest process group, the youngest of its large
//! ones. So whoever forks without end isn't saved by the smallness of its children. The launcher's own program goes last.

use crate::process::{Ending, Process, signal::Signal};
use crate::server::Server;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;

/// How near the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    None,
    /// No new names and inodes.
    Names,
    /// Somebody must go.
    Now,
}

/// Bytes below which somebody must go. No call allocates more at a stroke unless it has asked first ([`allows`]).
const LEAST: usize = 8 << 20;
/// Bytes below which there are no new names.
const LEAST_FOR_NAMES: usize = LEAST + LEAST / 2;

impl Pressure {
    /// By what the heap still has and can get.
    pub const fn of(headroom: usize) -> Self {
        match headroom {
            0..LEAST => Self::Now,
            LEAST..LEAST_FOR_NAMES => Self::Names,
            _ => Self::None,
        }
    }
}

/// Whether so many bytes may be allocated at a stroke.
pub const fn allows(headroom: usize, bytes: usize) -> bool {
    headroom.saturating_sub(bytes) >= LEAST
}

impl Server {
    /// How near the heap's end is.
    pub fn pressure(&self) -> Pressure {
        Pressure::of(self.capabilities.headroom())
    }

    /// Ends processes until there is room again, or nobody is left to end.
    pub fn relieve(&'static self) {
        while self.pressure() == Pressure::Now {
            if !self.memory.kept.forget() && self.end_one_for_memory().is_none() {
                return;
            }
            // What their calls waited for goes with them.
            self.executor.run();
        }
    }

    /// Ends one process for want of memory.
    pub fn end_one_for_memory(&self) -> Option<Rc<Process>> {
        let victim = self.victim()?;
        let name = victim.leader().map_or(victim.name.get(), |leader| leader.name.get());
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        log::warn!(
            "out of memory: process {} ({}) is killed, it had {} pages",
            victim.pid,
            String::from_utf8_lossy(name),
            victim.space().resident()
        );
        self.end_process(&victim, Ending::Killed(Signal::KILL));
        Some(victim)
    }

    fn victim(&self) -> Option<Rc<Process>> {
        let processes = self.table.processes();
        let candidates = || {
            processes.iter().filter(|process| process.ending.get().is_none() && !process.threads.borrow().is_empty())
        };
        let first_program = self.init_program.get();
        let mut groups: BTreeMap<u32, u64> = BTreeMap::new();
        for process in candidates() {
            *groups.entry(process.group.get()).or_default() += weight(process);
        }
        let heaviest = groups.into_iter().max_by_key(|(_, weight)| *weight).map(|(group, _)| group)?;
        let members = candidates().filter(|process| process.group.get() == heaviest);
        members.max_by_key(|process| (process.pid != first_program, weight(process) >> 20, process.pid)).cloned()
    }
}

/// What hangs on a descriptor, about: a pipe may hold 64 KiB, a file of the tree nothing.
const DESCRIPTOR: u64 = 16_384;

/// Bytes that end with a process, about: its pages, and what the server remembers of it.
fn weight(process: &Process) -> u64 {
    let space = process.space();
    let pages = space.resident() as u64 * 4096;
    let areas = space.area_count() as u64 * 256;
    let descriptors = process.descriptors().borrow().places() as u64 * DESCRIPTOR;
    let threads = process.threads.borrow().len() as u64 * 16_384;
    pages + areas + descriptors + threads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_refused_before_somebody_must_go() {
        assert_eq!(Pressure::of(100 << 20), Pressure::None);
        assert_eq!(Pressure::of(LEAST_FOR_NAMES - 1), Pressure::Names);
        assert_eq!(Pressure::of(LEAST - 1), Pressure::Now);
        assert!(allows(2 * LEAST, LEAST) && !allows(2 * LEAST, LEAST + 1) && !allows(0, 1));
    }
}
