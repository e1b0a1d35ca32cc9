//! Texts, links and folders about one process (proc(5)).

use super::{Proc, adjustment, areas, descriptors, first_number, number_of, system};
use crate::exec::load::TICKS_PER_SECOND;
use crate::memory::{PAGE, Protection, Shown};
use crate::process::limits::{INFINITY, NAMES};
use crate::process::seccomp::Seccomp;
use crate::process::signal::SignalSet;
use crate::process::thread::Activity;
use crate::process::{Life, Process, Thread};
use crate::server::Server;
use alloc::format;
use alloc::rc::{Rc, Weak};
use alloc::string::String;
use alloc::vec::Vec;
use chestnut_linux_files::inode::{Directory, FIRST_COOKIE, Inode, Kind, Listed};
use chestnut_linux_files::{Errno, Result};
use core::any::Any;
use core::fmt::Write;

/// A file of a process: `None` for the thread asks about the whole process.
type Text = fn(&'static Server, &Process, Option<&Thread>) -> Vec<u8>;

/// Files, and whether only the owner may read them.
const FILES: &[(&str, Text, bool)] = &[
    ("auxv", auxiliary, true),
    ("cmdline", command_line, false),
    ("comm", name_line, false),
    ("environ", environment, true),
    ("limits", limits, false),
    ("maps", |_, process, _| areas::maps(process), false),
    ("mountinfo", |server, _, _| system::mount_information(server), false),
    ("mounts", |server, _, _| system::mounts(server), false),
    ("oom_score", |server, process, _| format!("{}\n", server.oom_score(process)).into_bytes(), false),
    (adjustment::NAME, |_, process, _| adjustment::text(process), false),
    ("smaps", |_, process, _| areas::with_pages(process), false),
    ("smaps_rollup", |_, process, _| areas::in_all(process), false),
    ("stat", stat, false),
    ("statm", statm, false),
    ("status", status, false),
    // Where a thread waits inside the server is nobody's business: as Linux for the unprivileged.
    ("wchan", |_, _, _| b"0".to_vec(), false),
];
const LINKS: [&str; 3] = ["cwd", "exe", "root"];
/// Inode numbers after the directory's: files from 1, links from 100, folders from 200, descriptors and threads beyond.
const LINK_NUMBERS: u64 = 100;
const FD_NUMBER: u64 = 200;
const TASK_NUMBER: u64 = 201;
const INFORMATION_NUMBER: u64 = 202;
const DESCRIPTOR_NUMBERS: u64 = 1 << 10;
const TASK_NUMBERS: u64 = 1 << 19;

pub fn owner(process: &Process) -> (u32, u32) {
    let ids = process.ids.get();
    (ids.effective_user, ids.effective_group)
}

/// /proc/PID
pub fn directory(proc: &Proc, process: &Rc<Process>) -> Rc<Inode> {
    let directory =
        ProcessDirectory { proc: proc.clone(), pid: process.pid, tid: None, process: Rc::downgrade(process) };
    proc.directory(first_number(process.pid), owner(process), directory)
}

/// The process whose /proc/PID this is, even if it has ended.
pub fn process_of(inode: &Inode) -> Option<Rc<Process>> {
    let directory: &ProcessDirectory = inode.directory().ok()?.as_any()?.downcast_ref()?;
    directory.process.upgrade().filter(|_| directory.tid.is_none())
}

/// /proc/PID, and with a thread's id /proc/PID/task/TID.
struct ProcessDirectory {
    proc: Proc,
    pid: u32,
    tid: Option<u32>,
    process: Weak<Process>,
}

impl Directory for ProcessDirectory {
    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }

    fn lookup(&self, name: &[u8]) -> Result<Rc<Inode>> {
        let process = self.proc.live(self.pid)?;
        let (server, pid, tid, first) = (self.proc.server, self.pid, self.tid, first_number(self.pid));
        let owner = owner(&process);
        if let Some(index) = FILES.iter().position(|(known, ..)| known.as_bytes() == name) {
            let (_, text, private) = FILES[index];
            if name == adjustment::NAME.as_bytes() {
                return Ok(adjustment::inode(&self.proc, first + 1 + index as u64, owner, &process));
            }
            let permissions = if private { 0o400 } else { 0o444 };
            let proc = self.proc.clone();
            return Ok(self.proc.file(first + 1 + index as u64, permissions, owner, move || {
                let process = proc.live(pid)?;
                let thread = match tid {
                    Some(tid) => Some(server.table.thread(tid).ok_or(Errno::ESRCH)?),
                    None => None,
                };
                Ok(text(server, &process, thread.as_deref()))
            }));
        }
        let proc = self.proc.clone();
        let live = move || proc.live(pid);
        match name {
            b"cwd" => Ok(self.proc.place_link(first + LINK_NUMBERS, owner, 0o777, move || {
                Ok(live()?.caller.borrow().working_directory.clone())
            })),
            b"exe" => Ok(self.proc.place_link(first + LINK_NUMBERS + 1, owner, 0o777, move || {
                live()?.executable.borrow().clone().ok_or(Errno::ENOENT)
            })),
            b"root" => Ok(self
                .proc
                .place_link(first + LINK_NUMBERS + 2, owner, 0o777, move || Ok(live()?.caller.borrow().root.clone()))),
            b"fd" => Ok(self.proc.directory(first + FD_NUMBER, owner, Descriptors { proc: self.proc.clone(), pid })),
            b"fdinfo" => Ok(descriptors::information(&self.proc, first + INFORMATION_NUMBER, &process)),
            b"task" if tid.is_none() => {
                Ok(self.proc.directory(first + TASK_NUMBER, owner, Tasks { proc: self.proc.clone(), pid }))
            }
            _ => Err(Errno::ENOENT),
        }
    }

    fn list(&self, after: u64, emit: &mut dyn FnMut(&Listed<'_>) -> bool) -> Result<()> {
        let first = first_number(self.pid);
        let files = FILES.iter().enumerate().map(|(index, (name, ..))| (*name, 1 + index as u64, Kind::Regular));
        let links = LINKS.iter().enumerate().map(|(index, name)| (*name, LINK_NUMBERS + index as u64, Kind::Symlink));
        let folders = [("fd", FD_NUMBER), ("fdinfo", INFORMATION_NUMBER), ("task", TASK_NUMBER)];
        let folders = folders.map(|(name, number)| (name, number, Kind::Directory));
        let folders = folders.into_iter().take(if self.tid.is_none() { 3 } else { 2 });
        for (position, (name, number, kind)) in files.chain(links).chain(folders).enumerate() {
            let cookie = FIRST_COOKIE + position as u64;
            let listed = Listed { name: name.as_bytes(), number: first + number, kind, cookie };
            if cookie > after && !emit(&listed) {
                break;
            }
        }
        Ok(())
    }
}

/// /proc/PID/fd
struct Descriptors {
    proc: Proc,
    pid: u32,
}

impl Directory for Descriptors {
    fn lookup(&self, name: &[u8]) -> Result<Rc<Inode>> {
        let number = number_of(name).ok_or(Errno::ENOENT)?;
        let process = self.proc.live(self.pid)?;
        let file = process.descriptors().borrow().get(number as i32).cloned().map_err(|_| Errno::ENOENT)?;
        // The mode says for what it was opened.
        let permissions = if file.is_readable() { 0o500 } else { 0 } | if file.is_writable() { 0o300 } else { 0 };
        let (proc, pid) = (self.proc.clone(), self.pid);
        let inode_number = first_number(pid) + DESCRIPTOR_NUMBERS + u64::from(number);
        Ok(self.proc.place_link(inode_number, owner(&process), permissions, move || {
            let process = proc.live(pid)?;
            let file = process.descriptors().borrow().get(number as i32).cloned();
            Ok(file.map_err(|_| Errno::ENOENT)?.location().clone())
        }))
    }

    fn list(&self, after: u64, emit: &mut dyn FnMut(&Listed<'_>) -> bool) -> Result<()> {
        let process = self.proc.live(self.pid)?;
        let numbers: Vec<i32> = process.descriptors().borrow().iter().map(|(number, _)| number).collect();
        for number in numbers {
            let cookie = FIRST_COOKIE + number as u64;
            let name = format!("{number}");
            let inode_number = first_number(self.pid) + DESCRIPTOR_NUMBERS + number as u64;
            let listed = Listed { name: name.as_bytes(), number: inode_number, kind: Kind::Symlink, cookie };
            if cookie > after && !emit(&listed) {
                break;
            }
        }
        Ok(())
    }
}

/// /proc/PID/task
struct Tasks {
    proc: Proc,
    pid: u32,
}

impl Directory for Tasks {
    fn lookup(&self, name: &[u8]) -> Result<Rc<Inode>> {
        let tid = number_of(name).ok_or(Errno::ENOENT)?;
        let process = self.proc.live(self.pid)?;
        if !process.threads.borrow().iter().any(|thread| thread.tid.get() == tid) {
            return Err(Errno::ENOENT);
        }
        let number = first_number(self.pid) + TASK_NUMBERS + u64::from(tid);
        let directory =
            ProcessDirectory { proc: self.proc.clone(), pid: self.pid, tid: Some(tid), process: Weak::new() };
        Ok(self.proc.directory(number, owner(&process), directory))
    }

    fn list(&self, after: u64, emit: &mut dyn FnMut(&Listed<'_>) -> bool) -> Result<()> {
        let process = self.proc.live(self.pid)?;
        let mut tids: Vec<u32> = process.threads.borrow().iter().map(|thread| thread.tid.get()).collect();
        tids.sort_unstable();
        for tid in tids {
            let cookie = FIRST_COOKIE + u64::from(tid);
            let name = format!("{tid}");
            let number = first_number(self.pid) + TASK_NUMBERS + u64::from(tid);
            let listed = Listed { name: name.as_bytes(), number, kind: Kind::Directory, cookie };
            if cookie > after && !emit(&listed) {
                break;
            }
        }
        Ok(())
    }
}

/// The thread asked about, or the process's first.
fn name(process: &Process, thread: Option<&Thread>) -> Vec<u8> {
    let bytes = match thread {
        Some(thread) => thread.name.get(),
        None => process.leader().map_or(process.name.get(), |thread| thread.name.get()),
    };
    bytes[..bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len())].to_vec()
}
fn name_line(_: &'static Server, process: &Process, thread: Option<&Thread>) -> Vec<u8> {
    let mut line = name(process, thread);
    line.push(b'\n');
    line
}

fn state(process: &Process, thread: Option<&Thread>) -> (char, &'static str) {
    // Whoever reads this about itself is being served, and counts as running: nothing is there to wake it.
    let running = |thread: &Thread| match thread.activity() {
        Activity::Running => true,
        Activity::Held => thread.waker.borrow().is_none(),
        _ => false,
    };
    match process.life.get() {
        Life::Zombie(_) => ('Z', "zombie"),
        Life::Stopped(_) => ('T', "stopped"),
        Life::Running => {
            let runs = match thread {
                Some(thread) => running(thread),
                None => process.threads.borrow().iter().any(|thread| running(thread)),
            };
            if runs { ('R', "running") } else { ('S', "sleeping") }
        }
    }
}

fn copy_memory(process: &Process, (start, end): (u64, u64)) -> Vec<u8> {
    const MOST: u64 = 6 << 20;
    let mut bytes = alloc::vec![0; end.saturating_sub(start).min(MOST) as usize];
    let length = process.space().read_some(start, &mut bytes);
    bytes.truncate(length);
    bytes
}
/// The arguments as they are now. A program that has written a longer title over them, into its environment, has overwritten the last
/// one's end: then it is one text, as far as it goes.
fn command_line(_: &'static Server, process: &Process, _: Option<&Thread>) -> Vec<u8> {
    let marks = process.space().marks.get();
    let arguments = copy_memory(process, marks.arguments);
    if arguments.last().is_none_or(|&last| last == 0) {
        return arguments;
    }
    let mut title = copy_memory(process, (marks.arguments.0, marks.environment.1));
    if let Some(end) = title.iter().position(|&byte| byte == 0) {
        title.truncate(end + 1);
    }
    title
}
fn environment(_: &'static Server, process: &Process, _: Option<&Thread>) -> Vec<u8> {
    copy_memory(process, process.space().marks.get().environment)
}
fn auxiliary(_: &'static Server, process: &Process, _: Option<&Thread>) -> Vec<u8> {
    copy_memory(process, process.space().marks.get().auxiliary)
}

fn limits(_: &'static Server, process: &Process, _: Option<&Thread>) -> Vec<u8> {
    let mut text = String::from("Limit                     Soft Limit           Hard Limit           Units     \n");
    let show = |value: u64| if value == INFINITY { String::from("unlimited") } else { format!("{value}") };
    let limits = process.limits.borrow();
    for (kind, (name, unit)) in NAMES.iter().enumerate() {
        if let Ok(limit) = limits.get(kind as u64) {
            let _ = writeln!(text, "{name:<25} {:<20} {:<20} {unit:<10}", show(limit.soft), show(limit.hard));
        }
    }
    text.into_bytes()
}

fn terminal_of(process: &Process) -> (u64, i64) {
    let terminal = process.caller.borrow().controlling_terminal.clone();
    terminal.map_or((0, -1), |terminal| (terminal.device(), terminal.foreground_group().map_or(-1, i64::from)))
}

fn signal_sets(process: &Process, thread: Option<&Thread>) -> [SignalSet; 5] {
    let leader = process.leader();
    let thread = thread.or(leader.as_deref());
    let (own, blocked) =
        thread.map_or((SignalSet::EMPTY, SignalSet::EMPTY), |thread| (thread.pending.borrow().set(), thread.mask()));
    let (caught, ignored) = process.all_actions().caught_and_ignored();
    [own, process.pending.borrow().set(), blocked, ignored, caught]
}

fn stat(_: &'static Server, process: &Process, thread: Option<&Thread>) -> Vec<u8> {
    const TICK: u64 = 1_000_000 / TICKS_PER_SECOND;
    let (terminal, foreground) = terminal_of(process);
    let usage = process.total_usage();
    let (user, system) = thread.map_or((usage.user, usage.system), |thread| (thread.user_time(), thread.system_time()));
    let (user, system) = (user / TICK, system / TICK);
    let schedule =
        thread.map(|thread| thread.schedule.get()).or_else(|| process.leader().map(|leader| leader.schedule.get()));
    let schedule = schedule.unwrap_or_default();
    let nice = schedule.nice;
    // As Linux counts: real-time threads are below zero.
    let priority = if schedule.is_real_time() { -1 - schedule.priority as i32 } else { 20 + nice };
    let children = process.children_usage.get();
    let space = process.space();
    let marks = space.marks.get();
    let [own, shared, blocked, ignored, caught] = signal_sets(process, thread);
    let (vsize, rss) = if process.is_zombie() { (0, 0) } else { (space.size(), space.resident()) };
    let exit_code = match process.life.get() {
        Life::Zombie(ending) => ending.status(),
        _ => 0,
    };
    let started = process.started.as_micros() as u64 / TICK;
    let id = thread.map_or(process.pid, |thread| thread.tid.get());
    let mut text = format!("{id} (").into_bytes();
    text.extend_from_slice(&name(process, thread));
    let rest = format!(
        ") {} {} {} {} {terminal} {foreground} 0 {} {} 0 0 {user} {system} {} {} {priority} {nice} {} 0 {started} {vsize} {rss} {INFINITY} \
         {} {} {} 0 0 {} {} {} {} 0 0 0 {} 0 0 0 0 0 0 {} {} {} {} {} {} {} {exit_code}\n",
        state(process, thread).0,
        process.visible_parent(),
        process.group.get(),
        process.session.get(),
        usage.faults,
        children.faults,
        children.user / TICK,
        children.system / TICK,
        process.threads.borrow().len().max(1),
        marks.code.0,
        marks.code.1,
        marks.stack_start,
        (own | shared).0 & 0x7fff_ffff,
        blocked.0 & 0x7fff_ffff,
        ignored.0 & 0x7fff_ffff,
        caught.0 & 0x7fff_ffff,
        process.exit_signal.get(),
        marks.data.0,
        marks.data.1,
        space.break_start(),
        marks.arguments.0,
        marks.arguments.1,
        marks.environment.0,
        marks.environment.1,
    );
    text.extend_from_slice(rest.as_bytes());
    text
}

fn statm(_: &'static Server, process: &Process, _: Option<&Thread>) -> Vec<u8> {
    let space = process.space();
    let (mut shared, mut code, mut data) = (0, 0, 0);
    space.each_area(|range, area, present| {
        let pages = (range.end - range.start) / PAGE;
        if !matches!(area.shown, Shown::Zeros) {
            shared += present;
        }
        if area.protection.contains(Protection::EXECUTE) {
            code += pages;
        } else if area.protection.contains(Protection::WRITE) {
            data += pages;
        }
    });
    format!("{} {} {shared} {code} 0 {data} 0\n", space.size() / PAGE, space.resident()).into_bytes()
}

fn status(_: &'static Server, process: &Process, thread: Option<&Thread>) -> Vec<u8> {
    let (letter, word) = state(process, thread);
    let ids = process.ids.get();
    let space = process.space();
    let kilobytes = |pages: u64| pages * PAGE / 1024;
    let usage = process.total_usage();
    let [own, shared, blocked, ignored, caught] = signal_sets(process, thread);
    let caller = process.caller.borrow();
    let capabilities = process.capabilities.get();
    let tid = thread.map_or(process.pid, |thread| thread.tid.get());
    let leader = process.leader();
    let seccomp = thread.or(leader.as_deref()).map_or(Seccomp::Off, |thread| thread.seccomp().clone());
    let mut text = b"Name:\t".to_vec();
    text.extend_from_slice(&name(process, thread));
    let mut rest = String::new();
    let _ = write!(
        rest,
        "\nUmask:\t{:04o}\nState:\t{letter} ({word})\nTgid:\t{}\nNgid:\t0\nPid:\t{tid}\nPPid:\t{}\nTracerPid:\t0\n\
         Uid:\t{}\t{}\t{}\t{}\nGid:\t{}\t{}\t{}\t{}\nFDSize:\t{}\nGroups:\t",
        caller.umask,
        process.pid,
        process.visible_parent(),
        ids.user,
        ids.effective_user,
        ids.saved_user,
        caller.credentials.user,
        ids.group,
        ids.effective_group,
        ids.saved_group,
        caller.credentials.group,
        process.descriptors().borrow().iter().count().next_power_of_two().max(64),
    );
    for group in &caller.credentials.supplementary {
        let _ = write!(rest, "{group} ");
    }
    if !process.is_zombie() {
        let _ = write!(
            rest,
            "\nVmPeak:\t{0:8} kB\nVmSize:\t{0:8} kB\nVmLck:\t{3:8} kB\nVmHWM:\t{1:8} kB\nVmRSS:\t{2:8} kB\nVmSwap:\t       0 kB",
            kilobytes(space.size() / PAGE),
            kilobytes(usage.peak_pages),
            kilobytes(space.resident() as u64),
            crate::memory::kilobytes(space.locked()),
        );
    }
    let _ = write!(
        rest,
        "\nThreads:\t{}\nSigQ:\t{}/{}\nSigPnd:\t{:016x}\nShdPnd:\t{:016x}\nSigBlk:\t{:016x}\nSigIgn:\t{:016x}\nSigCgt:\t{:016x}\n\
         CapInh:\t{:016x}\nCapPrm:\t{:016x}\nCapEff:\t{:016x}\nCapBnd:\t{:016x}\nCapAmb:\t{:016x}\n\
         NoNewPrivs:\t{}\nSeccomp:\t{}\nSeccomp_filters:\t{}\nCpus_allowed:\t1\nCpus_allowed_list:\t0\n",
        process.threads.borrow().len(),
        process.queued_signals(),
        process.limits.borrow().soft(crate::process::limits::SIGNALS),
        own.0,
        shared.0,
        blocked.0,
        ignored.0,
        caught.0,
        capabilities.inheritable,
        capabilities.permitted,
        capabilities.effective,
        capabilities.bounding,
        capabilities.ambient,
        u32::from(process.no_new_privileges.get()),
        seccomp.mode(),
        seccomp.count(),
    );
    text.extend_from_slice(rest.as_bytes());
    text
}
