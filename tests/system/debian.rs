//! A root folder of Debian's dynamically linked programs with their libraries, as `--root` would be given: made once from packages
//! that are fetched by name, and kept beside them.
//!
//! On the host the same files run, with the host's own loader and libraries of the same release; in the guest with those of the
//! packages. What a package hasn't got, or can't be fetched, fails the tests that need it.

use crate::shared::{Shared, explain, while_doing, workspace};
use chestnut::root_files::{Kind, RootFiles};
use chestnut::setup::fetch_packages;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where programs are looked for: the packages' come before BusyBox's.
pub const GUEST_PATH: &str = "/usr/bin:/bin:/sbin:/usr/sbin";
/// The merged root's folder of programs.
pub const PROGRAMS: &str = "usr/bin";
/// The folder that is kept; another number whenever the lists below change.
const KEPT: &str = "debian-root-4";
const PYTHON: &str = "usr/lib/python3.11";

const PACKAGES: &[&str] = &[
    "libc6",
    "libc-bin",
    "libtinfo6",
    "libacl1",
    "libattr1",
    "libselinux1",
    "libpcre2-8-0",
    "libgmp10",
    "libreadline8",
    "zlib1g",
    "libbz2-1.0",
    "libexpat1",
    "liblzma5",
    "libsqlite3-0",
    "bash",
    "coreutils",
    "sqlite3",
    "python3.11-minimal",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libpython3.11-testsuite",
];

/// What the programs don't need to run: documentation, further encodings, parts of the library and of its tests.
const LEFT_OUT: &[&str] = &[
    "usr/share",
    "etc",
    "var",
    "sbin",
    "usr/sbin",
    "usr/lib/mime",
    "usr/lib/x86_64-linux-gnu/gconv",
    "usr/lib/x86_64-linux-gnu/audit",
    "usr/lib/python3",
    "usr/lib/python3.11/idlelib",
    "usr/lib/python3.11/lib2to3",
    "usr/lib/python3.11/ensurepip",
    "usr/lib/python3.11/pydoc_data",
    "usr/lib/python3.11/distutils",
    "usr/lib/python3.11/curses",
    "usr/lib/python3.11/tkinter",
    "usr/lib/python3.11/turtledemo",
];
/// Of Python's own tests, only these and what they share are kept.
const TESTS: &str = "usr/lib/python3.11/test/";
const TESTS_KEPT: &[&str] =
    &["__init__.py", "support", "re_tests.py", "test_json", "lock_tests.py", "tf_inherit_check.py"];

/// Which part of the root a program needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tree {
    /// All but Python.
    Base,
    WithPython,
}

/// The merged root.
pub fn root() -> Shared<&'static Path> {
    static ROOT: OnceLock<Shared<PathBuf>> = OnceLock::new();
    ROOT.get_or_init(make).as_ref().map(PathBuf::as_path).map_err(Clone::clone)
}

/// Puts the tree into the guest.
pub fn add(files: &mut RootFiles, tree: Tree) -> Shared<()> {
    let root = root()?;
    for_all(root, Path::new(""), &mut |path, host| {
        let of_python = path.contains("python3");
        if !of_python || tree == Tree::WithPython {
            files.copy(path, host).map_err(explain)?;
        }
        Ok(())
    })?;
    files.add("bin/bash", Kind::Link(format!("/{PROGRAMS}/bash")), 0o777);
    Ok(())
}

fn make() -> Shared<PathBuf> {
    let workspace = workspace()?;
    let kept = workspace.userland().join(KEPT);
    if kept.is_dir() {
        return Ok(kept);
    }
    fetch_packages(&workspace, PACKAGES).map_err(explain)?;
    let beside = tempfile::Builder::new().prefix(".merging-").tempdir_in(workspace.userland());
    let beside = while_doing("making a folder for Debian's files", beside)?;
    let root = beside.path().join("root");
    for package in PACKAGES {
        let files = workspace.userland().join(package);
        for_all(&files, Path::new(""), &mut |path, host| merge(path, host, &root))?;
    }
    compile_python(&root)?;
    while_doing("keeping Debian's files", std::fs::rename(&root, &kept))?;
    Ok(kept)
}

/// Calls it for each file, folder and link below `folder`, with its path relative to `root`; folders come first.
fn for_all(root: &Path, folder: &Path, action: &mut impl FnMut(&str, &Path) -> Shared<()>) -> Shared<()> {
    let here = root.join(folder);
    for entry in while_doing(&format!("reading {}", here.display()), std::fs::read_dir(&here))? {
        let entry = while_doing(&format!("reading {}", here.display()), entry)?;
        let path = folder.join(entry.file_name());
        let name = path.to_str().ok_or("a package holds a name that isn't UTF-8")?;
        action(name, &entry.path())?;
        if while_doing("looking at a package's file", entry.file_type())?.is_dir() {
            for_all(root, &path, action)?;
        }
    }
    Ok(())
}

/// One file of a package. All programs go into one folder, so that one name means the same program on both sides.
fn merge(path: &str, host: &Path, root: &Path) -> Shared<()> {
    if LEFT_OUT.iter().any(|folder| is_below(path, folder)) || is_unwanted_test(path) {
        return Ok(());
    }
    let path = match path.strip_prefix("bin") {
        Some(rest) if is_below(path, "bin") => format!("{PROGRAMS}{rest}"),
        _ => path.to_owned(),
    };
    let to = root.join(&path);
    let kind = while_doing("looking at a package's file", host.symlink_metadata())?.file_type();
    let what = format!("copying {path} of a package");
    if kind.is_dir() {
        return while_doing(&what, std::fs::create_dir_all(&to));
    }
    if let Some(folder) = to.parent() {
        while_doing(&what, std::fs::create_dir_all(folder))?;
    }
    if kind.is_symlink() {
        let target = while_doing(&what, std::fs::read_link(host))?;
        return while_doing(&what, symlink(target, &to));
    }
    while_doing(&what, std::fs::hard_link(host, &to).or_else(|_| std::fs::copy(host, &to).map(drop)))
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_unwanted_test(path: &str) -> bool {
    let Some(test) = path.strip_prefix(TESTS) else { return false };
    let wanted = |module: &&str| test.strip_suffix(".py") == Some(module);
    !TESTS_KEPT.iter().any(|kept| is_below(test, kept)) && !crate::dynamic::MODULES.iter().any(wanted)
}

/// Bytecode is made here once: in the emulator it would take minutes. It is taken without looking at the source's time.
fn compile_python(root: &Path) -> Shared<()> {
    let mut command = Command::new(root.join(PROGRAMS).join("python3.11"));
    command.args(["-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]);
    // File names in messages are the guest's.
    command.arg("-s").arg(root).args(["-p", "/"]).arg(root.join(PYTHON));
    let output = while_doing("compiling Python's library", command.output())?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("compiling Python's library: {}", String::from_utf8_lossy(&output.stdout)))
}
