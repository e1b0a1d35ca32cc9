//! Who holds how much, and who ends for it.

use super::Watch;
use crate::capability::ticks;
use crate::process::{Ending, Process, signal::Signal};
use crate::server::Server;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use chestnut_linux_files::open::Weight;

/// What there is too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// The server's own memory.
    Server,
    /// Frames.
    Frames,
}

/// What would be free again if a process ended, about, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Burden {
    pub server: u64,
    pub frames: u64,
}

impl Burden {
    const fn of(self, want: Want) -> u64 {
        match want {
            Want::Server => self.server,
            Want::Frames => self.frames,
        }
    }
}

/// Bytes of the heap for each of these, about.
const PROCESS: u64 = 4096;
const THREAD: u64 = 4096;
const AREA: u64 = 256;
const PAGE_RECORD: u64 = 96;
const SIGNAL: u64 = 128;
/// The kernel's objects for a thread.
const THREAD_OBJECTS: u64 = 16_384;
/// Whose group holds less doesn't end while there is some memory left: it wouldn't help.
const WORTH_ENDING: u64 = 512 << 10;
/// Some memory: bytes of the heap.
const SOME: usize = 2 << 20;
/// Of what the heap may grow to, one part in so many is much.
const MUCH_PART: u64 = 16;
/// One part in so many of what a group has is a good part.
const GOOD_PART: u64 = 4;
/// Bytes by which processes may differ and still be like each other.
const ALIKE: u64 = 64 << 10;
/// oom_score_adj of who never ends for others' want, and what 1 of it is a part of.
pub const NEVER: i16 = -1000;
const ADJUSTMENTS: i64 = 1000;
/// Those who hold much are told from the others at most so often: nanoseconds; and so seldom that it takes at most one part in so many of the time.
const WEIGHINGS: u64 = 1_000_000;
const WEIGHING_PART: u64 = 16;

/// What a process holds.
pub fn burden(process: &Process) -> Burden {
    let space = process.space();
    let files = process.files.borrow();
    let Weight { bytes, pages } = files.borrow().weight();
    let sharers = Rc::strong_count(&files) as u64;
    let resident = space.resident() as u64;
    let threads = process.threads.borrow().len() as u64;
    let server = PROCESS
        + threads * THREAD
        + space.area_count() as u64 * AREA
        + resident * PAGE_RECORD
        + process.queued_signals() as u64 * SIGNAL
        + bytes / sharers;
    Burden { server, frames: (resident + pages / sharers) * crate::memory::PAGE + threads * THREAD_OBJECTS }
}

/// Linux's badness: what it holds, more or less by its oom_score_adj. Zero: never.
const fn badness(held: u64, total: u64, adjustment: i16) -> u64 {
    if adjustment <= NEVER {
        return 0;
    }
    let change = total as i64 / ADJUSTMENTS * adjustment as i64;
    let sum = (held as i64).saturating_add(change);
    if sum < 1 { 1 } else { sum as u64 }
}

/// Who could end.
struct Candidate {
    process: Rc<Process>,
    badness: u64,
}

impl Server {
    fn total(&self, want: Want) -> u64 {
        match want {
            Want::Server => self.capabilities.heap_limit() as u64,
            Want::Frames => self.capabilities.frames.total() as u64 * crate::memory::PAGE,
        }
    }

    fn candidates(&self, want: Want) -> Vec<Candidate> {
        let total = self.total(want);
        let living = |process: &Rc<Process>| process.ending.get().is_none() && !process.threads.borrow().is_empty();
        let weighed = self.table.processes().into_iter().filter(living).map(|process| {
            let badness = badness(burden(&process).of(want), total, process.oom_adjustment.get());
            Candidate { process, badness }
        });
        weighed.filter(|candidate| candidate.badness > 0).collect()
    }

    /// Ends one process for want of memory, and says so.
    pub fn end_one_for_memory(&self, want: Want) -> Option<Rc<Process>> {
        let desperate = want == Want::Frames || self.capabilities.headroom() < SOME;
        let victim = choose(self.candidates(want), self.init_program.get(), desperate)?;
        self.announce(&victim);
        self.end_process(&victim, Ending::Killed(Signal::KILL));
        Some(victim)
    }

    fn announce(&self, victim: &Process) {
        let name = victim.leader().map_or(victim.name.get(), |leader| leader.name.get());
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        let held = burden(victim);
        let text = format!(
            "Out of memory: Killed process {} ({}) total-vm:{}kB, rss:{}kB, server:{}kB, UID:{}, oom_score_adj:{}",
            victim.pid,
            String::from_utf8_lossy(name),
            victim.space().size() >> 10,
            held.frames >> 10,
            held.server >> 10,
            victim.ids.get().user,
            victim.oom_adjustment.get()
        );
        log::warn!("{text}");
        if let Some(herald) = &*self.watch.herald.borrow() {
            herald(&text);
        }
    }

    /// /proc/PID/oom_score: from 0 to 2000, 1000 for who holds all of the memory.
    pub fn oom_score(&self, process: &Process) -> u64 {
        let held = burden(process);
        let score = |want| {
            let total = self.total(want);
            badness(held.of(want), total, process.oom_adjustment.get()) * ADJUSTMENTS as u64 / total.max(1)
        };
        score(Want::Frames).max(score(Want::Server)).min(2000)
    }

    /// Does the process's group hold much of the server's memory?
    pub(super) fn holds_much(&self, process: &Process) -> bool {
        let now = ticks();
        if now >= self.watch.next_weighing.get() {
            self.weigh_groups();
            let taken = ticks().wrapping_sub(now);
            self.watch.next_weighing.set(now + (taken * WEIGHING_PART).max(self.clock.ticks(WEIGHINGS)));
        }
        process.holds_much.get()
    }

    fn weigh_groups(&self) {
        let much = self.total(Want::Server) / MUCH_PART;
        let processes = self.table.processes();
        let mut groups: BTreeMap<u32, u64> = BTreeMap::new();
        for process in &processes {
            *groups.entry(process.group.get()).or_default() += burden(process).server;
        }
        for process in &processes {
            process.holds_much.set(groups.get(&process.group.get()).is_some_and(|&sum| sum >= much));
        }
    }
}

impl Watch {
    /// The next look weighs afresh.
    pub fn forget_weights(&self) {
        self.next_weighing.set(0);
    }
}

/// A process that alone has a good part of what the worst group has together; else one of that group. The worst, of several like it the youngest,
/// `last` after all others.
fn choose(candidates: Vec<Candidate>, last: u32, desperate: bool) -> Option<Rc<Process>> {
    let mut groups: BTreeMap<u32, u64> = BTreeMap::new();
    for candidate in &candidates {
        *groups.entry(candidate.process.group.get()).or_default() += candidate.badness;
    }
    let (&worst, &sum) = groups.iter().max_by_key(|(_, sum)| **sum)?;
    if sum < WORTH_ENDING && !desperate {
        return None;
    }
    let order = |candidate: &&Candidate| {
        let pid = candidate.process.pid;
        (pid != last, candidate.badness / ALIKE, pid)
    };
    let alone = candidates.iter().max_by_key(order).filter(|candidate| candidate.badness >= sum / GOOD_PART);
    let member = || candidates.iter().filter(|candidate| candidate.process.group.get() == worst).max_by_key(order);
    alone.or_else(member).map(|candidate| candidate.process.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adjustment_is_a_thousandth_of_all_and_the_least_is_never() {
        assert_eq!(badness(500, 100_000, 0), 500);
        assert_eq!(badness(500, 100_000, 100), 10_500);
        assert_eq!(badness(500, 100_000, -100), 1);
        assert_eq!(badness(1 << 40, 100_000, NEVER), 0);
    }
}
