//! The interactive shell, on a pseudo-terminal and read from a terminal's screen, as a user sees it.

use crate::AS_LAUNCHER;
use crate::programs::Program;
use crate::shared::{Shared, explain, system, while_doing};
use libtest_mimic::{Failed, Trial};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

type Check = fn() -> Result<(), Failed>;

const TESTS: &[(&str, Check)] = &[
    ("list_sort_head", list_sort_head),
    ("loop_into_wc", loop_into_wc),
    ("cat_until_ctrl_d", cat_until_ctrl_d),
    ("sleep_until_ctrl_c", sleep_until_ctrl_c),
    ("ps", ps),
    ("find_everything", find_everything),
    ("vi_edits_a_file", vi_edits_a_file),
    ("background_jobs", background_jobs),
    ("stop_and_continue", stop_and_continue),
    ("line_editing_and_history", line_editing_and_history),
    ("erase_in_a_plain_line", erase_in_a_plain_line),
    ("window_size", window_size),
    ("a_program_sees_a_new_size", a_program_sees_a_new_size),
    ("pipelines_interrupted_and_stopped", pipelines_interrupted_and_stopped),
    ("background_read_is_stopped", background_read_is_stopped),
    ("top", top),
    ("less", less),
    ("bash_with_readline", bash_with_readline),
    ("a_crash_beside_the_shell", a_crash_beside_the_shell),
    ("example_script", example_script),
    ("exit_3_and_a_sane_terminal", exit_3_and_a_sane_terminal),
    ("ctrl_d_ends_the_shell", ctrl_d_ends_the_shell),
    ("way_out_of_a_hang", way_out_of_a_hang),
];

const SIZE: PtySize = PtySize { rows: 60, cols: 100, pixel_width: 0, pixel_height: 0 };
/// For the boot, and for each wait after it.
const BOOT_LIMIT: Duration = Duration::from_secs(120);
const LIMIT: Duration = Duration::from_secs(30);
const PROMPT: &str = "root@chestnut:";

pub fn trials() -> Vec<Trial> {
    TESTS.iter().map(|(name, check)| Trial::test(format!("terminal::{name}"), check)).collect()
}

/// The launcher without arguments, and its terminal.
struct Shell {
    child: Box<dyn Child + Send + Sync>,
    terminal: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
}

impl Drop for Shell {
    fn drop(&mut self) {
        // The emulator dies with the launcher.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Shell {
    /// Boots and waits for the first prompt.
    fn start() -> Shared<Shell> {
        Shell::start_by(&[])
    }

    /// The same with arguments for the launcher.
    fn start_by(arguments: &[&str]) -> Shared<Shell> {
        // Built here, once, so that the process builds nothing.
        system()?;
        let pair = native_pty_system().openpty(SIZE).map_err(explain)?;
        let mut command = CommandBuilder::new(while_doing("finding the test program", std::env::current_exe())?);
        command.arg(AS_LAUNCHER);
        command.args(arguments);
        command.env("TERM", "xterm");
        let child = pair.slave.spawn_command(command).map_err(explain)?;
        let mut reader = pair.master.try_clone_reader().map_err(explain)?;
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if send.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        let keyboard = pair.master.take_writer().map_err(explain)?;
        let screen = vt100::Parser::new(SIZE.rows, SIZE.cols, 0);
        let mut shell = Shell { child, terminal: pair.master, keyboard, output, screen };
        shell.wait_for("the first prompt", BOOT_LIMIT, |shell| shell.at_prompt(1))?;
        Ok(shell)
    }

    fn contents(&self) -> String {
        self.screen.screen().contents()
    }

    /// The cursor's line is the prompt of this number on the screen, with nothing typed.
    fn at_prompt(&self, number: usize) -> bool {
        let contents = self.contents();
        let last = contents.trim_end().lines().last().unwrap_or_default();
        contents.matches(PROMPT).count() == number && last.starts_with(PROMPT) && last.trim_end().ends_with('#')
    }

    /// Types this; a line ends with a carriage return.
    fn type_keys(&mut self, keys: &str) -> Shared<()> {
        while_doing("typing", self.keyboard.write_all(keys.as_bytes()).and_then(|()| self.keyboard.flush()))
    }

    /// Clears the screen: one prompt is left.
    fn clear(&mut self) -> Shared<()> {
        self.type_keys("clear\r")?;
        self.wait_for("an empty screen", LIMIT, |shell| {
            let contents = shell.contents();
            contents.starts_with(PROMPT) && contents.trim().lines().count() == 1
        })
    }

    /// Starts a command that reads what is typed. What is typed before it has begun is the shell's, whose line editor reads raw bytes.
    fn start_reader(&mut self, command: &str) -> Shared<()> {
        self.type_keys(&format!("{command}\r"))?;
        self.wait_for_text(command)?;
        std::thread::sleep(Duration::from_secs(1));
        Ok(())
    }

    /// Waits until the screen is as wanted.
    fn wait_for(&mut self, what: &str, limit: Duration, wanted: impl Fn(&Shell) -> bool) -> Shared<()> {
        let deadline = Instant::now() + limit;
        while !wanted(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("waited {} s for {what}; the screen:\n{}", limit.as_secs(), self.contents()));
                }
                Err(RecvTimeoutError::Disconnected) if wanted(self) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!("the launcher ended before {what}; the screen:\n{}", self.contents()));
                }
            }
        }
        Ok(())
    }

    fn wait_for_text(&mut self, text: &str) -> Shared<()> {
        self.wait_for(&format!("\"{text}\""), LIMIT, |shell| shell.contents().contains(text))
    }

    fn prompts(&self) -> usize {
        self.contents().matches(PROMPT).count()
    }

    /// Waits for a prompt in addition to the `before` ones. Returns the lines between the last two.
    fn next_prompt(&mut self, before: usize) -> Shared<Vec<String>> {
        self.wait_for("the next prompt", LIMIT, |shell| shell.at_prompt(before + 1))?;
        let contents = self.contents();
        let lines: Vec<&str> = contents.trim_end().lines().collect();
        let is_prompt = |line: &&str| line.starts_with(PROMPT);
        let end = lines.len().saturating_sub(1);
        let start = lines[..end].iter().rposition(is_prompt).map_or(0, |line| line + 1);
        Ok(lines[start..end].iter().map(|line| (*line).trim_end().to_owned()).collect())
    }

    /// Types a command, waits until it has ended, and returns the lines that it printed.
    fn run(&mut self, command: &str) -> Shared<Vec<String>> {
        let before = self.prompts();
        self.type_keys(&format!("{command}\r"))?;
        self.next_prompt(before)
    }

    /// Waits for the launcher's end and returns its exit status.
    fn end(&mut self) -> Shared<u32> {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = while_doing("waiting for the launcher", self.child.try_wait())? {
                return Ok(status.exit_code());
            }
            if Instant::now() > deadline {
                return Err(format!("the launcher hasn't ended; the screen:\n{}", self.contents()));
            }
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(50)) {
                self.screen.process(&bytes);
            }
        }
    }
}

/// Fails with what was found if the condition doesn't hold.
fn ensure(condition: bool, found: impl std::fmt::Debug) -> Result<(), Failed> {
    if condition { Ok(()) } else { Err(format!("found {found:#?}").into()) }
}

fn list_sort_head() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    let lines = shell.run("ls -l / | sort | head")?;
    let names: Vec<&str> = lines.iter().filter_map(|line| line.split_whitespace().last()).collect();
    let sorted = lines.is_sorted();
    ensure(sorted && ["bin", "etc", "tmp"].iter().all(|name| names.contains(name)), lines)
}

fn loop_into_wc() -> Result<(), Failed> {
    let lines = Shell::start()?.run("for i in 1 2 3; do echo $i; done | wc -l")?;
    ensure(lines == ["3"], lines)
}

fn cat_until_ctrl_d() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    let before = shell.prompts();
    shell.start_reader("cat > f")?;
    shell.type_keys("first line\rsecond line\r\x04")?;
    shell.next_prompt(before)?;
    let lines = shell.run("cat f")?;
    ensure(lines == ["first line", "second line"], lines)
}

fn sleep_until_ctrl_c() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    let before = shell.prompts();
    shell.type_keys("sleep 100\r")?;
    shell.wait_for_text("sleep 100")?;
    std::thread::sleep(Duration::from_secs(1));
    shell.type_keys("\x03")?;
    shell.next_prompt(before)?;
    let lines = shell.run("echo $?")?;
    ensure(lines == ["130"], lines)
}

fn ps() -> Result<(), Failed> {
    let lines = Shell::start()?.run("ps")?;
    // BusyBox's shell runs its own ps in a fork of itself, which then has that name: `{ps} -sh`.
    let has = |text: &str| lines.iter().any(|line| line.ends_with(text));
    ensure(lines.first().is_some_and(|line| line.contains("PID")) && has(" {ps} -sh") && has(" -sh"), &lines)
}

fn find_everything() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    shell.run("find / > /tmp/all; echo $?")?;
    let lines = shell.run("grep -x -e /bin/busybox -e /etc/passwd -e /dev/null /tmp/all | sort")?;
    ensure(lines == ["/bin/busybox", "/dev/null", "/etc/passwd"], lines)?;
    let count = shell.run("wc -l < /tmp/all")?;
    ensure(count.first().and_then(|count| count.parse::<u32>().ok()).is_some_and(|count| count > 300), count)
}

fn vi_edits_a_file() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    shell.run("echo some text > f")?;
    shell.clear()?;
    shell.type_keys("vi f\r")?;
    shell.wait_for("vi's screen", LIMIT, |shell| {
        let contents = shell.contents();
        contents.starts_with("some text") && contents.contains("\n~")
    })?;
    shell.type_keys("ihello, \x1b")?;
    shell.wait_for_text("hello, some text")?;
    std::thread::sleep(Duration::from_millis(500));
    shell.type_keys("oa second line\x1b")?;
    shell.wait_for_text("a second line")?;
    std::thread::sleep(Duration::from_millis(500));
    shell.type_keys(":wq\r")?;
    shell.wait_for("the prompt after vi", LIMIT, |shell| shell.contents().trim_end().ends_with('#'))?;
    shell.clear()?;
    let lines = shell.run("cat f")?;
    ensure(lines == ["hello, some text", "a second line"], lines)
}

fn background_jobs() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    shell.run("sleep 100 &")?;
    let jobs = shell.run("jobs")?;
    ensure(jobs.len() == 1 && jobs[0].contains("Running") && jobs[0].contains("sleep 100"), jobs)?;
    shell.run("(sleep 1; echo late > late) &")?;
    let lines = shell.run("kill %1; wait; cat late")?;
    ensure(lines.iter().any(|line| line == "late"), lines)?;
    let jobs = shell.run("jobs")?;
    ensure(jobs.is_empty(), jobs)
}

fn stop_and_continue() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    let before = shell.prompts();
    shell.type_keys("sleep 100\r")?;
    shell.wait_for_text("sleep 100")?;
    std::thread::sleep(Duration::from_secs(1));
    shell.type_keys("\x1a")?;
    let lines = shell.next_prompt(before)?;
    ensure(lines.iter().any(|line| line.contains("Stopped")), lines)?;
    let before = shell.prompts();
    shell.type_keys("fg\r")?;
    std::thread::sleep(Duration::from_secs(1));
    shell.type_keys("\x03")?;
    shell.next_prompt(before)?;
    let lines = shell.run("echo $?; jobs")?;
    ensure(lines == ["130"], lines)
}

fn line_editing_and_history() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    // Left twice and a letter in the middle; then the line before, by arrow up.
    let lines = shell.run("echo acd\x1b[D\x1b[Db")?;
    ensure(lines == ["abcd"], lines)?;
    let lines = shell.run("\x1b[Ae")?;
    ensure(lines == ["abcde"], lines)
}

fn erase_in_a_plain_line() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    let before = shell.prompts();
    // Here the kernel-side line discipline edits, not the shell: erase, and kill the line.
    shell.start_reader("cat > f")?;
    shell.type_keys("abX\x7fc\r")?;
    shell.type_keys("wrong\x15right\r\x04")?;
    shell.next_prompt(before)?;
    let lines = shell.run("cat f")?;
    ensure(lines == ["abc", "right"], lines)
}

fn window_size() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    let lines = shell.run("stty size")?;
    ensure(lines == ["60 100"], lines)?;
    shell.terminal.resize(PtySize { rows: 50, cols: 90, ..SIZE })?;
    std::thread::sleep(Duration::from_secs(2));
    let lines = shell.run("stty size")?;
    ensure(lines == ["50 90"], lines)
}

fn a_program_sees_a_new_size() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    let before = shell.prompts();
    // The quotes keep the typed line from being taken for the program's.
    let waiting = "sh -c 'trap \"stty size; exit 4\" WINCH; echo re\"\"ady; while :; do sleep 0.1; done'; echo s=$?";
    shell.type_keys(&format!("{waiting}\r"))?;
    shell
        .wait_for("the program's start", LIMIT, |shell| shell.contents().lines().any(|line| line.trim() == "ready"))?;
    shell.terminal.resize(PtySize { rows: 40, cols: 88, ..SIZE })?;
    let lines = shell.next_prompt(before)?;
    ensure(lines.ends_with(&["ready".into(), "40 88".into(), "s=4".into()]), lines)
}

fn pipelines_interrupted_and_stopped() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    let before = shell.prompts();
    shell.start_reader("cat | sed s/a/b/ | sort")?;
    shell.type_keys("\x03")?;
    shell.next_prompt(before)?;
    let lines = shell.run("echo s=$?; ps | grep -c 'sor[t]'")?;
    ensure(lines == ["s=130", "0"], lines)?;
    let before = shell.prompts();
    shell.start_reader("cat | tr a-z A-Z > f")?;
    shell.type_keys("one\r")?;
    shell.wait_for_text("one")?;
    shell.type_keys("\x1a")?;
    let lines = shell.next_prompt(before)?;
    ensure(lines.iter().any(|line| line.contains("Stopped")), lines)?;
    let before = shell.prompts();
    shell.start_reader("fg")?;
    shell.type_keys("two\r\x04")?;
    shell.next_prompt(before)?;
    let lines = shell.run("cat f; jobs")?;
    ensure(lines == ["ONE", "TWO"], lines)
}

fn background_read_is_stopped() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    shell.run("cat > f &")?;
    let lines = shell.run("sleep 1; jobs")?;
    ensure(lines.iter().any(|line| line.contains("Stopped (tty input)") && line.contains("cat")), lines)?;
    let before = shell.prompts();
    shell.start_reader("fg")?;
    shell.type_keys("now it may read\r\x04")?;
    shell.next_prompt(before)?;
    let lines = shell.run("cat f; jobs")?;
    ensure(lines == ["now it may read"], lines)
}

fn top() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    shell.run("sleep 100 &")?;
    shell.clear()?;
    shell.type_keys("top\r")?;
    shell.wait_for("top's screen", LIMIT, |shell| {
        let contents = shell.contents();
        let has = |text: &str| contents.contains(text);
        has("Mem:") && has("CPU:") && has("Load average:") && has("PID") && has("COMMAND") && has("sleep 100")
    })?;
    shell.type_keys("q")?;
    shell.wait_for("the prompt after top", LIMIT, |shell| shell.contents().trim_end().ends_with('#'))?;
    shell.clear()?;
    let lines = shell.run("echo s=$?")?;
    ensure(lines == ["s=0"], lines)
}

fn less() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    shell.run("seq 1000 > numbers")?;
    shell.clear()?;
    shell.type_keys("less numbers\r")?;
    let first = |shell: &Shell, line: &str| shell.contents().lines().next().is_some_and(|top| top.trim() == line);
    shell.wait_for("the first page", LIMIT, |shell| first(shell, "1"))?;
    // What is typed while a page is drawn is taken apart otherwise than a user means it.
    let pause = || std::thread::sleep(Duration::from_millis(500));
    pause();
    shell.type_keys(" ")?;
    shell.wait_for("the second page", LIMIT, |shell| first(shell, "60"))?;
    pause();
    shell.type_keys("/")?;
    pause();
    shell.type_keys("500\r")?;
    shell.wait_for("what was searched for", LIMIT, |shell| first(shell, "500"))?;
    pause();
    shell.type_keys("G")?;
    shell.wait_for_text("1000")?;
    pause();
    shell.type_keys("g")?;
    shell.wait_for("the first page again", LIMIT, |shell| first(shell, "1"))?;
    pause();
    shell.type_keys("q")?;
    shell.wait_for("the prompt after less", LIMIT, |shell| shell.contents().trim_end().ends_with('#'))?;
    shell.clear()?;
    let lines = shell.run("echo s=$?")?;
    ensure(lines == ["s=0"], lines)
}

/// bash's own line editor, which asks more of a terminal than BusyBox's.
fn bash_with_readline() -> Result<(), Failed> {
    let bash = Program::Bash.host_path()?;
    let bash = bash.to_str().ok_or("the path of bash isn't UTF-8")?;
    let prompt = format!("PS1={PROMPT}bash# ");
    let mut shell = Shell::start_by(&["run", "--env", &prompt, bash, "--norc", "--noprofile", "-i"])?;
    // Left by a word and an insertion; kill and yank; a search backwards in the history; completion of a name.
    let lines = shell.run("echo one three\x1bbtwo \x05 four")?;
    ensure(lines == ["one two three four"], lines)?;
    let lines = shell.run("echo c b\x17a \x19")?;
    ensure(lines == ["c a b"], lines)?;
    shell.run("touch /tmp/a-long-name")?;
    let lines = shell.run("echo /tmp/a-l\t")?;
    ensure(lines == ["/tmp/a-long-name"], lines)?;
    let lines = shell.run("\x12thr\x05 again")?;
    ensure(lines == ["one two three four again"], lines)?;
    let before = shell.prompts();
    shell.start_reader("sleep 100 | cat")?;
    shell.type_keys("\x1a")?;
    let lines = shell.next_prompt(before)?;
    ensure(lines.iter().any(|line| line.contains("Stopped")), lines)?;
    let before = shell.prompts();
    shell.type_keys("fg\r")?;
    std::thread::sleep(Duration::from_secs(1));
    shell.type_keys("\x03")?;
    shell.next_prompt(before)?;
    let lines = shell.run("echo s=$?; jobs; bind -v | grep -c editing-mode")?;
    ensure(lines == ["s=130", "1"], lines)?;
    shell.type_keys("exit 9\r")?;
    let status = shell.end()?;
    ensure(status == 9, status)
}

fn a_crash_beside_the_shell() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    let lines = shell.run("sh -c 'kill -SEGV $$'")?;
    ensure(lines == ["Segmentation fault"], lines)?;
    let lines = shell.run("echo $?")?;
    ensure(lines == ["139"], lines)
}

fn example_script() -> Result<(), Failed> {
    let lines = Shell::start()?.run("./hello.sh")?;
    ensure(lines.len() == 5 && lines[0].starts_with("Hello from process") && lines[4].ends_with("programs"), lines)
}

fn exit_3_and_a_sane_terminal() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    let name = shell.terminal.tty_name().ok_or("the pseudo-terminal has no name")?;
    let slave = std::fs::File::options().read(true).open(name)?;
    let echoes = |slave: &std::fs::File| {
        rustix::termios::tcgetattr(slave).map(|modes| modes.local_modes.contains(rustix::termios::LocalModes::ECHO))
    };
    ensure(!echoes(&slave)?, "the terminal wasn't raw")?;
    shell.type_keys("exit 3\r")?;
    let status = shell.end()?;
    ensure(status == 3, status)?;
    ensure(echoes(&slave)?, "the terminal was left raw")
}

fn ctrl_d_ends_the_shell() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    shell.type_keys("\x04")?;
    let status = shell.end()?;
    ensure(status == 0, status)
}

fn way_out_of_a_hang() -> Result<(), Failed> {
    let mut shell = Shell::start()?;
    shell.type_keys("sleep 1000\r")?;
    shell.wait_for_text("sleep 1000")?;
    shell.type_keys("\x1d\x1d\x1d")?;
    let status = shell.end()?;
    ensure(status == 130, status)
}
