//! One Linux program for the user: on the user's terminal, or with pipes for its standard streams.

use crate::machine::Settings;
use crate::pump::{Event, Pump};
use crate::system::System;
use crate::terminal::{RawMode, window_size};
use anyhow::{Context, Result, bail};
use chestnut_manifest::{GuestMessage, HostMessage, LOG_FATAL, MAX_PAYLOAD, STDIN_WINDOW, Stdio};
use signal_hook::consts::{SIGINT, SIGQUIT, SIGWINCH};
use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

/// Exit status after the time limit, as of timeout(1).
pub const TIMED_OUT: u8 = 124;
/// How long the guest may take from power-on to its first program.
pub const BOOT_LIMIT: Duration = Duration::from_secs(120);
/// After the program's end, the terminal's last bytes are waited for until it is silent for so long.
const QUIET: Duration = Duration::from_millis(40);
/// A program that doesn't end by an interrupt from the user has so long before the machine is ended.
const GRACE: Duration = Duration::from_secs(3);

/// The exit status of a program that a signal ended, as shells give it.
pub fn signal_status(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// How a program is run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// From power-on to the program's end.
    pub time_limit: Option<Duration>,
    /// Log lines go to standard error as they come.
    pub verbose: bool,
}

/// Recognises Ctrl-], three times in a row: the user wants out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Escape {
    presses: u8,
}

impl Escape {
    /// Ctrl-].
    pub const KEY: u8 = 0x1d;

    /// The third press is among these bytes.
    pub fn pressed(&mut self, bytes: &[u8]) -> bool {
        bytes.iter().any(|byte| {
            self.presses = if *byte == Escape::KEY { self.presses + 1 } else { 0 };
            self.presses == 3
        })
    }
}

/// Runs the one command of the system's request. Returns its exit status.
pub fn run(system: &System, settings: &Settings, command: chestnut_manifest::Command, options: &Options) -> Result<u8> {
    let on_terminal = command.stdio == Stdio::Terminal;
    let image = system.image(vec![command])?;
    let mut pump = Pump::start(settings, &system.kernel, image)?;
    pump.catch_signals()?;
    let raw = if on_terminal { Some(RawMode::enter()?) } else { None };
    let mut session = Session {
        pump,
        on_terminal,
        verbose: options.verbose,
        ready: false,
        spoke: false,
        unacknowledged: 0,
        escape: Escape::default(),
        interrupted: None,
    };
    let end = session.run(options.time_limit);
    drop(raw);
    match end {
        Ok(End::Status(status)) => Ok(status),
        Ok(End::TimeLimit) => {
            let words = session.pump.last_words();
            eprintln!("chestnut: the program was ended by the time limit{words}");
            Ok(TIMED_OUT)
        }
        Ok(End::Failure(what)) => bail!("{what}{}", session.pump.last_words()),
        Err(error) => Err(error),
    }
}

enum End {
    Status(u8),
    TimeLimit,
    Failure(String),
}

struct Session {
    pump: Pump,
    on_terminal: bool,
    verbose: bool,
    ready: bool,
    /// Something has come out of the terminal.
    spoke: bool,
    /// Bytes of `Stdin` that the guest hasn't taken yet.
    unacknowledged: u32,
    escape: Escape,
    /// When the user first asked for an end.
    interrupted: Option<Instant>,
}

impl Session {
    fn run(&mut self, time_limit: Option<Duration>) -> Result<End> {
        let start = Instant::now();
        loop {
            let limits = [
                time_limit.map(|limit| start + limit),
                (!self.ready).then_some(start + BOOT_LIMIT),
                self.interrupted.map(|since| since + GRACE),
            ];
            let event = self.pump.next(limits.into_iter().flatten().min())?;
            if let Some(end) = self.handle(event, start, time_limit)? {
                return Ok(end);
            }
        }
    }

    fn handle(&mut self, event: Event, start: Instant, time_limit: Option<Duration>) -> Result<Option<End>> {
        match event {
            Event::Terminal(bytes) => {
                if self.verbose && !self.spoke {
                    self.spoke = true;
                    let seconds = start.elapsed().as_secs_f32();
                    eprint!(
                        "[log] chestnut: first output {seconds:.2} s after the emulator's start{0}{0}",
                        self.line_end()
                    );
                }
                return out(&mut std::io::stdout(), &bytes);
            }
            Event::Message(message) => return self.message(message),
            Event::Log(line) => {
                if self.verbose {
                    eprint!("[log] {line}{}", self.line_end());
                }
                if let Some(cause) = line.strip_prefix(LOG_FATAL) {
                    return Ok(Some(End::Failure(format!("the guest can't go on: {cause}"))));
                }
            }
            Event::Input(bytes) if self.on_terminal => {
                if self.escape.pressed(&bytes) {
                    return Ok(Some(End::Status(signal_status(SIGINT))));
                }
                self.pump.send_terminal(&bytes);
            }
            Event::Input(bytes) => {
                self.unacknowledged += bytes.len() as u32;
                self.pump.send(&HostMessage::Stdin(bytes))?;
                self.want_input();
            }
            Event::InputEnd if self.on_terminal => {}
            Event::InputEnd => self.pump.send(&HostMessage::StdinEnd)?,
            Event::Signal(SIGWINCH) => self.tell_window_size()?,
            Event::Signal(signal @ (SIGINT | SIGQUIT)) if self.ready && self.interrupted.is_none() => {
                self.interrupted = Some(Instant::now());
                self.pump.send(&HostMessage::Signal(signal as u8))?;
            }
            Event::Signal(signal) => return Ok(Some(End::Status(signal_status(signal)))),
            Event::TimeUp if self.interrupted.is_some_and(|since| since.elapsed() >= GRACE) => {
                return Ok(Some(End::Status(signal_status(SIGINT))));
            }
            Event::TimeUp if time_limit.is_some_and(|limit| start.elapsed() >= limit) => {
                return Ok(Some(End::TimeLimit));
            }
            Event::TimeUp => {
                let what = format!("the guest wasn't ready to run a program after {} s", BOOT_LIMIT.as_secs());
                return Ok(Some(End::Failure(what)));
            }
            Event::Ended(ending) => return Ok(Some(End::Failure(ending.to_string()))),
        }
        Ok(None)
    }

    fn message(&mut self, message: GuestMessage) -> Result<Option<End>> {
        match message {
            GuestMessage::Ready => {
                self.ready = true;
                self.tell_window_size()?;
                self.want_input();
            }
            GuestMessage::Stdout(bytes) => return out(&mut std::io::stdout(), &bytes),
            GuestMessage::Stderr(bytes) => return out(&mut std::io::stderr(), &bytes),
            GuestMessage::StdinConsumed(bytes) => {
                self.unacknowledged = self.unacknowledged.saturating_sub(bytes);
                self.want_input();
            }
            GuestMessage::Exit(status) => return self.drain(status).map(Some),
            GuestMessage::Trace(line) => eprint!("{line}{}", self.line_end()),
        }
        Ok(None)
    }

    /// The program has ended; what is still on the terminal's wire comes first.
    fn drain(&mut self, status: u8) -> Result<End> {
        self.pump.input_wanted = 0;
        while self.on_terminal {
            match self.pump.next(Some(Instant::now() + QUIET))? {
                Event::Terminal(bytes) => drop(out(&mut std::io::stdout(), &bytes)?),
                Event::TimeUp | Event::Ended(_) => break,
                _ => {}
            }
        }
        Ok(End::Status(status))
    }

    fn want_input(&mut self) {
        self.pump.input_wanted = if self.on_terminal {
            MAX_PAYLOAD
        } else {
            MAX_PAYLOAD.min(STDIN_WINDOW.saturating_sub(self.unacknowledged) as usize)
        };
    }

    fn tell_window_size(&mut self) -> Result<()> {
        match window_size() {
            Some(size) if self.on_terminal && self.ready => self.pump.send(&size),
            _ => Ok(()),
        }
    }

    /// A raw terminal needs the carriage return too.
    fn line_end(&self) -> &'static str {
        if self.on_terminal { "\r\n" } else { "\n" }
    }
}

/// Writes the program's output. A reader that has gone ends the program, as SIGPIPE would.
fn out(stream: &mut impl Write, bytes: &[u8]) -> Result<Option<End>> {
    const SIGPIPE: i32 = 13;
    match stream.write_all(bytes).and_then(|()| stream.flush()) {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Some(End::Status(signal_status(SIGPIPE)))),
        Err(error) => Err(error).context("writing the program's output"),
    }
}

#[cfg(test)]
mod tests {
    use super::Escape;

    #[test]
    fn three_presses_in_a_row_are_the_way_out() {
        let mut escape = Escape::default();
        assert!(!escape.pressed(b"\x1d\x1dx\x1d"));
        assert!(!escape.pressed(b"\x1d"));
        assert!(escape.pressed(b"\x1d"));
    }
}
