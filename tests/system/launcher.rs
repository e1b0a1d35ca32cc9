//! `cargo run -- run` as a user sees it: pipes, exit status, options, files of the host, error messages.

use crate::AS_LAUNCHER;
use crate::programs::Program;
use crate::root_folder::{self, C_LIBRARY};
use crate::shared::{Shared, system, while_doing};
use libtest_mimic::{Failed, Trial};
use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

type Check = fn() -> Result<(), Failed>;

const TESTS: &[(&str, Check)] = &[
    ("guest_program", guest_program),
    ("host_programs_by_path", host_programs_by_path),
    ("relative_path_of_a_host_program", relative_path_of_a_host_program),
    ("exit_status", exit_status),
    ("status_of_a_signal", status_of_a_signal),
    ("standard_input", standard_input),
    ("much_input_and_output", much_input_and_output),
    ("standard_error_is_apart", standard_error_is_apart),
    ("environment", environment),
    ("root_folder", root_folder),
    ("time_limit", time_limit),
    ("closed_output", closed_output),
    ("instruction_counting", instruction_counting),
    ("missing_program", missing_program),
    ("dynamic_program", dynamic_program),
    ("dynamic_programs_from_a_root_folder", dynamic_programs_from_a_root_folder),
    ("trace", trace),
    ("help", help),
    ("shell_needs_a_terminal", shell_needs_a_terminal),
];

pub fn trials() -> Vec<Trial> {
    TESTS.iter().map(|(name, check)| Trial::test(format!("launcher::{name}"), check)).collect()
}

/// The launcher with these arguments, as a process of its own.
fn launcher<S: AsRef<OsStr>>(arguments: &[S]) -> Shared<Command> {
    // Built here, once, so that the process builds nothing.
    system()?;
    let mut command = Command::new(while_doing("finding the test program", std::env::current_exe())?);
    command.arg(AS_LAUNCHER).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

fn output(mut command: Command, input: &[u8]) -> Shared<Output> {
    let mut child = while_doing("starting the launcher", command.spawn())?;
    let stdin = child.stdin.take();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // What isn't read is no failure of its own.
            let _ = stdin.map(|mut stdin| stdin.write_all(input));
        });
        while_doing("running the launcher", child.wait_with_output())
    })
}

/// Runs a program without input; it must print this and end with this status.
fn expect(arguments: &[&str], stdout: &str, status: i32) -> Result<(), Failed> {
    expect_output(&output(launcher(arguments)?, b"")?, stdout, status)
}

fn expect_output(output: &Output, stdout: &str, status: i32) -> Result<(), Failed> {
    let found = String::from_utf8_lossy(&output.stdout);
    if found == stdout && output.status.code() == Some(status) {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "expected {stdout:?} and status {status}, found {found:?} and {}; standard error:\n{stderr}",
        output.status
    )
    .into())
}

/// The launcher must fail with this status and say this on standard error.
fn expect_complaint(output: &Output, complaint: &str, status: i32) -> Result<(), Failed> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    if stderr.contains(complaint) && output.status.code() == Some(status) {
        return Ok(());
    }
    Err(format!("expected \"{complaint}\" and status {status}, found {}:\n{stderr}", output.status).into())
}

fn guest_program() -> Result<(), Failed> {
    expect(&["run", "echo", "one", "two words"], "one two words\n", 0)
}

fn host_programs_by_path() -> Result<(), Failed> {
    for program in [Program::MkshDietlibc, Program::MkshKlibc, Program::MkshMusl, Program::Bash, Program::Busybox] {
        let path = program.host_path()?;
        let path = path.to_str().ok_or("the path is not UTF-8")?;
        let mut arguments = vec!["run", path];
        if program == Program::Busybox {
            arguments.push("sh");
        }
        arguments.extend(["-c", "echo $0 $1", "zero", "one"]);
        expect(&arguments, "zero one\n", 0).map_err(|failed| format!("{}: {failed:?}", program.group()))?;
    }
    Ok(())
}

fn relative_path_of_a_host_program() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    std::fs::copy(Program::CPie("basics").host_path()?, folder.path().join("mine"))?;
    let mut command = launcher(&["run", "./mine", "arguments"])?;
    command.current_dir(folder.path());
    let expected = "0: ./mine\n1: arguments\nHOME=/root, page size 4096, float 0.667\n";
    expect_output(&output(command, b"")?, expected, 2)
}

fn exit_status() -> Result<(), Failed> {
    expect(&["run", "sh", "-c", "exit 42"], "", 42)
}

fn status_of_a_signal() -> Result<(), Failed> {
    expect(&["run", "sh", "-c", "echo before; kill -9 $$; echo after"], "before\n", 137)
}

fn standard_input() -> Result<(), Failed> {
    let output = output(launcher(&["run", "sh", "-c", "read a; echo got $a; wc -c"])?, b"first\n12345")?;
    expect_output(&output, "got first\n5\n", 0)
}

fn much_input_and_output() -> Result<(), Failed> {
    // More than any pipe or window between here and there holds.
    let input: Vec<u8> = (0..300_000_u32).map(|index| (index % 251) as u8).collect();
    let output = output(launcher(&["run", "cat"])?, &input)?;
    if output.stdout == input && output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let same = output.stdout.iter().zip(&input).take_while(|(a, b)| a == b).count();
    Err(format!("{} bytes came back, the first {same} are right; {}; {complaint}", output.stdout.len(), output.status)
        .into())
}

fn standard_error_is_apart() -> Result<(), Failed> {
    let output = output(launcher(&["run", "sh", "-c", "echo out; echo err >&2; test -t 0 || echo no terminal"])?, b"")?;
    expect_output(&output, "out\nno terminal\n", 0)?;
    if String::from_utf8_lossy(&output.stderr).ends_with("err\n") { Ok(()) } else { Err("no \"err\"".into()) }
}

fn environment() -> Result<(), Failed> {
    let words = ["run", "--env", "A=1", "--env", "HOME=/tmp", "sh", "-c", "echo $A $HOME; pwd"];
    expect(&words, "1 /tmp\n/root\n", 0)
}

fn root_folder() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    std::fs::create_dir_all(folder.path().join("srv/deep"))?;
    std::fs::write(folder.path().join("srv/deep/file"), "from the host\n")?;
    let root = folder.path().to_str().ok_or("the path is not UTF-8")?;
    expect(&["run", "--root", root, "cat", "/srv/deep/file"], "from the host\n", 0)
}

fn time_limit() -> Result<(), Failed> {
    let output = output(launcher(&["run", "--timeout", "15", "sh", "-c", "echo started; sleep 1000"])?, b"")?;
    expect_output(&output, "started\n", 124)?;
    expect_complaint(&output, "the program was ended by the time limit", 124)
}

fn closed_output() -> Result<(), Failed> {
    let mut child = launcher(&["run", "yes"])?.stderr(Stdio::null()).spawn()?;
    let mut stdout = child.stdout.take().ok_or("no pipe")?;
    let mut start = [0; 4];
    std::io::Read::read_exact(&mut stdout, &mut start)?;
    drop(stdout);
    let status = child.wait()?;
    if start == *b"y\ny\n" && status.code() == Some(141) { Ok(()) } else { Err(format!("{start:?}, {status}").into()) }
}

fn instruction_counting() -> Result<(), Failed> {
    expect(&["run", "--icount", "sh", "-c", "sleep 1; echo slept"], "slept\n", 0)
}

fn missing_program() -> Result<(), Failed> {
    let output = output(launcher(&["run", "no-such-program"])?, b"")?;
    expect_complaint(&output, "no-such-program: there is no such file on this machine and no such program", 127)
}

fn dynamic_program() -> Result<(), Failed> {
    let shell = ["/bin/dash", "/bin/bash"].into_iter().find(|shell| Path::new(shell).is_file());
    let output = output(launcher(&["run", shell.ok_or("this machine has no dynamically linked shell")?])?, b"")?;
    expect_complaint(&output, "link the program statically", 126)
}

fn dynamic_programs_from_a_root_folder() -> Result<(), Failed> {
    let packages = ["bash", "coreutils", "libtinfo6", "libselinux1", "libpcre2-8-0", "libacl1", "libattr1", C_LIBRARY];
    let root = root_folder::of_packages(&packages)?;
    let root = root.path().to_str().ok_or("the path is not UTF-8")?;
    // An absolute path means the file in the folder, even if this machine has one of that name too.
    let script = "echo hi; ls -d /lib*; x=$(printf %s-%s a b); echo $x; cat /proc/self/maps | grep -q libc.so.6 && \
        echo mapped; printf abc | cksum; od -An -tx1 <(echo hi)";
    expect(
        &["run", "--root", root, "/bin/bash", "-c", script],
        "hi\n/lib\n/lib64\na-b\nmapped\n1219131554 3\n 68 69 0a\n",
        0,
    )
}

fn trace() -> Result<(), Failed> {
    let script = "kill -USR1 $$; cat /no-such-file; (exit 3); exit 4";
    let script = format!("trap 'echo caught' USR1; {script}");
    let output = output(launcher(&["run", "--trace", "sh", "-c", &script])?, b"")?;
    expect_output(&output, "caught\n", 4)?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    // The first two are answered in the trampoline of a thread that isn't traced.
    let lines = [
        "1 getpid() = 1",
        "1 getppid() = 0",
        "1 kill(1, SIGUSR1) = 0",
        "1 --- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, si_pid=1, si_uid=0} ---",
        "1 rt_sigreturn() = 0",
        "1 write(1, \"caught\\n\", 7) = 7",
        "\"/no-such-file\", O_RDONLY) = -1 ENOENT (No such file or directory)",
        "2 write(2, \"cat: can't open '/no-such-file':\"..., 59) = 59",
        "[{WIFEXITED(s) && WEXITSTATUS(s) == 3}]",
        "3 exit_group(3) = ?\n3 +++ exited with 3 +++",
        "1 exit_group(4) = ?\n1 +++ exited with 4 +++",
    ];
    match lines.iter().find(|line| !stderr.contains(**line)) {
        None => Ok(()),
        Some(line) => Err(format!("no line {line:?} in the trace:\n{stderr}").into()),
    }
}

fn help() -> Result<(), Failed> {
    let output = output(launcher(&["--help"])?, b"")?;
    let help = String::from_utf8_lossy(&output.stdout);
    for word in ["Without a command", "run", "boot", "Examples:", "Exit status:"] {
        if !help.contains(word) {
            return Err(format!("\"{word}\" isn't in the help:\n{help}").into());
        }
    }
    Ok(())
}

fn shell_needs_a_terminal() -> Result<(), Failed> {
    let output = output(launcher::<&str>(&[])?, b"")?;
    expect_complaint(&output, "the shell needs a terminal", 125)
}
