//! An open terminal: read, write, poll.

use alloc::rc::Rc;
use core::time::Duration;

use super::Terminal;
use crate::buffer::{Argument, Sink, Source};
use crate::caller::Caller;
use crate::open::{Attempt, File};
use crate::wait::{Events, WaitQueue};
use crate::{Errno, Result};

/// An open of a terminal; dead after a hang-up.
pub(super) struct TerminalFile {
    terminal: Rc<Terminal>,
    generation: u64,
}

impl TerminalFile {
    pub(super) fn new(terminal: Rc<Terminal>) -> Self {
        TerminalFile { generation: terminal.generation.get(), terminal }
    }

    fn is_dead(&self) -> bool {
        self.generation != self.terminal.generation.get()
    }
}

impl File for TerminalFile {
    fn read(&self, attempt: &mut Attempt, _: u64, sink: &mut dyn Sink) -> Result<usize> {
        if self.is_dead() || sink.remaining() == 0 {
            return Ok(0);
        }
        self.terminal.check_readable(attempt, sink.remaining())?;
        let canonical = self.terminal.settings.get().is_canonical();
        let mut input = self.terminal.input.borrow_mut();
        let count = if canonical { input.read_line(sink) } else { input.read_bytes(sink) };
        drop(input);
        self.terminal.made_room();
        count
    }

    fn write(&self, _: &mut Attempt, _: u64, source: &mut dyn Source) -> Result<usize> {
        if self.is_dead() {
            return Err(Errno::EIO);
        }
        let settings = self.terminal.settings.get();
        let mut written = 0;
        while source.remaining() > 0 {
            let mut chunk = [0; 256];
            let room = self.terminal.output.borrow().room().min(chunk.len());
            if room == 0 {
                break;
            }
            let taken = match source.take(&mut chunk[..room]) {
                Err(error) if written == 0 => return Err(error),
                taken => taken.unwrap_or(0),
            };
            if taken == 0 {
                break;
            }
            self.terminal.output.borrow_mut().write(&chunk[..taken], &settings);
            self.terminal.flush();
            written += taken;
        }
        if written == 0 && source.remaining() > 0 { Err(Errno::EAGAIN) } else { Ok(written) }
    }

    fn writes_everything(&self) -> bool {
        true
    }

    fn ioctl(&self, attempt: &mut Attempt, caller: &Caller, request: u32, argument: &mut dyn Argument) -> Result<i64> {
        if self.is_dead() {
            return Err(Errno::EIO);
        }
        self.terminal.ioctl(attempt, caller, request, argument)
    }

    fn readiness(&self) -> Events {
        if self.is_dead() {
            return Events::READABLE | Events::WRITABLE | Events::ERR | Events::HUP;
        }
        let mut ready = Events::empty();
        ready.set(Events::READABLE, self.terminal.is_readable());
        ready.set(Events::WRITABLE, self.terminal.output.borrow().room() > 0);
        ready
    }

    fn waiters(&self) -> Option<&WaitQueue> {
        Some(&self.terminal.waiters)
    }

    fn gives_notice(&self) -> bool {
        true
    }

    fn terminal(&self) -> Option<&Rc<Terminal>> {
        Some(&self.terminal)
    }
}

impl Terminal {
    /// For poll(2): a line, or in noncanonical mode VMIN bytes (one if there is a timer).
    fn is_readable(&self) -> bool {
        let (settings, input) = (self.settings.get(), self.input.borrow());
        if settings.is_canonical() {
            return input.has_line();
        }
        let least = if settings.time() == 0 { settings.minimum().max(1) } else { 1 };
        input.available() >= least
    }

    /// `Ok` if a read of `wanted` bytes returns now, with whatever there is; else `EAGAIN`, with a deadline if VTIME sets one.
    /// The four cases of VMIN and VTIME are those of termios(3).
    fn check_readable(&self, attempt: &mut Attempt, wanted: usize) -> Result<()> {
        let (settings, input) = (self.settings.get(), self.input.borrow());
        if settings.is_canonical() {
            return if input.has_line() { Ok(()) } else { Err(Errno::EAGAIN) };
        }
        let (available, minimum) = (input.available(), settings.minimum().min(wanted));
        let time = Duration::from_millis(100 * u64::from(settings.time()));
        if available >= minimum && (available > 0 || time.is_zero()) {
            return Ok(());
        }
        if available > 0 && attempt.nonblocking {
            return Ok(());
        }
        // With VMIN the timer runs from byte to byte, without it from the call.
        let started = match minimum {
            0 => Some(*attempt.started.get_or_insert_with(|| self.clock.monotonic())),
            _ if available > 0 => Some(self.last_input.get()),
            _ => None,
        };
        attempt.deadline = started.map(|started| started + time).filter(|_| !time.is_zero());
        match attempt.deadline {
            Some(deadline) if self.clock.monotonic() >= deadline => Ok(()),
            _ => Err(Errno::EAGAIN),
        }
    }
}
