//! Moves bytes between a machine, the user and whoever asks: one loop over all descriptors, no threads.
//!
//! [`Pump::next`] waits for the next [`Event`]; what is sent to the guest is queued and goes out meanwhile. Host-channel
//! bytes arrive as decoded messages.

use crate::machine::{Ending, Machine, Medium, RootTask, Settings, Wires};
use crate::tail::Tail;
use anyhow::{Context, Result};
use chestnut_manifest::link::Link;
use chestnut_manifest::{GuestMessage, HostMessage};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::stdin;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// How much of each console is kept for an error message.
const KEPT: usize = 6 * 1024;

/// Something that came in.
#[derive(Clone, Debug)]
pub enum Event {
    /// From COM1.
    Terminal(Vec<u8>),
    /// From COM2.
    Message(GuestMessage),
    /// A line of the log, without its end.
    Log(String),
    /// From standard input.
    Input(Vec<u8>),
    InputEnd,
    /// The launcher got a signal.
    Signal(i32),
    /// The time given to [`Pump::next`] has come.
    TimeUp,
    /// The emulator has ended by itself.
    Ended(Ending),
}

/// A machine and all that is joined with it.
#[derive(Debug)]
pub struct Pump {
    // Wires first: fields are dropped in order, and the machine is ended last.
    com1: Wire,
    com2: Wire,
    log: Wire,
    link: Link<HostMessage, GuestMessage>,
    line: Vec<u8>,
    signals: Option<Signals>,
    /// Most bytes of standard input that are wanted now.
    pub input_wanted: usize,
    input_ended: bool,
    events: VecDeque<Event>,
    terminal_end: Tail,
    log_end: Tail,
    machine: Machine,
}

type Signals = SignalDelivery<UnixStream, SignalOnly>;

#[derive(Debug)]
struct Wire {
    stream: UnixStream,
    outgoing: VecDeque<u8>,
    open: bool,
}

impl Pump {
    /// Starts a machine with a kernel and a root task.
    pub fn start(settings: &Settings, kernel: &Path, root_task: RootTask) -> Result<Pump> {
        Pump::start_from(settings, Medium::Direct { kernel: kernel.to_owned(), root_task })
    }

    /// Starts a machine.
    pub fn start_from(settings: &Settings, medium: Medium) -> Result<Pump> {
        let (machine, Wires { com1, com2, log }) = Machine::start(settings, medium)?;
        Ok(Pump {
            com1: Wire::new(com1)?,
            com2: Wire::new(com2)?,
            log: Wire::new(log)?,
            link: Link::default(),
            line: Vec::new(),
            signals: None,
            input_wanted: 0,
            input_ended: false,
            events: VecDeque::new(),
            terminal_end: Tail::new(KEPT),
            log_end: Tail::new(KEPT),
            machine,
        })
    }

    /// From now on signals that would end the launcher, and changes of the window's size, are events.
    pub fn catch_signals(&mut self) -> Result<()> {
        let (read, write) = UnixStream::pair()?;
        let signals = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH];
        self.signals = Some(SignalDelivery::with_pipe(read, write, SignalOnly, signals).context("catching signals")?);
        Ok(())
    }

    /// Queues bytes for COM1.
    pub fn send_terminal(&mut self, bytes: &[u8]) {
        self.com1.outgoing.extend(bytes);
    }

    /// Queues a message for COM2.
    pub fn send(&mut self, message: &HostMessage) -> Result<()> {
        self.link.send(message)?;
        self.flush_link();
        Ok(())
    }

    /// What the link has to say goes to COM2.
    fn flush_link(&mut self) {
        while !self.link.outgoing().is_empty() {
            self.com2.outgoing.extend(self.link.outgoing());
            self.link.written(self.link.outgoing().len());
        }
    }

    /// Waits for the next event, but not longer than until `time_limit`.
    pub fn next(&mut self, time_limit: Option<Instant>) -> Result<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            if !(self.com1.open || self.com2.open || self.log.open) {
                return Ok(Event::Ended(self.machine.wait()?));
            }
            let timeout = time_limit.map(|limit| limit.saturating_duration_since(Instant::now()));
            if timeout == Some(Duration::ZERO) {
                return Ok(Event::TimeUp);
            }
            self.wait(timeout)?;
        }
    }

    /// Ends the machine. Returns what its consoles and the emulator said last, for an error message.
    pub fn last_words(mut self) -> String {
        self.machine.end();
        let mut words = String::new();
        let log = self.log_end.text();
        let terminal = self.terminal_end.text();
        for (title, text) in
            [("log", log), ("terminal", terminal), ("the emulator's own messages", self.machine.complaints())]
        {
            let text = text.trim_end();
            if !text.is_empty() {
                words.push_str(&format!("\n--- end of {title} ---\n{text}"));
            }
        }
        if words.is_empty() { "\n(the machine said nothing)".to_owned() } else { words }
    }

    /// Polls once and turns what is ready into events.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<()> {
        let ready = {
            let mut sources = vec![self.com1.poll(), self.com2.poll(), self.log.poll()];
            // Standard input and signals only where they are waited for: an input that has ended is always ready.
            let placeholder = PollFd::from_borrowed_fd(self.com1.stream.as_fd(), PollFlags::empty());
            sources.push(match &self.signals {
                Some(signals) => PollFd::from_borrowed_fd(signals.get_read().as_fd(), PollFlags::IN),
                None => placeholder,
            });
            if self.input_wanted > 0 && !self.input_ended {
                sources.push(PollFd::from_borrowed_fd(input(), PollFlags::IN));
            }
            let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
            match poll(&mut sources, timeout.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error).context("waiting for the machine"),
            }
            sources.iter().map(|source| source.revents()).collect::<Vec<_>>()
        };
        let is_ready = |index: usize| ready.get(index).is_some_and(|flags: &PollFlags| !flags.is_empty());
        if is_ready(2) {
            let bytes = self.log.exchange()?;
            self.take_log(&bytes);
        }
        if is_ready(0) {
            let bytes = self.com1.exchange()?;
            self.terminal_end.push(&bytes);
            if !bytes.is_empty() {
                self.events.push_back(Event::Terminal(bytes));
            }
        }
        if is_ready(1) {
            let bytes = self.com2.exchange()?;
            self.take_messages(&bytes)?;
        }
        if let Some(signals) = self.signals.as_mut().filter(|_| is_ready(3)) {
            self.events.extend(signals.pending().map(Event::Signal));
        }
        if is_ready(4) {
            self.take_input()?;
        }
        Ok(())
    }

    fn take_log(&mut self, bytes: &[u8]) {
        self.log_end.push(bytes);
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                    self.events.push_back(Event::Log(line));
                }
                b'\r' => {}
                byte => self.line.push(*byte),
            }
        }
    }

    fn take_messages(&mut self, bytes: &[u8]) -> Result<()> {
        for message in self.link.receive(bytes)? {
            if let GuestMessage::Trace(line) = &message {
                self.log_end.push(format!("[linux] {line}\n").as_bytes());
            }
            self.events.push_back(Event::Message(message));
        }
        self.flush_link();
        let garbled = self.link.garbled();
        if garbled > 0 {
            self.events.push_back(Event::Log(format!("host channel: {garbled} frames can't be read")));
        }
        Ok(())
    }

    fn take_input(&mut self) -> Result<()> {
        let mut bytes = vec![0; self.input_wanted];
        match rustix::io::read(input(), &mut bytes) {
            // The terminal that input came from is gone: the same as its end.
            Ok(0) | Err(rustix::io::Errno::IO) => {
                self.input_ended = true;
                self.events.push_back(Event::InputEnd);
            }
            Ok(length) => {
                bytes.truncate(length);
                self.events.push_back(Event::Input(bytes));
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(error) => return Err(error).context("reading standard input"),
        }
        Ok(())
    }
}

fn input() -> BorrowedFd<'static> {
    stdin()
}

impl Wire {
    fn new(stream: UnixStream) -> Result<Wire> {
        stream.set_nonblocking(true)?;
        Ok(Wire { stream, outgoing: VecDeque::new(), open: true })
    }

    fn poll(&self) -> PollFd<'_> {
        let mut flags = PollFlags::empty();
        if self.open {
            flags |= PollFlags::IN;
            if !self.outgoing.is_empty() {
                flags |= PollFlags::OUT;
            }
        }
        PollFd::from_borrowed_fd(self.stream.as_fd(), flags)
    }

    /// Writes and reads what goes without waiting.
    fn exchange(&mut self) -> Result<Vec<u8>> {
        if !self.open {
            return Ok(Vec::new());
        }
        while !self.outgoing.is_empty() {
            match self.stream.write(self.outgoing.as_slices().0) {
                Ok(length) => drop(self.outgoing.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The emulator has ended; reading will say so.
                Err(_) => self.outgoing.clear(),
            }
        }
        let mut bytes = vec![0; 16 * 1024];
        let length = match self.stream.read(&mut bytes) {
            Ok(0) => {
                self.open = false;
                0
            }
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(_) => {
                self.open = false;
                0
            }
        };
        bytes.truncate(length);
        Ok(bytes)
    }
}
