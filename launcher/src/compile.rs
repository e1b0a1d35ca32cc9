//! Builds what runs in the guest, with a nested cargo.
//!
//! Kernel and services are built apart, each into a folder of its own under `target/guest`, so that switching between
//! kernel variants rebuilds nothing.

use crate::progress::Step;
use crate::setup::{TARGET, ensure_target};
use crate::subprocess;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How the kernel is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Variant {
    /// With seL4's debug system calls and checks of its own.
    Debug,
    /// What is used.
    #[default]
    Release,
    /// With the benchmark system calls.
    Bench,
}

impl Variant {
    fn features(self) -> &'static str {
        match self {
            Variant::Debug => "guest,debug",
            Variant::Release => "guest",
            Variant::Bench => "guest,bench",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Variant::Debug => "debug",
            Variant::Release => "release",
            Variant::Bench => "bench",
        }
    }
}

/// Compiler flags of all that runs in the guest.
const FLAGS: &str = "-Crelocation-model=static";
/// The kernel's. At the compiler's own threshold (275) inlining makes the text a sixth larger than with this one, and a
/// system call 4 % shorter; optimisation level 2 would make it 6 % longer and save half as much. The other flag has registers saved around rare
/// calls rather than at a function's entrance (`docs/building.md`).
const KERNEL_FLAGS: &str =
    "-Crelocation-model=static -Cllvm-args=--inline-threshold=125 -Cllvm-args=--regalloc-csr-first-time-cost=100";

/// Builds the kernel and returns its ELF file.
pub fn kernel(workspace: &Workspace, variant: Variant) -> Result<PathBuf> {
    let folder = workspace.guest().join("kernel").join(variant.name());
    let title = format!("Building the kernel ({})", variant.name());
    build(workspace, &folder, &title, &["chestnut-kernel"], variant.features(), KERNEL_FLAGS)?;
    product(&folder, "chestnut-kernel")
}

/// Builds the packages, each of which has a binary of its own name, and returns their ELF files in the same order.
/// `title` says to the user what they are.
pub fn user_programs(workspace: &Workspace, title: &str, packages: &[&str]) -> Result<Vec<PathBuf>> {
    let folder = workspace.guest().join("user");
    let features: Vec<String> = packages.iter().map(|package| format!("{package}/guest")).collect();
    build(workspace, &folder, title, packages, &features.join(","), FLAGS)?;
    packages.iter().map(|package| product(&folder, package)).collect()
}

/// Builds the emulator's plugin that counts stretches of the kernel, and returns its file.
pub fn emulator_plugin(workspace: &Workspace) -> Result<PathBuf> {
    plugin(workspace, "chestnut-stretches")
}

/// Builds the package, a plugin of the emulator, and returns its file.
pub fn plugin(workspace: &Workspace, package: &str) -> Result<PathBuf> {
    let folder = workspace.plugins();
    let title = "Building the emulator's plugin";
    let mut command = cargo();
    command.current_dir(workspace.root());
    command.args(["build", "--release", "-p", package, "--target-dir"]).arg(&folder);
    run(command, title)?;
    let file = folder.join(format!("release/lib{}.so", package.replace('-', "_")));
    if !file.is_file() {
        bail!("the build made no {}", file.display());
    }
    Ok(file)
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.env("CARGO_TERM_COLOR", "never");
    command
}

fn run(mut command: Command, title: &str) -> Result<()> {
    // Cargo says "Finished" even when there was nothing to do.
    let mut step = Step::new(title);
    subprocess::run_noting(&mut command, &mut step, |line| !line.trim_start().starts_with("Finished"))
        .with_context(|| format!("{title} failed"))?;
    Ok(())
}

fn build(
    workspace: &Workspace,
    folder: &Path,
    title: &str,
    packages: &[&str],
    features: &str,
    flags: &str,
) -> Result<()> {
    ensure_target()?;
    let mut command = cargo();
    command.current_dir(workspace.root());
    command.args(["build", "--profile", "guest", "--target", TARGET, "--features", features, "--target-dir"]);
    command.arg(folder);
    for package in packages {
        command.args(["-p", package]);
    }
    // Flags that are meant for the host would replace those of the guest.
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_TARGET_DIR"] {
        command.env_remove(variable);
    }
    command.env("CARGO_TARGET_X86_64_UNKNOWN_NONE_RUSTFLAGS", flags);
    run(command, title)
}

fn product(folder: &Path, name: &str) -> Result<PathBuf> {
    let file = folder.join(TARGET).join("guest").join(name);
    if !file.is_file() {
        bail!("the build made no {}", file.display());
    }
    Ok(file)
}
