//! Boots a plain seL4 root task: COM1 on the terminal, and the exit status that it writes to isa-debug-exit.

use crate::machine::{Ending, Medium, RootTask, Settings};
use crate::program;
use crate::pump::{Event, Pump};
use crate::session::{Escape, TIMED_OUT, signal_status};
use crate::terminal::{RawMode, is_interactive};
use anyhow::{Context, Result, bail};
use signal_hook::consts::SIGWINCH;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Runs it for the user until it ends, or until Ctrl-] on a terminal. The exit status is what the guest wrote to port 0xf4.
pub fn boot(settings: &Settings, kernel: &Path, root_task: &Path, time_limit: Option<Duration>) -> Result<u8> {
    if !root_task.is_file() {
        bail!("there is no root task {}", root_task.display());
    }
    let bytes = std::fs::read(root_task).with_context(|| format!("reading the root task {}", root_task.display()))?;
    if let Err(wrong) = program::elf_program(&bytes) {
        bail!("the root task {} {wrong}", root_task.display());
    }
    let mut pump = Pump::start(settings, kernel, RootTask::File(root_task.to_owned()))?;
    pump.catch_signals()?;
    let raw = if is_interactive() { Some(RawMode::enter()?) } else { None };
    pump.input_wanted = 1024;
    let deadline = time_limit.map(|limit| Instant::now() + limit);
    let status = loop {
        match pump.next(deadline)? {
            Event::Terminal(bytes) => show(&bytes)?,
            Event::Log(line) => show(format!("{line}\r\n").as_bytes())?,
            Event::Input(bytes) if raw.is_some() && bytes.contains(&Escape::KEY) => break 130,
            Event::Input(bytes) => pump.send_terminal(&bytes),
            Event::Signal(SIGWINCH) | Event::InputEnd | Event::Message(_) => {}
            Event::Signal(signal) => break signal_status(signal),
            Event::TimeUp => break TIMED_OUT,
            Event::Ended(Ending::DebugExit(value)) => break value,
            Event::Ended(ending) => {
                drop(raw);
                bail!("{ending}{}", pump.last_words());
            }
        }
    };
    drop(raw);
    if status == TIMED_OUT && deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        eprintln!("chestnut: ended by the time limit");
    }
    Ok(status)
}

/// What a root task did that ran on its own.
#[derive(Debug)]
pub struct Transcript {
    /// All that it wrote to COM1, without carriage returns.
    pub output: String,
    /// The value it wrote to the isa-debug-exit port, or why it didn't end by itself.
    pub end: Result<u8, String>,
}

/// Runs a root task without a user, for tests.
pub fn run_alone(settings: &Settings, kernel: &Path, root_task: &Path, time_limit: Duration) -> Result<Transcript> {
    let root_task = RootTask::File(root_task.to_owned());
    run_from(settings, Medium::Direct { kernel: kernel.to_owned(), root_task }, time_limit)
}

/// Runs whatever the machine starts from without a user, for tests.
pub fn run_from(settings: &Settings, medium: Medium, time_limit: Duration) -> Result<Transcript> {
    let mut pump = Pump::start_from(settings, medium)?;
    let deadline = Some(Instant::now() + time_limit);
    let mut output = Vec::new();
    let end = loop {
        match pump.next(deadline)? {
            Event::Terminal(bytes) => output.extend(bytes.into_iter().filter(|byte| *byte != b'\r')),
            Event::TimeUp => {
                break Err(format!("not finished after {} s{}", time_limit.as_secs(), pump.last_words()));
            }
            Event::Ended(Ending::DebugExit(value)) => break Ok(value),
            Event::Ended(ending) => break Err(format!("{ending}{}", pump.last_words())),
            _ => {}
        }
    };
    Ok(Transcript { output: String::from_utf8_lossy(&output).into_owned(), end })
}

fn show(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).context("writing to standard output")
}
