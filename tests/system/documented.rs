//! No row of `docs/linux.md` without a test: each names the programs of `tests/programs` that make its call, and those must be in
//! the list of what is run, must make that call, and must use each flag and command that the row says works.
//!
//! What the programs' sources say is looked at, without their comments; that the calls do what they should is what the programs check,
//! on the host and in the guest.

use crate::shared::{Shared, while_doing};
use crate::table::c_programs;
use libtest_mimic::{Failed, Trial};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("programs::documented::every_row_has_its_tests", every_row_has_its_tests),
        Trial::test("programs::documented::missing_tests_are_found", missing_tests_are_found),
    ]
}

/// Calls that the C library's function of the same name doesn't make: it makes a newer one. Only a number makes these.
const BY_NUMBER: &[&str] = &[
    "adjtimex",
    "alarm",
    "brk",
    "clock_gettime",
    "creat",
    "eventfd",
    "exit",
    "faccessat2",
    "fork",
    "fstat",
    "futimesat",
    "getcpu",
    "getrlimit",
    "gettimeofday",
    "lstat",
    "mknod",
    "nanosleep",
    "open",
    "pipe",
    "select",
    "setrlimit",
    "settimeofday",
    "signalfd",
    "stat",
    "time",
    "utime",
    "utimes",
];

/// Functions of the C library that make a call of another name.
const BY_FUNCTION: &[(&str, &[&str])] = &[
    ("clock_adjtime", &["adjtimex"]),
    ("clock_nanosleep", &["nanosleep", "usleep", "sleep"]),
    ("clock_settime", &["settimeofday"]),
    ("clone", &["fork", "pthread_create"]),
    ("eventfd2", &["eventfd"]),
    ("exit", &["pthread_create"]),
    ("exit_group", &["_exit", "exit"]),
    ("fadvise64", &["posix_fadvise"]),
    ("getdents64", &["readdir"]),
    ("mknodat", &["mknod", "mkfifo"]),
    ("mq_getsetattr", &["mq_getattr", "mq_setattr"]),
    ("mq_timedreceive", &["mq_receive"]),
    ("mq_timedsend", &["mq_send"]),
    ("newfstatat", &["stat", "lstat", "fstat", "fstatat"]),
    ("openat", &["open"]),
    ("pipe2", &["pipe"]),
    ("pread64", &["pread"]),
    ("prlimit64", &["getrlimit", "setrlimit", "prlimit"]),
    ("pselect6", &["select", "pselect"]),
    ("pwrite64", &["pwrite"]),
    ("recvfrom", &["recv"]),
    ("rt_sigaction", &["sigaction", "signal"]),
    ("rt_sigpending", &["sigpending"]),
    ("rt_sigprocmask", &["sigprocmask", "pthread_sigmask"]),
    ("rt_sigqueueinfo", &["sigqueue"]),
    // A handler ends with it.
    ("rt_sigreturn", &["sigaction"]),
    ("rt_sigsuspend", &["sigsuspend"]),
    ("rt_sigtimedwait", &["sigtimedwait", "sigwaitinfo", "sigwait"]),
    ("sendto", &["send"]),
    ("signalfd4", &["signalfd"]),
    ("syslog", &["klogctl"]),
    ("tgkill", &["raise", "pthread_kill"]),
    ("umount2", &["umount"]),
    ("wait4", &["wait", "waitpid"]),
];

/// Words in capitals in the column of what works that name no flag or command.
const NO_FLAGS: &[&str] = &["AF_UNIX", "ELF", "IPC", "PID", "PIE", "PT_INTERP", "SIGPIPE", "SIGXFSZ", "SYSV"];

/// A row of a table of calls.
struct Row<'a> {
    call: &'a str,
    works: &'a str,
    programs: Vec<&'a str>,
}

fn rows(text: &str) -> impl Iterator<Item = Row<'_>> {
    text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").map(str::trim).collect();
        cells.first()?.parse::<u16>().ok()?;
        let (call, works, programs) = (cells.get(1)?, cells.get(2)?, cells.get(4).copied().unwrap_or_default());
        Some(Row { call, works, programs: programs.split_whitespace().collect() })
    })
}

/// What a program's source says.
struct Source {
    words: BTreeSet<String>,
    /// Words with a parenthesis behind them.
    functions: BTreeSet<String>,
}

impl Source {
    fn new(text: &str) -> Source {
        let mut source = Source { words: BTreeSet::new(), functions: BTreeSet::new() };
        let mut word = String::new();
        for sign in without_comments(text).chars().chain(['\n']) {
            if sign.is_ascii_alphanumeric() || sign == '_' {
                word.push(sign);
            } else if !word.is_empty() {
                if sign == '(' {
                    source.functions.insert(word.clone());
                }
                source.words.insert(std::mem::take(&mut word));
            }
        }
        source
    }

    fn makes(&self, call: &str) -> bool {
        let functions = BY_FUNCTION.iter().filter(|(name, _)| *name == call).flat_map(|(_, functions)| *functions);
        let own = Some(call).filter(|name| !BY_NUMBER.contains(name));
        let mut functions = functions.copied().chain(own);
        self.words.contains(&format!("SYS_{call}")) || functions.any(|function| self.functions.contains(function))
    }

    /// The prefix that a group of flags has may be left out in a row.
    fn uses(&self, flag: &str) -> bool {
        self.words.contains(flag)
            || self.words.iter().any(|word| word.strip_suffix(flag).is_some_and(|prefix| prefix.ends_with('_')))
    }
}

fn without_comments(text: &str) -> String {
    let mut plain = String::new();
    for line in text.lines() {
        let mut code = line.split("//").next().unwrap_or_default();
        while let Some((before, after)) = code.split_once("/*") {
            plain.push_str(before);
            code = after.split_once("*/").map_or("", |(_, rest)| rest);
        }
        plain.push_str(code);
        plain.push('\n');
    }
    plain
}

/// Flags and commands that a cell names: words of capitals, but errors.
fn flags(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_').filter(|word| {
        let capitals = word.len() > 2
            && word.chars().all(|sign| sign.is_ascii_uppercase() || sign.is_ascii_digit() || sign == '_');
        let starts = word.starts_with(|sign: char| sign.is_ascii_uppercase() || sign == '_');
        // "their _EX forms", "F_OFD_ forms"
        let part = word.ends_with('_') || (word.starts_with('_') && !word.starts_with("__"));
        let error = word.starts_with('E') && !word.contains('_') && *word != "EXCL";
        capitals && starts && !part && !error && !NO_FLAGS.contains(word)
    })
}

/// What a row lacks.
fn lacking(row: &Row<'_>, sources: &BTreeMap<&str, Source>) -> Vec<String> {
    let mut lacking = Vec::new();
    if row.programs.is_empty() {
        lacking.push("no program is named".to_owned());
    }
    for name in &row.programs {
        match sources.get(name) {
            None => lacking.push(format!("{name} isn't run")),
            Some(source) if !source.makes(row.call) => lacking.push(format!("{name} doesn't make the call")),
            Some(_) => {}
        }
    }
    let named: Vec<&Source> = row.programs.iter().filter_map(|name| sources.get(name)).collect();
    for flag in flags(row.works) {
        if !named.iter().any(|source| source.uses(flag)) {
            lacking.push(format!("{flag} isn't used"));
        }
    }
    lacking
}

fn every_row_has_its_tests() -> Result<(), Failed> {
    let text = include_str!("../../docs/linux.md");
    let mut sources = BTreeMap::new();
    for name in c_programs() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(format!("{name}.c"));
        let source: Shared<String> =
            while_doing(&format!("reading {}", path.display()), std::fs::read_to_string(&path));
        sources.insert(name, Source::new(&source?));
    }
    let (mut count, mut flag_count, mut bad) = (0, 0, Vec::new());
    for row in rows(text) {
        count += 1;
        flag_count += flags(row.works).count();
        let lacking = lacking(&row, &sources);
        if !lacking.is_empty() {
            bad.push(format!("{}: {}", row.call, lacking.join(", ")));
        }
    }
    println!("{count} calls, {flag_count} flags and commands");
    if bad.is_empty() && count > 250 && flag_count > 350 {
        return Ok(());
    }
    Err(format!("{count} rows of docs/linux.md, {flag_count} flags; not tested:\n{}", bad.join("\n")).into())
}

/// The test above does find what is missing.
fn missing_tests_are_found() -> Result<(), Failed> {
    let source = "#include \"expect.h\"\n// tee( and SYS_sync here\nint main(void) {\n open(\"x\", O_RDONLY /* O_EXCL */); splice(1); }";
    let sources = BTreeMap::from([("one", Source::new(source))]);
    let lacks = |line: &str| {
        let row = rows(line).next().ok_or("no row")?;
        Ok::<_, Failed>(lacking(&row, &sources).join(", "))
    };
    let checks = [
        ("| 275 | splice | whole | EINVAL | one |", ""),
        ("| 257 | openat | RDONLY |  | one |", ""),
        ("| 2 | open | whole |  | one |", "one doesn't make the call"),
        ("| 276 | tee | whole |  | one |", "one doesn't make the call"),
        ("| 162 | sync | whole |  | one |", "one doesn't make the call"),
        ("| 257 | openat | O_EXCL, EPIPE |  | one |", "O_EXCL isn't used"),
        ("| 275 | splice | whole |  | two |", "two isn't run"),
        ("| 275 | splice | whole |  |", "no program is named"),
    ];
    for (line, wanted) in checks {
        let found = lacks(line)?;
        if found != wanted {
            return Err(format!("{line}: {found:?} and not {wanted:?}").into());
        }
    }
    Ok(())
}
