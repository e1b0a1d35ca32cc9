//! Runs the programs that the launcher asked for, one after the other, and joins them to the launcher's standard streams.

use crate::devices::{HostChannel, TerminalLine};
use crate::process::execute::ExecRequest;
use crate::process::signal::{Signal, SignalInfo};
use crate::process::{Ending, INIT, Life, Process};
use crate::server::Server;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::buffer::{SliceSink, SliceSource};
use chestnut_linux_files::caller::Caller;
use chestnut_linux_files::clock::Clock;
use chestnut_linux_files::open::{Attempt, OpenFile, OpenFlags};
use chestnut_linux_files::pipe::pipe;
use chestnut_linux_files::terminal::{Line, WindowSize};
use chestnut_linux_files::vfs::{At, Follow};
use chestnut_linux_files::wait::{Events, WaitQueue};
use chestnut_linux_files::{Errno, Result};
use chestnut_manifest::{Command, GuestMessage, HostMessage, MAX_PAYLOAD, Stdio};
use core::cell::{Cell, RefCell};
use core::time::Duration;

/// What running programs needs.
pub struct Session {
    pub server: &'static Server,
    pub host: Rc<HostChannel>,
    pub line: Rc<TerminalLine>,
}

/// How often it is looked whether the shell has come to its prompt, and how many times at most.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const MOST_LOOKS: u32 = 50;

/// The streams of the program that runs now.
#[derive(Default)]
struct Streams {
    /// Where what the host sends to standard input goes.
    input: RefCell<Option<Rc<OpenFile>>>,
    /// What has not been taken yet; an empty piece is the end.
    waiting: RefCell<VecDeque<Vec<u8>>>,
    arrived: WaitQueue,
    /// Output pipes that have not ended.
    open_outputs: Cell<usize>,
    ended: WaitQueue,
}

/// Why a program could not be started: what the shell says of it.
struct Refusal {
    status: u8,
    message: String,
}

/// Runs all commands. Afterwards the machine waits for the launcher to end it.
pub async fn run(session: Rc<Session>, commands: Vec<Command>) {
    let streams = Rc::new(Streams::default());
    session.server.executor.start(listen(session.clone(), streams.clone()));
    session.server.executor.start(feed(session.clone(), streams.clone()));
    session.host.send(&GuestMessage::Ready);
    if commands.first().is_some_and(|command| command.stdio == Stdio::Terminal) {
        session.server.executor.start(report_boot(session.server));
    }
    for command in commands {
        let status = match start(&session, &streams, command) {
            Ok(process) => {
                let ending = end_of(&session, &process).await;
                session.server.end_all();
                ending.shell_status()
            }
            Err(Refusal { status, message }) => {
                session.host.send(&GuestMessage::Stderr(message.into_bytes()));
                status
            }
        };
        session.server.init_program.set(0);
        session.server.watch.herald.replace(None);
        let input = streams.input.take();
        drop(input);
        while streams.open_outputs.get() > 0 {
            streams.ended.wait(Events::all()).await;
        }
        drain(&session).await;
        session.host.send(&GuestMessage::Exit(status));
    }
}

/// Says in the log what the boot has taken, when the shell waits for its first line.
async fn report_boot(server: &'static Server) {
    let clock = &server.clock;
    for _ in 0..MOST_LOOKS {
        clock.sleep_until(clock.monotonic() + LOOK_EVERY).await;
        if server.running_threads() == 0 {
            break;
        }
    }
    let memory = server.capabilities.memory();
    let (used, total) = ((memory.total - memory.free) / 1024, memory.total / 1024);
    let milliseconds = crate::capability::ticks() / clock.tsc_mhz() / 1000;
    log::info!("at the prompt: {used} of {total} KiB of memory in use, {milliseconds} ms after the machine's start");
}

/// Waits until everything that was written has left the server.
async fn drain(session: &Session) {
    session.host.drained().await;
    let clock = &session.server.clock;
    // A terminal that somebody has stopped (Ctrl-S) keeps its output: don't wait for ever.
    let give_up = clock.monotonic() + Duration::from_secs(5);
    while session.line.pending() > 0 && clock.monotonic() < give_up {
        clock.sleep_until(clock.monotonic() + Duration::from_millis(2)).await;
    }
}

/// Waits for the end of a child of init.
async fn end_of(session: &Session, process: &Rc<Process>) -> Ending {
    let init = session.server.table.process(INIT);
    loop {
        if let Life::Zombie(ending) = process.life.get() {
            return ending;
        }
        if let Some(init) = &init {
            init.child_changed.wait(Events::all()).await;
        }
    }
}

/// Why a program commonly can't be started, in words.
fn reason(error: Errno) -> Option<&'static str> {
    Some(match error {
        Errno::ENOENT => "not there, or its interpreter isn't",
        Errno::EACCES => "may not be executed",
        Errno::ENOEXEC => "not a program that can be run here",
        Errno::ENOMEM | Errno::E2BIG => "doesn't fit into the memory there is",
        Errno::ELOOP => "too many symbolic links, or of scripts that interpret scripts",
        _ => return None,
    })
}

/// Starts a program as a session leader.
fn start(session: &Session, streams: &Rc<Streams>, command: Command) -> core::result::Result<Rc<Process>, Refusal> {
    let server = session.server;
    let Command { program, arguments, environment, directory, stdio } = command;
    let refuse = |what: &str, error: Errno| Refusal {
        status: if error == Errno::ENOENT { 127 } else { 126 },
        message: match reason(error) {
            Some(reason) => alloc::format!("chestnut: {what}: {reason} ({error})\n"),
            None => alloc::format!("chestnut: {what}: {error}\n"),
        },
    };
    let prepare = || -> Result<(Rc<Process>, Rc<crate::process::Thread>)> {
        let pid = server.table.new_id().ok_or(Errno::EAGAIN)?;
        let mut caller = Caller::root(server.vfs.root());
        (caller.process, caller.process_group, caller.session) = (pid, pid, pid);
        let place = server.vfs.lookup(&caller, At::WorkingDirectory, directory.as_bytes(), Follow::Yes)?;
        server.vfs.check_directory(&caller, &place)?;
        caller.working_directory = place;
        let process = server.new_process(pid, INIT, caller)?;
        if let Some(init) = server.table.process(INIT) {
            init.children.borrow_mut().push(process.clone());
        }
        let thread = server.add_thread(&process, pid)?;
        join(session, streams, &process, stdio)?;
        Ok((process, thread))
    };
    let (process, thread) = prepare().map_err(|error| refuse(&program, error))?;
    server.init_program.set(process.pid);

    let mut failure = Errno::ENOENT;
    for path in candidates(program.as_bytes(), &environment) {
        let request = ExecRequest {
            at: At::WorkingDirectory,
            path,
            follow: Follow::Yes,
            arguments: arguments.clone(),
            environment: environment.clone(),
        };
        match server.execute(&thread, request) {
            Ok(()) => return Ok(process),
            // As a shell: go on looking, but remember that something was there.
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(error) => failure = error,
        }
    }
    server.end_process(&process, Ending::Exited(127));
    Err(refuse(&program, failure))
}

/// Where a program may be: the name itself if it has a slash, else in the folders of PATH.
fn candidates(program: &[u8], environment: &[Vec<u8>]) -> Vec<Vec<u8>> {
    if program.contains(&b'/') {
        return vec![program.to_vec()];
    }
    let path = environment.iter().find_map(|entry| entry.strip_prefix(b"PATH="));
    let path = path.unwrap_or(b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    path.split(|&byte| byte == b':')
        .map(|folder| if folder.is_empty() { program.to_vec() } else { [folder, b"/", program].concat() })
        .collect()
}

/// Opens descriptors 0, 1 and 2.
fn join(session: &Session, streams: &Rc<Streams>, process: &Rc<Process>, stdio: Stdio) -> Result<()> {
    let server = session.server;
    let descriptors = process.descriptors();
    let given = match stdio {
        Stdio::Terminal => {
            let caller = process.caller.borrow().clone();
            let console = server.vfs.open(&caller, At::WorkingDirectory, b"/dev/console", OpenFlags::READ_WRITE, 0)?;
            if let Some(terminal) = console.terminal() {
                terminal.opened_by(&caller);
            }
            for _ in 0..3 {
                descriptors.borrow_mut().insert(console.clone(), false)?;
            }
            server.watch.herald.replace(Some(Box::new(move |text| {
                // As a kernel's console does: on a line of its own. A terminal that somebody has stopped doesn't show it.
                let line = alloc::format!("\n{text}\n");
                let _ = console.try_write(&mut Attempt::once(), &mut SliceSource::new(line.as_bytes()));
            })));
            return Ok(());
        }
        Stdio::Channel => None,
        Stdio::Input(bytes) => Some(bytes),
    };
    let host = session.host.clone();
    server.watch.herald.replace(Some(Box::new(move |text| {
        // What there is no room for is in the log.
        if host.has_room() {
            host.send(&GuestMessage::Stderr(alloc::format!("chestnut: {text}\n").into_bytes()));
        }
    })));
    let new_pipe = || pipe(&server.nameless, 0, 0, OpenFlags::empty());
    let [input, feed] = new_pipe()?;
    descriptors.borrow_mut().insert(input, false)?;
    match given {
        None => *streams.input.borrow_mut() = Some(feed),
        Some(bytes) => server.executor.start(async move {
            // A program that doesn't read its input loses it.
            let _ = feed.write(&mut SliceSource::new(&bytes)).await;
        }),
    }
    let kinds: [fn(Vec<u8>) -> GuestMessage; 2] = [GuestMessage::Stdout, GuestMessage::Stderr];
    for kind in kinds {
        let [drain, output] = new_pipe()?;
        descriptors.borrow_mut().insert(output, false)?;
        streams.open_outputs.set(streams.open_outputs.get() + 1);
        server.executor.start(carry(session.host.clone(), streams.clone(), drain, kind));
    }
    Ok(())
}

/// Carries a program's output to the host until nobody can write any more.
async fn carry(host: Rc<HostChannel>, streams: Rc<Streams>, from: Rc<OpenFile>, kind: fn(Vec<u8>) -> GuestMessage) {
    let mut buffer = vec![0; MAX_PAYLOAD];
    loop {
        host.ready().await;
        let count = from.read(&mut SliceSink::new(&mut buffer)).await.unwrap_or(0);
        if count == 0 {
            break;
        }
        host.send(&kind(buffer[..count].to_vec()));
    }
    streams.open_outputs.set(streams.open_outputs.get() - 1);
    streams.ended.wake(Events::all());
}

impl Streams {
    fn pass(&self, bytes: Vec<u8>) {
        self.waiting.borrow_mut().push_back(bytes);
        self.arrived.wake(Events::IN);
    }
}

/// Gives the program its standard input, as fast as it takes it.
async fn feed(session: Rc<Session>, streams: Rc<Streams>) {
    loop {
        let piece = streams.waiting.borrow_mut().pop_front();
        match piece {
            None => streams.arrived.wait(Events::IN).await,
            Some(bytes) if bytes.is_empty() => {
                let pipe = streams.input.take();
                drop(pipe);
            }
            Some(bytes) => {
                let pipe = streams.input.borrow().clone();
                if let Some(pipe) = pipe {
                    // Not read any more (EPIPE): thrown away, and acknowledged so that the host goes on.
                    let _ = pipe.write(&mut SliceSource::new(&bytes)).await;
                }
                session.host.send(&GuestMessage::StdinConsumed(bytes.len() as u32));
            }
        }
    }
}

/// Does what the host says.
async fn listen(session: Rc<Session>, streams: Rc<Streams>) {
    let server = session.server;
    loop {
        while let Some(message) = session.host.take() {
            match message {
                HostMessage::Stdin(bytes) if bytes.is_empty() => {}
                HostMessage::Stdin(bytes) => streams.pass(bytes),
                HostMessage::StdinEnd => streams.pass(Vec::new()),
                HostMessage::WindowSize { rows, columns } => {
                    if let Some(console) = server.console.get() {
                        console.set_window_size(WindowSize { rows, columns, width: 0, height: 0 });
                    }
                }
                HostMessage::Signal(number) => signal(server, number),
            }
        }
        session.host.changed.wait(Events::IN).await;
    }
}

/// To the terminal's foreground, or to the program if it has no terminal.
fn signal(server: &'static Server, number: u8) {
    let Some(signal) = Signal::new(number.into()) else { return };
    match server.console.get().and_then(|console| console.foreground_group()) {
        Some(group) => server.signal_group(group, signal),
        None => {
            if let Some(process) = server.table.process(server.init_program.get()) {
                server.signal_process(&process, SignalInfo::kernel(signal));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_names_are_looked_for_in_path() {
        let environment = [b"A=b".to_vec(), b"PATH=/x::/y".to_vec()];
        let expected: [&[u8]; 3] = [b"/x/ls", b"ls", b"/y/ls"];
        assert_eq!(candidates(b"ls", &environment), expected);
        assert_eq!(candidates(b"./ls", &environment), [b"./ls"]);
        assert!(candidates(b"ls", &[]).contains(&b"/bin/ls".to_vec()));
    }
}
