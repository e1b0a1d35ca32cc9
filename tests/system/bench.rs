//! `cargo run -- bench` as a user sees it: rows, both systems' figures, files to compare with, mistakes in names.

use crate::AS_LAUNCHER;
use crate::shared::{Shared, system, while_doing};
use libtest_mimic::{Failed, Trial};
use std::process::{Command, Output, Stdio};

type Check = fn() -> Result<(), Failed>;

const TESTS: &[(&str, Check)] = &[
    ("help", help),
    ("list", list),
    ("unknown_row", unknown_row),
    ("unreadable_record", unreadable_record),
    ("figures_are_repeatable", figures_are_repeatable),
    ("debian_beside", debian_beside),
    ("footprint", footprint),
    ("functions", functions),
];

pub fn trials() -> Vec<Trial> {
    TESTS.iter().map(|(name, check)| Trial::test(format!("bench::{name}"), check)).collect()
}

/// `bench` with these arguments, as a process of its own.
fn bench(arguments: &[&str]) -> Shared<Output> {
    // Built here, once, so that the process builds nothing.
    system()?;
    let mut command = Command::new(while_doing("finding the test program", std::env::current_exe())?);
    command.arg(AS_LAUNCHER).arg("bench").args(arguments).stdin(Stdio::null());
    while_doing("running the launcher", command.output())
}

/// Standard output of a run that ended well.
fn success(arguments: &[&str]) -> Shared<String> {
    let output = bench(arguments)?;
    if !output.status.success() {
        return Err(format!("{}:\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The run must fail and say all of this.
fn complaint(arguments: &[&str], words: &[&str]) -> Result<(), Failed> {
    let output = bench(arguments)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let lacking = words.iter().find(|word| !said.contains(**word));
    match (lacking, output.status.code()) {
        (None, Some(125)) => Ok(()),
        (lacking, _) => Err(format!("{}, without {lacking:?}:\n{said}", output.status).into()),
    }
}

/// The words of a row of the table.
fn row<'t>(table: &'t str, name: &str) -> Shared<Vec<&'t str>> {
    let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.find(|words| words.first() == Some(&name)).ok_or_else(|| format!("no row \"{name}\" in\n{table}"))
}

fn number(words: &[&str], index: usize) -> Shared<u64> {
    words.get(index).and_then(|word| word.parse().ok()).ok_or_else(|| format!("no number {index} in {words:?}"))
}

fn help() -> Result<(), Failed> {
    let help = success(&["--help"])?;
    for word in ["NAMES", "--json", "--compare", "--realtime", "--kvm", "--cpu", "--markdown", "--alone", "--functions"]
    {
        if !help.contains(word) {
            return Err(format!("\"{word}\" isn't in the help:\n{help}").into());
        }
    }
    Ok(())
}

fn list() -> Result<(), Failed> {
    let list = success(&["--list"])?;
    for name in ["getpid", "pipe-round-trip", "fork-exec-wait", "fault-copy-on-write", "epoll-100", "gzip"] {
        if row(&list, name)?.len() < 2 {
            return Err(format!("{name} isn't explained").into());
        }
    }
    Ok(())
}

fn unknown_row() -> Result<(), Failed> {
    complaint(&["getpid", "gitpid"], &["no benchmark \"gitpid\"", "getpid", "fork-exit-wait"])
}

fn unreadable_record() -> Result<(), Failed> {
    complaint(&["getpid", "--compare", "/no/such/file"], &["reading /no/such/file"])?;
    complaint(&["getpid", "--compare", "/dev/null"], &["/dev/null wasn't written by `bench --json`"])
}

fn figures_are_repeatable() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let (first, markdown) = (folder.path().join("first.json"), folder.path().join("table.md"));
    let (first, markdown) = (first.to_str().ok_or("not UTF-8")?, markdown.to_str().ok_or("not UTF-8")?);
    let rows = ["--alone", "getpid", "lseek", "pipe-round-trip"];
    let table = success(&[&rows[..], &["--json", first, "--markdown", markdown]].concat())?;
    let (getpid, lseek) = (row(&table, "getpid")?, row(&table, "lseek")?);
    if number(&getpid, 1)? == 0 || number(&lseek, 2)? <= number(&getpid, 2)? {
        return Err(format!("strange figures:\n{table}").into());
    }
    let written = std::fs::read_to_string(markdown)?;
    if !written.contains("| getpid ") {
        return Err(format!("strange Markdown:\n{written}").into());
    }
    let again = success(&[&rows[..], &["--compare", first]].concat())?;
    if again.contains("unchanged: 3\n") { Ok(()) } else { Err(format!("{table}\nand then\n{again}").into()) }
}

fn debian_beside() -> Result<(), Failed> {
    let table = success(&["getpid", "unknown-call"])?;
    let words = row(&table, "unknown-call")?;
    // Chestnut's minimum and median, Debian's, their ratio.
    let ratio: f64 = words.get(5).and_then(|word| word.parse().ok()).ok_or("no ratio")?;
    let (ours, theirs) = (number(&words, 2)?, number(&words, 4)?);
    let expected = ours as f64 / theirs as f64;
    if ours > 0 && theirs > 0 && (ratio - expected).abs() < 0.01 { Ok(()) } else { Err(table.into()) }
}

fn footprint() -> Result<(), Failed> {
    let table = success(&["--footprint", "lseek"])?;
    let words = row(&table, "lseek")?;
    // Entries to the kernel are at least the program's call and the server's; lines and pages are fewer than instructions.
    let (kernel, entries, code_lines) = (number(&words, 1)?, number(&words, 3)?, number(&words, 5)?);
    if entries >= 2 && kernel > code_lines && code_lines > 0 { Ok(()) } else { Err(table.into()) }
}

/// Each instruction of a row is in its table, and it is known whose it is.
fn functions() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let markdown = folder.path().join("table.md");
    let rows = ["getpid", "lseek"];
    let marks = ["<!-- functions -->", "<!-- end of functions -->"];
    std::fs::write(&markdown, format!("before\n{}\nold\n{}\nbehind\n", marks[0], marks[1]))?;
    let file = markdown.to_str().ok_or("not UTF-8")?;
    let said = success(&[&["--functions", "--markdown", file], &rows[..]].concat())?;
    let written = std::fs::read_to_string(&markdown)?;
    let rest = written.strip_prefix("before\n<!-- functions -->\n").ok_or("what was before is gone")?;
    let tables = rest.strip_suffix("\n<!-- end of functions -->\nbehind\n").ok_or("what was behind is gone")?;
    if said.contains("unknown")
        || !["| kernel ", "| linux-server ", "| trampoline "].iter().all(|image| tables.contains(image))
    {
        return Err(said.into());
    }
    for name in rows {
        let table = tables.split("### ").find(|table| table.starts_with(&format!("{name}: ")));
        let table = table.ok_or_else(|| format!("no table of {name}:\n{tables}"))?;
        let figure: i64 = table.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or("no figure")?;
        let cells = table.lines().filter_map(|line| line.strip_suffix(" |")?.rsplit(' ').next());
        let sum: i64 = cells.filter_map(|cell| cell.parse::<i64>().ok()).sum();
        if figure == 0 || sum != figure {
            return Err(format!("the lines make {sum}:\n{table}").into());
        }
    }
    Ok(())
}
