//! The kernel's tests, run by a root task in user mode: one boot per CPU model, one result per name.
//!
//! In the boot of the smallest model a plugin of the emulator (`tests/stretches`) counts instructions; what it finds is for `limits`. The guest doesn't
//! notice.

use crate::is_wanted;
use crate::schedule::Test;
use crate::shared::{Shared, explain, while_doing, workspace};
use chestnut::boot::{Transcript, run_alone};
use chestnut::compile::{self, Variant};
use chestnut::machine::{MemorySize, Settings};
use chestnut::setup::ensure_emulator;
use chestnut_kernel_tests::TESTS;
use libtest_mimic::{Arguments, Failed, Trial};
use object::Object;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// The smallest model and the one with everything: they differ in FSGSBASE, SMEP, SMAP, 1 GiB pages and ERMS.
const CPUS: [(&str, Run, u32); 2] = [("qemu64", counted_run, 32), ("max", run_of_max, 9)];
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// The boot of a CPU model, made at the first call.
type Run = fn() -> Shared<&'static Transcript>;

pub fn trials(arguments: &Arguments) -> Vec<Test> {
    let mut trials = Vec::new();
    for (cpu, run, seconds) in CPUS {
        let names = TESTS.iter().map(|test| (format!("kernel::{cpu}::{test}"), test));
        for (index, (name, test)) in names.filter(|(name, _)| is_wanted(arguments, name)).enumerate() {
            let trial = Trial::test(name, move || verdict(run()?, test));
            trials.push(if index == 0 { Test::leading(seconds, trial) } else { Test::following(trial) });
        }
    }
    trials
}

/// A boot in which the plugin counted.
pub struct Counted {
    transcript: Transcript,
    /// Line by line.
    pub findings: String,
}

/// The boot of the smallest model.
pub fn counted() -> Shared<&'static Counted> {
    static COUNTED: OnceLock<Shared<Counted>> = OnceLock::new();
    COUNTED.get_or_init(count).as_ref().map_err(Clone::clone)
}

fn count() -> Shared<Counted> {
    let (kernel, root_task) = images()?;
    let plugin = compile::emulator_plugin(&workspace()?).map_err(explain)?;
    let output = while_doing("making a file", tempfile::NamedTempFile::new())?;
    let bytes = while_doing("reading the kernel", std::fs::read(&kernel))?;
    let entry = while_doing("reading the kernel", object::File::parse(&*bytes))?.entry();
    let plugin = format!("{},entry={entry:#x},output={}", plugin.display(), output.path().display());
    let mut emulator_arguments = hpet_with_messages();
    emulator_arguments.extend(["-plugin".into(), plugin.into()]);
    // Time advances by instructions: what measures time does not depend on how busy this machine is.
    let (cpu, memory) = ("qemu64".to_owned(), MemorySize(1024));
    let settings = Settings { cpu, memory, icount: true, emulator_arguments };
    let transcript = run_alone(&settings, &kernel, &root_task, TIME_LIMIT).map_err(explain)?;
    let findings = while_doing("reading the plugin's findings", std::fs::read_to_string(output.path()))?;
    Ok(Counted { transcript, findings })
}

fn counted_run() -> Shared<&'static Transcript> {
    Ok(&counted()?.transcript)
}

/// The model with everything, as a slower machine: four nanoseconds for an instruction, as it takes the emulator itself when it doesn't count. So tests that let
/// time go by are done sooner.
fn run_of_max() -> Shared<&'static Transcript> {
    static RUN: OnceLock<Shared<Transcript>> = OnceLock::new();
    let boot = || {
        let (kernel, root_task) = images()?;
        let mut emulator_arguments = hpet_with_messages();
        emulator_arguments.extend(["-icount".into(), "shift=2,align=off,sleep=off".into()]);
        let settings = Settings { cpu: "max".to_owned(), icount: true, emulator_arguments, ..Settings::default() };
        run_alone(&settings, &kernel, &root_task, TIME_LIMIT).map_err(explain)
    };
    RUN.get_or_init(boot).as_ref().map_err(Clone::clone)
}

/// A device that interrupts by messages.
fn hpet_with_messages() -> Vec<OsString> {
    vec!["-global".into(), "hpet.msi=on".into()]
}

/// The release kernel and the root task with the kernel's tests.
pub fn images() -> Shared<(PathBuf, PathBuf)> {
    static IMAGES: OnceLock<Shared<(PathBuf, PathBuf)>> = OnceLock::new();
    let build = || {
        let workspace = workspace()?;
        ensure_emulator().map_err(explain)?;
        let kernel = compile::kernel(&workspace, Variant::Release).map_err(explain)?;
        let tests = compile::user_programs(&workspace, "Building the kernel's tests", &["chestnut-kernel-tests"]);
        let root_task = tests.map_err(explain)?.pop().ok_or("no root task was built")?;
        Ok((kernel, root_task))
    };
    IMAGES.get_or_init(build).clone()
}

/// What the root task printed about the test: `test NAME ... ok` or `test NAME ... FAILED: why`.
fn verdict(transcript: &Transcript, test: &str) -> Result<(), Failed> {
    let prefix = format!("test {test} ... ");
    // A test may have printed something between the two halves of its line.
    let line = transcript.output.lines().find_map(|line| line.split_once(&prefix)).map(|(_, verdict)| verdict.trim());
    match line {
        Some("ok") => Ok(()),
        Some(verdict) if !verdict.is_empty() => Err(verdict.to_owned().into()),
        _ => Err(format!("no result was printed; {}", end_of(transcript)).into()),
    }
}

fn end_of(transcript: &Transcript) -> String {
    let lines: Vec<&str> = transcript.output.lines().collect();
    let end = lines[lines.len().saturating_sub(20)..].join("\n");
    match &transcript.end {
        Ok(value) => format!("the root task ended with status {value}; its last lines:\n{end}"),
        Err(why) => why.clone(),
    }
}
