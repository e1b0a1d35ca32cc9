//! Runs a benchmark program in a machine of its own and collects its lines, from whichever wire they come.

use super::row::{Finding, Findings, Line};
use crate::machine::{Medium, Settings};
use crate::progress::Step;
use crate::pump::{Event, Pump};
use anyhow::{Result, bail};
use chestnut_manifest::{GuestMessage, LOG_FATAL};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A row that takes longer has stopped. Under instruction counting a second is some fifty million instructions.
const SILENCE: Duration = Duration::from_secs(240);

/// Measures; what is `wanted` and doesn't come is reported as missing. `title` says to the user what is running.
pub fn measure(settings: &Settings, medium: Medium, title: &str, wanted: &BTreeSet<String>) -> Result<Findings> {
    let (findings, why) = measure_in_order(settings, medium, title)?;
    let mut findings: Findings = findings.into_iter().collect();
    for name in wanted {
        let missing = || Finding::Missing { missing: why.clone() };
        findings.entry(name.clone()).or_insert_with(missing);
    }
    Ok(findings)
}

/// Rows as they come, and why no more come.
pub type InOrder = (Vec<(String, Finding)>, String);

/// Measures.
pub fn measure_in_order(settings: &Settings, medium: Medium, title: &str) -> Result<InOrder> {
    let mut step = Step::new(title);
    step.note("starting");
    let mut pump = Pump::start_from(settings, medium)?;
    pump.catch_signals()?;
    let mut findings = Vec::new();
    let mut lines = Lines::default();
    let mut deadline = Instant::now() + SILENCE;
    let why = loop {
        let bytes = match pump.next(Some(deadline))? {
            Event::Terminal(bytes) | Event::Message(GuestMessage::Stdout(bytes)) => bytes,
            Event::Log(line) if line.starts_with(LOG_FATAL) => break line,
            Event::Message(GuestMessage::Exit(status)) => break format!("the program ended with status {status}"),
            Event::TimeUp => break format!("nothing came for {} s", SILENCE.as_secs()),
            Event::Ended(ending) => break ending.to_string(),
            Event::Signal(signal) => bail!("ended by signal {signal}"),
            _ => continue,
        };
        let mut has_ended = false;
        for line in lines.take(&bytes) {
            match Line::parse(&line) {
                Line::Row(name, finding) => {
                    step.note(&name);
                    findings.push((name, finding));
                    deadline = Instant::now() + SILENCE;
                }
                Line::End => has_ended = true,
                Line::Other => {}
            }
        }
        if has_ended {
            break "it printed no figure".to_owned();
        }
    };
    drop(step);
    if findings.is_empty() {
        bail!("{title}: {why}{}", pump.last_words());
    }
    Ok((findings, why))
}

/// Puts lines together.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        self.rest.extend(bytes);
        let mut lines = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            lines.push(String::from_utf8_lossy(&line).into_owned());
        }
        lines
    }
}
