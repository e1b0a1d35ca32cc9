//! How a thread is scheduled: nice values and policies (sched(7)), and what they are to the microkernel.
//!
//! Threads of the ordinary policies have one priority and take turns; a turn's length is in proportion to the weight that
//! Linux gives the nice value, so that threads which want all they can get share the processor as there; the idle policy's are the
//! shortest. Real-time threads have priorities above those, all below the server's.

use crate::capability::Threads;

/// A scheduling policy's number.
pub mod policy {
    pub const OTHER: u32 = 0;
    pub const FIFO: u32 = 1;
    pub const ROUND_ROBIN: u32 = 2;
    pub const BATCH: u32 = 3;
    pub const IDLE: u32 = 5;
}

/// What a thread asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    pub policy: u32,
    /// −20 to 19.
    pub nice: i32,
    /// 1 to 99 for the real-time policies, else 0.
    pub priority: u32,
    /// SCHED_RESET_ON_FORK.
    pub resets: bool,
}

/// The microkernel's priority of ordinary threads.
const ORDINARY: u8 = Threads::PRIORITY;
/// Microseconds of a turn at nice 0.
const TURN: u64 = Threads::TURN;
/// Of a SCHED_RR thread (sched_rr_get_interval(2)), and of a SCHED_FIFO one, which should have no end.
pub const ROUND: u64 = 100_000;
const FIRST_IN_FIRST_OUT: u64 = 1_000_000;
/// Shorter turns would be spent on switching.
const SHORTEST: u64 = 150;

impl Schedule {
    pub const fn is_real_time(self) -> bool {
        matches!(self.policy, policy::FIFO | policy::ROUND_ROBIN)
    }

    /// Priority and microseconds of a turn.
    pub fn turn(self) -> (u8, u64) {
        match self.policy {
            policy::FIFO => (ORDINARY + self.priority.min(99) as u8, FIRST_IN_FIRST_OUT),
            policy::ROUND_ROBIN => (ORDINARY + self.priority.min(99) as u8, ROUND),
            policy::IDLE => (ORDINARY, SHORTEST),
            _ => {
                // Each step of nice is a quarter more or less.
                let mut turn = TURN * 1024;
                for _ in 0..self.nice.unsigned_abs() {
                    turn = if self.nice < 0 { turn * 5 / 4 } else { turn * 4 / 5 };
                }
                (ORDINARY, (turn / 1024).max(SHORTEST))
            }
        }
    }

    /// What a child begins with.
    pub fn inherited(self) -> Self {
        match self.resets {
            false => self,
            true if self.is_real_time() => Self::default(),
            true => Self { nice: self.nice.max(0), resets: false, ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_follow_nice_and_stay_below_the_server() {
        let turn = |nice| Schedule { nice, ..Schedule::default() }.turn();
        assert_eq!(turn(0), (100, 10_000));
        assert_eq!(turn(1).1, 8_000);
        assert_eq!(turn(-1).1, 12_500);
        assert_eq!(turn(19).1, SHORTEST);
        assert!((800_000..900_000).contains(&turn(-20).1));
        let highest = Schedule { policy: policy::FIFO, priority: 99, ..Schedule::default() };
        assert!(highest.turn().0 < 200);
        assert_eq!(Schedule { policy: policy::IDLE, ..Schedule::default() }.turn(), (100, SHORTEST));
    }

    #[test]
    fn a_child_may_begin_anew() {
        let parent = Schedule { policy: policy::FIFO, priority: 5, nice: -3, resets: true };
        assert_eq!(parent.inherited(), Schedule::default());
        assert_eq!(Schedule { resets: false, ..parent }.inherited().priority, 5);
        let idle = Schedule { policy: policy::IDLE, nice: -3, resets: true, priority: 0 };
        assert_eq!(idle.inherited(), Schedule { policy: policy::IDLE, ..Schedule::default() });
    }
}
