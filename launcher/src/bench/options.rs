//! What the user can ask for.

use crate::machine::{MemorySize, Settings};
use anyhow::{Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// The processor that others' figures were counted on.
const CPU: &str = "qemu64";
const KVM: &str = "/dev/kvm";

#[derive(Args, Debug, Default)]
pub struct Options {
    /// Measure these rows only, or those whose names begin so; `--list` shows which there are.
    #[arg(value_name = "NAMES")]
    pub names: Vec<String>,
    /// List the rows and what they measure.
    #[arg(long)]
    pub list: bool,
    /// Write the figures to this file, for `--compare`.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Print what has changed since this file was written by `--json`.
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Write the tables to this file too, as Markdown; if it is there, between its lines `<!-- bench -->` and
    /// `<!-- end of bench -->`.
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Chestnut only: nothing is fetched, no other kernel runs.
    #[arg(long)]
    pub alone: bool,
    /// Instead of the tables: how many of each Linux row's instructions are the kernel's, how often it is entered and address spaces
    /// are switched, how many cache lines and pages the kernel touches (medians). Each row is run in a machine of its own.
    #[arg(long, conflicts_with_all = ["realtime", "kvm", "json", "compare", "markdown"])]
    pub footprint: bool,
    /// Instead of the tables: where the instructions of each row go, by function. `missed` stands for the rows that miss their targets; then
    /// all are measured and their tables printed, too. With --markdown: between the lines `<!-- functions -->` and `<!-- end of functions -->`.
    #[arg(long, conflicts_with_all = ["realtime", "kvm", "footprint"])]
    pub functions: bool,
    /// CPU model of the emulator [default: qemu64, or host with --kvm].
    #[arg(long, value_name = "MODEL")]
    pub cpu: Option<String>,
    /// Measure time instead of counting instructions: noisy, and the emulator's time at that.
    #[arg(long, conflicts_with = "kvm")]
    pub realtime: bool,
    /// Run on the host's processor by its virtualisation and measure its cycles.
    #[arg(long)]
    pub kvm: bool,
    /// Further arguments of the emulator, after `--`: a plugin that looks closer, for example.
    #[arg(last = true)]
    pub emulator_arguments: Vec<OsString>,
}

/// What the time-stamp counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    Instructions,
    /// The host's time, while it emulates.
    Time,
    /// The host's time-stamp counter.
    Cycles,
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Clock::Instructions => "instructions",
            Clock::Time => "ticks of the emulator's time-stamp counter, which follows the host's time: noisy",
            Clock::Cycles => "ticks of the processor's time-stamp counter",
        })
    }
}

impl Options {
    pub fn clock(&self) -> Clock {
        if self.kvm {
            Clock::Cycles
        } else if self.realtime {
            Clock::Time
        } else {
            Clock::Instructions
        }
    }

    /// The machine to measure on.
    pub fn settings(&self) -> Result<Settings> {
        let mut emulator_arguments = self.emulator_arguments.clone();
        if self.kvm {
            if !Path::new(KVM).exists() {
                bail!("--kvm: there is no {KVM}: this machine's processor or system offers no virtualisation");
            }
            if let Err(error) = std::fs::OpenOptions::new().read(true).write(true).open(KVM) {
                bail!("--kvm: {KVM} can't be used: {error}");
            }
            emulator_arguments.extend(["-accel".into(), "kvm".into()]);
        }
        let default = if self.kvm { "host" } else { CPU };
        Ok(Settings {
            cpu: self.cpu.clone().unwrap_or_else(|| default.to_owned()),
            memory: MemorySize::default(),
            icount: self.clock() == Clock::Instructions,
            emulator_arguments,
        })
    }
}
