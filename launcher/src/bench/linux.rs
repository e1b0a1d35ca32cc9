//! The Linux benchmark program, `bench/linux`: built by the C compiler of this machine, and run on Chestnut.

use super::machine::measure;
use super::row::Findings;
use crate::compile::Variant;
use crate::machine::{Medium, Settings};
use crate::progress::Step;
use crate::root_files::RootFiles;
use crate::subprocess;
use crate::system::System;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use chestnut_manifest::{Command, Stdio};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where it is in the guest.
pub const GUEST_PATH: &str = "bench/linux";

/// Apart from where services lie, so that who counts instructions by address can tell them apart.
const BASE: &str = "-Wl,-Ttext-segment=0x10000000";

/// One row, as the program itself describes it.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub what: String,
}

/// The built program.
#[derive(Clone, Debug)]
pub struct Benchmark {
    file: PathBuf,
    rows: Vec<Row>,
}

impl Benchmark {
    /// Compiles it and asks it what it can measure.
    pub fn build(workspace: &Workspace) -> Result<Benchmark> {
        let sources = workspace.root().join("bench/linux");
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&sources).with_context(|| format!("reading {}", sources.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "c") {
                files.push(path);
            }
        }
        files.sort();
        let folder = workspace.guest().join("bench");
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        // Built aside and moved, so that one who runs it beside never sees half of it.
        let made = tempfile::Builder::new().prefix(".linux-").tempfile_in(&folder)?.into_temp_path();
        let mut step = Step::new("Compiling the Linux benchmark");
        let mut compiler = std::process::Command::new("cc");
        compiler.args(["-O2", "-static", "-pthread", BASE, "-o"]).arg(&made).args(&files);
        subprocess::run(&mut compiler, &mut step).context(
            "the Linux benchmark needs a C compiler `cc` and a C library to link statically (Debian: gcc, libc6-dev)",
        )?;
        let file = folder.join("linux");
        made.persist(&file).with_context(|| format!("making {}", file.display()))?;
        let list = subprocess::run(std::process::Command::new(&file).arg("--list"), &mut step)?;
        let rows: Option<Vec<Row>> = list.lines().map(row).collect();
        match rows {
            Some(rows) if !rows.is_empty() => Ok(Benchmark { file, rows }),
            _ => bail!("{} lists its rows in a strange way:\n{list}", file.display()),
        }
    }

    /// The program's ELF file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// In the order in which they are measured.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row of this name; if there is none, those whose names begin with it and a hyphen.
    pub fn matching<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'b Row> {
        let is_exact = self.rows.iter().any(|row| row.name == name);
        let begins = move |row: &Row| row.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
        self.rows.iter().filter(move |row| if is_exact { row.name == name } else { begins(row) })
    }

    /// Puts the program into a guest's root file system.
    pub fn install(&self, files: &mut RootFiles) -> Result<()> {
        files.copy(GUEST_PATH, &self.file)
    }
}

fn row(line: &str) -> Option<Row> {
    let (name, what) = line.split_once('\t')?;
    Some(Row { name: name.to_owned(), what: what.to_owned() })
}

/// The figures of the whole system.
pub fn on_chestnut(
    workspace: &Workspace,
    settings: &Settings,
    benchmark: &Benchmark,
    wanted: &BTreeSet<String>,
) -> Result<Findings> {
    let mut system = System::prepare(workspace, Variant::Release)?;
    benchmark.install(&mut system.files)?;
    let mut arguments = vec![format!("/{GUEST_PATH}")];
    arguments.extend(names(benchmark, wanted));
    let command = Command {
        program: format!("/{GUEST_PATH}"),
        arguments: arguments.into_iter().map(String::into_bytes).collect(),
        environment: environment().map(String::into_bytes).into(),
        directory: "/".to_owned(),
        stdio: Stdio::Input(Vec::new()),
    };
    let medium = Medium::Direct { kernel: system.kernel.clone(), root_task: system.image(vec![command])? };
    measure(settings, medium, "Measuring on Chestnut", wanted)
}

/// The program's own words for what is wanted: none if that is all.
pub fn names(benchmark: &Benchmark, wanted: &BTreeSet<String>) -> Vec<String> {
    if wanted.len() == benchmark.rows.len() { Vec::new() } else { wanted.iter().cloned().collect() }
}

fn environment() -> [String; 2] {
    [format!("PATH={}", crate::program::PATH), format!("HOME={}", crate::program::HOME)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_named_whole_or_by_their_beginning() {
        let rows = ["stat\ta", "stat-missing\tb", "pipe-round-trip\tc", "pipe-mebibyte\td", "pipeline\te"];
        let rows = rows.iter().filter_map(|line| row(line)).collect();
        let benchmark = Benchmark { file: PathBuf::new(), rows };
        let names = |name| benchmark.matching(name).map(|row| row.name.clone()).collect::<Vec<_>>();
        assert_eq!(names("stat"), ["stat"]);
        assert_eq!(names("pipe"), ["pipe-round-trip", "pipe-mebibyte"]);
        assert!(names("pip").is_empty());
    }
}
