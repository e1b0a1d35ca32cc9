//! The kernel's tests, run by a root task in user mode: one boot per CPU model, one result per name.

use crate::is_wanted;
use crate::shared::{Shared, explain, workspace};
use chestnut::boot::{Transcript, run_alone};
use chestnut::compile::{self, Variant};
use chestnut::machine::Settings;
use chestnut::setup::ensure_emulator;
use chestnut_kernel_tests::TESTS;
use libtest_mimic::{Arguments, Failed, Trial};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The smallest model and the one with everything: they differ in FSGSBASE, SMEP, SMAP, 1 GiB pages and ERMS.
const CPUS: [&str; 2] = ["qemu64", "max"];
const TIME_LIMIT: Duration = Duration::from_secs(600);

pub fn trials(arguments: &Arguments) -> Vec<Trial> {
    let mut trials = Vec::new();
    for cpu in CPUS {
        let run: Arc<OnceLock<Shared<Transcript>>> = Arc::default();
        for test in TESTS {
            let name = format!("kernel::{cpu}::{test}");
            if is_wanted(arguments, &name) {
                let run = run.clone();
                trials.push(Trial::test(name, move || verdict(run.get_or_init(|| boot(cpu)), test)));
            }
        }
    }
    trials
}

fn boot(cpu: &str) -> Shared<Transcript> {
    let (kernel, root_task) = images()?;
    // Time advances by instructions: what measures time does not depend on how busy this machine is.
    let emulator_arguments = hpet_with_messages();
    let settings = Settings { cpu: cpu.to_owned(), icount: true, emulator_arguments, ..Settings::default() };
    run_alone(&settings, &kernel, &root_task, TIME_LIMIT).map_err(explain)
}

/// A device that interrupts by messages.
pub fn hpet_with_messages() -> Vec<OsString> {
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
fn verdict(run: &Shared<Transcript>, test: &str) -> Result<(), Failed> {
    let transcript = run.as_ref().map_err(Clone::clone)?;
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
