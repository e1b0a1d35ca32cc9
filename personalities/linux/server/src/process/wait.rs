//! Waiting for children: wait4(2), waitid(2).

use super::{Life, Process, Usage};
use crate::process::signal::{Signal, code};
use crate::server::Server;
use alloc::rc::Rc;
use chestnut_linux_files::{Errno, Result};

/// Which children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Any,
    Pid(u32),
    Group(u32),
}

/// Which of their changes, and whether they stay to be waited for again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub ended: bool,
    pub stopped: bool,
    pub continued: bool,
    pub keep: bool,
    pub kinds: Kinds,
}

/// Children by what their end is told by: SIGCHLD, or something else ("clone children").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kinds {
    #[default]
    Ordinary,
    /// __WCLONE
    Clones,
    /// __WALL
    All,
}

impl Kinds {
    fn matches(self, child: &Process) -> bool {
        let ordinary = child.exit_signal.get() == Signal::CHLD.number();
        match self {
            Self::Ordinary => ordinary,
            Self::Clones => !ordinary,
            Self::All => true,
        }
    }
}

/// A child's change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    pub pid: u32,
    pub user: u32,
    /// The status word of wait4.
    pub status: i32,
    /// si_code and si_status of waitid.
    pub code: i32,
    pub detail: i32,
    pub usage: Usage,
}

/// The status word of a continued child.
const CONTINUED: i32 = 0xffff;

impl Which {
    fn matches(self, child: &Process) -> bool {
        match self {
            Self::Any => true,
            Self::Pid(pid) => child.pid == pid,
            Self::Group(group) => child.group.get() == group,
        }
    }
}

impl Server {
    /// A change of a child that has not been told yet. `ECHILD` if no child could ever have one.
    pub fn find_change(&self, parent: &Process, which: Which, changes: Changes) -> Result<Option<Report>> {
        let children = parent.children.borrow().clone();
        let mut any = false;
        for child in children.iter().filter(|child| which.matches(child) && changes.kinds.matches(child)) {
            any = true;
            if let Some(report) = self.change_of(parent, child, changes) {
                return Ok(Some(report));
            }
        }
        if any { Ok(None) } else { Err(Errno::ECHILD) }
    }

    fn change_of(&self, parent: &Process, child: &Rc<Process>, changes: Changes) -> Option<Report> {
        let (status, code, detail) = match child.life.get() {
            Life::Zombie(ending) if changes.ended => {
                if !changes.keep {
                    self.reap(parent, child);
                }
                let status = ending.status();
                match status & 0x7f {
                    0 => (status, code::CLD_EXITED, status >> 8),
                    signal => (status, code::CLD_KILLED, signal),
                }
            }
            Life::Stopped(signal) if changes.stopped && child.stop_untold.get() => {
                child.stop_untold.set(changes.keep);
                let signal = i32::from(signal.number());
                (signal << 8 | 0x7f, code::CLD_STOPPED, signal)
            }
            Life::Running if changes.continued && child.continue_untold.get() => {
                child.continue_untold.set(changes.keep);
                (CONTINUED, code::CLD_CONTINUED, Signal::CONT.number().into())
            }
            _ => return None,
        };
        let usage = child.total_usage().plus(child.children_usage.get());
        Some(Report { pid: child.pid, user: child.ids.get().user, status, code, detail, usage })
    }
}
