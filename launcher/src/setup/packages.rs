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
    fetch_packages(workspace, &[package])?;
    Ok(workspace.userland().join(package))
}

/// Fetches those of the packages that aren't there yet, together: apt takes longer to begin than to download.
pub fn fetch_packages(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    let userland = workspace.userland();
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !userland.join(package).is_dir()).collect();
    let [first, others @ ..] = &missing[..] else { return Ok(()) };
    let more = if others.is_empty() { String::new() } else { format!(" and {} more packages", others.len()) };
    let mut step = Step::new(format!("Fetching Debian's {first}{more}"));
    step.note("apt-get download");
    for program in ["apt-get", "dpkg-deb"] {
        if subprocess::find(program).is_none() {
            bail!(
                "the Linux program {first} is missing and can't be fetched, as this machine has no {program}: \
                 put the files of Debian's package {first} (amd64) into {}",
                userland.join(first).display()
            );
        }
    }
    std::fs::create_dir_all(&userland).with_context(|| format!("making {}", userland.display()))?;
    // Everything happens in a folder beside, so that what bears a package's name is complete.
    let beside = tempfile::Builder::new()
        .prefix(".fetching-")
        .tempdir_in(&userland)
        .context("making a folder for the download")?;
    download(&missing, beside.path(), &mut step)?;
    for package in missing {
        let archive = downloaded(beside.path(), package)
            .with_context(|| format!("`apt-get download {package}` brought no package file"))?;
        unpack(package, &archive, &userland, &mut step)?;
    }
    Ok(())
}

/// Unpacks a package's file beside itself and moves its files to where they are looked for.
fn unpack(package: &str, archive: &Path, userland: &Path, step: &mut Step) -> Result<()> {
    let (files, unpacked) = (archive.with_extension("files"), userland.join(package));
    step.note(&format!("unpacking {package}"));
    subprocess::run(Command::new("dpkg-deb").arg("-x").arg(archive).arg(&files), step)
        .with_context(|| format!("could not unpack Debian's {package}"))?;
    match std::fs::rename(&files, &unpacked) {
        // Another launcher was faster.
        Err(_) if unpacked.is_dir() => Ok(()),
        result => result.with_context(|| format!("moving the files to {}", unpacked.display())),
    }
}

fn download(packages: &[&str], folder: &Path, step: &mut Step) -> Result<()> {
    let names = packages.join(" ");
    let mut apt = Command::new("apt-get");
    // Whoever runs this may not be able to change to apt's own user, and needn't.
    apt.args(["-o", "APT::Sandbox::User=root", "download"]).args(packages).current_dir(folder);
    if subprocess::run(&mut apt, step).is_ok() {
        return Ok(());
    }
    // A fresh machine's package lists are absent or old.
    if !subprocess::is_root() {
        bail!(
            "`apt-get download {names}` failed; it must work: perhaps the package lists are old, then run `{}`",
            as_root("apt-get update")
        );
    }
    apt_update(step)?;
    subprocess::run(&mut apt, step).with_context(|| format!("could not fetch Debian's {names}"))?;
    Ok(())
}

/// Brings the package lists up to date.
pub fn apt_update(step: &mut Step) -> Result<()> {
    step.note("apt-get update");
    subprocess::run(Command::new("apt-get").arg("update"), step)
        .context("could not update the package lists; `apt-get update` must work")?;
    Ok(())
}

/// The file of a package: its name is followed by its version.
fn downloaded(folder: &Path, package: &str) -> Option<PathBuf> {
    let mut files = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files.find(|file| {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.strip_prefix(package).is_some_and(|rest| rest.starts_with('_')) && name.ends_with(".deb")
    })
}
