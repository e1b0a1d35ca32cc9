//! The whole system, ready to boot: kernel, root, services and the Linux root file system.

use crate::archive::Contents;
use crate::compile::{self, Variant};
use crate::elf_image::{self, append_segment};
use crate::machine::RootTask;
use crate::root_files::RootFiles;
use crate::setup::{ensure_emulator, fetch_package};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use chestnut_manifest::archive::ADDRESS;
use chestnut_manifest::{Command, Manifest, RunRequest};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// The package and program of the root task.
const ROOT: &str = "chestnut-root";
/// Debian's package with the guest's userland.
pub const USERLAND: &str = "busybox-static";

/// Built once, booted as often as one likes.
#[derive(Clone, Debug)]
pub struct System {
    /// The kernel's ELF file.
    pub kernel: PathBuf,
    /// What the root file system holds; add to it before booting.
    pub files: RootFiles,
    /// Which services run, and which of them fail on purpose.
    pub manifest: Manifest,
    /// The guest tells of every system call.
    pub trace: bool,
    /// The ELF files of root and the services, as they were built, by the names of their packages.
    pub programs: Vec<(String, PathBuf)>,
    root: Vec<u8>,
    services: Vec<(String, Vec<u8>)>,
}

impl System {
    /// Installs, fetches and builds what is missing.
    pub fn prepare(workspace: &Workspace, variant: Variant) -> Result<System> {
        let manifest = manifest(workspace)?;
        ensure_emulator()?;
        let userland = fetch_package(workspace, USERLAND)?;
        let kernel = compile::kernel(workspace, variant)?;
        let mut packages = vec![ROOT];
        packages.extend(manifest.services.iter().map(|service| service.binary.as_str()));
        packages.dedup();
        let programs = compile::user_programs(workspace, "Building root and the services", &packages)?;
        let mut services = Vec::new();
        for (package, program) in packages.iter().zip(&programs) {
            let bytes = std::fs::read(program).with_context(|| format!("reading {}", program.display()))?;
            let bytes = elf_image::loadable(&bytes).with_context(|| format!("reading {}", program.display()))?;
            services.push(((*package).to_owned(), bytes));
        }
        let (_, root) = services.remove(0);
        let programs = packages.into_iter().map(str::to_owned).zip(programs).collect();
        Ok(System {
            kernel,
            files: RootFiles::with_busybox(&userland)?,
            trace: false,
            programs,
            manifest,
            root,
            services,
        })
    }

    /// The root task's image that runs these commands one after the other.
    pub fn image(&self, commands: Vec<Command>) -> Result<RootTask> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let request = RunRequest { commands, started: u64::try_from(now.as_micros()).unwrap_or(0), trace: self.trace };
        let contents =
            Contents { manifest: &self.manifest, request: &request, services: &self.services, files: &self.files };
        let archive = contents.build()?;
        Ok(RootTask::Image(append_segment(&self.root, ADDRESS, &archive).context("making the boot image")?))
    }
}

/// `services/manifest.toml`, checked.
fn manifest(workspace: &Workspace) -> Result<Manifest> {
    let file = workspace.root().join("services/manifest.toml");
    let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let manifest: Manifest = toml::from_str(&text).with_context(|| format!("reading {}", file.display()))?;
    if let Err(problems) = manifest.check() {
        let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
        bail!("{} is wrong:\n{}", file.display(), lines.join("\n"));
    }
    Ok(manifest)
}
