//! Terminals: termios(3), ioctl_tty(2), and the line discipline between a keyboard and a program.

mod settings;

pub use settings::{Settings, WindowSize};

use alloc::rc::Rc;

use crate::Result;
use crate::caller::Caller;
use crate::clock::Clock;
use crate::open::File;

/// The driver's side of a terminal: where output goes.
pub trait Line {
    /// Takes a prefix of `bytes` and says how long it was; less than all means that there is no room now, and the driver calls
    /// [`Terminal::output_drained`] when there is.
    fn send(&self, bytes: &[u8]) -> usize;

    /// Bytes taken but not yet sent by the device (TIOCOUTQ, TCSADRAIN).
    fn pending(&self) -> usize {
        0
    }
}

/// What a terminal asks of the server, which knows processes.
pub trait JobControl {
    /// Sends a signal to all processes of a group (SIGINT, SIGQUIT, SIGTSTP, SIGWINCH, SIGHUP, SIGCONT).
    fn signal_group(&self, group: u32, signal: u32);
    /// The session that a process group is in; `None` if there is no such group.
    fn session_of_group(&self, group: u32) -> Option<u32>;
    /// Is this process (by its id) the leader of its session? Only leaders get a controlling terminal.
    fn set_controlling_terminal(&self, session: u32, terminal: Option<Rc<Terminal>>);
    /// SIGHUP and SIGCONT for a session that loses its terminal.
    fn hang_up_session(&self, session: u32);
}

/// What a process wants to do with a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Read,
    Write,
    /// An ioctl that changes something ([`Terminal::is_changing`]).
    Change,
}

/// What job control says to that (the caller isn't in the foreground if it isn't `Allowed`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// SIGTTIN: if the process ignores or blocks it, or its group is orphaned: `EIO`. Else signal its group and restart.
    BackgroundRead,
    /// SIGTTOU: if the process ignores or blocks it, go on as if allowed; else if its group is orphaned, `EIO`; else
    /// signal its group and restart.
    BackgroundWrite,
}

/// A terminal.
pub struct Terminal {}

impl Terminal {
    /// `device` is what `st_rdev` of its node says; `line` is where output goes.
    pub fn new(device: u64, line: Rc<dyn Line>, jobs: Rc<dyn JobControl>, clock: Rc<dyn Clock>) -> Rc<Self> {
        todo!()
    }

    /// Opens it. `Vfs::open` does this for its device nodes; afterwards the server calls [`Terminal::opened_by`] unless
    /// O_NOCTTY was given.
    pub fn open(self: &Rc<Self>) -> Rc<dyn File> {
        todo!()
    }

    /// A session leader without a controlling terminal gets this one, if it is no other session's.
    pub fn opened_by(self: &Rc<Self>, caller: &Caller) {
        todo!()
    }

    /// Bytes from the device. Returns how many were taken: all, unless flow control (IXOFF-less lines drop the rest).
    pub fn receive(&self, bytes: &[u8]) {
        todo!()
    }

    /// The line has room again.
    pub fn output_drained(&self) {
        todo!()
    }

    /// The other end is gone: readers see the end of the file, writers `EIO`, the session SIGHUP and SIGCONT.
    pub fn hang_up(&self) {
        todo!()
    }

    pub fn settings(&self) -> Settings {
        todo!()
    }

    pub fn window_size(&self) -> WindowSize {
        todo!()
    }

    /// TIOCSWINSZ, and the launcher's side channel: SIGWINCH to the foreground if it changed.
    pub fn set_window_size(&self, size: WindowSize) {
        todo!()
    }

    /// The session that it controls.
    pub fn session(&self) -> Option<u32> {
        todo!()
    }

    pub fn foreground_group(&self) -> Option<u32> {
        todo!()
    }

    /// The device number of its node (`tty_nr` in /proc/PID/stat).
    pub fn device(&self) -> u64 {
        todo!()
    }

    /// The session leader has ended: the terminal is nobody's, its foreground group gets SIGHUP and SIGCONT.
    pub fn session_ended(&self, session: u32) {
        todo!()
    }

    /// Job control's word on a use of this terminal by `caller`; ask before every read, write and changing ioctl.
    pub fn check_access(&self, caller: &Caller, wanted: Use) -> Verdict {
        todo!()
    }

    /// Does this ioctl request change the terminal, so that background processes need leave?
    pub fn is_changing(request: u32) -> bool {
        todo!()
    }
}
