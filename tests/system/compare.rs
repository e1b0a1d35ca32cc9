//! Runs a command line on the host and in the guest, and compares what it did.
//!
//! Both sides start in a fresh copy of the same folder (`tests/programs/folder`), with the same arguments, input and
//! environment; only PATH differs, which leads to the same BusyBox applets on both. Many command lines share a boot.

use crate::debian::{self, Tree};
use crate::is_wanted;
use crate::programs::Program;
use crate::schedule::Test;
use crate::shared::{Shared, explain, system, while_doing};
use chestnut::batch::{self, Outcome};
use chestnut::machine::Settings;
use chestnut::program::PATH;
use chestnut::root_files::Kind;
use chestnut::system::System;
use chestnut_manifest::Stdio;
use libtest_mimic::{Arguments, Failed, Trial};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

/// For one command, in the guest and on the host.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// How many command lines share a boot.
const BATCH: usize = 16;
/// The guest's copies of the folder are below this.
const GUEST_CASES: &str = "/tmp/cases";

/// One command line.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub program: Program,
    pub arguments: Vec<String>,
    pub input: Vec<u8>,
    /// Another program that it starts, to be put into the guest.
    pub starts: Option<Program>,
    /// What lies in its working folder besides the fixture.
    pub files: Vec<Extra>,
    /// Instead of what the host does, where the host can't be made to do it.
    pub expected: Option<Outcome>,
}

/// A further file of a working folder, of the same name on both sides.
#[derive(Clone, Copy, Debug)]
pub enum Extra {
    /// A file of `tests/programs`.
    Source(&'static str),
    Program(Program),
}

impl Extra {
    /// Its name in the working folder.
    pub fn name(self) -> &'static str {
        match self {
            Extra::Program(program) => program.name(),
            Extra::Source(path) => path.rsplit('/').next().unwrap_or(path),
        }
    }

    /// Its name in the working folder, and the file of the host that it is a copy of.
    fn file(self) -> Shared<(&'static str, PathBuf)> {
        let file = match self {
            Extra::Program(program) => program.host_path()?,
            Extra::Source(path) => Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(path),
        };
        Ok((self.name(), file))
    }
}

/// Tests of those cases that the arguments select, spread over as few boots as needed.
pub fn trials(arguments: &Arguments, settings: &Settings, cases: Vec<Case>) -> Vec<Test> {
    let cases: Vec<Case> = cases.into_iter().filter(|case| is_wanted(arguments, &case.name)).collect();
    let count = cases.len().div_ceil(BATCH);
    let mut batches: Vec<Vec<Case>> = vec![Vec::new(); count];
    for (index, case) in cases.iter().enumerate() {
        batches[index % count].push(case.clone());
    }
    let batches: Vec<Arc<Batch>> = batches.into_iter().map(|cases| Arc::new(Batch::new(settings, cases))).collect();
    let test = |(index, case): (usize, Case)| {
        let batch = batches[index % count].clone();
        let seconds = batch.seconds();
        let trial = Trial::test(case.name.clone(), move || batch.check(index / count));
        if index < count { Test::leading(seconds, trial) } else { Test::following(trial) }
    };
    cases.into_iter().enumerate().map(test).collect()
}

/// Command lines that share a boot.
struct Batch {
    settings: Settings,
    cases: Vec<Case>,
    outcomes: OnceLock<Shared<Outcomes>>,
}

/// What each command line of a batch did.
struct Outcomes {
    in_guest: Vec<Result<Outcome, String>>,
    /// Or what it should do.
    on_host: Vec<Shared<Outcome>>,
}

impl Batch {
    fn new(settings: &Settings, cases: Vec<Case>) -> Batch {
        Batch { settings: settings.clone(), cases, outcomes: OnceLock::new() }
    }

    /// Compares one case.
    fn check(&self, index: usize) -> Result<(), Failed> {
        let outcomes = self.outcomes.get_or_init(|| self.on_both()).as_ref().map_err(Clone::clone)?;
        let expected = outcomes.on_host[index].as_ref().map_err(Clone::clone)?;
        let mut found = outcomes.in_guest[index].as_ref().map_err(Clone::clone)?.clone();
        if self.cases[index].expected.is_some() {
            found.stderr = without_numbers_of_killed(&found.stderr);
        }
        if found == *expected {
            return Ok(());
        }
        Err(difference(expected, &found).into())
    }

    /// How long its boot takes, about.
    fn seconds(&self) -> u32 {
        let seconds = |case: &Case| if case.program.tree() == Some(Tree::WithPython) { 3 } else { 1 };
        self.cases.iter().map(seconds).sum()
    }

    /// The host has little to do: it does so beside the guest, so that programs that wait don't hold up anything.
    fn on_both(&self) -> Shared<Outcomes> {
        let expected = |case: &Case| case.expected.clone().map_or_else(|| on_host(case), Ok);
        std::thread::scope(|scope| {
            let host = scope.spawn(|| self.cases.iter().map(expected).collect());
            let in_guest = self.in_guest()?;
            let on_host = while_doing("running programs on the host", host.join().map_err(|_| "panicked"))?;
            Ok(Outcomes { in_guest, on_host })
        })
    }

    fn in_guest(&self) -> Shared<Vec<Result<Outcome, String>>> {
        let mut system: System = system()?.clone();
        let programs = || self.cases.iter().flat_map(|case| [Some(case.program), case.starts]).flatten();
        let trees: Vec<Tree> = programs().filter_map(Program::tree).collect();
        // The bigger tree holds the smaller one.
        if let Some(tree) = [Tree::WithPython, Tree::Base].into_iter().find(|tree| trees.contains(tree)) {
            debian::add(&mut system.files, tree)?;
        }
        for program in programs().filter(|program| program.tree().is_none()) {
            system.files.copy(&program.guest_path(), &program.host_path()?).map_err(explain)?;
        }
        let mut commands = Vec::new();
        for (index, case) in self.cases.iter().enumerate() {
            let folder = format!("{GUEST_CASES}/{index}");
            system.files.add(&folder, Kind::Folder, 0o755);
            system.files.copy_tree(&folder, &fixture(), &mut Vec::new()).map_err(explain)?;
            for extra in &case.files {
                let (name, file) = extra.file()?;
                system.files.copy(&format!("{folder}/{name}"), &file).map_err(explain)?;
            }
            let guest_path = case.program.tree().map_or(PATH, |_| debian::GUEST_PATH);
            commands.push(chestnut_manifest::Command {
                program: case.program.guest_path(),
                arguments: argv(case).map(|word| word.as_bytes().to_vec()).collect(),
                environment: environment(guest_path).map(String::into_bytes).into(),
                directory: folder,
                stdio: Stdio::Input(case.input.clone()),
            });
        }
        batch::run(&system, &self.settings, &commands, TIME_LIMIT).map_err(explain)
    }
}

fn argv(case: &Case) -> impl Iterator<Item = &str> {
    std::iter::once(case.program.name()).chain(case.arguments.iter().map(String::as_str))
}

fn environment(path: &str) -> [String; 4] {
    [format!("PATH={path}"), "HOME=/".to_owned(), "TERM=dumb".to_owned(), "TZ=UTC0".to_owned()]
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/folder")
}

/// What the program does on this machine.
fn on_host(case: &Case) -> Shared<Outcome> {
    let applets = applets()?;
    let folder = while_doing("making a folder for the host's run", tempfile::tempdir())?;
    while_doing("copying the folder of the host's run", copy(&fixture(), folder.path()))?;
    for extra in &case.files {
        let (name, file) = extra.file()?;
        while_doing("copying a file of the host's run", std::fs::copy(file, folder.path().join(name)))?;
    }
    let mut command = Command::new(case.program.host_path()?);
    command.arg0(case.program.name()).args(&case.arguments).current_dir(folder.path());
    command.env_clear();
    let path = match case.program.tree() {
        Some(_) => format!("{}:{}", debian::root()?.join(debian::PROGRAMS).display(), applets.display()),
        None => applets.display().to_string(),
    };
    for variable in environment(&path) {
        let (name, value) = variable.split_once('=').unwrap_or_default();
        command.env(name, value);
    }
    let piped = std::process::Stdio::piped;
    command.stdin(piped()).stdout(piped()).stderr(piped());
    let mut child = while_doing("starting the program on the host", command.spawn())?;
    let stdin = child.stdin.take();
    let input = case.input.clone();
    let feeder = std::thread::spawn(move || {
        // A program that doesn't read all of its input is no failure.
        let _ = stdin.map(|mut stdin| stdin.write_all(&input));
    });
    let process = Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(TIME_LIMIT) else {
        while_doing("ending the program on the host", kill_process(process, Signal::KILL))?;
        return Err(format!("on the host the program didn't end within {} s", TIME_LIMIT.as_secs()));
    };
    let output = while_doing("running the program on the host", output)?;
    while_doing("feeding the program on the host", feeder.join().map_err(|_| "panicked"))?;
    let status = output.status.code().or_else(|| output.status.signal().map(|signal| 128 + signal));
    let status = status.and_then(|status| u8::try_from(status).ok()).ok_or("the host's program ended strangely")?;
    Ok(Outcome { stdout: output.stdout, stderr: output.stderr, status })
}

/// A folder with a link to BusyBox for each applet, for PATH.
pub fn applets() -> Shared<&'static Path> {
    static FOLDER: OnceLock<Shared<tempfile::TempDir>> = OnceLock::new();
    let make = || {
        let busybox = Program::Busybox.host_path()?;
        let folder = while_doing("making a folder for applets", tempfile::tempdir())?;
        let list = while_doing("listing applets", Command::new(&busybox).arg("--list").output())?;
        for applet in String::from_utf8_lossy(&list.stdout).lines() {
            while_doing("linking an applet", std::os::unix::fs::symlink(&busybox, folder.path().join(applet)))?;
        }
        Ok(folder)
    };
    FOLDER.get_or_init(make).as_ref().map(tempfile::TempDir::path).map_err(Clone::clone)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Standard error with `N` for each number in lines about processes that were killed for their memory: how much they had by then
/// isn't always the same.
fn without_numbers_of_killed(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let is_about_it = line.starts_with(b"chestnut: Out of memory: ");
        for (place, &byte) in line.iter().enumerate() {
            let is_digit = is_about_it && byte.is_ascii_digit();
            if !is_digit {
                plain.push(byte);
            } else if !line[..place].last().is_some_and(u8::is_ascii_digit) {
                plain.push(b'N');
            }
        }
    }
    plain
}

fn difference(host: &Outcome, guest: &Outcome) -> String {
    let mut text = String::new();
    for (what, host, guest) in
        [("standard output", &host.stdout, &guest.stdout), ("standard error", &host.stderr, &guest.stderr)]
    {
        if host != guest {
            text.push_str(&format!("{what} on the host:\n{}\nin the guest:\n{}\n", shown(host), shown(guest)));
        }
    }
    if host.status != guest.status {
        text.push_str(&format!("exit status on the host: {}, in the guest: {}\n", host.status, guest.status));
    }
    if host.stderr == guest.stderr && !guest.stderr.is_empty() {
        text.push_str(&format!("standard error on both:\n{}\n", shown(&guest.stderr)));
    }
    text
}

/// Long output is cut: what matters is near its beginning.
fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 2000;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MOST)]).into_owned();
    if bytes.len() > MOST { format!("{text}\n… ({} bytes)", bytes.len()) } else { text }
}
