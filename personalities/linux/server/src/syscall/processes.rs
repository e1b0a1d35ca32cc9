//! Calls that make, replace, end and await processes and threads.

use super::{Call, Outcome};
use crate::pressure;
use crate::process::Ending;
use crate::process::create::CloneRequest;
use crate::process::execute::ExecRequest;
use crate::process::signal::Signal;
use crate::process::wait::{Changes, Kinds, Report, Which};
use alloc::vec::Vec;
use chestnut_linux_files::open::OpenFlags;
use chestnut_linux_files::vfs::{At, Follow};
use chestnut_linux_files::wait::Events;
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::general as linux;

/// fork()
pub fn fork(call: &Call) -> Result<Outcome> {
    clone_with(call, CloneRequest { exit_signal: Signal::CHLD.number(), ..CloneRequest::default() })
}

/// vfork()
pub fn vfork(call: &Call) -> Result<Outcome> {
    let flags = u64::from(linux::CLONE_VM | linux::CLONE_VFORK);
    clone_with(call, CloneRequest { flags, exit_signal: Signal::CHLD.number(), ..CloneRequest::default() })
}

/// clone(flags, stack, parent_tid, child_tid, tls)
pub fn clone(call: &Call) -> Result<Outcome> {
    const BOTH: u64 = (linux::CLONE_PIDFD | linux::CLONE_PARENT_SETTID) as u64;
    if call.word(0) & BOTH == BOTH {
        return Err(Errno::EINVAL);
    }
    clone_with(
        call,
        CloneRequest {
            flags: call.word(0) & 0xffff_ff00,
            exit_signal: call.word(0) as u8,
            stack: call.word(1),
            parent_tid: call.word(2),
            child_tid: call.word(3),
            tls: call.word(4),
            // One place for two answers: they exclude each other.
            pidfd: call.word(2),
            tid: 0,
        },
    )
}

/// clone3(args, size)
pub fn clone3(call: &Call) -> Result<Outcome> {
    const WORDS: u64 = 11;
    let (address, size) = (call.word(0), call.word(1));
    if size < 64 {
        return Err(Errno::EINVAL);
    }
    if size > 4096 {
        return Err(Errno::E2BIG);
    }
    let mut bytes = alloc::vec![0; size as usize];
    call.space().read(address, &mut bytes)?;
    if bytes.iter().skip(WORDS as usize * 8).any(|&byte| byte != 0) {
        return Err(Errno::E2BIG);
    }
    let word = |index: usize| {
        let at = bytes.get(index * 8..index * 8 + 8).unwrap_or_default();
        at.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
    };
    // There is one namespace of ids, in which one can be chosen; there are no control groups.
    let unsupported = word(9) > 1 || (word(8) == 0) != (word(9) == 0) || word(10) != 0;
    let (stack, stack_size) = (word(5), word(6));
    let tid = if word(9) == 1 { call.space().read_u32(word(8))? } else { 0 };
    if word(9) == 1 && !call.is_privileged() {
        return Err(Errno::EPERM);
    }
    if word(9) == 1 && !crate::process::table::Table::is_id(tid) {
        return Err(Errno::EINVAL);
    }
    // A thread and a sibling tell nobody of their end, or as the caller does.
    let silent = word(0) & u64::from(linux::CLONE_THREAD | linux::CLONE_PARENT) != 0 && word(4) != 0;
    if unsupported
        || silent
        || word(0) & 0xff != 0
        || (stack == 0) != (stack_size == 0)
        || word(4) > Signal::COUNT as u64
    {
        return Err(Errno::EINVAL);
    }
    clone_with(
        call,
        CloneRequest {
            flags: word(0),
            exit_signal: word(4) as u8,
            stack: stack.checked_add(stack_size).ok_or(Errno::EINVAL)?,
            parent_tid: word(3),
            child_tid: word(2),
            tls: word(7),
            pidfd: word(1),
            tid,
        },
    )
}

fn clone_with(call: &Call, request: CloneRequest) -> Result<Outcome> {
    let child = call.server.clone_thread(call.thread, request)?;
    let tid = u64::from(child.tid.get());
    if request.flags & u64::from(linux::CLONE_VFORK) == 0 {
        return Ok(Outcome::value(tid));
    }
    // The parent waits until the child has its own memory. Only its own end ends that earlier.
    let process = child.process.clone();
    drop(child);
    let thread = call.thread.clone();
    let blocked = thread.mask();
    thread.set_mask(!crate::process::signal::SignalSet::EMPTY);
    Ok(call.wait_once(async move {
        while !process.has_left_parent.get() {
            process.left_parent.wait(Events::all()).await;
        }
        thread.set_mask(blocked);
        if !thread.deliverable().is_empty() {
            thread.page().set_attention(true);
        }
        Ok(tid)
    }))
}

/// Strings behind a vector of pointers that ends with a null one.
fn read_strings(call: &Call, address: u64, room: &mut usize) -> Result<Vec<Vec<u8>>> {
    let mut strings = Vec::new();
    if address == 0 {
        return Ok(strings);
    }
    let space = call.space();
    loop {
        let pointer = space.read_u64(address.wrapping_add(8 * strings.len() as u64))?;
        if pointer == 0 {
            return Ok(strings);
        }
        let limit = (*room).min(crate::exec::stack::MAX_STRING);
        let string = space.read_string(pointer, limit, Errno::E2BIG)?;
        *room = room.checked_sub(string.len() + 9).ok_or(Errno::E2BIG)?;
        strings.push(string);
    }
}

/// execve(path, argv, envp)
pub fn execve(call: &Call) -> Result<Outcome> {
    let path = call.path(0)?;
    execute(call, At::WorkingDirectory, path, Follow::Yes, call.word(1), call.word(2))
}

/// execveat(dirfd, path, argv, envp, flags)
pub fn execveat(call: &Call) -> Result<Outcome> {
    let (path, flags) = (call.path(1)?, call.half(4));
    if flags & !(linux::AT_EMPTY_PATH | linux::AT_SYMLINK_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    if path.is_empty() && flags & linux::AT_EMPTY_PATH == 0 {
        return Err(Errno::ENOENT);
    }
    let follow = if flags & linux::AT_SYMLINK_NOFOLLOW != 0 { Follow::No } else { Follow::Yes };
    let at = call.at(0, &path)?;
    execute(call, at, path, follow, call.word(2), call.word(3))
}

/// Bytes of arguments and environment without room for which no program is started.
const LEAST_ARGUMENTS: usize = 16 << 10;

fn execute(call: &Call, at: At, path: Vec<u8>, follow: Follow, argv: u64, envp: u64) -> Result<Outcome> {
    // A quarter of the stack's limit, as Linux has it, within reason.
    let limit = call.process().limits.borrow().soft(crate::process::limits::STACK);
    let room = (limit / 4).clamp(128 << 10, 6 << 20) as usize;
    if path.is_empty() && matches!(at, At::WorkingDirectory) {
        return Err(Errno::ENOENT);
    }
    // They are read, laid out and copied once more: with little memory there is less room for them.
    let spare = pressure::spare(call.server.capabilities);
    if spare < LEAST_ARGUMENTS {
        return Err(Errno::ENOMEM);
    }
    let mut room = room.min(spare);
    let mut arguments = read_strings(call, argv, &mut room)?;
    let environment = read_strings(call, envp, &mut room)?;
    if arguments.is_empty() {
        arguments.push(Vec::new());
    }
    call.server.execute(call.thread, ExecRequest { at, path, follow, arguments, environment })?;
    Ok(Outcome::Gone)
}

/// exit(status)
pub fn exit(call: &Call) -> Outcome {
    call.server.exit_thread(call.thread, call.word(0) as u8);
    Outcome::Gone
}

/// exit_group(status)
pub fn exit_group(call: &Call) -> Outcome {
    call.server.end_process(call.process(), Ending::Exited(call.word(0) as u8));
    Outcome::Gone
}

/// `struct rusage`: only time, memory and faults are counted.
pub fn encode_usage(usage: crate::process::Usage) -> [u64; 18] {
    let mut words = [0; 18];
    (words[0], words[1]) = (usage.user / 1_000_000, usage.user % 1_000_000);
    (words[2], words[3]) = (usage.system / 1_000_000, usage.system % 1_000_000);
    words[4] = usage.peak_pages * 4;
    words[8] = usage.faults;
    words
}

/// The id of a group, negative: i32::MIN has no positive counterpart.
const LEAST_GROUP: i32 = i32::MIN + 1;

/// Which children by how they were made.
const fn kinds(options: u32) -> Kinds {
    if options & linux::__WALL != 0 {
        Kinds::All
    } else if options & linux::__WCLONE != 0 {
        Kinds::Clones
    } else {
        Kinds::Ordinary
    }
}

/// wait4(pid, status, options, rusage)
pub fn wait4(call: &Call) -> Result<Outcome> {
    let (pid, status, options, usage) = (call.int(0), call.word(1), call.half(2), call.word(3));
    // __WNOTHREAD selects among the threads of the parent, which here are all alike.
    let ignored = linux::__WNOTHREAD | linux::__WALL | linux::__WCLONE;
    if options & !(linux::WNOHANG | linux::WUNTRACED | linux::WCONTINUED | ignored) != 0 {
        return Err(Errno::EINVAL);
    }
    let which = match pid {
        i32::MIN => return Err(Errno::ESRCH),
        LEAST_GROUP..-1 => Which::Group(pid.unsigned_abs()),
        -1 => Which::Any,
        0 => Which::Group(call.process().group.get()),
        _ => Which::Pid(pid as u32),
    };
    let changes = Changes {
        ended: true,
        stopped: options & linux::WUNTRACED != 0,
        continued: options & linux::WCONTINUED != 0,
        keep: false,
        kinds: kinds(options),
    };
    let space = call.space();
    let tell = move |report: Report| {
        if status != 0 {
            space.write_u32(status, report.status as u32)?;
        }
        if usage != 0 {
            space.write_words(usage, &encode_usage(report.usage))?;
        }
        Ok(u64::from(report.pid))
    };
    wait_for(call, which, changes, options & linux::WNOHANG != 0, Ok(0), tell)
}

/// Answers with the first change there is, now or later.
fn wait_for(
    call: &Call,
    which: Which,
    changes: Changes,
    now: bool,
    nothing: Result<u64>,
    tell: impl Fn(Report) -> Result<u64> + 'static,
) -> Result<Outcome> {
    let (server, process) = (call.server, call.process().clone());
    if let Some(report) = server.find_change(&process, which, changes)? {
        return Ok(tell(report).into());
    }
    if now {
        return Ok(nothing.into());
    }
    Ok(call.wait(async move {
        loop {
            if let Some(report) = server.find_change(&process, which, changes)? {
                return tell(report);
            }
            process.child_changed.wait(Events::all()).await;
        }
    }))
}

/// waitid(which, id, info, options, rusage)
pub fn waitid(call: &Call) -> Result<Outcome> {
    let (id, info, options, usage) = (call.half(1), call.word(2), call.half(3), call.word(4));
    let ignored = linux::__WNOTHREAD | linux::__WALL | linux::__WCLONE;
    let wanted = linux::WEXITED | linux::WSTOPPED | linux::WCONTINUED;
    if options & !(linux::WNOHANG | linux::WNOWAIT | wanted | ignored) != 0 || options & wanted == 0 {
        return Err(Errno::EINVAL);
    }
    let mut no_hang_error = None;
    let which = match call.half(0) {
        linux::P_ALL => Which::Any,
        linux::P_PID if id != 0 => Which::Pid(id),
        linux::P_PGID if id == 0 => Which::Group(call.process().group.get()),
        linux::P_PGID => Which::Group(id),
        linux::P_PIDFD => {
            let file = call.file_of(id as i32)?;
            no_hang_error = file.flags().contains(OpenFlags::NONBLOCKING).then_some(Errno::EAGAIN);
            Which::Pid(call.server.process_of_file(&file)?.pid)
        }
        _ => return Err(Errno::EINVAL),
    };
    let changes = Changes {
        ended: options & linux::WEXITED != 0,
        stopped: options & linux::WSTOPPED != 0,
        continued: options & linux::WCONTINUED != 0,
        keep: options & linux::WNOWAIT != 0,
        kinds: kinds(options),
    };
    let space = call.space();
    let put = move |words: [u64; 4]| {
        if info != 0 { space.write_words(info, &words) } else { Ok(()) }
    };
    let space = call.space();
    let nothing = {
        let put = put.clone();
        move || put([0; 4]).map(|()| 0)
    };
    let tell = move |report: Report| {
        if usage != 0 {
            space.write_words(usage, &encode_usage(report.usage))?;
        }
        let signal = u64::from(Signal::CHLD.number());
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        put([signal, pair(report.code as u32, 0), pair(report.pid, report.user), pair(report.detail as u32, 0)])?;
        Ok(0)
    };
    let no_hang = options & linux::WNOHANG != 0;
    let (server, process) = (call.server, call.process().clone());
    if let Some(report) = server.find_change(&process, which, changes)? {
        return Ok(tell(report).into());
    }
    if no_hang {
        return Ok(nothing().into());
    }
    if let Some(error) = no_hang_error {
        return Err(error);
    }
    wait_for(call, which, changes, false, Ok(0), tell)
}

/// set_tid_address(address)
pub fn set_tid_address(call: &Call) -> Result<u64> {
    call.thread.clear_tid_address.set(call.word(0));
    Ok(call.thread.tid.get().into())
}

/// set_robust_list(head, length)
pub fn set_robust_list(call: &Call) -> Result<u64> {
    if call.word(1) != 24 {
        return Err(Errno::EINVAL);
    }
    call.thread.robust_list.set((call.word(0), call.word(1)));
    Ok(0)
}

/// get_robust_list(tid, head, length)
pub fn get_robust_list(call: &Call) -> Result<u64> {
    let tid = call.half(0);
    let thread = if tid == 0 { call.thread.clone() } else { call.server.table.thread(tid).ok_or(Errno::ESRCH)? };
    if !alloc::rc::Rc::ptr_eq(&thread.process, call.process()) && !call.is_privileged() {
        return Err(Errno::EPERM);
    }
    let (head, _) = thread.robust_list.get();
    call.space().write_u64(call.word(1), head)?;
    call.space().write_u64(call.word(2), 24)?;
    Ok(0)
}

/// setpgid(pid, group)
pub fn setpgid(call: &Call) -> Result<u64> {
    if call.int(1) < 0 {
        return Err(Errno::EINVAL);
    }
    call.server.set_group(call.process(), call.half(0), call.half(1))?;
    Ok(0)
}
/// getpgid(pid)
pub fn getpgid(call: &Call) -> Result<u64> {
    let process = call.server.process_or_self(call.process(), call.half(0)).ok_or(Errno::ESRCH)?;
    Ok(process.group.get().into())
}
/// getpgrp()
pub fn getpgrp(call: &Call) -> Result<u64> {
    Ok(call.process().group.get().into())
}
/// setsid()
pub fn setsid(call: &Call) -> Result<u64> {
    call.server.new_session(call.process()).map(u64::from)
}
/// getsid(pid)
pub fn getsid(call: &Call) -> Result<u64> {
    let process = call.server.process_or_self(call.process(), call.half(0)).ok_or(Errno::ESRCH)?;
    Ok(process.session.get().into())
}
