//! Real programs that run on the host and in the guest: fetched from Debian, or compiled from `tests/programs`.

use crate::debian::{self, Tree};
use crate::shared::{Shared, explain, while_doing, workspace};
use chestnut::setup::{ensure_musl_compiler, fetch_package};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

/// A program for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Program {
    /// Debian's busybox-static: glibc.
    Busybox,
    /// Debian's mksh, three builds.
    MkshDietlibc,
    MkshKlibc,
    MkshMusl,
    /// Debian's bash-static: glibc.
    Bash,
    /// Debian's zsh-static: glibc.
    Zsh,
    /// The program of this name in Debian's packages, dynamically linked.
    Debian(&'static str),
    /// The C program of this name, static at fixed addresses, glibc.
    C(&'static str),
    /// The same, static-PIE.
    CPie(&'static str),
    /// The same, static, musl.
    Musl(&'static str),
    /// The Rust program of this name, static-PIE, glibc.
    Rust(&'static str),
    /// The same, static at fixed addresses.
    RustFixed(&'static str),
}

impl Program {
    /// How tests of this program are grouped.
    pub fn group(self) -> &'static str {
        match self {
            Program::Busybox => "busybox",
            Program::MkshDietlibc => "mksh_dietlibc",
            Program::MkshKlibc => "mksh_klibc",
            Program::MkshMusl => "mksh_musl",
            Program::Bash => "bash",
            Program::Zsh => "zsh",
            Program::Debian(_) => "debian",
            Program::C(_) => "c",
            Program::CPie(_) => "c_pie",
            Program::Musl(_) => "musl",
            Program::Rust(_) => "rust",
            Program::RustFixed(_) => "rust_fixed",
        }
    }

    /// argv\[0\] on both sides.
    pub fn name(self) -> &'static str {
        match self {
            Program::Debian(name)
            | Program::C(name)
            | Program::CPie(name)
            | Program::Musl(name)
            | Program::Rust(name)
            | Program::RustFixed(name) => name,
            _ => self.group(),
        }
    }

    /// The part of Debian's files that it needs in the guest; the others need nothing but themselves.
    pub fn tree(self) -> Option<Tree> {
        match self {
            Program::Debian(name) if name.starts_with("python") => Some(Tree::WithPython),
            Program::Debian(_) => Some(Tree::Base),
            _ => None,
        }
    }

    /// Where it is in the guest.
    pub fn guest_path(self) -> String {
        match self {
            Program::Busybox => "/bin/busybox".to_owned(),
            Program::Debian(name) => format!("/{}/{name}", debian::PROGRAMS),
            _ => format!("{GUEST_FOLDER}/{}/{}", self.group(), self.name()),
        }
    }

    /// Its file on the host, which is fetched or compiled at the first call.
    pub fn host_path(self) -> Shared<PathBuf> {
        static PATHS: Mutex<BTreeMap<String, Arc<OnceLock<Shared<PathBuf>>>>> = Mutex::new(BTreeMap::new());
        let path = {
            let mut paths = PATHS.lock().map_err(|_| "another test panicked while it looked for a program")?;
            paths.entry(self.guest_path()).or_default().clone()
        };
        path.get_or_init(|| self.obtain()).clone()
    }

    fn obtain(self) -> Shared<PathBuf> {
        match self {
            Program::Busybox => packaged("busybox-static", "bin/busybox"),
            Program::MkshDietlibc => packaged("mksh", "usr/lib/diet/bin/mksh"),
            Program::MkshKlibc => packaged("mksh", "usr/lib/klibc/bin/mksh"),
            Program::MkshMusl => packaged("mksh", "usr/lib/x86_64-linux-musl/bin/mksh"),
            Program::Bash => packaged("bash-static", "bin/bash-static"),
            Program::Zsh => packaged("zsh-static", "bin/zsh-static"),
            Program::Debian(name) => {
                let path = debian::root()?.join(debian::PROGRAMS).join(name);
                if path.is_file() { Ok(path) } else { Err(format!("Debian's packages have no program {name}")) }
            }
            Program::C(_) => self.c(&["-static"]),
            Program::CPie(_) => self.c(&["-static-pie", "-fPIE"]),
            Program::Musl(_) => {
                ensure_musl_compiler().map_err(explain)?;
                self.c_by("musl-gcc", &["-static"])
            }
            Program::Rust(_) => self.rust(&[]),
            Program::RustFixed(_) => self.rust(&["-Crelocation-model=static"]),
        }
    }

    fn rust(self, flags: &[&str]) -> Shared<PathBuf> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut command = Command::new(rustc);
        command.args(["--edition", "2024", "-O", "-Ctarget-feature=+crt-static"]);
        command.args(["--target", "x86_64-unknown-linux-gnu"]).args(flags);
        self.compile(command, "rs")
    }

    fn c(self, flags: &[&str]) -> Shared<PathBuf> {
        self.c_by("cc", flags)
    }

    fn c_by(self, compiler: &str, flags: &[&str]) -> Shared<PathBuf> {
        let mut command = Command::new(compiler);
        command.args(["-O2", "-pthread"]).args(flags);
        self.compile(command, "c")
    }

    fn compile(self, mut command: Command, suffix: &str) -> Shared<PathBuf> {
        let name = self.name();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(format!("{name}.{suffix}"));
        let folder = workspace()?.guest().join("programs").join(self.group());
        while_doing("making a folder for test programs", std::fs::create_dir_all(&folder))?;
        let product = folder.join(name);
        let output = command.arg(source).arg("-o").arg(&product).output();
        let output = while_doing(&format!("compiling the test program {name} by {:?}", command.get_program()), output)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("the test program {name} can't be compiled ({command:?}):\n{said}"));
        }
        Ok(product)
    }
}

/// Where test programs are in the guest.
pub const GUEST_FOLDER: &str = "/usr/test";

fn packaged(package: &'static str, file: &str) -> Shared<PathBuf> {
    // Several programs come from one package; two threads must not fetch it at the same time.
    static FETCHING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = FETCHING.lock().map_err(|_| "another test panicked while fetching a package")?;
    let path = fetch_package(&workspace()?, package).map_err(explain)?.join(file);
    if path.is_file() { Ok(path) } else { Err(format!("Debian's {package} has no {file}")) }
}
