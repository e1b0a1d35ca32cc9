//! Booting: by each protocol, what the kernel finds and keeps, how it maps itself, and `cargo run -- boot`.

use crate::AS_LAUNCHER;
use crate::calls;
use crate::kernel::images;
use crate::shared::{Shared, explain, while_doing};
use chestnut::boot::{run_alone, run_from};
use chestnut::disc;
use chestnut::machine::{Medium, MemorySize, RootTask, Settings};
use chestnut::pump::{Event, Pump};
use chestnut::setup::UEFI;
use libtest_mimic::{Failed, Trial};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

type Check = fn() -> Result<(), Failed>;

const TESTS: &[(&str, Check)] = &[
    ("direct", direct),
    ("disc_by_bios", disc_by_bios),
    ("disc_by_uefi", disc_by_uefi),
    ("features_of_qemu64", features_of_qemu64),
    ("features_of_max", features_of_max),
    ("memory_kept", memory_kept),
    ("kernel_pages_of_qemu64", kernel_pages_of_qemu64),
    ("kernel_pages_of_max", kernel_pages_of_max),
    ("command_ends_with_the_root_tasks_status", command_ends_with_the_root_tasks_status),
    ("command_ends_at_ctrl_bracket", command_ends_at_ctrl_bracket),
    ("command_without_a_root_task", command_without_a_root_task),
];

/// For what ends as soon as something has been printed, and for a whole run of the kernel's tests.
const LIMIT: Duration = Duration::from_secs(60);
const RUN_LIMIT: Duration = Duration::from_secs(600);
/// What the kernel's tests print first.
const FIRST_LINE: &str = " tests";
/// What they log first. The log's lines come whole; what they print may be cut by one of these.
const FIRST_LOGGED: &str = "boot::";
/// KiB of RAM that the kernel may keep.
const MOST_KEPT: u64 = 1024;

pub fn trials() -> Vec<Trial> {
    TESTS.iter().map(|(name, check)| Trial::test(format!("boot::{name}"), check)).collect()
}

fn settings(cpu: &str) -> Settings {
    let emulator_arguments = ["-append", "log=info"].map(OsString::from).to_vec();
    Settings { cpu: cpu.to_owned(), emulator_arguments, ..Settings::default() }
}

/// What the kernel says on a machine of this kind before the root task speaks.
fn boot_report(settings: &Settings) -> Shared<String> {
    let (kernel, root_task) = images()?;
    let pump = Pump::start(settings, &kernel, RootTask::File(root_task)).map_err(explain)?;
    Ok(read_until(pump, FIRST_LINE)?.0)
}

/// Reads COM1 up to a text.
fn read_until(mut pump: Pump, text: &str) -> Shared<(String, Pump)> {
    let deadline = Some(Instant::now() + LIMIT);
    let mut output = String::new();
    while !output.contains(text) {
        match pump.next(deadline).map_err(explain)? {
            Event::Terminal(bytes) => output.push_str(&String::from_utf8_lossy(&bytes)),
            Event::TimeUp | Event::Ended(_) => return Err(format!("{text:?} was not printed:{}", pump.last_words())),
            _ => {}
        }
    }
    Ok((output, pump))
}

fn expect(report: &str, text: &str) -> Result<(), Failed> {
    if report.contains(text) { Ok(()) } else { Err(format!("{text:?} isn't in what was printed:\n{report}").into()) }
}

fn direct() -> Result<(), Failed> {
    expect(&boot_report(&settings("max"))?, "booted by PVH")
}

/// The kernel's tests run to their end when a boot loader starts them from a disc.
fn from_disc(firmware: Option<PathBuf>) -> Result<(), Failed> {
    let (kernel, root_task) = images()?;
    let folder = tempfile::tempdir()?;
    let image = folder.path().join("boot.iso");
    disc::make(&image, &kernel, &root_task, "log=info").map_err(explain)?;
    let transcript = run_from(&Settings::default(), Medium::Disc { image, firmware }, RUN_LIMIT).map_err(explain)?;
    expect(&transcript.output, "booted by multiboot2")?;
    expect(&transcript.output, "\ndone\n")?;
    transcript.end.map_err(Failed::from)?;
    Ok(())
}

fn disc_by_bios() -> Result<(), Failed> {
    from_disc(None)
}

fn disc_by_uefi() -> Result<(), Failed> {
    from_disc(Some(UEFI.into()))
}

/// The features that the kernel says it uses.
fn features(cpu: &str) -> Shared<Vec<String>> {
    let report = boot_report(&settings(cpu))?;
    let line = report.lines().find(|line| line.trim_start().starts_with("TSC ")).ok_or("no line begins with TSC")?;
    let (_, names) = line.split_once(';').ok_or("no features are listed")?;
    Ok(names.split_whitespace().map(str::to_owned).collect())
}

fn expect_features(cpu: &str, expected: &[&str]) -> Result<(), Failed> {
    let found = features(cpu)?;
    if found == expected { Ok(()) } else { Err(format!("expected {expected:?}, found {found:?}").into()) }
}

fn features_of_qemu64() -> Result<(), Failed> {
    expect_features("qemu64", &["PGE"])
}

fn features_of_max() -> Result<(), Failed> {
    expect_features("max", &["1GiB-pages", "PGE", "FSGSBASE", "SMEP", "SMAP", "UMIP"])
}

fn memory_kept() -> Result<(), Failed> {
    for (cpu, mebibytes) in [("qemu64", 1024), ("max", 1024), ("qemu64", 4096)] {
        let report = boot_report(&Settings { memory: MemorySize(mebibytes), ..settings(cpu) })?;
        let after = report.split("kept for the kernel itself: ").nth(1).ok_or("what is kept isn't printed")?;
        let kept: u64 = after.split(' ').next().unwrap_or_default().parse()?;
        if kept > MOST_KEPT {
            return Err(format!("of {mebibytes} MiB the kernel keeps {kept} KiB on {cpu}").into());
        }
    }
    Ok(())
}

/// The translations in use while the root task runs, as the emulator's monitor lists them: address and flags.
fn translations(cpu: &str) -> Shared<Vec<(u64, String)>> {
    let folder = while_doing("making a folder", tempfile::tempdir())?;
    let socket = folder.path().join("monitor");
    let (kernel, root_task) = images()?;
    let mut settings = settings(cpu);
    let chardev = format!("socket,id=monitor,path={},server=on,wait=off", socket.display());
    settings.emulator_arguments.extend(["-chardev", &chardev, "-mon", "chardev=monitor"].map(OsString::from));
    let pump = Pump::start(&settings, &kernel, RootTask::File(root_task)).map_err(explain)?;
    let (_, _pump) = read_until(pump, FIRST_LINE)?;
    let mut monitor = while_doing("reaching the monitor", UnixStream::connect(&socket))?;
    while_doing("asking the monitor", monitor.write_all(b"stop\ninfo tlb\nprint 0x5eed\n"))?;
    while_doing("limiting the wait", monitor.set_read_timeout(Some(LIMIT)))?;
    let mut answer = String::new();
    let mut buffer = [0; 4096];
    // The question's echo has a space in front.
    while !answer.contains("\n0x5eed") {
        let length = while_doing("reading the monitor's answer", monitor.read(&mut buffer))?;
        if length == 0 {
            return Err("the monitor's answer ends too early".to_owned());
        }
        answer.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    // Such as `ffffffff80107000: 0000000000107000 -G-DA----`.
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let address = u64::from_str_radix(words.next()?.strip_suffix(':')?, 16).ok()?;
        u64::from_str_radix(words.next()?, 16).ok()?;
        Some((address, words.next()?.to_owned()))
    };
    Ok(answer.lines().filter_map(line).collect())
}

/// Of the kernel, user mode reaches nothing, and what can be written can't be executed.
fn kernel_pages(cpu: &str) -> Result<(), Failed> {
    let translations = translations(cpu)?;
    let (kernel, user): (Vec<_>, Vec<_>) = translations.iter().partition(|(address, _)| address >> 63 == 1);
    // The flags are X (no execute), G, P (large), D, A, C, T, U, W.
    let code = kernel.iter().filter(|(_, flags)| !flags.starts_with('X')).count();
    if code == 0 || code == kernel.len() || user.iter().any(|(_, flags)| !flags.contains('U')) || user.is_empty() {
        let (kernel, user) = (kernel.len(), user.len());
        return Err(format!("the list makes no sense: {kernel} kernel pages, {code} of code, {user} user pages").into());
    }
    for (address, flags) in kernel {
        let (executable, writable) = (!flags.starts_with('X'), flags.contains('W'));
        if flags.contains('U') || executable && writable || !flags.contains('G') {
            return Err(format!("{address:#x} is mapped {flags}").into());
        }
    }
    Ok(())
}

fn kernel_pages_of_qemu64() -> Result<(), Failed> {
    kernel_pages("qemu64")
}

fn kernel_pages_of_max() -> Result<(), Failed> {
    kernel_pages("max")
}

/// `boot` with a root task and these further arguments.
fn command(root_task: PathBuf, more: &[&str]) -> Shared<Vec<OsString>> {
    let mut arguments: Vec<OsString> = vec![AS_LAUNCHER.into(), "boot".into(), root_task.into()];
    arguments.extend(more.iter().map(OsString::from));
    Ok(arguments)
}

fn this_program() -> Shared<PathBuf> {
    while_doing("finding the test program", std::env::current_exe())
}

fn command_ends_with_the_root_tasks_status() -> Result<(), Failed> {
    // One that is soon done.
    let (kernel, tests) = images()?;
    let root_task = tests.with_file_name(calls::PROGRAM);
    let arguments =
        command(root_task.clone(), &["--timeout", "590", "--kernel", "release", "--", "-append", "log=info"])?;
    let output = Command::new(this_program()?).args(arguments).stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let alone = run_alone(&settings("max"), &kernel, &root_task, RUN_LIMIT).map_err(explain)?;
    expect(&text, "booted by PVH")?;
    expect(&text, "\ndone\n")?;
    let (found, expected) = (output.status.code(), alone.end.map(i32::from).ok());
    if found.is_some() && found == expected {
        Ok(())
    } else {
        Err(format!("ended with {found:?}, not {expected:?}").into())
    }
}

fn command_ends_at_ctrl_bracket() -> Result<(), Failed> {
    let pair = native_pty_system().openpty(PtySize::default()).map_err(explain)?;
    let mut launcher = CommandBuilder::new(this_program()?);
    let (_, root_task) = images()?;
    launcher.args(command(root_task, &["--timeout", "60"])?);
    let mut child = pair.slave.spawn_command(launcher).map_err(explain)?;
    drop(pair.slave);
    let mut screen = pair.master.try_clone_reader().map_err(explain)?;
    let mut keyboard = pair.master.take_writer().map_err(explain)?;
    let mut output = Vec::new();
    let mut buffer = [0; 1024];
    while !String::from_utf8_lossy(&output).contains(FIRST_LOGGED) {
        match screen.read(&mut buffer) {
            Ok(length @ 1..) => output.extend_from_slice(&buffer[..length]),
            _ => return Err(format!("ended too early:\n{}", String::from_utf8_lossy(&output)).into()),
        }
    }
    keyboard.write_all(b"\x1d")?;
    let reader = std::thread::spawn(move || std::io::copy(&mut screen, &mut std::io::sink()));
    let status = child.wait()?;
    drop((keyboard, pair.master));
    // The terminal's end is an error for the reader, too.
    let _ = reader.join();
    if status.exit_code() == 130 { Ok(()) } else { Err(format!("ended with {}", status.exit_code()).into()) }
}

fn command_without_a_root_task() -> Result<(), Failed> {
    let mut launcher = Command::new(this_program()?);
    let output = launcher.args([AS_LAUNCHER, "boot", "/no/such/file"]).stdin(Stdio::null()).output()?;
    expect(&String::from_utf8_lossy(&output.stderr), "there is no root task /no/such/file")?;
    if output.status.code() == Some(125) { Ok(()) } else { Err(format!("ended with {}", output.status).into()) }
}
