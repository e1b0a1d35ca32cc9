//! Debian packages that have to be installed, because what is in them looks for its files where they are installed.

use super::as_root;
use super::packages::apt_update;
use crate::progress::Step;
use crate::subprocess;
use anyhow::{Context, Result, bail};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Installs `packages` unless nothing is `missing`; by root on a Debian machine, else the error says how. `purpose`
/// names what they are for, as the rest of "Installing …"; `missing` names what isn't there.
pub fn ensure_installed(purpose: &str, packages: &[&str], missing: impl Fn() -> Option<String>) -> Result<()> {
    // Tests ask side by side; who comes second finds it installed.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _alone = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(lacking) = missing() else { return Ok(()) };
    // Without recommendations there is no graphical output, which isn't used.
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    let advice = as_root(&format!("apt-get {}", install.join(" ")));
    if subprocess::find("apt-get").is_none() {
        bail!("{lacking} is missing: install {purpose} by this system's package manager");
    }
    if !subprocess::is_root() {
        bail!("{lacking} is missing: run `{advice}`");
    }
    let mut step = Step::new(format!("Installing {purpose}"));
    step.note("apt-get install");
    let mut apt = Command::new("apt-get");
    // Another program may be installing at this moment: seconds to wait for it.
    apt.args(["-o", "DPkg::Lock::Timeout=300"]).args(install).env("DEBIAN_FRONTEND", "noninteractive");
    if subprocess::run(&mut apt, &mut step).is_err() {
        // A fresh machine's package lists are absent or old.
        apt_update(&mut step)?;
        subprocess::run(&mut apt, &mut step)
            .with_context(|| format!("could not install {purpose}; `{advice}` must work"))?;
    }
    match missing() {
        Some(lacking) => bail!("installed {}, but {lacking} still isn't there", packages.join(", ")),
        None => Ok(()),
    }
}
