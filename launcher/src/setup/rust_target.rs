//! The Rust target of everything that runs in the guest.
//!
//! Two launchers may add it at the same moment, in two clones of the repository: rustup doesn't keep them apart, so a lock does.

use crate::progress::Step;
use crate::subprocess;
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Bare metal: no operating system below, no SSE, no red zone.
pub const TARGET: &str = "x86_64-unknown-none";

/// rustup is started so often. Who uses it by hand takes no lock, so it may fail because of that.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// The toolchain in use has the target's `core` and `alloc`; else rustup adds them.
pub fn ensure_target() -> Result<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let mut step = Step::new(format!("Adding the Rust target {TARGET}"));
    let sysroot = subprocess::run(Command::new(rustc).args(["--print", "sysroot"]), &mut step)
        .context("asking the Rust compiler where its libraries are")?;
    let root = PathBuf::from(sysroot.trim());
    Toolchain { root, rustup: subprocess::find("rustup"), pause: PAUSE }.ensure_target(&mut step)
}

/// A toolchain of rustup's, or another one.
struct Toolchain {
    root: PathBuf,
    rustup: Option<PathBuf>,
    /// Between two attempts.
    pause: Duration,
}

impl Toolchain {
    fn ensure_target(&self, step: &mut Step) -> Result<()> {
        let libraries = self.root.join("lib/rustlib");
        // The folder itself is what is locked: every launcher finds it, and nothing has to be written.
        let lock = File::open(&libraries).with_context(|| format!("looking for {}", libraries.display()))?;
        // What is being added isn't whole: whoever only looks waits until it is.
        hold(&lock, File::try_lock_shared, File::lock_shared, step)?;
        if self.has_target() {
            return Ok(());
        }
        let Some(rustup) = &self.rustup else {
            bail!(
                "the Rust toolchain in {} has no libraries for {TARGET}, and there is no rustup to add them: \
                 install Rust by https://rustup.rs, then run `rustup target add {TARGET}`",
                self.root.display()
            );
        };
        lock.unlock().context("unlocking the Rust toolchain")?;
        hold(&lock, File::try_lock, File::lock, step)?;
        if self.has_target() {
            return Ok(());
        }
        let mut attempt = 1;
        loop {
            step.note("rustup target add");
            let mut command = Command::new(rustup);
            // What it says is for the user, who has no use for a stack trace.
            command.args(["target", "add", TARGET]).env("RUST_BACKTRACE", "0").env_remove("RUST_LIB_BACKTRACE");
            match subprocess::run(&mut command, step) {
                Ok(_) => return Ok(()),
                Err(_) if self.has_target() => return Ok(()),
                Err(_) if attempt < ATTEMPTS => {
                    attempt += 1;
                    step.note("rustup target add failed; once more");
                    std::thread::sleep(self.pause);
                }
                Err(why) => {
                    let advice = format!("could not add the Rust target; `rustup target add {TARGET}` must work");
                    return Err(why).context(advice);
                }
            }
        }
    }

    fn has_target(&self) -> bool {
        self.root.join("lib/rustlib").join(TARGET).join("lib").is_dir()
    }
}

type TryLock = fn(&File) -> Result<(), TryLockError>;
type Lock = fn(&File) -> std::io::Result<()>;

/// Takes a lock, and says so if that means to wait.
fn hold(file: &File, try_lock: TryLock, lock: Lock, step: &mut Step) -> Result<()> {
    match try_lock(file) {
        Ok(()) => return Ok(()),
        Err(TryLockError::WouldBlock) => step.note("waiting for another launcher, which adds it"),
        // A file system without locks: then there is nothing to wait for.
        Err(TryLockError::Error(_)) => return Ok(()),
    }
    lock(file).context("waiting for another launcher, which adds the Rust target")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    /// A toolchain without the target, and a rustup that plays this script with the toolchain as its folder.
    fn toolchain(script: &str) -> (tempfile::TempDir, Toolchain) {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().to_owned();
        std::fs::create_dir_all(root.join("lib/rustlib")).expect("a folder");
        let rustup = root.join("rustup");
        let text = format!("#!/bin/sh\ncd '{}' || exit 9\n{script}\n", root.display());
        std::fs::write(&rustup, text).expect("a file");
        std::fs::set_permissions(&rustup, PermissionsExt::from_mode(0o755)).expect("its mode");
        (folder, Toolchain { root, rustup: Some(rustup), pause: Duration::from_millis(1) })
    }

    fn runs(folder: &Path) -> String {
        std::fs::read_to_string(folder.join("runs")).unwrap_or_default()
    }

    const ADDS: &str = "mkdir -p lib/rustlib/x86_64-unknown-none/lib";

    #[test]
    fn two_at_the_same_moment_add_it_once() {
        // Like rustup it fails if another one is at it.
        let script = format!("echo run >> runs; mkdir busy || exit 1; sleep 0.3; {ADDS}; rmdir busy");
        let (folder, toolchain) = toolchain(&script);
        std::thread::scope(|scope| {
            let add = || toolchain.ensure_target(&mut Step::new("test"));
            for one in [scope.spawn(add), scope.spawn(add)] {
                one.join().expect("no panic").expect("it is added");
            }
        });
        assert_eq!(runs(folder.path()), "run\n");
    }

    #[test]
    fn a_collision_with_the_users_own_rustup_is_survived() {
        let (folder, toolchain) = toolchain(&format!("echo run >> runs; [ $(wc -l < runs) = 2 ] || exit 1; {ADDS}"));
        toolchain.ensure_target(&mut Step::new("test")).expect("at the second attempt");
        assert_eq!(runs(folder.path()), "run\nrun\n");
        // Somebody else has added it meanwhile.
        let (folder, toolchain) = self::toolchain(&format!("echo run >> runs; {ADDS}; exit 1"));
        toolchain.ensure_target(&mut Step::new("test")).expect("it is there");
        assert_eq!(runs(folder.path()), "run\n");
    }

    #[test]
    fn what_cannot_be_added_is_explained_without_a_stack_trace() {
        let (_folder, mut toolchain) = toolchain("echo \"error: no network, $RUST_BACKTRACE\" >&2; exit 1");
        let add = |toolchain: &Toolchain| toolchain.ensure_target(&mut Step::new("test")).expect_err("fails");
        let why = format!("{:#}", add(&toolchain));
        assert!(why.starts_with("could not add the Rust target; `rustup target add x86_64-unknown-none` must work"));
        assert!(why.ends_with("error: no network, 0\n"), "{why}");
        toolchain.rustup = None;
        let why = format!("{:#}", add(&toolchain));
        assert!(why.contains("there is no rustup to add them"), "{why}");
    }
}
