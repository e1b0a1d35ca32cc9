//! Debian's dynamically linked bash, coreutils, sqlite3 and python3 on the host and in the guest, by name.

use crate::compare::{self, Case, Extra};
use crate::programs::Program;
use crate::schedule::Test;
use crate::table::{ARRAYS, COMMON, SUBSTITUTION};
use chestnut::machine::Settings;
use libtest_mimic::Arguments;

/// Tests of the small programs share boots, and Python's do: its library fills a good part of a machine.
pub fn trials(arguments: &Arguments) -> Vec<Test> {
    let mut cases = Vec::new();
    for script in [COMMON, ARRAYS, SUBSTITUTION] {
        cases.push(case("bash", script, &[], &[script], ""));
    }
    cases.push(case("bash", "writers", &["writers.sh"], &["sql/writers.sh"], ""));
    cases.push(case("sqlite3", "script", &["test.db"], &[], include_str!("../programs/sql/script.sql")));
    for (program, words, input) in COREUTILS {
        let words: Vec<&str> = words.split_whitespace().collect();
        cases.push(case(program, "", &words, &[], input));
    }
    let mut trials = compare::trials(arguments, &Settings::default(), cases);
    let mut cases = vec![case(PYTHON, "system", &["system.py"], &["python/system.py"], "")];
    for module in MODULES {
        let name = format!("test.{module}");
        let mut words = vec!["run_tests.py", &name];
        words.extend(UNWANTED.iter().filter(|(of, _)| of == module).map(|(_, test)| *test));
        cases.push(case(PYTHON, module, &words, &["python/run_tests.py"], ""));
    }
    trials.extend(compare::trials(arguments, &Settings::default(), cases));
    trials
}

/// One run of a program with further files in its folder. Without words these are the program's arguments.
fn case(program: &'static str, what: &str, words: &[&str], files: &[&'static str], input: &str) -> Case {
    let files: Vec<Extra> = files.iter().map(|path| Extra::Source(path)).collect();
    let mut arguments: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    if words.is_empty() {
        arguments.extend(files.iter().map(|file| file.name().to_owned()));
    }
    let what = what.trim_start_matches("scripts/").trim_end_matches(".sh");
    let name = format!("dynamic::{program}{}{what}", if what.is_empty() { "" } else { "::" });
    Case {
        name,
        program: Program::Debian(program),
        arguments,
        input: input.as_bytes().to_vec(),
        starts: None,
        files,
        expected: None,
    }
}

const PYTHON: &str = "python3.11";

/// Modules of Python's own test suite.
pub const MODULES: &[&str] = &[
    "test_bisect",
    "test_fcntl",
    "test_file",
    "test_fileio",
    "test_genericpath",
    "test_glob",
    "test_json",
    "test_mmap",
    "test_posix",
    "test_posixpath",
    "test_pty",
    "test_re",
    "test_resource",
    "test_select",
    "test_shlex",
    "test_shutil",
    "test_stat",
    "test_struct",
    "test_tempfile",
    "test_textwrap",
    "test_thread",
];

/// Tests that are left out, as they measure the machine or ask for what differs from one to the next.
const UNWANTED: &[(&str, &str)] = &[
    // Compares with a program that isn't everywhere.
    ("test_shutil", "-test_zipfile_vs_zip"),
    ("test_re", "-test_search_anchor_at_beginning"),
    ("test_re", "-test_large_"),
    ("test_mmap", "-test_large"),
    ("test_mmap", "-LargeMmapTests"),
];

/// Programs of coreutils, their arguments, and their standard input.
const COREUTILS: &[(&str, &str, &str)] = &[
    ("arch", "", ""),
    ("b2sum", "words.txt bytes", ""),
    ("base32", "bytes", ""),
    ("base64", "-d", "aGVsbG8K"),
    ("basename", "-s .so -a /usr/lib/x.so b.so", ""),
    ("basenc", "--base16 bytes", ""),
    ("cat", "-A words.txt - bytes", "a\tb\n"),
    ("chmod", "-v u+x,go= words.txt", ""),
    ("cksum", "-a sha256 words.txt", ""),
    ("comm", "words.txt numbers.txt", ""),
    ("cp", "-av dir/deeper copy", ""),
    ("csplit", "words.txt /endpoint/ {0}", ""),
    ("cut", "--output-delimiter=: -d, -f1,3 table.csv", ""),
    ("date", "-u -d 2024-02-29T12:34:56+2days +%F_%T_%A_%j_%G-W%V", ""),
    ("dd", "if=words.txt bs=7 skip=2 count=3 status=none conv=ucase", ""),
    ("dir", "-R", ""),
    ("dircolors", "-b /dev/null", ""),
    ("dirname", "/usr/lib/x.so a b/c", ""),
    ("du", "--apparent-size -b words.txt dir/file", ""),
    ("echo", "-e a\\tb\\x41", ""),
    ("env", "-i -S A=1 env", ""),
    ("expand", "-t 3,9", "a\tb\tc\n"),
    ("expr", "abc : a\\(.\\)", ""),
    ("factor", "1234567890 18446744073709551557", ""),
    ("false", "", ""),
    ("fmt", "-w 30", "some words that are far too many for one line of this width\nand more\n"),
    ("fold", "-s -w 12", "some words that are far too many for one line\n"),
    ("head", "-n -7 words.txt", ""),
    ("id", "-u no-such-user", ""),
    ("install", "-v -m 711 -D script.sh new/folder/script", ""),
    ("join", "-j 2 numbers.txt numbers.txt", ""),
    ("link", "words.txt dir/other", ""),
    ("ln", "-sv ../words.txt dir/link", ""),
    ("ls", "-1pR --group-directories-first --color=always", ""),
    ("md5sum", "--tag words.txt bytes", ""),
    ("mkdir", "-vp x/y/z", ""),
    ("mkfifo", "-m 600 pipe words.txt", ""),
    ("mktemp", "-u --suffix=x no-xs", ""),
    ("mv", "-v words.txt dir", ""),
    ("nl", "-b pn -s: words.txt", ""),
    ("nohup", "echo in spite of hang-ups", ""),
    ("nproc", "--ignore=100", ""),
    ("numfmt", "--to=iec 1024 1500000 99", ""),
    ("od", "-A x -t x1z -t c bytes", ""),
    ("paste", "-s -d:, words.txt numbers.txt", ""),
    ("pathchk", "-p a:b", ""),
    ("pr", "-3 -t -l 4 words.txt", ""),
    ("printenv", "TERM NONE", ""),
    ("printf", "%05.1f|%-6s|%q|%x\\n 3.14159 ab it's 255", ""),
    ("ptx", "-w 40 numbers.txt", ""),
    ("readlink", "-v words.txt", ""),
    ("realpath", "--relative-to=dir words.txt", ""),
    ("rm", "-rv dir/deeper", ""),
    ("rmdir", "--ignore-fail-on-non-empty dir none", ""),
    ("seq", "-f %04g 1 3 12", ""),
    ("sha1sum", "words.txt", ""),
    ("sha512sum", "bytes", ""),
    ("shred", "-n 1 -u -v words.txt", ""),
    ("shuf", "--random-source=words.txt -i 1-3", ""),
    ("sleep", "0.1s", ""),
    ("sort", "-k2,2r -k1n --debug numbers.txt", ""),
    ("split", "-n l/3 --verbose words.txt", ""),
    ("stat", "-c %n_%s_%a_%F_%h words.txt script.sh", ""),
    ("stdbuf", "-oL tr a-z A-Z", "unbuffered\n"),
    ("stty", "-a", ""),
    ("sum", "-s words.txt", ""),
    ("sync", "words.txt none", ""),
    ("tac", "-s e words.txt", ""),
    ("tail", "-n +8 words.txt numbers.txt", ""),
    ("tee", "-a numbers.txt new", "twice\n"),
    ("test", "words.txt -ot none", ""),
    ("timeout", "--preserve-status -s USR1 0.3 sleep 20", ""),
    ("touch", "-d 2001-02-03T04:05:06Z old dir/none/x", ""),
    ("tr", "-s [:lower:] [:upper:]", "aabbcc dd\n"),
    ("true", "", ""),
    ("truncate", "-s %4096 words.txt none", ""),
    ("tsort", "", "a b\nb c\nd b\n"),
    ("tty", "", ""),
    ("uname", "-so", ""),
    ("unexpand", "-a", "        a               b\n"),
    ("uniq", "--group=both", "a\na\nb\n"),
    ("unlink", "none", ""),
    ("vdir", "none", ""),
    ("wc", "-lLmwc words.txt bytes", ""),
    ("yes", "--version", ""),
];
