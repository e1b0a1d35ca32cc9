//! Many programs in few boots, for tests: each with its input given beforehand and its output kept apart.
//!
//! One boot runs as many commands as it can. If one of them never ends or takes the system down, that one has failed,
//! and the ones after it run in a new boot.

use crate::machine::Settings;
use crate::pump::{Event, Pump};
use crate::session::BOOT_LIMIT;
use crate::system::System;
use anyhow::Result;
use chestnut_manifest::{Command, GuestMessage, LOG_FATAL, Stdio};
use std::time::{Duration, Instant};

/// What a program did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// 128 + n if signal n ended it.
    pub status: u8,
}

/// Runs the commands, each of which must have [`Stdio::Input`]. For each one: what it did, or why it didn't end.
pub fn run(
    system: &System,
    settings: &Settings,
    commands: &[Command],
    time_limit: Duration,
) -> Result<Vec<Result<Outcome, String>>> {
    run_on(commands, time_limit, |commands| Pump::start(settings, &system.kernel, system.image(commands.to_vec())?))
}

/// The same, with machines made by `start` for the commands that it is given.
pub fn run_on(
    commands: &[Command],
    time_limit: Duration,
    mut start: impl FnMut(&[Command]) -> Result<Pump>,
) -> Result<Vec<Result<Outcome, String>>> {
    debug_assert!(commands.iter().all(|command| matches!(command.stdio, Stdio::Input(_))));
    let mut outcomes = Vec::new();
    while outcomes.len() < commands.len() {
        let pump = start(&commands[outcomes.len()..])?;
        boot(pump, commands.len(), time_limit, &mut outcomes)?;
    }
    Ok(outcomes)
}

/// Adds at least one outcome.
fn boot(
    mut pump: Pump,
    wanted: usize,
    time_limit: Duration,
    outcomes: &mut Vec<Result<Outcome, String>>,
) -> Result<()> {
    let mut outcome = Outcome::default();
    let mut deadline = Instant::now() + BOOT_LIMIT;
    let mut ready = false;
    let failure = loop {
        match pump.next(Some(deadline))? {
            Event::Message(GuestMessage::Ready) => {
                ready = true;
                deadline = Instant::now() + time_limit;
            }
            Event::Message(GuestMessage::Stdout(bytes)) => outcome.stdout.extend(bytes),
            Event::Message(GuestMessage::Stderr(bytes)) => outcome.stderr.extend(bytes),
            Event::Message(GuestMessage::Exit(status)) => {
                outcomes.push(Ok(Outcome { status, ..std::mem::take(&mut outcome) }));
                if outcomes.len() == wanted {
                    return Ok(());
                }
                deadline = Instant::now() + time_limit;
            }
            Event::Message(GuestMessage::StdinConsumed(_) | GuestMessage::Trace(_)) => {}
            Event::Log(line) if line.starts_with(LOG_FATAL) => break line,
            Event::TimeUp if ready => break format!("not finished after {} s", time_limit.as_secs()),
            Event::TimeUp => break format!("the guest wasn't ready after {} s", BOOT_LIMIT.as_secs()),
            Event::Ended(ending) => break ending.to_string(),
            Event::Terminal(_) | Event::Log(_) | Event::Input(_) | Event::InputEnd | Event::Signal(_) => {}
        }
    };
    let words = pump.last_words();
    let printed = printed(&outcome);
    if !ready {
        // The next boot would end in the same way.
        let missing = wanted - outcomes.len();
        outcomes.extend(std::iter::repeat_n(Err(format!("{failure}{words}")), missing));
        return Ok(());
    }
    outcomes.push(Err(format!("{failure}{printed}{words}")));
    Ok(())
}

fn printed(outcome: &Outcome) -> String {
    format!(
        "\n--- standard output so far ---\n{}\n--- standard error so far ---\n{}",
        String::from_utf8_lossy(&outcome.stdout),
        String::from_utf8_lossy(&outcome.stderr)
    )
}
