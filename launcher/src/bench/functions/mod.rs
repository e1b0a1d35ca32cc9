//! Where the instructions of rows go, by function: counted by a plugin of the emulator (`bench/footprint`) while the benchmarks run as they
//! always do, all rows of a table in one machine.
//!
//! | module | question that it answers |
//! |---|---|
//! | [`profile`] | what did the plugin see? |
//! | [`image`] | which function does an instruction belong to? |
//! | [`table`] | how is it shown? |
//!
//! Each instruction of a row's median pass is somewhere in its table, so the sum is the row's figure.

mod image;
mod profile;
mod table;

pub use table::{markdown, text};

use super::kernel;
use super::linux::{self, Benchmark};
use super::record::Record;
use super::row::{Finding, Findings};
use super::targets::{self, Target};
use crate::compile::{self, Variant};
use crate::machine::Settings;
use crate::setup::fetch_package;
use crate::system::{System, USERLAND};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use image::{Images, Place};
use profile::Pass;
use std::collections::{BTreeMap, BTreeSet};

const PLUGIN: &str = "chestnut-footprint";
/// Names of images: the benchmark program, and what the rows with whole programs run.
const PROGRAM: &str = "program";
const BUSYBOX: &str = "busybox";

/// A row, by function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    name: String,
    /// What the benchmark says itself.
    figure: u64,
    target: Option<String>,
    places: BTreeMap<Place, u64>,
}

/// The rows of the kernel's table that `words` ask for: of these names only, if they are whole ones.
pub fn of_kernel(workspace: &Workspace, settings: &Settings, words: &[String], whole: bool) -> Result<Vec<Counted>> {
    let mut images = Images::new(workspace.root());
    images.add("kernel", &compile::kernel(workspace, Variant::Release)?)?;
    let (findings, passes) = with_plugin(workspace, settings, |settings| kernel::in_order(workspace, settings))?;
    images.add(PROGRAM, &kernel::root_task(workspace)?)?;
    kernel::check(words, findings.iter().map(|(name, _)| &**name))?;
    let target = |name: &str| targets::known(name).target.map(|most| format!("≤ {most}"));
    let mut rows = count(&mut images, findings, &passes, target)?;
    rows.retain(|row| if whole { words.contains(&row.name) } else { kernel::is_wanted(&row.name, words) });
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(rows)
}

/// These rows of the Linux table; the peer's findings, if they are known, say what the targets come to.
pub fn of_linux(
    workspace: &Workspace,
    settings: &Settings,
    benchmark: &Benchmark,
    wanted: &BTreeSet<String>,
    peer: Option<&Findings>,
) -> Result<Vec<Counted>> {
    let system = System::prepare(workspace, Variant::Release)?;
    let mut images = Images::new(workspace.root());
    images.add("kernel", &system.kernel)?;
    // The server first: where a few bytes are the same in another service, they are most likely its.
    for (name, file) in system.programs.iter().rev() {
        images.add(name.trim_start_matches("chestnut-"), file)?;
    }
    images.add(PROGRAM, benchmark.file())?;
    images.add(BUSYBOX, &fetch_package(workspace, USERLAND)?.join("bin/busybox"))?;
    let run = |settings: &Settings| linux::on_chestnut(workspace, settings, benchmark, wanted);
    let (mut findings, passes) = with_plugin(workspace, settings, run)?;
    // In the order of their measurement.
    let rows = benchmark.rows().iter();
    let findings = rows.filter_map(|row| Some((row.name.clone(), findings.remove(&row.name)?))).collect();
    count(&mut images, findings, &passes, |name| Some(target(name, peer)))
}

fn target(name: &str, peer: Option<&Findings>) -> String {
    let target = targets::of(name);
    match (target, peer.and_then(|findings| findings.get(name)).and_then(Finding::median)) {
        (Target::Share(_), Some(cost)) => format!("{target} Debian's {cost}"),
        _ => target.to_string(),
    }
}

/// Runs something in a machine with the plugin; gives back what it has found, too.
fn with_plugin<T>(
    workspace: &Workspace,
    settings: &Settings,
    run: impl FnOnce(&Settings) -> Result<T>,
) -> Result<(T, Vec<Pass>)> {
    let plugin = compile::plugin(workspace, PLUGIN)?;
    let output = tempfile::NamedTempFile::new().context("making a file for the plugin's findings")?;
    let mut settings = settings.clone();
    let argument = format!("{},rows={}", plugin.display(), output.path().display());
    settings.emulator_arguments.extend(["-plugin".into(), argument.into()]);
    let found = run(&settings)?;
    let text = std::fs::read_to_string(output.path()).context("reading the plugin's findings")?;
    Ok((found, profile::parse(&text)?))
}

/// Puts the benchmark's figures and the plugin's counts together: both are in the order of measurement.
fn count(
    images: &mut Images,
    findings: Vec<(String, Finding)>,
    passes: &[Pass],
    target: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Counted>> {
    if findings.len() != passes.len() {
        bail!("the benchmark printed {} rows, and the plugin saw {}", findings.len(), passes.len());
    }
    let mut rows = Vec::new();
    for ((name, finding), pass) in findings.into_iter().zip(passes) {
        let Some(figure) = finding.median() else { continue };
        let mut places: BTreeMap<Place, u64> = BTreeMap::new();
        for block in &pass.blocks {
            for &(offset, times) in &block.times {
                *places.entry(images.place(block, offset)).or_default() += times;
            }
        }
        let target = target(&name);
        rows.push(Counted { name, figure, target, places });
    }
    Ok(rows)
}

/// The rows that miss their targets: of the kernel's table on this processor, and of the Linux table.
pub fn missed(record: &Record) -> (Vec<String>, BTreeSet<String>) {
    let misses = |is_met: Option<bool>| is_met == Some(false);
    let median = |findings: &Findings, name: &String| findings.get(name).and_then(Finding::median);
    let kernel = record.kernel.get(&record.cpu).into_iter().flatten();
    let kernel = kernel.filter(|(name, finding)| {
        misses(finding.median().zip(targets::known(name).target).map(|(cost, most)| cost <= most))
    });
    let linux = record.chestnut.iter().filter(|(name, finding)| {
        let peer = record.debian.as_ref().and_then(|findings| median(findings, name));
        misses(finding.median().and_then(|cost| targets::of(name).is_met(cost, peer)))
    });
    (kernel.map(|(name, _)| name.clone()).collect(), linux.map(|(name, _)| name.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::super::options::Clock;
    use super::profile::Block;
    use super::*;
    use std::path::Path;

    fn figure(median: u64) -> Finding {
        Finding::Figure { min: median, median }
    }

    #[test]
    fn those_that_miss_are_found() {
        let findings =
            |rows: &[(&str, u64)]| rows.iter().map(|(name, cost)| ((*name).to_owned(), figure(*cost))).collect();
        let record = Record {
            cpu: "qemu64".to_owned(),
            clock: Clock::Instructions,
            kernel: [("qemu64".to_owned(), findings(&[("map.1", 351), ("unmap.1", 350), ("mint.capability", 9999)]))]
                .into(),
            chestnut: findings(&[("getpid", 61), ("stat", 81), ("fstat", 80), ("find", 9999)]),
            debian: Some(findings(&[("stat", 100), ("fstat", 100)])),
        };
        let (kernel, linux) = missed(&record);
        assert_eq!(kernel, ["map.1"]);
        assert_eq!(linux.into_iter().collect::<Vec<_>>(), ["getpid", "stat"]);
    }

    #[test]
    fn each_instruction_belongs_somewhere() {
        let block = |address| Block { address, bytes: vec![0x90; 2], times: vec![(0, 3), (1, 4)] };
        let pass = Pass { passes: 1, total: 14, blocks: vec![block(0x1000), block(u64::MAX - 4096)] };
        let findings =
            vec![("absent".to_owned(), Finding::Missing { missing: String::new() }), ("row".to_owned(), figure(14))];
        let mut images = Images::new(Path::new("/"));
        let rows = count(&mut images, findings.clone(), &[Pass::default(), pass], |_| None).expect("counts");
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].places.values().copied().collect::<Vec<_>>(), [7, 7]);
        assert!(count(&mut images, findings, &[], |_| None).is_err());
    }
}
