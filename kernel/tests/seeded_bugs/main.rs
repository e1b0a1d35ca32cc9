//! Would random play notice? Bugs are put into a copy of the kernel, and each must be found.
//!
//! The copy lies below the build folder. Each bug is a text in a source file and what stands there instead while the environment
//! names the bug; so the kernel itself carries nothing for this, and one build serves all bugs. A text that is no longer in its file
//! makes the test fail: then the bug must be put in anew.

mod bugs;

use bugs::{BUGS, Bug};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Steps in which a bug has to be found, and that the copy without a bug must pass.
const STEPS: &str = "1500000";
const STEPS_WITHOUT: &str = "50000";

#[test]
fn random_play_finds_each_seeded_bug() {
    let workspace = copy();
    let built = cargo(&workspace, &["--no-run"], "none", STEPS_WITHOUT);
    assert!(built.status.success(), "the copy doesn't compile:\n{}", text(&built.stderr));
    let without = cargo(&workspace, &[], "none", STEPS_WITHOUT);
    assert!(without.status.success(), "the copy fails without a bug:\n{}", text(&without.stdout));
    let mut missed = Vec::new();
    for bug in BUGS {
        let output = cargo(&workspace, &[], bug.name, STEPS);
        match complaint(&output) {
            Some(complaint) => println!("{}: {}\n    found: {complaint}", bug.name, bug.what),
            None => missed.push(format!("{}: {}", bug.name, bug.what)),
        }
    }
    assert!(missed.is_empty(), "not found in {STEPS} steps:\n{}", missed.join("\n"));
}

/// What the first check to fail said.
fn complaint(output: &Output) -> Option<String> {
    let text = text(&output.stdout) + &text(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    let failed = lines.iter().position(|line| line.contains("panicked at"))?;
    let seed = lines.iter().find(|line| line.starts_with("seed "));
    // Without one the first check failed, before any step.
    let step = seed.map_or("at once", |seed| seed.split(':').next().unwrap_or(seed));
    let why = lines.get(failed + 1).filter(|_| !output.status.success())?;
    Some(format!("{step}: {why}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn cargo(workspace: &Path, arguments: &[&str], bug: &str, steps: &str) -> Output {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(workspace).args(["test", "--offline", "--quiet", "-p", "chestnut-kernel", "--test", "random"]);
    command.args(arguments).env("CHESTNUT_SEEDED_BUG", bug).env("CHESTNUT_RANDOM_STEPS", steps);
    // What the outer cargo was told about its own build isn't meant for this one.
    for variable in
        ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "RUST_BACKTRACE", "CHESTNUT_RANDOM_SEED"]
    {
        command.env_remove(variable);
    }
    command.output().expect("cargo runs")
}

/// A workspace of kernel and interface, with all bugs in it.
fn copy() -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the kernel is in the workspace");
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("seeded-bugs");
    for folder in ["abi/src", "kernel/src", "kernel/tests"] {
        _ = std::fs::remove_dir_all(to.join(folder));
    }
    for folder in ["abi/src", "kernel/src", "kernel/tests/machine"] {
        copy_folder(&from.join(folder), &to.join(folder));
    }
    for file in ["Cargo.lock", "abi/Cargo.toml", "kernel/Cargo.toml", "kernel/build.rs", "kernel/tests/random.rs"] {
        std::fs::copy(from.join(file), to.join(file)).unwrap_or_else(|why| panic!("{file}: {why}"));
    }
    let mut root = read(&from.join("Cargo.toml"));
    for list in ["\nmembers = [", "\ndefault-members = ["] {
        let start = root.find(list).expect("a list of members") + list.len();
        let end = start + root[start..].find(']').expect("its end");
        root.replace_range(start..end, "\"abi\", \"kernel\"");
    }
    write(&to.join("Cargo.toml"), &root);
    for bug in BUGS {
        put(bug, &to.join("kernel/src").join(bug.file));
    }
    let library = to.join("kernel/src/lib.rs");
    write(&library, &(read(&library) + SWITCH));
    to
}

/// Says which bug is on.
const SWITCH: &str = r#"
pub fn seeded(name: &str) -> bool {
    static ON: std::sync::OnceLock<std::string::String> = std::sync::OnceLock::new();
    ON.get_or_init(|| std::env::var("CHESTNUT_SEEDED_BUG").unwrap_or_default()) == name
}
"#;

fn put(bug: &Bug, file: &Path) {
    let source = read(file);
    let found = source.matches(bug.right).count();
    assert_eq!(found, 1, "{} isn't once in {}, for the bug {}", bug.right, bug.file, bug.name);
    let (condition, wrong, right) = (format!("if crate::seeded({:?})", bug.name), bug.wrong, bug.right);
    let both = match right.ends_with([';', '}']) && !right.starts_with("Refill") {
        true => format!("{condition} {{ {wrong} }} else {{ {right} }}"),
        false => format!("({condition} {{ {wrong} }} else {{ {right} }})"),
    };
    write(file, &source.replace(bug.right, &both));
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &to);
        } else {
            std::fs::copy(&path, &to).expect("a file can be copied");
        }
    }
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|why| panic!("{}: {why}", file.display()))
}

fn write(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
}
