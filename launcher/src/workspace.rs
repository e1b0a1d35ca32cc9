//! Where the sources are and where products go.

use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// The checked-out repository.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// The repository that this launcher was built in.
    pub fn find() -> Result<Workspace> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/")).to_owned();
        if !root.join("services/manifest.toml").is_file() {
            bail!(
                "the sources are no longer at {}: run `cargo run` in the folder where they are now, which builds the launcher anew",
                root.display()
            );
        }
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => std::path::absolute(folder)?,
            None => root.join("target"),
        };
        Ok(Workspace { root, target })
    }

    /// The repository's top folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What is built for the guest.
    pub fn guest(&self) -> PathBuf {
        self.target.join("guest")
    }

    /// Plugins of the emulator.
    pub fn plugins(&self) -> PathBuf {
        self.target.join("plugins")
    }

    /// Debian packages, unpacked, one folder each.
    pub fn userland(&self) -> PathBuf {
        self.target.join("userland")
    }
}
