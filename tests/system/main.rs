//! Whole-system tests: each boots the emulator as a user would, and is listed by its own name.
//!
//! | names | what they show |
//! |---|---|
//! | `kernel::CPU::…` | the kernel's behaviour, seen by a root task in user mode |
//! | `kernel::image::…` | what is in the kernel's files and what isn't |
//! | `kernel::hostile::…` | ten million random system calls harm nobody |
//! | `kernel::calls::…` | which system calls each build of the kernel has |
//! | `boot::…` | each way to boot, what the kernel says and keeps, `cargo run -- boot` |
//! | `limits::…` | the kernel's size, the length of boot, the longest time with interrupts off; instructions and memory to the shell's prompt |
//! | `cost::…` | what the kernel's paths and Linux calls cost, against tables |
//! | `programs::…` | real programs do what they do on the host: output, messages, exit status |
//! | `dynamic::…` | the same for Debian's dynamically linked programs, with their libraries in the guest |
//! | `faults::…` | programs that go wrong end as under Linux, and others go on |
//! | `services::…` | services fail twenty times under load, and nothing is lost |
//! | `launcher::…` | `cargo run -- run`, its pipes, options, exit status and error messages |
//! | `bench::…` | `cargo run -- bench`: figures, the peer beside, records |
//! | `terminal::…` | the interactive shell on a pseudo-terminal |
//! | `attack::…` | programs that do their worst, and the shell beside them |
//!
//! Nothing is skipped: a test whose program can't be fetched or built fails and says so. Images are built once per process.

mod attack;
mod bench;
mod boot;
mod busybox;
mod calls;
mod compare;
mod cost;
mod debian;
mod documented;
mod dynamic;
mod faults;
mod hostile;
mod image;
mod kernel;
mod launcher;
mod limits;
mod programs;
mod prompt;
mod root_folder;
mod schedule;
mod services;
mod shared;
mod table;
mod terminal;

use close_fds::CloseFdsBuilder;
use libtest_mimic::Arguments;
use schedule::Schedule;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// As the first argument: be the launcher. So tests can start it as a process of its own, on a terminal of its own.
const AS_LAUNCHER: &str = "--as-launcher";
/// The descriptor behind standard input, output and error.
const FIRST_OF_OTHERS: i32 = 3;

/// Whether whatever started this ignores SIGHUP, SIGINT or SIGQUIT, as `nohup` and a shell's `&` do. Programs on the host would inherit that, and not
/// be killed by them as in the guest.
fn ignores_signals() -> bool {
    const FIRST_THREE: u64 = 0b111;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & FIRST_THREE != 0))
}

/// Begins this program anew with these signals as they are by default.
fn begin_anew() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default();
    let error = Command::new("env").arg("--default-signal=HUP,INT,QUIT").arg(program).args(arguments).exec();
    eprintln!("env, to have signals as they are by default: {error}");
    ExitCode::FAILURE
}

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == AS_LAUNCHER) {
        return chestnut::cli::main(std::env::args_os().take(1).chain(std::env::args_os().skip(2)));
    }
    // Whatever started this left some of its descriptors open, perhaps: a program on the host would see other ones than in
    // the guest, and one that expects an error from a descriptor of its choice might wait for ever instead.
    CloseFdsBuilder::new().cloexecfrom(FIRST_OF_OTHERS);
    if ignores_signals() {
        return begin_anew();
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert_with(schedule::threads);
    let mut trials = Schedule::default();
    trials.extend(kernel::trials(&arguments));
    trials.extend(image::trials(&arguments));
    trials.extend(hostile::trials());
    trials.extend(boot::trials());
    trials.extend(calls::trials());
    trials.extend(limits::trials());
    trials.extend(prompt::trials());
    trials.extend(cost::trials());
    trials.extend(table::trials(&arguments));
    trials.extend(documented::trials());
    trials.extend(dynamic::trials(&arguments));
    trials.extend(faults::trials(&arguments));
    trials.extend(launcher::trials());
    trials.extend(services::trials());
    trials.extend(terminal::trials());
    trials.extend(attack::trials());
    trials.extend(bench::trials());
    libtest_mimic::run(&arguments, trials.in_order(&arguments)).exit_code()
}

/// The test runner will run the test of this name, so that batches hold only what is asked for.
fn is_wanted(arguments: &Arguments, name: &str) -> bool {
    let matches = |pattern: &String| if arguments.exact { name == pattern } else { name.contains(pattern.as_str()) };
    arguments.filter.as_ref().is_none_or(matches) && !arguments.skip.iter().any(matches)
}
