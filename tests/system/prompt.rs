//! What it takes to come to the shell's prompt: instructions from the emulator's start, and memory in use then.
//!
//! The time-stamp counter begins with the machine and counts its instructions (`-icount`), so the figures are the same however busy this
//! machine is. The prompt itself says what it was: to show it, the shell runs a program that reads the counter. So what is measured is a
//! little more than the way to the prompt. `cargo run -- --verbose` shows a person how long it takes by the clock on the wall.

use crate::programs::Program;
use crate::shared::{Shared, explain, system};
use chestnut::machine::Settings;
use chestnut::program::PATH;
use chestnut::pump::{Event, Pump};
use chestnut_manifest::{Command, LOG_FATAL, Stdio};
use libtest_mimic::{Failed, Trial};
use std::time::{Duration, Instant};

/// Debian's kernel needs so many to start its first program (`docs/building.md`).
const MOST_INSTRUCTIONS: u64 = 1_600_000_000;
/// KiB of the machine's memory: 48 MB.
const MOST_MEMORY: u64 = 48_000_000 / 1024;
const LIMIT: Duration = Duration::from_secs(120);
/// What is printed around the figures.
const BEFORE: &str = "counter<";
const AFTER: &str = ">at the prompt";

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("limits::instructions_to_the_prompt", instructions),
        Trial::test("limits::memory_at_the_prompt", memory),
    ]
}

/// The interactive shell, with a prompt that runs `reader`.
fn start(icount: bool, reader: &str) -> Shared<Pump> {
    let mut system = system()?.clone();
    let program = Program::C("ticks");
    system.files.copy(&program.guest_path(), &program.host_path()?).map_err(explain)?;
    let prompt = format!("PS1={BEFORE}$({reader}){AFTER} ");
    let command = Command {
        program: "/bin/sh".to_owned(),
        arguments: vec![b"sh".to_vec(), b"-i".to_vec()],
        environment: vec![format!("PATH={PATH}").into_bytes(), prompt.into_bytes()],
        directory: "/".to_owned(),
        stdio: Stdio::Terminal,
    };
    let image = system.image(vec![command]).map_err(explain)?;
    let cpu = "qemu64".to_owned();
    let settings = if icount { Settings { icount, cpu, ..Settings::default() } } else { Settings::default() };
    Pump::start(&settings, &system.kernel, image).map_err(explain)
}

/// What the terminal and the log say, until both are as `enough` wants.
fn read(mut pump: Pump, enough: impl Fn(&str, &[String]) -> bool) -> Shared<(String, Vec<String>)> {
    let deadline = Some(Instant::now() + LIMIT);
    let (mut screen, mut log) = (String::new(), Vec::new());
    while !enough(&screen, &log) {
        match pump.next(deadline).map_err(explain)? {
            Event::Terminal(bytes) => screen.push_str(&String::from_utf8_lossy(&bytes)),
            Event::Log(line) if line.starts_with(LOG_FATAL) => return Err(line),
            Event::Log(line) => log.push(line),
            Event::TimeUp | Event::Ended(_) => {
                return Err(format!("there was no prompt; the terminal says {screen:?}{}", pump.last_words()));
            }
            _ => {}
        }
    }
    Ok((screen, log))
}

/// The figure in a prompt.
fn figure(screen: &str) -> Option<&str> {
    let (before, _) = screen.rsplit_once(AFTER)?;
    Some(before.rsplit_once(BEFORE)?.1)
}

fn instructions() -> Result<(), Failed> {
    let reader = Program::C("ticks").guest_path();
    let (screen, _) = read(start(true, &reader)?, |screen, _| figure(screen).is_some())?;
    let count: u64 = figure(&screen).unwrap_or_default().parse()?;
    // That a machine came to the prompt in no time at all would say that the counter is wrong.
    if (1_000_000..=MOST_INSTRUCTIONS).contains(&count) {
        println!("{count} instructions to the prompt");
        return Ok(());
    }
    Err(format!("{count} instructions to the prompt, at most {MOST_INSTRUCTIONS} are allowed").into())
}

/// By what the boot says in the log, and by `free`; and that `free` speaks of the whole machine.
fn memory() -> Result<(), Failed> {
    const SAID: &str = "at the prompt: ";
    let pump = start(false, "free | tr -s ' ' | grep Mem")?;
    let said = |log: &[String]| log.iter().find_map(|line| Some(line.split_once(SAID)?.1.to_owned()));
    let (screen, log) = read(pump, |screen, log| figure(screen).is_some() && said(log).is_some())?;
    let said = said(&log).unwrap_or_default();
    let mut words = said.split(' ');
    let logged: u64 = words.next().unwrap_or_default().parse()?;

    let line = figure(&screen).unwrap_or_default();
    let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [total, _, free, ..] = numbers[..] else { return Err(format!("`free` said {line:?}").into()) };
    let used = total - free;
    println!("{used} KiB in use by free, {logged} by the log, of {total}");
    // The machine has 512 MiB; the firmware keeps some of it, and the first MiB isn't memory for anybody.
    if !(512 * 1024 - 2048..=512 * 1024).contains(&total) {
        return Err(format!("the machine's memory is said to be {total} KiB").into());
    }
    // What free itself and the pipe around it need comes and goes.
    if used > MOST_MEMORY || logged > MOST_MEMORY || used.abs_diff(logged) > 4096 {
        return Err(format!("{used} KiB are in use by free, {logged} by the log; {MOST_MEMORY} are allowed").into());
    }
    Ok(())
}
