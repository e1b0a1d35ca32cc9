//! Processes and threads: what they are, who they belong to, how they begin, end and are told things.
//!
//! | module | holds |
//! |---|---|
//! | [`signal`] | signals as data |
//! | [`thread`] | one thread: its kernel object, its page, what the server holds of it |
//! | [`table`] | who has which id |
//! | [`actions`] | what is done on them, and where the trampoline reads that |
//! | [`page`] | the process page, which its trampoline reads: ids and descriptors |
//! | [`delivery`] | sending signals and taking them |
//! | [`frame`] | the frame that a handler finds on its stack |
//! | [`create`] | fork, vfork, clone |
//! | [`execute`] | execve |
//! | [`end`] | exit, zombies, orphans |
//! | [`wait`] | wait4 and waitid |
//! | [`jobs`] | process groups, sessions, the controlling terminal |
//! | [`futex`] | who waits on which word |
//! | [`seccomp`], [`packet_filter`] | filters of system calls |
//! | [`pi_futex`] | locks that lend priority |
//! | [`limits`] | resource limits and usage |
//! | [`schedule`] | nice values and policies |
//! | [`capabilities`] | what user 0 may do, in parts |
//! | [`timers`] | timers that send signals |

pub mod actions;
pub mod capabilities;
pub mod create;
pub mod delivery;
pub mod end;
pub mod execute;
pub mod frame;
pub mod futex;
pub mod jobs;
pub mod limits;
pub mod packet_filter;
pub mod page;
pub mod parked;
pub mod pi_futex;
pub mod pipe_read;
pub mod schedule;
pub mod seccomp;
pub mod signal;
pub mod table;
pub mod thread;
pub mod timers;
pub mod wait;

use crate::capability::SharedPage;
use crate::memory::AddressSpace;
use actions::{Actions, SharedActions};
use alloc::rc::Rc;
use alloc::vec::Vec;
use capabilities::Capabilities;
use chestnut_linux_files::caller::Caller;
use chestnut_linux_files::open::Descriptors;
use chestnut_linux_files::vfs::Location;
use chestnut_linux_files::wait::WaitQueue;
use chestnut_linux_trampoline::{MmPage, ProcessPage};
use core::cell::{Cell, RefCell};
use core::time::Duration;
use limits::Limits;
use signal::{PendingSignals, Signal};
pub use thread::{Activity, Thread};
use timers::Timers;

/// The process that orphans are given to and that starts the launcher's programs. It has no program: the server is it, and
/// no other process sees it. The first program is process 1.
pub const INIT: u32 = 0;

/// The id of the launcher's program.
pub const FIRST: u32 = 1;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Exited(u8),
    Killed(Signal),
}

impl Ending {
    /// The status word of wait4(2).
    pub const fn status(self) -> i32 {
        match self {
            Self::Exited(code) => (code as i32) << 8,
            // Core files are never written, so their flag is never set.
            Self::Killed(signal) => signal.number() as i32,
        }
    }
    /// What a shell shows as `$?`.
    pub const fn shell_status(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Killed(signal) => 128 + signal.number(),
        }
    }
}

/// What a process is doing, as its parent sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Running,
    Stopped(Signal),
    /// Ended, and not yet waited for.
    Zombie(Ending),
}

/// Where the pages are that a process shares with the server.
pub struct OwnPages {
    pub process: Rc<SharedPage<ProcessPage>>,
    pub process_address: u64,
    /// Of the address space: shared with vfork's child.
    pub mm: Rc<SharedPage<MmPage>>,
    pub mm_address: u64,
    pub text_address: u64,
    pub time_address: u64,
}

/// A process.
pub struct Process {
    pub pid: u32,
    pub parent: Cell<u32>,
    pub children: RefCell<Vec<Rc<Process>>>,
    pub group: Cell<u32>,
    pub session: Cell<u32>,
    pub life: Cell<Life>,
    /// A stop or a continuation that the parent has not been told of by wait.
    pub stop_untold: Cell<bool>,
    pub continue_untold: Cell<bool>,
    /// Set once exit_group or a fatal signal has begun.
    pub ending: Cell<Option<Ending>>,
    pub threads: RefCell<Vec<Rc<Thread>>>,
    pub space: RefCell<Rc<AddressSpace>>,
    pub own_pages: RefCell<OwnPages>,
    pub files: RefCell<Rc<RefCell<Descriptors>>>,
    /// Ids, umask, directories: what file calls look at. The other ids are in `ids`.
    pub caller: RefCell<Caller>,
    pub ids: Cell<Ids>,
    pub actions: Actions,
    /// Signals for the whole process.
    pub pending: RefCell<PendingSignals>,
    pub limits: RefCell<Limits>,
    /// Woken when a child changes.
    pub child_changed: WaitQueue,
    /// Woken when this process has started another program or has ended (vfork).
    pub left_parent: WaitQueue,
    pub has_left_parent: Cell<bool>,
    /// What a child's end is told to the parent by; 0 for none.
    pub exit_signal: Cell<u8>,
    pub executable: RefCell<Option<Rc<Location>>>,
    /// Its leader's name, kept when that has ended.
    pub name: Cell<[u8; 16]>,
    pub started: Duration,
    /// It has executed a program since it was forked (setpgid's EACCES).
    pub has_executed: Cell<bool>,
    pub timers: Timers,
    pub usage: Cell<Usage>,
    pub children_usage: Cell<Usage>,
    pub parent_death_signal: Cell<u8>,
    pub dumpable: Cell<u32>,
    pub no_new_privileges: Cell<bool>,
    pub subreaper: Cell<bool>,
    pub capabilities: Cell<Capabilities>,
    /// personality(2).
    pub persona: Cell<u32>,
    /// /proc/PID/oom_score_adj.
    pub oom_adjustment: Cell<i16>,
    /// Its group had much of the server's memory when that was last looked at ([`crate::pressure`]).
    pub holds_much: Cell<bool>,
}

/// What differs between processes when they begin.
pub struct Beginning {
    pub pid: u32,
    pub parent: u32,
    pub group: u32,
    pub session: u32,
    pub space: Rc<AddressSpace>,
    pub own_pages: OwnPages,
    pub files: Rc<RefCell<Descriptors>>,
    pub caller: Caller,
    pub ids: Ids,
    pub actions: SharedActions,
    pub limits: Limits,
    pub exit_signal: u8,
    pub name: [u8; 16],
    pub started: Duration,
}

/// Bits of [`Process::persona`]: what personality(2) can change here.
pub mod persona {
    /// PER_LINUX32: uname says another machine.
    pub const LINUX_32: u32 = 8;
    /// ADDR_NO_RANDOMIZE: programs are put where they always are.
    pub const FIXED_ADDRESSES: u32 = 0x0004_0000;
    /// What a program with set-id bits doesn't inherit.
    pub const CLEARED_ON_SET_ID: u32 = FIXED_ADDRESSES;
}

/// User and group ids beside those in [`Caller`], which holds the effective (file system) ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    pub user: u32,
    pub effective_user: u32,
    pub saved_user: u32,
    pub group: u32,
    pub effective_group: u32,
    pub saved_group: u32,
}

/// Processor time and faults of ended threads or children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Microseconds in the program, and in the server on its behalf.
    pub user: u64,
    pub system: u64,
    pub faults: u64,
    /// Most pages that were present.
    pub peak_pages: u64,
}

impl Usage {
    pub const fn plus(self, other: Self) -> Self {
        let peak_pages = if self.peak_pages > other.peak_pages { self.peak_pages } else { other.peak_pages };
        Self {
            user: self.user + other.user,
            system: self.system + other.system,
            faults: self.faults + other.faults,
            peak_pages,
        }
    }
    /// Microseconds of processor time.
    pub const fn time(self) -> u64 {
        self.user + self.system
    }
}

impl Process {
    /// A process without threads: nothing pending, nothing used, no timers.
    pub fn new(beginning: Beginning) -> Rc<Self> {
        let Beginning { pid, parent, group, session, space, own_pages, files, caller, ids, .. } = beginning;
        Rc::new(Self {
            pid,
            parent: Cell::new(parent),
            children: RefCell::default(),
            group: Cell::new(group),
            session: Cell::new(session),
            life: Cell::new(Life::Running),
            stop_untold: Cell::new(false),
            continue_untold: Cell::new(false),
            ending: Cell::new(None),
            threads: RefCell::default(),
            space: RefCell::new(space),
            own_pages: RefCell::new(own_pages),
            files: RefCell::new(files),
            caller: RefCell::new(caller),
            ids: Cell::new(ids),
            actions: Actions::new(beginning.actions),
            pending: RefCell::default(),
            limits: RefCell::new(beginning.limits),
            child_changed: WaitQueue::new(),
            left_parent: WaitQueue::new(),
            has_left_parent: Cell::new(false),
            exit_signal: Cell::new(beginning.exit_signal),
            executable: RefCell::default(),
            name: Cell::new(beginning.name),
            started: beginning.started,
            has_executed: Cell::new(false),
            timers: Timers::default(),
            usage: Cell::default(),
            children_usage: Cell::default(),
            parent_death_signal: Cell::new(0),
            dumpable: Cell::new(1),
            no_new_privileges: Cell::new(false),
            subreaper: Cell::new(false),
            capabilities: Cell::new(Capabilities::FULL),
            persona: Cell::new(0),
            oom_adjustment: Cell::new(0),
            holds_much: Cell::new(false),
        })
    }

    pub fn is_zombie(&self) -> bool {
        matches!(self.life.get(), Life::Zombie(_))
    }
    pub fn is_stopped(&self) -> bool {
        matches!(self.life.get(), Life::Stopped(_))
    }
    /// The parent that the process sees: orphans see process 1, as on Linux.
    pub fn visible_parent(&self) -> u32 {
        match self.parent.get() {
            INIT if self.pid != FIRST => FIRST,
            parent => parent,
        }
    }
    /// The address space, for as long as the caller wants to use it.
    pub fn space(&self) -> Rc<AddressSpace> {
        self.space.borrow().clone()
    }
    pub fn descriptors(&self) -> Rc<RefCell<Descriptors>> {
        self.files.borrow().clone()
    }
    /// The thread whose id is the process's.
    pub fn leader(&self) -> Option<Rc<Thread>> {
        let threads = self.threads.borrow();
        threads.iter().find(|thread| thread.tid.get() == self.pid).or_else(|| threads.first()).cloned()
    }
    /// Signals queued for it and its threads.
    pub fn queued_signals(&self) -> usize {
        let own: usize = self.threads.borrow().iter().map(|thread| thread.pending.borrow().len()).sum();
        own + self.pending.borrow().len()
    }
    /// Processor time that its threads have used, so far as they have been asked.
    pub fn total_usage(&self) -> Usage {
        let mut usage = self.usage.get();
        for thread in self.threads.borrow().iter() {
            usage.user += thread.user_time();
            usage.system += thread.system_time();
        }
        let space = self.space.borrow();
        usage.faults += space.minor_faults.get();
        usage.peak_pages = usage.peak_pages.max(space.resident() as u64);
        usage
    }
}
