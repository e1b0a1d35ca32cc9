//! Processes of Rust's standard library: spawning oneself, pipes to and from children, statuses, environment, directory.
use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, Stdio};

fn again(role: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("/proc/self/exe"));
    command.arg(role);
    command
}

fn child(role: &str) -> ExitCode {
    match role {
        "exit" => return ExitCode::from(77),
        "abort" => std::process::abort(),
        "upper" => {
            for line in io::stdin().lock().lines() {
                println!("{}", line.expect("text").to_uppercase());
            }
            eprintln!("done");
        }
        "environment" => {
            let mut variables: Vec<_> = env::vars().collect();
            variables.sort();
            println!("{variables:?} in {}", env::current_dir().expect("a directory").display());
        }
        "much" => {
            let line = "x".repeat(999) + "\n";
            let mut out = io::stdout().lock();
            for _ in 0..1000 {
                out.write_all(line.as_bytes()).expect("the parent reads");
            }
        }
        "panic" => panic!("a panic is status 101"),
        other => panic!("{other}"),
    }
    ExitCode::SUCCESS
}

fn main() -> ExitCode {
    if let Some(role) = env::args().nth(1)
        && env::args().len() == 2
        && env::var_os("CHESTNUT_PARENT").is_some_and(|v| v == "yes")
    {
        return child(&role);
    }
    // SAFETY: no other thread exists.
    unsafe { env::set_var("CHESTNUT_PARENT", "yes") };

    println!("{:?}", again("exit").status().expect("starts").code());
    println!("{:?}", again("abort").status().expect("starts").signal());
    let panicked = again("panic").stderr(Stdio::piped()).output().expect("starts");
    println!("{:?}, {}", panicked.status.code(), String::from_utf8_lossy(&panicked.stderr).contains("status 101"));

    let mut upper =
        again("upper").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut input = upper.stdin.take().expect("piped");
    let mut output = BufReader::new(upper.stdout.take().expect("piped"));
    for word in ["one", "two", "three"] {
        writeln!(input, "{word}").expect("the child reads");
        let mut line = String::new();
        output.read_line(&mut line).expect("the child writes");
        print!("{line}");
    }
    drop(input);
    let mut rest = String::new();
    upper.stderr.take().expect("piped").read_to_string(&mut rest).expect("text");
    println!("{rest:?} {}", upper.wait().expect("ends").success());

    let output = again("environment")
        .env_clear()
        .env("CHESTNUT_PARENT", "yes")
        .env("COLOUR", "brown")
        .current_dir("/tmp")
        .output()
        .expect("starts");
    print!("{}", String::from_utf8_lossy(&output.stdout));

    let output = again("much").output().expect("starts");
    println!("{} bytes", output.stdout.len());

    // Ten at once, waited for in the other order.
    let mut children: Vec<_> = (0..10).map(|_| again("exit").spawn().expect("starts")).collect();
    let statuses: Vec<_> = children.iter_mut().rev().map(|c| c.wait().expect("ends").code()).collect();
    println!("{}", statuses.iter().filter(|&&s| s == Some(77)).count());

    let mut waiting = again("upper").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("starts");
    println!("{:?}", waiting.try_wait().expect("a child"));
    waiting.kill().expect("a child");
    println!("{:?}", waiting.wait().expect("ends").signal());

    println!("{:?}", Command::new("/nowhere/at/all").spawn().map(|_| ()).map_err(|e| e.kind()));
    println!("{:?}", Command::new("/tmp").spawn().map(|_| ()).map_err(|e| e.kind()));
    let error = again("exit").current_dir("/nowhere").exec();
    println!("{:?}", error.kind());
    io::stdout().flush().expect("written");
    let error = again("exit").exec();
    println!("{error}");
    ExitCode::FAILURE
}
