//! Folders for `--root`: Debian's packages, one over the other, as an installation would lay them out.

use crate::shared::{Shared, explain, while_doing, workspace};
use chestnut::setup::fetch_packages;
use std::process::Command;
use tempfile::TempDir;

/// What every dynamically linked program of Debian's needs.
pub const C_LIBRARY: &str = "libc6";

/// A folder with the files of these packages. It is removed when dropped.
pub fn of_packages(packages: &[&str]) -> Shared<TempDir> {
    let folder = while_doing("making a root folder", tempfile::tempdir())?;
    let workspace = workspace()?;
    fetch_packages(&workspace, packages).map_err(explain)?;
    for package in packages {
        let files = workspace.userland().join(package);
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(files.join(".")).arg(folder.path());
        let status = while_doing("copying a package's files", copy.status())?;
        if !status.success() {
            return Err(format!("the files of {package} can't be copied: {status}"));
        }
    }
    // They fill the boot archive, and no program looks at them.
    for folder in ["doc", "man", "locale", "lintian"].map(|name| folder.path().join("usr/share").join(name)) {
        if folder.is_dir() {
            while_doing("removing documentation", std::fs::remove_dir_all(&folder))?;
        }
    }
    Ok(folder)
}
