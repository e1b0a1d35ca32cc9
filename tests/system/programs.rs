//! Real programs that run on the host and in the guest: fetched from Debian, or compiled from `tests/programs`.

use crate::shared::{Shared, explain, while_doing, workspace};
use chestnut::setup::fetch_package;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A program for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Debian's busybox-static: glibc.
    Busybox,
    /// Debian's mksh, three builds.
    MkshDietlibc,
    MkshKlibc,
    MkshMusl,
    /// Debian's bash-static: glibc.
    Bash,
    /// `threads.rs`, static-PIE, glibc.
    RustThreads,
    /// `threads.rs` again, static at fixed addresses.
    RustThreadsFixed,
    /// `basics.c`, static, glibc.
    CBasics,
    /// `basics.c` again, static-PIE.
    CBasicsPie,
    /// `faults.c`, static, glibc.
    CFaults,
}

impl Program {
    pub const ALL: [Program; 10] = [
        Program::Busybox,
        Program::MkshDietlibc,
        Program::MkshKlibc,
        Program::MkshMusl,
        Program::Bash,
        Program::RustThreads,
        Program::RustThreadsFixed,
        Program::CBasics,
        Program::CBasicsPie,
        Program::CFaults,
    ];

    /// argv\[0\], and its file's name in [`GUEST_FOLDER`].
    pub fn name(self) -> &'static str {
        match self {
            Program::Busybox => "busybox",
            Program::MkshDietlibc => "mksh-dietlibc",
            Program::MkshKlibc => "mksh-klibc",
            Program::MkshMusl => "mksh-musl",
            Program::Bash => "bash",
            Program::RustThreads => "threads",
            Program::RustThreadsFixed => "threads-fixed",
            Program::CBasics => "basics",
            Program::CBasicsPie => "basics-pie",
            Program::CFaults => "faults",
        }
    }

    /// Where it is in the guest.
    pub fn guest_path(self) -> String {
        match self {
            Program::Busybox => "/bin/busybox".to_owned(),
            _ => format!("{GUEST_FOLDER}/{}", self.name()),
        }
    }

    /// Its file on the host, which is fetched or compiled at the first call.
    pub fn host_path(self) -> Shared<PathBuf> {
        static PATHS: [OnceLock<Shared<PathBuf>>; Program::ALL.len()] = [const { OnceLock::new() }; Program::ALL.len()];
        PATHS[self as usize].get_or_init(|| self.obtain()).clone()
    }

    fn obtain(self) -> Shared<PathBuf> {
        match self {
            Program::Busybox => packaged("busybox-static", "bin/busybox"),
            Program::MkshDietlibc => packaged("mksh", "usr/lib/diet/bin/mksh"),
            Program::MkshKlibc => packaged("mksh", "usr/lib/klibc/bin/mksh"),
            Program::MkshMusl => packaged("mksh", "usr/lib/x86_64-linux-musl/bin/mksh"),
            Program::Bash => packaged("bash-static", "bin/bash-static"),
            Program::RustThreads => rust(self.name(), "threads.rs", &[]),
            Program::RustThreadsFixed => rust(self.name(), "threads.rs", &["-Crelocation-model=static"]),
            Program::CBasics => c(self.name(), "basics.c", &["-static", "-pthread"]),
            Program::CBasicsPie => c(self.name(), "basics.c", &["-static-pie", "-fPIE", "-pthread"]),
            Program::CFaults => c(self.name(), "faults.c", &["-static"]),
        }
    }
}

/// Where test programs are in the guest.
pub const GUEST_FOLDER: &str = "/usr/test";

fn packaged(package: &'static str, file: &str) -> Shared<PathBuf> {
    // Several programs come from one package; two threads must not fetch it at the same time.
    static FETCHING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one_at_a_time = FETCHING.lock().map_err(|_| "another test panicked while fetching a package")?;
    let path = fetch_package(&workspace()?, package).map_err(explain)?.join(file);
    if path.is_file() { Ok(path) } else { Err(format!("Debian's {package} has no {file}")) }
}

fn rust(name: &str, source: &str, flags: &[&str]) -> Shared<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.args(["--edition", "2024", "-O", "-Ctarget-feature=+crt-static", "--target", "x86_64-unknown-linux-gnu"]);
    command.args(flags);
    compile(command, name, source)
}

fn c(name: &str, source: &str, flags: &[&str]) -> Shared<PathBuf> {
    let mut command = Command::new("cc");
    command.args(["-O1", "-Wall"]).args(flags);
    compile(command, name, source)
}

fn compile(mut command: Command, name: &str, source: &str) -> Shared<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(source);
    let folder = workspace()?.guest().join("programs");
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
