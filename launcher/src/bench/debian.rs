//! The peer: Debian's own kernel, in the same emulator, with the same files and the same program.
//!
//! It gets what makes it fast: no mitigations against processors' leaks, the time-stamp counter as its clock (so that the vDSO
//! can read it), a seeded random pool, a file system in memory, and nothing else that runs.

use super::initrd;
use super::linux::{Benchmark, GUEST_PATH, names};
use super::machine::measure;
use super::row::Findings;
use crate::machine::{Medium, RootTask, Settings};
use crate::progress::Step;
use crate::root_files::RootFiles;
use crate::setup::fetch_package;
use crate::subprocess;
use crate::system::USERLAND;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the package of the present kernel.
const META_PACKAGE: &str = "linux-image-cloud-amd64";
const COMMAND_LINE: &str = "console=ttyS0 quiet loglevel=3 mitigations=off tsc=reliable clocksource=tsc panic=-1";

/// The figures of Debian's kernel.
pub fn run(
    workspace: &Workspace,
    settings: &Settings,
    benchmark: &Benchmark,
    wanted: &BTreeSet<String>,
) -> Result<Findings> {
    let kernel = kernel(workspace)?;
    let mut files = RootFiles::with_busybox(&fetch_package(workspace, USERLAND)?)?;
    benchmark.install(&mut files)?;
    let words = names(benchmark, wanted).join(" ");
    let append = format!("{COMMAND_LINE} rdinit=/{GUEST_PATH} -- --init {words}");
    let mut settings = settings.clone();
    settings.emulator_arguments.extend(["-append".into(), append.into()]);
    let medium = Medium::Direct { kernel: kernel.clone(), root_task: RootTask::Image(initrd::build(&files)?) };
    measure(&settings, medium, "Measuring on Debian's kernel", wanted)
}

/// The file of Debian's kernel.
fn kernel(workspace: &Workspace) -> Result<PathBuf> {
    let files = fetch_package(workspace, &package(workspace)?)?;
    let folder = files.join("boot");
    let names = std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut names = names.filter_map(|entry| Some(entry.ok()?.path()));
    let is_kernel =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-"));
    names.find(is_kernel).with_context(|| format!("Debian's kernel package has no vmlinuz in {}", folder.display()))
}

/// The package that the meta package stands for. One that was fetched once stays in use: figures of two days compare.
fn package(workspace: &Workspace) -> Result<String> {
    if let Some(package) = fetched(&workspace.userland()) {
        return Ok(package);
    }
    let mut step = Step::new("Asking which kernel Debian has");
    let ask = |step: &mut Step| {
        subprocess::run(Command::new("apt-cache").args(["depends", META_PACKAGE]), step)
            .context("Debian's kernel is fetched by apt, which needs a Debian machine (or `bench --alone`)")
    };
    let mut answer = ask(&mut step)?;
    if versioned(&answer).is_none() && subprocess::is_root() {
        // A fresh machine's package lists are absent.
        subprocess::run(Command::new("apt-get").arg("update"), &mut step).context("`apt-get update` must work")?;
        answer = ask(&mut step)?;
    }
    match versioned(&answer) {
        Some(package) => Ok(package),
        None => bail!("`apt-cache depends {META_PACKAGE}` names no kernel; perhaps `apt-get update` helps:\n{answer}"),
    }
}

fn is_kernel_package(name: &str) -> bool {
    name.strip_prefix("linux-image-").is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
}

fn fetched(userland: &Path) -> Option<String> {
    let entries = std::fs::read_dir(userland).ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| is_kernel_package(name)).max()
}

/// The dependency in what apt-cache prints.
fn versioned(depends: &str) -> Option<String> {
    let mut names = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends:"));
    names.find_map(|name| Some(name.trim()).filter(|name| is_kernel_package(name)).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_what_the_meta_package_depends_on() {
        let said = "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n  Suggests: grub\n";
        assert_eq!(versioned(said).as_deref(), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert_eq!(versioned("linux-image-cloud-amd64\n"), None);
    }
}
