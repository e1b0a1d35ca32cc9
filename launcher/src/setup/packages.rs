//! Debian packages as a source of real Linux programs: downloaded and unpacked, never installed.

use super::as_root;
use crate::progress::Step;
use crate::subprocess;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that holds the package's files, as they would lie below `/`. Downloaded once.
pub fn fetch_package(workspace: &Workspace, package: &str) -> Result<PathBuf> {
    let unpacked = workspace.userland().join(package);
    if unpacked.is_dir() {
        return Ok(unpacked);
    }
    let mut step = Step::new(format!("Fetching Debian's {package}"));
    step.note("apt-get download");
    for program in ["apt-get", "dpkg-deb"] {
        if subprocess::find(program).is_none() {
            bail!(
                "the Linux program {package} is missing and can't be fetched, as this machine has no {program}: \
                 put the files of Debian's package {package} (amd64) into {}",
                unpacked.display()
            );
        }
    }
    std::fs::create_dir_all(workspace.userland())
        .with_context(|| format!("making {}", workspace.userland().display()))?;
    // Everything happens in a folder beside, so that what bears the package's name is complete.
    let beside = tempfile::Builder::new()
        .prefix(".fetching-")
        .tempdir_in(workspace.userland())
        .context("making a folder for the download")?;
    download(package, beside.path(), &mut step)?;
    let archive =
        downloaded(beside.path()).with_context(|| format!("`apt-get download {package}` brought no package file"))?;
    let files = beside.path().join("files");
    step.note("unpacking");
    subprocess::run(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(&files), &mut step)
        .with_context(|| format!("could not unpack Debian's {package}"))?;
    match std::fs::rename(&files, &unpacked) {
        // Another launcher was faster.
        Err(_) if unpacked.is_dir() => Ok(unpacked),
        result => {
            result.with_context(|| format!("moving the files to {}", unpacked.display()))?;
            Ok(unpacked)
        }
    }
}

fn download(package: &str, folder: &Path, step: &mut Step) -> Result<()> {
    let mut apt = Command::new("apt-get");
    // Whoever runs this may not be able to change to apt's own user, and needn't.
    apt.args(["-o", "APT::Sandbox::User=root", "download", package]).current_dir(folder);
    if subprocess::run(&mut apt, step).is_ok() {
        return Ok(());
    }
    // A fresh machine's package lists are absent or old.
    if !subprocess::is_root() {
        bail!(
            "`apt-get download {package}` failed; it must work: perhaps the package lists are old, then run `{}`",
            as_root("apt-get update")
        );
    }
    apt_update(step)?;
    subprocess::run(&mut apt, step).with_context(|| format!("could not fetch Debian's {package}"))?;
    Ok(())
}

/// Brings the package lists up to date.
pub fn apt_update(step: &mut Step) -> Result<()> {
    step.note("apt-get update");
    subprocess::run(Command::new("apt-get").arg("update"), step)
        .context("could not update the package lists; `apt-get update` must work")?;
    Ok(())
}

fn downloaded(folder: &Path) -> Option<PathBuf> {
    let mut files = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files.find(|file| file.extension().is_some_and(|extension| extension == "deb"))
}
