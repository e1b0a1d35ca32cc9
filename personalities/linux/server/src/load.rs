//! How busy the machine is: the three averages of /proc/loadavg and sysinfo(2).
//!
//! Every five seconds the number of threads that run or could is mixed into each average, as Linux does it: with a weight such
//! that what lies 1, 5 or 15 minutes back counts 1/e.

use crate::process::Activity;
use crate::server::Server;
use chestnut_linux_files::clock::Clock;
use core::cell::Cell;
use core::time::Duration;

const PERIOD: Duration = Duration::from_secs(5);
/// 1.0 in the averages.
pub const ONE: u64 = 1 << 11;
/// e^(−5 s / 1, 5, 15 min) × [`ONE`].
const DECAY: [u64; 3] = [1884, 2014, 2037];

/// The averages, in units of 1 / [`ONE`].
#[derive(Default)]
pub struct Load(Cell<[u64; 3]>);

impl Load {
    pub const fn averages(&self) -> [u64; 3] {
        self.0.get()
    }

    /// So many run now.
    fn mix(&self, running: u64) {
        let old = self.0.get();
        let now = running * ONE;
        self.0.set(core::array::from_fn(|index| {
            let sum = old[index] * DECAY[index] + now * (ONE - DECAY[index]);
            // Rounded up while it rises, so that it gets there.
            if now >= old[index] { sum.div_ceil(ONE) } else { sum / ONE }
        }));
    }
}

impl Server {
    /// Threads that run or could.
    pub fn running_threads(&self) -> usize {
        let processes = self.table.processes();
        let runs = |process: &alloc::rc::Rc<crate::process::Process>| {
            let threads = process.threads.borrow();
            threads.iter().filter(|thread| thread.activity() == Activity::Running).count()
        };
        processes.iter().map(runs).sum()
    }

    /// Keeps the averages for ever.
    pub async fn sample_load(&'static self) {
        let mut next = self.clock.monotonic();
        loop {
            next += PERIOD;
            self.clock.sleep_until(next).await;
            self.load.mix(self.running_threads() as u64);
            // What closed since then may have left sockets that nobody but each other keeps.
            self.files.sockets.collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_approach_what_runs_and_the_short_one_first() {
        let load = Load::default();
        for _ in 0..12 {
            load.mix(1);
        }
        let [one, five, fifteen] = load.averages();
        // 1 − 1/e after a minute.
        assert!((ONE * 60 / 100..ONE * 66 / 100).contains(&one), "{one}");
        assert!(one > five && five > fifteen && fifteen > 0);
        for _ in 0..1000 {
            load.mix(0);
        }
        assert_eq!(load.averages()[0], 0);
    }
}
