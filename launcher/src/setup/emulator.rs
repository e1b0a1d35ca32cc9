//! The emulator: QEMU for x86_64.

use super::as_root;
use super::packages::apt_update;
use crate::progress::Step;
use crate::subprocess;
use anyhow::{Context, Result, bail};
use std::process::Command;

/// The emulator's program.
pub const EMULATOR: &str = "qemu-system-x86_64";
const PACKAGE: &str = "qemu-system-x86";

/// The emulator is in PATH; else it is installed, by root on a Debian machine.
pub fn ensure_emulator() -> Result<()> {
    if subprocess::find(EMULATOR).is_some() {
        return Ok(());
    }
    // Without recommendations there is no graphical output, which isn't used.
    let install = ["install", "--yes", "--no-install-recommends", PACKAGE];
    let advice = as_root(&format!("apt-get {}", install.join(" ")));
    if subprocess::find("apt-get").is_none() {
        bail!("{EMULATOR} is missing: install QEMU's emulator for x86_64 by this system's package manager");
    }
    if !subprocess::is_root() {
        bail!("{EMULATOR} is missing: run `{advice}`");
    }
    let mut step = Step::new("Installing the emulator");
    step.note("apt-get install");
    let mut apt = Command::new("apt-get");
    apt.args(install).env("DEBIAN_FRONTEND", "noninteractive");
    if subprocess::run(&mut apt, &mut step).is_err() {
        // A fresh machine's package lists are absent or old.
        apt_update(&mut step)?;
        subprocess::run(&mut apt, &mut step)
            .with_context(|| format!("could not install the emulator; `{advice}` must work"))?;
    }
    if subprocess::find(EMULATOR).is_none() {
        bail!("the package {PACKAGE} is installed, but {EMULATOR} isn't in PATH");
    }
    Ok(())
}
