//! Programs that go wrong: they end by Linux's signal, and whoever started them goes on.

use crate::compare::{self, Case};
use crate::programs::Program;
use crate::schedule::Test;
use chestnut::batch::Outcome;
use chestnut::machine::{MemorySize, Settings};
use libtest_mimic::Arguments;

/// Its source says how.
const CRASH: Program = Program::C("crash");

/// How `crash.c` can go wrong.
const WAYS: &[&str] = &[
    "null",
    "read-null",
    "jump-null",
    "kernel",
    "non-canonical",
    "divide",
    "illegal",
    "privileged",
    "breakpoint",
    "constant",
    "stack",
    "abort",
    "ports",
];

pub fn trials(arguments: &Arguments) -> Vec<Test> {
    let mut cases = Vec::new();
    for way in WAYS {
        let name = way.replace('-', "_");
        cases.push(case(&name, CRASH, &[way], None));
        cases.push(case(&format!("{name}_in_a_child"), CRASH, &[way, "in-a-child"], None));
    }
    let script = |program: &str| {
        format!("{program} > out 2> e; echo $?; {program} > out 2> e; echo $?; cat out; echo the shell goes on")
    };
    for way in ["null", "divide", "illegal"] {
        let line = script(&format!("/usr/test/c/crash {way}"));
        let status = if way == "null" {
            139
        } else if way == "divide" {
            136
        } else {
            132
        };
        let expected = format!("{status}\n{status}\ngoing wrong: {way}\nthe shell goes on\n");
        cases.push(in_shell(&format!("{way}_beside_a_shell"), &line, &expected));
    }
    let mut trials = compare::trials(arguments, &Settings::default(), cases);

    // No host is brought to the end of its memory; Linux ends such a program with SIGKILL.
    let small = Settings { memory: MemorySize(192), ..Settings::default() };
    let line = script("/usr/test/c/crash memory");
    let expected = "137\n137\ngoing wrong: memory\nthe shell goes on\n";
    let mut case = in_shell("memory_beside_a_shell", &line, expected);
    if let Some(outcome) = &mut case.expected {
        let killed = "chestnut: Out of memory: Killed process N (crash) total-vm:NkB, rss:NkB, server:NkB, UID:N, oom_score_adj:N\n";
        outcome.stderr = killed.repeat(2).into_bytes();
    }
    trials.extend(compare::trials(arguments, &small, vec![case]));
    trials
}

fn case(name: &str, program: Program, arguments: &[&str], expected: Option<Outcome>) -> Case {
    let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
    Case {
        name: format!("faults::{name}"),
        program,
        arguments,
        input: Vec::new(),
        starts: None,
        files: Vec::new(),
        expected,
    }
}

/// A script of BusyBox's shell with what it must print; the programs it names are only in the guest.
fn in_shell(name: &str, script: &str, stdout: &str) -> Case {
    let expected = Outcome { stdout: stdout.as_bytes().to_vec(), stderr: Vec::new(), status: 0 };
    let case = case(name, Program::Busybox, &["sh", "-c", script], Some(expected));
    Case { starts: Some(CRASH), ..case }
}
