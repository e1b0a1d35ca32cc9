//! Programs that attack the system, and what must be true of it afterwards: a shell beside them goes on as if they weren't there.
//!
//! What runs here is a part, chosen so that each test takes about a minute at most. Longer runs are a matter of the programs'
//! arguments: `cargo run --release -- run target/guest/programs/c/fuzz calls 1000000 SEED`, with `--icount` to repeat what a seed did, `--kernel debug`
//! for that kernel; likewise `elves COUNT SEED`, `steady MILLISECONDS`, `bombs KIND` and `stress 75 SEED` (five minutes in four runs).

use crate::programs::Program;
use crate::shared::{Shared, explain, workspace};
use chestnut::batch::{self, Outcome};
use chestnut::compile::Variant;
use chestnut::machine::{MemorySize, Settings};
use chestnut::program::PATH;
use chestnut::system::System;
use chestnut_manifest::{Command, Stdio};
use libtest_mimic::{Failed, Trial};
use std::time::Duration;

type Check = fn() -> Result<(), Failed>;

const TESTS: &[(&str, Check)] = &[
    ("registers_under_a_fast_timer", registers_under_a_fast_timer),
    ("random_calls", random_calls),
    ("random_calls_on_a_debug_kernel", random_calls_on_a_debug_kernel),
    ("a_seed_repeats", a_seed_repeats),
    ("jumps_into_the_trampoline", jumps_into_the_trampoline),
    ("scribbled_thread_pages", scribbled_thread_pages),
    ("native_calls_and_floods", native_calls_and_floods),
    ("damaged_programs", damaged_programs),
    ("stress_without_leaks", stress_without_leaks),
    ("bombs_of_processes", || bombs(SMALL, &["forks", "fork_tree", "zombies", "threads", "futexes", "arguments"])),
    ("bombs_of_memory", || bombs(SMALL, &["memory", "memfds", "dense_reads", "sparse_reads", "large_calls"])),
    ("bombs_of_areas", || bombs(SMALL, &["areas", "areas_of_many"])),
    ("bombs_of_files", || bombs(SMALL, &["files", "links", "link_loops", "directories"])),
    ("bombs_of_contents", || bombs(SMALL, &["file_bytes", "holes", "fallocated", "attributes"])),
    ("bombs_of_pipes", || bombs(SMALL, &["pipes", "pipes_of_many", "pipes_of_strangers", "fifos"])),
    ("bombs_of_sockets", || bombs(SMALL, &["socket_messages", "passed_sockets"])),
    ("bombs_of_descriptors", || {
        bombs(SMALL, &["descriptors", "descriptors_of_many", "objects", "inotify_events", "ptys"])
    }),
    ("bombs_of_waiting", || bombs(SMALL, &["epolls", "polls", "locks", "posix_timers", "signals", "signals_to_many"])),
    ("bombs_on_the_smallest_machine", || bombs(SMALLEST, &["file_bytes", "pipes_of_many", "memory", "forks"])),
    ("a_shell_beside_a_bomb", || beside("pipes_of_many", "")),
    ("a_shell_beside_floods_of_calls", || beside("floods", "the floods are over, 0 failed\n")),
    ("long_calls_let_others_in_between", long_calls_let_others_in_between),
];

pub fn trials() -> Vec<Trial> {
    TESTS.iter().map(|(name, check)| Trial::test(format!("attack::{name}"), check)).collect()
}

/// Machines that are soon used up.
const SMALL: MemorySize = MemorySize(192);
const SMALLEST: MemorySize = MemorySize(128);

/// For one command.
const TIME_LIMIT: Duration = Duration::from_secs(170);
/// Printed, so that whoever sees a failure can run it again.
const SEED: &str = "20240601";

/// What a shell says while a program runs beside it and afterwards. `WELL` comes once for each round of commands that gave what they
/// should; anything else is a failure. Its own work is done in a folder that no attacker may write.
const BESIDE: &str = r#"
mkdir -m 700 /tmp/beside; cd /tmp/beside
round() {
    [ "$(seq 1 200 | grep 7 | sort -r | head -n 3 | tr '\n' ,)" = 97,87,79, ] || echo "a pipeline went wrong"
    echo content > file; cp file copy; [ "$(cat copy)" = content ] || echo "a copy went wrong"; rm file copy
    (exit 7); [ $? = 7 ] || echo "a status went wrong"
    sleep 30 & kill $!; wait $! 2> /dev/null; [ $? = 143 ] || echo "a signal went wrong"
}
"$@" > out 2> errors &
attacker=$!
rounds=0
while kill -0 $attacker 2> /dev/null; do round; rounds=$((rounds + 1)); sleep 0.2; done
wait $attacker
echo "attacker: $?"
cat out
cat errors >&2
round
echo "rounds during: $rounds" >&2
[ $rounds -gt 0 ] && echo "the shell goes on"
"#;

/// For a program that counts what the system holds.
const ALONE: &str = r#"
"$@"
echo "ended: $?"
[ "$(seq 1 50 | wc -l)" = 50 ] && echo "the shell goes on"
"#;

/// What a bomb leaves is removed, and the system looked at.
const BOMBS: &str = r#"
for bomb in "$@"; do
    echo "$bomb:" >&2
    # It writes to a page that is there already: a file system that is full has no other.
    echo > out
    setsid /usr/test/c/bombs $bomb 1<> out &
    wait $!
    status=$?
    # What it has made is in a group of its own. There may be no room for another process: this needs none.
    kill -9 -- -$! 2> /dev/null
    rm -rf /tmp/bomb
    # It says that it was stopped by an error, or it was killed, or its first process was (and it said nothing).
    case $status:$(sort -u out) in
        0:stopped | 137:*) ;;
        *) echo "$bomb ended with status $status: $(cat out)" ;;
    esac
    [ "$(/usr/test/c/bombs check)" = "the system is well" ] || echo "after $bomb the system isn't well"
    [ "$(seq 1 50 | wc -l)" = 50 ] || echo "after $bomb a pipeline went wrong"
done
echo "the shell goes on"
"#;

fn attack(
    variant: Variant,
    settings: &Settings,
    program: Program,
    script: &str,
    arguments: &[&str],
) -> Shared<Outcome> {
    let mut system = System::prepare(&workspace()?, variant).map_err(explain)?;
    system.files.copy(&program.guest_path(), &program.host_path()?).map_err(explain)?;
    let words = ["sh", "-c", script, "sh"].into_iter().chain(arguments.iter().copied());
    let command = Command {
        program: "/bin/sh".to_owned(),
        arguments: words.map(|word| word.as_bytes().to_vec()).collect(),
        environment: vec![format!("PATH={PATH}").into_bytes(), b"HOME=/".to_vec()],
        directory: "/".to_owned(),
        stdio: Stdio::Input(Vec::new()),
    };
    let mut outcomes = batch::run(&system, settings, &[command], TIME_LIMIT).map_err(explain)?;
    outcomes.pop().ok_or("there was no outcome")?
}

/// The program does its worst beside a shell; both must say what is expected.
fn beside_a_shell(
    variant: Variant,
    settings: &Settings,
    name: &'static str,
    arguments: &[&str],
    says: &str,
) -> Result<Outcome, Failed> {
    let program = Program::C(name);
    let path = program.guest_path();
    let words: Vec<&str> = std::iter::once(path.as_str()).chain(arguments.iter().copied()).collect();
    let outcome = attack(variant, settings, program, BESIDE, &words)?;
    let said = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let expected = format!("attacker: 0\n{says}the shell goes on\n");
    if outcome.status != 0 || said != expected {
        let errors = String::from_utf8_lossy(&outcome.stderr);
        return Err(format!(
            "{words:?}: status {}, it said:\n{said}\nand not:\n{expected}\nstandard error:\n{errors}",
            outcome.status
        )
        .into());
    }
    Ok(outcome)
}

fn registers_under_a_fast_timer() -> Result<(), Failed> {
    // In counted time, as an emulator may take more than 50 microseconds for one signal.
    let settings = Settings { icount: true, ..Settings::default() };
    let says = "4 processes, 0 failed\n";
    beside_a_shell(Variant::Release, &settings, "steady", &["1500"], says).map(drop)
}

fn fuzz(variant: Variant, settings: &Settings, subject: &str, count: &str, seed: &str) -> Result<Outcome, Failed> {
    let says = format!("{subject}, seed {seed}\nall is well\n");
    beside_a_shell(variant, settings, "fuzz", &[subject, count, seed], &says)
}

fn random_calls() -> Result<(), Failed> {
    fuzz(Variant::Release, &Settings::default(), "calls", "40000", SEED).map(drop)
}
fn random_calls_on_a_debug_kernel() -> Result<(), Failed> {
    fuzz(Variant::Debug, &Settings::default(), "calls", "15000", "7").map(drop)
}
fn jumps_into_the_trampoline() -> Result<(), Failed> {
    fuzz(Variant::Release, &Settings::default(), "jumps", "2", SEED).map(drop)
}
fn scribbled_thread_pages() -> Result<(), Failed> {
    fuzz(Variant::Release, &Settings::default(), "page", "20000", SEED).map(drop)
}
fn native_calls_and_floods() -> Result<(), Failed> {
    fuzz(Variant::Release, &Settings::default(), "native", "4000", SEED)?;
    fuzz(Variant::Debug, &Settings::default(), "native", "2000", "7").map(drop)
}

/// Under --icount what a seed does is the same in every run.
fn a_seed_repeats() -> Result<(), Failed> {
    let settings = Settings { icount: true, cpu: "qemu64".to_owned(), ..Settings::default() };
    let run = || -> Result<String, Failed> {
        let outcome = fuzz(Variant::Release, &settings, "calls", "3000", "3")?;
        Ok(String::from_utf8_lossy(&outcome.stderr).into_owned())
    };
    let (first, second) = (run()?, run()?);
    if first == second { Ok(()) } else { Err(format!("the first run:\n{first}\nthe second:\n{second}").into()) }
}

fn damaged_programs() -> Result<(), Failed> {
    let says = "the valid ones run\n1500 damaged files, all is well\n";
    beside_a_shell(Variant::Release, &Settings::default(), "elves", &["1500", SEED], says).map(drop)
}

/// Four runs, of which the first warms up: what the system holds afterwards is what it held after the first. In counted time, so
/// that each does the same however busy this machine is; and alone, as a shell's own processes would be counted too.
fn stress_without_leaks() -> Result<(), Failed> {
    let settings = Settings { icount: true, ..Settings::default() };
    let program = Program::C("stress");
    let path = program.guest_path();
    let outcome = attack(Variant::Release, &settings, program, ALONE, &[&path, "0.3", SEED])?;
    let said = String::from_utf8_lossy(&outcome.stdout).into_owned();
    if said == "3 runs, 0 leaks\nended: 0\nthe shell goes on\n" {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&outcome.stderr);
    Err(format!("status {}, it said:\n{said}\nstandard error:\n{errors}", outcome.status).into())
}

fn bombs(memory: MemorySize, kinds: &[&str]) -> Result<(), Failed> {
    let small = Settings { memory, ..Settings::default() };
    let outcome = attack(Variant::Release, &small, Program::C("bombs"), BOMBS, kinds)?;
    let said = String::from_utf8_lossy(&outcome.stdout).into_owned();
    if said == "the shell goes on\n" && outcome.status == 0 {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&outcome.stderr);
    Err(format!("status {}, it said:\n{said}\nstandard error:\n{errors}", outcome.status).into())
}

/// The shell works while it goes on, as well as afterwards.
fn beside(kind: &str, says: &str) -> Result<(), Failed> {
    let settings = Settings { memory: SMALL, ..Settings::default() };
    let says = if says.is_empty() { "stopped\n" } else { says };
    // In a group of its own, as a shell that talks to a user starts its jobs: what a group holds is held against all of it.
    let words = ["setsid", "/usr/test/c/bombs", kind];
    let outcome = attack(Variant::Release, &settings, Program::C("bombs"), BESIDE, &words)?;
    let said = String::from_utf8_lossy(&outcome.stdout).into_owned();
    if outcome.status == 0 && said == format!("attacker: 0\n{says}the shell goes on\n") {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&outcome.stderr);
    Err(format!("{words:?}: status {}, it said:\n{said}\nstandard error:\n{errors}", outcome.status).into())
}

/// The longest that the server works at a stroke, in counted time, on calls that have much to do.
fn long_calls_let_others_in_between() -> Result<(), Failed> {
    /// Instructions: three milliseconds of a processor that does one in a nanosecond.
    const MOST: u64 = 3_000_000;
    /// What can't be cut, or is the kernel's work on memory that nobody had before; `docs/caveats.md` says how long these take.
    const WHOLE: [&str; 6] = [
        "fork with 32 MiB",
        "fork with 20000 areas",
        "execve",
        "read zeros, 4 MiB",
        "read zeros, 32 MiB",
        "getrandom, 8 MiB",
    ];
    let settings = Settings { icount: true, cpu: "qemu64".to_owned(), ..Settings::default() };
    let outcome = attack(Variant::Release, &settings, Program::C("bombs"), "/usr/test/c/bombs long_calls", &[])?;
    let said = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let mut seen = 0;
    for line in said.lines() {
        let (what, rest) = line.split_at_checked(24).ok_or_else(|| format!("a short line: {line}"))?;
        let ticks: u64 = rest.split_whitespace().next().and_then(|word| word.parse().ok()).ok_or("no number")?;
        seen += 1;
        if ticks > MOST && !WHOLE.contains(&what.trim()) {
            return Err(format!("{line}\nof:\n{said}").into());
        }
    }
    if seen > 20 && outcome.status == 0 { Ok(()) } else { Err(format!("only:\n{said}").into()) }
}
