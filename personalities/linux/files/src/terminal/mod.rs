//! Terminals: termios(3), ioctl_tty(2), and the line discipline between a keyboard and a program.
//!
//! A [`Terminal`] has three sides. The driver's: [`Terminal::receive`] brings bytes in, a [`Line`] takes them out. The
//! programs': [`Terminal::open`] gives a file. And the server's, which knows processes: [`JobControl`] for what the terminal
//! asks of it, [`Terminal::check_access`] for what it asks the terminal.
//!
//! Nothing of the terminal is borrowed while a hook runs, so hooks may call back.

mod control;
mod echo;
mod file;
mod input;
mod jobs;
mod letters;
mod output;
mod settings;
#[cfg(test)]
mod tests;

pub use settings::{Settings, WindowSize};

use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::time::Duration;

use linux_raw_sys::general as linux;

use file::TerminalFile;
use input::{Input, Outcome};
use output::Output;

use crate::caller::Caller;
use crate::clock::Clock;
use crate::open::File;
use crate::wait::{Events, WaitQueue};

/// The driver's side of a terminal: where output goes.
pub trait Line {
    /// Takes a prefix of `bytes` and says how long it was; less than all means that there is no room now, and the driver calls
    /// [`Terminal::output_drained`] when there is.
    fn send(&self, bytes: &[u8]) -> usize;

    /// Bytes taken but not yet sent by the device (TIOCOUTQ, TCSADRAIN). The driver calls [`Terminal::output_drained`] when
    /// there are none left.
    fn pending(&self) -> usize {
        0
    }

    /// [`Terminal::receive`] has refused bytes; now it would take some.
    fn input_wanted(&self) {}

    /// Something has happened that the master of a pseudo-terminal may want to know: TIOCPKT_… (ioctl_tty(2)).
    fn status_changed(&self, status: u8) {
        let _ = status;
    }
}

/// What a terminal asks of the server, which knows processes.
pub trait JobControl {
    /// Sends a signal to all processes of a group (SIGINT, SIGQUIT, SIGTSTP, SIGWINCH, SIGHUP, SIGCONT).
    fn signal_group(&self, group: u32, signal: u32);
    /// The session that a process group is in; `None` if there is no such group.
    fn session_of_group(&self, group: u32) -> Option<u32>;
    /// The processes of a session now have this controlling terminal (their [`Caller::controlling_terminal`]), or none.
    fn set_controlling_terminal(&self, session: u32, terminal: Option<Rc<Terminal>>);
    /// One process gives its controlling terminal up (TIOCNOTTY of one that doesn't lead its session).
    fn leave_terminal(&self, process: u32);
    /// Sends SIGHUP and SIGCONT to the leader of a session whose terminal has hung up.
    fn hang_up_leader(&self, session: u32);
}

/// What a process wants to do with a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Read,
    Write,
    /// An ioctl that changes something ([`Terminal::is_changing`]).
    Change,
}

/// What job control says to that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// The caller is in the background. If it ignores or blocks SIGTTIN, or its group is orphaned: `EIO`. Else send SIGTTIN to
    /// its group and restart the call.
    BackgroundRead,
    /// The caller is in the background. If it ignores or blocks SIGTTOU, go on as if allowed; else if its group is orphaned,
    /// `EIO`; else send SIGTTOU to its group and restart the call.
    BackgroundWrite,
}

/// A terminal.
pub struct Terminal {
    device: u64,
    line: Rc<dyn Line>,
    jobs: Rc<dyn JobControl>,
    clock: Rc<dyn Clock>,
    settings: Cell<Settings>,
    size: Cell<WindowSize>,
    input: RefCell<Input>,
    output: RefCell<Output>,
    /// When the last byte came, for VTIME.
    last_input: Cell<Duration>,
    /// Bytes have been refused.
    refused: Cell<bool>,
    /// Hang-ups so far: files opened before the last one are dead.
    generation: Cell<u64>,
    session: Cell<Option<u32>>,
    foreground: Cell<Option<u32>>,
    waiters: WaitQueue,
}

impl Terminal {
    /// `device` is what `st_rdev` of its node says; `line` is where output goes.
    pub fn new(device: u64, line: Rc<dyn Line>, jobs: Rc<dyn JobControl>, clock: Rc<dyn Clock>) -> Rc<Self> {
        Rc::new(Terminal {
            device,
            line,
            jobs,
            clock,
            settings: Cell::default(),
            size: Cell::default(),
            input: RefCell::default(),
            output: RefCell::default(),
            last_input: Cell::default(),
            refused: Cell::default(),
            generation: Cell::default(),
            session: Cell::default(),
            foreground: Cell::default(),
            waiters: WaitQueue::new(),
        })
    }

    /// Opens it. `Vfs::open` does this for its device nodes; afterwards the server calls [`Terminal::opened_by`] unless
    /// O_NOCTTY was given.
    pub fn open(self: &Rc<Self>) -> Rc<dyn File> {
        Rc::new(TerminalFile::new(self.clone()))
    }

    /// Bytes from the device: a prefix is taken, and its length returned. Fewer than all means that nobody reads; the rest is to
    /// be offered again after [`Line::input_wanted`].
    pub fn receive(&self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        let mut readable = false;
        self.last_input.set(self.clock.monotonic());
        for &byte in bytes {
            let settings = self.settings.get();
            if self.input.borrow().is_full(&settings) {
                self.refused.set(true);
                break;
            }
            taken += 1;
            let was_stopped = self.output.borrow().stopped;
            let outcome = self.input.borrow_mut().receive(byte, &settings, &mut self.output.borrow_mut());
            match outcome {
                Outcome::Quiet => {}
                Outcome::Readable => readable = true,
                Outcome::Signal(signal) => {
                    if !settings.on_local(linux::NOFLSH) {
                        self.tell(linux::TIOCPKT_FLUSHREAD | linux::TIOCPKT_FLUSHWRITE);
                    }
                    self.signal_foreground(signal);
                }
            }
            match (was_stopped, self.output.borrow().stopped) {
                (false, true) => self.tell(linux::TIOCPKT_STOP),
                (true, false) => self.tell(linux::TIOCPKT_START),
                _ => {}
            }
        }
        self.flush();
        if readable {
            self.waiters.wake(Events::READABLE);
        }
        taken
    }

    /// The line has room again, or nothing left to send.
    pub fn output_drained(&self) {
        self.flush();
        self.waiters.wake(Events::WRITABLE);
    }

    /// The other end is gone: files that are open now see the end of the file, writes to them fail with `EIO`; the session
    /// loses its terminal, its leader and the foreground get SIGHUP and SIGCONT.
    pub fn hang_up(&self) {
        self.generation.set(self.generation.get() + 1);
        self.input.borrow_mut().discard();
        self.output.take();
        if let Some(session) = self.session.get() {
            self.jobs.hang_up_leader(session);
            self.release(session);
        }
        self.waiters.wake(Events::all());
    }

    pub fn settings(&self) -> Settings {
        self.settings.get()
    }

    /// tcsetattr(3) with TCSANOW.
    pub fn set_settings(&self, settings: Settings) {
        let old = self.settings.replace(settings);
        match (old.has_usual_flow_control(), settings.has_usual_flow_control()) {
            (true, false) => self.tell(linux::TIOCPKT_NOSTOP),
            (false, true) => self.tell(linux::TIOCPKT_DOSTOP),
            _ => {}
        }
        if old.is_canonical() != settings.is_canonical() {
            self.input.borrow_mut().change_mode(settings.is_canonical());
        }
        if !settings.on_input(linux::IXON) {
            self.output.borrow_mut().stopped = false;
        }
        self.flush();
        self.waiters.wake(Events::READABLE);
    }

    pub fn window_size(&self) -> WindowSize {
        self.size.get()
    }

    /// TIOCSWINSZ, and the launcher's side channel: SIGWINCH to the foreground if it changed.
    pub fn set_window_size(&self, size: WindowSize) {
        if self.size.replace(size) != size {
            self.signal_foreground(linux::SIGWINCH);
        }
    }

    /// The device number of its node (`tty_nr` in /proc/PID/stat).
    pub fn device(&self) -> u64 {
        self.device
    }

    /// Sends what waits, as far as the line takes it.
    fn flush(&self) {
        let mut chunk = [0; 256];
        loop {
            let output = self.output.borrow();
            if output.stopped || output.held {
                return;
            }
            let count = output.front(&mut chunk);
            drop(output);
            let sent = if count > 0 { self.line.send(&chunk[..count]).min(count) } else { 0 };
            self.output.borrow_mut().sent(sent);
            if sent == 0 || sent < count {
                return;
            }
        }
    }

    /// Has everything been sent?
    fn is_drained(&self) -> bool {
        self.output.borrow().len() == 0 && self.line.pending() == 0
    }

    /// Would [`Terminal::receive`] take a byte? If not, [`Line::input_wanted`] will tell when it would.
    pub(crate) fn takes_input(&self) -> bool {
        let full = self.input.borrow().is_full(&self.settings.get());
        self.refused.set(self.refused.get() || full);
        !full
    }

    fn tell(&self, status: u32) {
        self.line.status_changed(status as u8);
    }

    /// Somebody has read: if bytes were refused, they may come now.
    fn made_room(&self) {
        if !self.input.borrow().is_full(&self.settings.get()) && self.refused.take() {
            self.line.input_wanted();
        }
    }
}
