//! The command lines that run on the host and in the guest, by name.

use crate::busybox::{HARD, PLAIN, Strain};
use crate::compare::{self, Case, Extra, applets};
use crate::programs::Program;
use crate::schedule::Test;
use chestnut::batch::Outcome;
use chestnut::machine::Settings;
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeSet;

/// One test for each command line.
pub fn trials(arguments: &Arguments) -> Vec<Test> {
    let mut cases: Vec<Case> = Vec::new();
    cases.extend(APPLETS.iter().map(|(name, line, input)| {
        let words = line.split_whitespace().map(str::to_owned).collect();
        case(Program::Busybox, name, words, input)
    }));
    cases.extend(PLAIN.iter().map(|(name, script, input)| in_busybox(name, script, input)));
    cases.extend(HARD.iter().map(|(strain, name, script, input)| {
        let case = in_busybox(name, script, input);
        if *strain == Strain::Terminal { on_terminal(case) } else { case }
    }));
    for (program, shell) in SHELLS {
        for (name, script, input) in SCRIPTS {
            let mut words: Vec<String> = shell.iter().map(|word| (*word).to_owned()).collect();
            words.push((*script).to_owned());
            cases.push(case(*program, name, words, input));
        }
    }
    for (program, before, scripts) in SCRIPT_FILES {
        for script in *scripts {
            let name = format!("file_{}", script.trim_end_matches(".sh").replace('/', "_"));
            let file = Extra::Source(script);
            let words = before.iter().copied().chain([file.name()]).map(str::to_owned).collect();
            cases.push(Case { files: vec![file], ..case(*program, &name, words, "") });
        }
    }
    for subject in BASICS {
        let words: Vec<String> = subject.split_whitespace().map(str::to_owned).collect();
        let name = format!("basics_{}", words.first().map_or("none", String::as_str));
        cases.push(case(Program::CPie("basics"), &name, words, "some words\nof input\n"));
    }
    // The host's tests are not run by user 0, perhaps.
    let expected = Outcome { stdout: PRIVILEGES.as_bytes().to_vec(), stderr: Vec::new(), status: 0 };
    let privileges = case(Program::C("privileges"), "privileges", Vec::new(), "");
    cases.push(Case { expected: Some(expected), ..privileges });
    // The build machine's tree is to stay as it is.
    let expected =
        Outcome { stdout: include_bytes!("../programs/mounts.expected").to_vec(), stderr: Vec::new(), status: 0 };
    let mounts = case(Program::C("mounts"), "mounts", Vec::new(), "");
    cases.push(Case { expected: Some(expected), ..mounts });
    let expected =
        Outcome { stdout: include_bytes!("../programs/restricted.expected").to_vec(), stderr: Vec::new(), status: 0 };
    let restricted = case(Program::C("restricted"), "restricted", Vec::new(), "");
    cases.push(Case { expected: Some(expected), ..restricted });
    let expected = Outcome { stdout: USERS.as_bytes().to_vec(), stderr: Vec::new(), status: 0 };
    let users = case(Program::C("users"), "users", Vec::new(), "");
    cases.push(Case { expected: Some(expected), ..users });
    for name in C {
        cases.push(case(Program::C(name), name, Vec::new(), ""));
    }
    for name in MUSL {
        cases.push(case(Program::Musl(name), name, Vec::new(), ""));
    }
    for name in RUST {
        cases.push(case(Program::Rust(name), name, Vec::new(), ""));
        cases.push(case(Program::RustFixed(name), name, Vec::new(), ""));
    }
    let mut trials = compare::trials(arguments, &Settings::default(), cases);
    trials.push(Trial::test("programs::busybox::enough_lines_and_applets", enough_lines_and_applets).into());
    trials
}

fn in_busybox(name: &str, script: &str, input: &str) -> Case {
    case(Program::Busybox, name, ["sh", "-c", script].map(str::to_owned).into(), input)
}

/// With the program that plays steps on a terminal, and all files of steps.
fn on_terminal(case: Case) -> Case {
    let files = STEPS.iter().map(|path| Extra::Source(path)).chain([Extra::Program(Program::C("onterminal"))]);
    Case { files: files.collect(), ..case }
}

/// Files of steps, for `onterminal`.
const STEPS: &[&str] = &[
    "steps/editing.steps",
    "steps/jobs.steps",
    "steps/less.steps",
    "steps/top.steps",
    "steps/tty-settings.steps",
    "steps/vi.steps",
];

/// The lists of BusyBox command lines don't shrink unseen.
fn enough_lines_and_applets() -> Result<(), Failed> {
    let simple = APPLETS.iter().map(|(_, line, _)| *line);
    let plain = PLAIN.iter().map(|(_, script, _)| *script);
    let hard = HARD.iter().map(|(_, _, script, _)| *script);
    let shell = SCRIPTS.iter().map(|(_, script, _)| *script);
    let scripts: Vec<&str> = simple.chain(plain).chain(hard).chain(shell).collect();
    let listed = applets()?;
    let named: BTreeSet<&str> = scripts.iter().flat_map(|script| command_words(script)).collect();
    let applets = named.iter().filter(|name| listed.join(name).is_symlink()).count();
    let strains = [Strain::Pipe, Strain::Signal, Strain::Terminal, Strain::Large];
    let of_each = strains.map(|strain| HARD.iter().filter(|line| line.0 == strain).count());
    println!("{} command lines, {applets} applets; pipes, signals, terminals, large: {of_each:?}", scripts.len());
    if scripts.len() >= 200 && applets >= 130 && HARD.len() >= 40 && of_each.iter().all(|count| *count >= 6) {
        return Ok(());
    }
    Err(format!("{} lines, {applets} applets, {of_each:?} hard ones", scripts.len()).into())
}

/// The words of a script that may be names of commands: the first one of each command, and those that other commands start.
fn command_words(script: &str) -> impl Iterator<Item = &str> {
    const STARTERS: &[&str] = &["busybox", "timeout", "env", "xargs", "setsid", "do", "then", "{", "!", "-exec", "-i"];
    let is_option = |word: &&str| word.starts_with('-') || word.contains('=') || word.parse::<f32>().is_ok();
    script.split(['|', ';', '&', '(', ')', '`', '\n']).flat_map(move |command| {
        let mut words = command.split_whitespace().peekable();
        let mut names = Vec::new();
        while let Some(word) = words.next() {
            names.push(word);
            if !STARTERS.contains(&word) {
                break;
            }
            while words.next_if(is_option).is_some() {}
        }
        names
    })
}

fn case(program: Program, name: &str, arguments: Vec<String>, input: &str) -> Case {
    let name = format!("programs::{}::{name}", program.group());
    Case { name, program, arguments, input: input.as_bytes().to_vec(), starts: None, files: Vec::new(), expected: None }
}

/// Subjects of `basics.c`, with their arguments.
const BASICS: &[&str] = &[
    "arguments one two",
    "heap",
    "processes",
    "pipes",
    "signals",
    "memory",
    "files",
    "threads",
    "times",
    "execute echo by exec",
    "unknown",
];

/// What `privileges.c` prints for user 0 of Linux.
const PRIVILEGES: &str = "\
gave up user 0 for good
status 0
gave up user 0 for a while
status 0
kept one capability
status 0
lost some
status 0
was urgent
status 0
set-id: user 12345, effective 0, secure 1, capable 1, dumpable 0
status 0
set-id: user 12345, effective 12345, secure 0, capable 0, dumpable 1
status 0
";

/// What `users.c` prints where all is as it should be.
const USERS: &str = "\
ids of users: status 0
ids of groups: status 0
ids for files: status 0
single capabilities: status 0
killing: status 0
foreign memory: status 0
clocks: status 0
names: status 0
limits: status 0
favoured: status 0
kernel log: status 0
securebits: status 0
handles: status 0
";

/// All C programs that are run here: those of the list, and those that are run in other ways.
pub fn c_programs() -> impl Iterator<Item = &'static str> {
    C.iter().copied().chain(["basics", "mounts", "privileges", "restricted", "users"])
}

/// Programs of `tests/programs` that need no argument.
const C: &[&str] = &[
    "actions",
    "attributes",
    "bounds",
    "clones",
    "clocks",
    "devices",
    "directories",
    "divide",
    "epoll",
    "execs",
    "exhaust",
    "faults",
    "files",
    "filters",
    "fpes",
    "golike",
    "hello",
    "illegal",
    "inspects",
    "ipc",
    "jobs",
    "jumps",
    "locks",
    "locks_pi",
    "machine",
    "many",
    "mappings",
    "memfds",
    "memory",
    "mqueues",
    "notices",
    "null",
    "older",
    "opening",
    "options",
    "overflow",
    "passing",
    "pidfds",
    "pipes",
    "poll",
    "prctls",
    "processes",
    "ptys",
    "queues",
    "redzone",
    "registers",
    "schedules",
    "signalfds",
    "signals",
    "sockets",
    "sys",
    "terminal",
    "threads",
    "timerfd",
    "timers",
    "titles",
    "transfers",
    "watches",
];
/// Of those, linked with musl.
const MUSL: &[&str] = &["clocks", "golike", "pipes", "processes", "signals", "threads"];
const RUST: &[&str] = &["std_channels", "std_files", "std_processes", "std_threads", "std_time"];

/// The shells that run each of [`SCRIPTS`], and their arguments before the script.
const SHELLS: &[(Program, &[&str])] = &[
    (Program::Busybox, &["sh", "-c"]),
    (Program::MkshDietlibc, &["-c"]),
    (Program::MkshKlibc, &["-c"]),
    (Program::MkshMusl, &["-c"]),
    (Program::Bash, &["-c"]),
    (Program::Zsh, &["-f", "-c"]),
];

/// Shells, their arguments, and the long scripts of `tests/programs` that they run.
const SCRIPT_FILES: &[(Program, &[&str], &[&str])] = &[
    (Program::Busybox, &["sh"], &[COMMON]),
    (Program::MkshDietlibc, &[], &[COMMON, ARRAYS]),
    (Program::MkshKlibc, &[], &[COMMON, ARRAYS]),
    (Program::MkshMusl, &[], &[COMMON, ARRAYS]),
    (Program::Bash, &[], &[COMMON, ARRAYS, SUBSTITUTION]),
    (Program::Zsh, &["-f"], &[COMMON, ARRAYS, SUBSTITUTION]),
];
pub const COMMON: &str = "scripts/common.sh";
pub const ARRAYS: &str = "scripts/arrays.sh";
pub const SUBSTITUTION: &str = "scripts/substitution.sh";

/// Scripts that every shell understands: name, script, standard input.
const SCRIPTS: &[(&str, &str, &str)] = &[
    ("sh_echo", "echo hello; printf '%s-%03d\\n' a 7", ""),
    ("sh_exit_status", "true; echo $?; false; echo $?; (exit 7); echo $?; exit 3", ""),
    ("sh_arithmetic", "i=0; while [ $i -lt 300 ]; do i=$((i + 1)); done; echo $i $((i * 7 % 11))", ""),
    ("sh_pipe", "cat words.txt | sort | uniq -c | sort -rn | head -n 3", ""),
    ("sh_loop_into_pipe", "for i in 1 2 3; do echo $i; done | wc -l", ""),
    ("sh_substitution", "x=$(cat numbers.txt | wc -l); echo \"lines: $x\" $(echo nested $(echo twice))", ""),
    (
        "sh_redirection",
        "echo one > a; echo two >> a; cat < a; ls no-such-file 2> e; wc -l < e; cat a a > b; wc -c b",
        "",
    ),
    ("sh_here_document", "cat << END | tr a-z A-Z\nfirst $((1 + 1))\nsecond\nEND", ""),
    (
        "sh_function_and_case",
        "f() { case $1 in a*) echo A;; [0-9]) echo digit;; *) echo other;; esac; }; f abc; f 5; f x",
        "",
    ),
    ("sh_missing_command", "no-such-command 2> e; echo $?; wc -l < e; /bin/no/such/path 2> e; echo $?", ""),
    ("sh_trap", "trap 'echo caught' USR1; kill -USR1 $$; echo after; trap 'echo leaving' EXIT; exit 4", ""),
    ("sh_kill_child", "sleep 20 & p=$!; sleep 0.5; { kill $p; wait $p; } 2> e; echo $?", ""),
    ("sh_background", "for i in 3 1 2; do (echo $i > out.$i) & done; wait; cat out.*", ""),
    ("sh_glob", "echo *.txt d*/* [x-z]*; set -- *; echo $#", ""),
    ("sh_folders", "mkdir -p x/y; cd x/y; basename $(pwd); cd ..; ls; cd - > e; cd ../..; rm -r x; ls", ""),
    (
        "sh_file_tests",
        "for f in dir words.txt none script.sh; do for t in e f d x; do test -$t $f && echo $t $f; done; done",
        "",
    ),
    ("sh_read", "while read a b; do echo \"$b:$a\"; done < numbers.txt; read line; echo \"got $line\"", "from input\n"),
    ("sh_exec", "exec echo replaced; echo never", ""),
    ("sh_umask", "umask 027; echo > n; mkdir m; stat -c '%a %n' n m", ""),
    (
        "sh_descriptors",
        "exec 3> out; echo x >&3; exec 3>&-; exec 4< numbers.txt; read a <&4; read b <&4; echo $a $b; cat out",
        "",
    ),
    ("sh_script_file", "./script.sh one 'two three'; echo $?; chmod 600 script.sh; ./script.sh 2> e; echo $?", ""),
    ("sh_killed", "{ sh -c 'kill -9 $$'; } 2> e; echo $?; sh -c 'kill -TERM $$' 2> e; echo $?", ""),
    (
        "sh_environment",
        "A=1; export B=2; sh -c 'echo [$A] [$B] [$C]'; C=3 sh -c 'echo $C'; env | grep ^B; echo $HOME",
        "",
    ),
    ("sh_long_pipe", "seq 1 20000 | cat | cat | cat | tail -n 1", ""),
    ("sh_sigpipe", "yes | head -n 2; seq 1 100000 | head -n 1", ""),
    ("sh_input", "cat | tr -d aeiou | rev", "a line of input\nand another\n"),
    ("sh_strings", "s=/usr/local/bin; echo ${s##*/} ${s%/*} ${#s} ${none:-default} ${s:+set}", ""),
];

/// BusyBox's applets: name, command line without "busybox", standard input.
const APPLETS: &[(&str, &str, &str)] = &[
    ("awk", "awk -F, {s+=$3;print$2,$1}END{print(s)} table.csv", ""),
    ("base64", "base64 bytes", ""),
    ("basename", "basename /usr/lib/x.so .so", ""),
    ("cal", "cal 2 2000", ""),
    ("cat", "cat words.txt - numbers.txt", "between\n"),
    ("cat_missing", "cat no-such-file", ""),
    ("cmp", "cmp words.txt numbers.txt", ""),
    ("cut", "cut -d, -f1,3 table.csv", ""),
    ("date", "date -u -d @1000000000", ""),
    ("dd", "dd if=words.txt bs=5 skip=1 count=3", ""),
    ("diff", "diff words.txt numbers.txt", ""),
    ("dirname", "dirname /usr/lib/x.so", ""),
    ("echo", "echo -e a\\tb\\n", ""),
    ("env", "env -i A=1 busybox env", ""),
    ("expand", "expand -t4", "a\tb\n"),
    ("expr", "expr 6 * 7", ""),
    ("factor", "factor 1234567890", ""),
    ("false", "false", ""),
    ("find", "find dir -type f -path */deeper/*", ""),
    ("fold", "fold -w 7 numbers.txt", ""),
    ("grep", "grep -n e.*e words.txt", ""),
    ("grep_none", "grep xyz words.txt", ""),
    ("gzip", "gzip -9", "some text, some text, some text\n"),
    ("head", "head -c 20 words.txt", ""),
    ("hexdump", "hexdump -C bytes", ""),
    ("kill_nobody", "kill -0 4194305", ""),
    ("ls", "ls -a . dir", ""),
    ("ls_missing", "ls no-such-file", ""),
    ("md5sum", "md5sum words.txt numbers.txt", ""),
    ("nl", "nl words.txt", ""),
    ("no_applet", "no-such-applet", ""),
    ("od", "od -c bytes", ""),
    ("paste", "paste numbers.txt words.txt", ""),
    ("printf", "printf %s=%x\\n a 255 b 16", ""),
    ("readlink_none", "readlink words.txt", ""),
    ("rev", "rev", "abc\n"),
    ("rmdir_not_empty", "rmdir dir", ""),
    ("sed", "sed s/[aeiou]/<&>/g;3q words.txt", ""),
    ("seq", "seq 10 -3 0", ""),
    ("sha256sum", "sha256sum words.txt", ""),
    ("sleep", "sleep 0.2", ""),
    ("sort", "sort -n -k1 numbers.txt", ""),
    ("stat", "stat -c %n_%s_%F words.txt", ""),
    ("strings", "strings bytes", ""),
    ("tac", "tac words.txt", ""),
    ("tail", "tail -n +8 words.txt", ""),
    ("tee", "tee copy", "twice\n"),
    ("test", "test -d words.txt", ""),
    ("timeout", "timeout 1 sleep 30", ""),
    ("tr", "tr a-z b-za", "ibm\n"),
    ("true", "true", ""),
    ("uname", "uname -sm", ""),
    ("uniq", "uniq -c words.txt", ""),
    ("wc", "wc words.txt numbers.txt", ""),
    ("xargs", "xargs -n 2 echo", "a b c d e\n"),
];
