//! The command line.

use crate::bench;
use crate::boot::boot;
use crate::compile::{self, Variant};
use crate::machine::{MemorySize, Settings};
use crate::program::{self, CannotRun, HOME, PATH};
use crate::root_files::RootFiles;
use crate::session::{self, Options};
use crate::setup::ensure_emulator;
use crate::system::System;
use crate::terminal::is_interactive;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use chestnut_manifest::{Command, Stdio};
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Exit status if the launcher itself can't do what it was asked for, as of env(1) and timeout(1).
const LAUNCHER_FAILED: u8 = 125;

/// Chestnut: a capability microkernel that runs unmodified Linux programs.
///
/// Without a command it boots the whole system in the emulator and hands over a Linux shell. What is missing for that (a
/// Rust target, the emulator, a Linux userland) is fetched first; everything is built first. `exit` or Ctrl-D in the
/// shell ends it; Ctrl-] three times ends it whatever the guest does.
#[derive(Parser, Debug)]
#[command(name = "chestnut", bin_name = "cargo run --", version, after_help = EXAMPLES)]
// `cargo run -- --mem 1G run ls` would give the size to nobody.
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Subcommands>,
    #[command(flatten)]
    guest: GuestArguments,
    #[command(flatten)]
    machine: MachineArguments,
}

const EXAMPLES: &str = "\
Examples:
  cargo run                                       a Linux shell
  cargo run -- --root folder                      the same, with your files in its root file system
  cargo run -- run ls -l /                        a program of the guest
  cargo run -- run ./a.out one two                a statically linked program of this machine
  echo hello | cargo run -q -- run wc -c          with pipes
  cargo run -- boot my-sel4-root-task             any seL4 (MCS, x86_64) root task
  cargo run -- bench getpid fork-exit-wait        what they cost, counted

Exit status: the program's; 128 + n if signal n ended it; 124 after the time limit; 125 if the launcher can't do
what it was asked for; 126 and 127 as of a shell.";

#[derive(Subcommand, Debug)]
enum Subcommands {
    /// Run one Linux program on Chestnut; its exit status is the launcher's.
    ///
    /// If standard input and output are terminals, the program has a terminal too; otherwise its standard streams are
    /// pipes.
    Run(RunArguments),
    /// Boot a root task made for seL4 (MCS, x86_64) on Chestnut's kernel, with COM1 on this terminal; Ctrl-] ends it.
    Boot(BootArguments),
    /// Count what system calls and programs cost, on Chestnut and on Debian's own kernel in the same emulator.
    Bench(bench::Options),
}

#[derive(Args, Debug)]
struct RunArguments {
    /// A file of this machine (dynamically linked only if --root brings its libraries), or else a program of the guest;
    /// all that follows is the program's.
    // One argument: were the program's own another one, clap would look for the launcher's options between the two.
    #[arg(required = true, trailing_var_arg = true, value_names = ["PROGRAM", "ARGUMENTS"], num_args = 1..)]
    command: Vec<OsString>,
    #[command(flatten)]
    guest: GuestArguments,
    /// End the machine after so many seconds, boot included.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    #[command(flatten)]
    machine: MachineArguments,
}

/// What programs find in the guest.
#[derive(Args, Debug)]
struct GuestArguments {
    /// Put all that is below this folder into the guest's root file system.
    #[arg(long, value_name = "FOLDER")]
    root: Option<PathBuf>,
    /// Set an environment variable of the program.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = assignment)]
    environment: Vec<String>,
}

impl GuestArguments {
    /// Brings the user's files into the guest.
    fn take_over(&self, files: &mut RootFiles) -> Result<()> {
        let Some(folder) = &self.root else { return Ok(()) };
        let left_out = files.take_over(folder).context("taking over the folder given by --root")?;
        for path in left_out {
            eprintln!("chestnut: left out: {} is neither a file, a folder nor a link", path.display());
        }
        Ok(())
    }
}

#[derive(Args, Debug)]
struct BootArguments {
    /// The root task: a static ELF program.
    root_task: PathBuf,
    /// The kernel to boot it on.
    #[arg(long, value_enum, default_value_t)]
    kernel: Variant,
    /// End the machine after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Further arguments of the emulator, after `--`.
    #[arg(last = true)]
    emulator_arguments: Vec<OsString>,
}

#[derive(Args, Debug)]
struct MachineArguments {
    /// RAM of the machine.
    #[arg(long, value_name = "SIZE", default_value = "512M")]
    mem: MemorySize,
    /// CPU model of the emulator [default: max without SMAP and AVX, or qemu64 with --icount].
    #[arg(long, value_name = "MODEL")]
    cpu: Option<String>,
    /// Count instructions: the time-stamp counter advances by one for each, the same in every run.
    #[arg(long)]
    icount: bool,
    /// Show every Linux system call on standard error: who, its arguments, its result, as strace does.
    #[arg(long)]
    trace: bool,
    /// Show the log of the guest's services.
    #[arg(long, short)]
    verbose: bool,
    /// The kernel to boot.
    #[arg(long, value_enum, default_value_t)]
    kernel: Variant,
}

impl MachineArguments {
    fn settings(&self) -> Settings {
        let default = if self.icount { "qemu64" } else { crate::machine::DEFAULT_CPU };
        Settings {
            cpu: self.cpu.clone().unwrap_or_else(|| default.to_owned()),
            memory: self.mem,
            icount: self.icount,
            emulator_arguments: Vec::new(),
        }
    }
}

fn assignment(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_owned()),
        _ => Err("must be NAME=VALUE".to_owned()),
    }
}

/// Does what the arguments (the program's name included) ask for.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help goes to standard output and is no failure; nothing helps if that is closed.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(LAUNCHER_FAILED) } else { ExitCode::SUCCESS };
        }
    };
    let result = match arguments.command {
        None => shell(&arguments.guest, &arguments.machine),
        Some(Subcommands::Run(run)) => run_program(&run),
        Some(Subcommands::Boot(boot)) => boot_root_task(&boot),
        Some(Subcommands::Bench(options)) => bench::bench(&options),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("chestnut: {error:#}");
            ExitCode::from(error.downcast_ref::<CannotRun>().map_or(LAUNCHER_FAILED, |cannot| cannot.status))
        }
    }
}

/// The system for a machine that the user wants.
fn prepare(machine: &MachineArguments) -> Result<System> {
    let mut system = System::prepare(&Workspace::find()?, machine.kernel)?;
    system.trace = machine.trace;
    if machine.icount {
        // While nobody does anything the clock would jump from one question to the next.
        system.manifest.ask_nobody();
    }
    Ok(system)
}

fn shell(guest: &GuestArguments, machine: &MachineArguments) -> Result<u8> {
    if !is_interactive() {
        bail!(
            "the shell needs a terminal as standard input and output; to run a program with pipes: \
             `cargo run -- run PROGRAM ARGUMENTS`"
        );
    }
    let mut system = prepare(machine)?;
    guest.take_over(&mut system.files)?;
    let (shell, name) = login_shell(&system.files);
    let mut variables = vec![format!("SHELL={shell}")];
    variables.extend_from_slice(&guest.environment);
    let command = Command {
        program: shell.to_owned(),
        arguments: vec![name.as_bytes().to_vec()],
        environment: environment(&variables),
        directory: HOME.to_owned(),
        stdio: Stdio::Terminal,
    };
    session::run(&system, &machine.settings(), command, &Options { time_limit: None, verbose: machine.verbose })
}

/// The shell for the terminal, and its name: the hyphen makes it a login shell, which reads /etc/profile. BusyBox's own, as /bin/sh may be one
/// of the user's that can't edit lines; but bash if the user has brought it with its loader.
fn login_shell(files: &RootFiles) -> (&'static str, &'static str) {
    let bash = ["/bin/bash", "/lib64/ld-linux-x86-64.so.2"].iter().all(|file| files.has_file(file));
    if bash { ("/bin/bash", "-bash") } else { ("/bin/busybox", "-sh") }
}

fn run_program(run: &RunArguments) -> Result<u8> {
    let mut system = prepare(&run.machine)?;
    run.guest.take_over(&mut system.files)?;
    let name = run.command.first().context("no program is named")?;
    let program = program::find(name, &mut system.files, run.guest.root.as_deref())?;
    let command = Command {
        program: program.path,
        arguments: run.command.iter().map(|word| word.clone().into_vec()).collect(),
        environment: environment(&run.guest.environment),
        directory: program.directory,
        stdio: if is_interactive() { Stdio::Terminal } else { Stdio::Channel },
    };
    let options = Options { time_limit: run.timeout.map(Duration::from_secs), verbose: run.machine.verbose };
    session::run(&system, &run.machine.settings(), command, &options)
}

fn boot_root_task(boot_arguments: &BootArguments) -> Result<u8> {
    ensure_emulator()?;
    let kernel = compile::kernel(&Workspace::find()?, boot_arguments.kernel)?;
    let settings = Settings { emulator_arguments: boot_arguments.emulator_arguments.clone(), ..Settings::default() };
    let time_limit = boot_arguments.timeout.map(Duration::from_secs);
    boot(&settings, &kernel, &boot_arguments.root_task, time_limit)
}

/// What a login would set, and then the user's.
fn environment(more: &[String]) -> Vec<Vec<u8>> {
    let terminal = std::env::var("TERM").unwrap_or_else(|_| "dumb".to_owned());
    let mut variables = vec![
        format!("PATH={PATH}"),
        format!("HOME={HOME}"),
        "USER=root".to_owned(),
        "LOGNAME=root".to_owned(),
        "SHELL=/bin/sh".to_owned(),
        format!("TERM={terminal}"),
    ];
    for assignment in more {
        let name = assignment.split('=').next().unwrap_or_default();
        variables.retain(|variable| variable.split('=').next() != Some(name));
        variables.push(assignment.clone());
    }
    variables.into_iter().map(String::into_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_programs_own_options_are_its_own() {
        let words = ["chestnut", "run", "--mem", "64M", "--env", "A=b=c", "ls", "-l", "--verbose", "--", "x"];
        let arguments = Arguments::try_parse_from(words).expect("parses");
        let Some(Subcommands::Run(run)) = arguments.command else { panic!("not run") };
        assert_eq!(run.command, ["ls", "-l", "--verbose", "--", "x"]);
        assert_eq!(run.guest.environment, ["A=b=c"]);
        assert!(!run.machine.verbose);
    }

    #[test]
    fn options_that_the_launcher_has_too_are_the_programs_behind_its_name() {
        for option in ["-v", "--verbose", "--trace", "--mem", "--help", "--version", "--root", "--"] {
            let arguments = Arguments::try_parse_from(["chestnut", "run", "perl", option]).expect("parses");
            let Some(Subcommands::Run(run)) = arguments.command else { panic!("not run") };
            assert_eq!(run.command, ["perl", option]);
        }
    }

    #[test]
    fn options_of_the_shell_are_refused_before_a_command() {
        let error = Arguments::try_parse_from(["chestnut", "--mem", "1G", "run", "ls"]).expect_err("goes nowhere");
        assert_eq!(error.kind(), clap::error::ErrorKind::ArgumentConflict);
    }

    #[test]
    fn the_shell_takes_a_root_folder_and_variables() {
        let words = ["chestnut", "--root", "folder", "--env", "A=b"];
        let arguments = Arguments::try_parse_from(words).expect("parses");
        assert_eq!(arguments.guest.root.as_deref(), Some(std::path::Path::new("folder")));
        assert_eq!(arguments.guest.environment, ["A=b"]);
    }

    #[test]
    fn the_users_variables_win() {
        let variables = environment(&["PATH=/x".to_owned()]);
        assert_eq!(variables.iter().filter(|variable| variable.starts_with(b"PATH=")).count(), 1);
        assert!(variables.contains(&b"PATH=/x".to_vec()));
    }

    #[test]
    fn the_terminal_gets_a_shell_that_edits_lines() {
        use crate::root_files::Kind;
        let mut files = RootFiles::default();
        for path in ["bin/busybox", "bin/sh", "bin/bash"] {
            files.add(path, Kind::Bytes(Vec::new()), 0o755);
        }
        assert_eq!(login_shell(&files), ("/bin/busybox", "-sh"));
        files.add("lib64/ld-linux-x86-64.so.2", Kind::Bytes(Vec::new()), 0o755);
        assert_eq!(login_shell(&files), ("/bin/bash", "-bash"));
    }

    #[test]
    fn emulator_arguments_come_after_two_hyphens() {
        let words = ["chestnut", "boot", "--kernel", "debug", "task", "--", "-m", "3G"];
        let arguments = Arguments::try_parse_from(words).expect("parses");
        let Some(Subcommands::Boot(boot)) = arguments.command else { panic!("not boot") };
        assert_eq!(boot.kernel, Variant::Debug);
        assert_eq!(boot.emulator_arguments, ["-m", "3G"]);
    }
}
