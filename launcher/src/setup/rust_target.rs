//! The Rust target of everything that runs in the guest.

use crate::progress::Step;
use crate::subprocess;
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// Bare metal: no operating system below, no SSE, no red zone.
pub const TARGET: &str = "x86_64-unknown-none";

/// The toolchain in use has the target's `core` and `alloc`; else rustup adds them.
pub fn ensure_target() -> Result<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let mut step = Step::new(format!("Adding the Rust target {TARGET}"));
    let sysroot = subprocess::run(Command::new(rustc).args(["--print", "sysroot"]), &mut step)
        .context("asking the Rust compiler where its libraries are")?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).join("lib").is_dir() {
        return Ok(());
    }
    if subprocess::find("rustup").is_none() {
        bail!(
            "the Rust toolchain in {} has no libraries for {TARGET}, and there is no rustup to add them: \
             install Rust by https://rustup.rs, then run `rustup target add {TARGET}`",
            sysroot.trim()
        );
    }
    step.note("rustup target add");
    subprocess::run(Command::new("rustup").args(["target", "add", TARGET]), &mut step)
        .with_context(|| format!("could not add the Rust target; `rustup target add {TARGET}` must work"))?;
    Ok(())
}
