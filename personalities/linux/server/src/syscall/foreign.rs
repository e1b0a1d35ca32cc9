//! Calls on another process: by descriptor (pidfd_open(2)), on its descriptors and on its memory (process_vm_readv(2)), and
//! ptrace(2), which is refused.

use super::signals::{may_signal, queued_info, sent_by, signal_argument};
use super::{Call, Outcome};
use crate::memory::{AddressSpace, Iovec};
use crate::process::Process;
use crate::process::signal::{SignalInfo, code};
use crate::procfs;
use alloc::rc::Rc;
use alloc::vec;
use chestnut_linux_files::open::OpenFlags;
use chestnut_linux_files::{Errno, Result};
use core::cmp::Ordering;

/// pidfd_open(pid, flags)
pub fn pidfd_open(call: &Call) -> Result<u64> {
    let flags = OpenFlags::from_bits(call.half(1)).filter(|&flags| OpenFlags::NONBLOCKING.contains(flags));
    let flags = flags.ok_or(Errno::EINVAL)?;
    if call.int(0) <= 0 {
        return Err(Errno::EINVAL);
    }
    let pid = call.half(0);
    let Some(process) = call.server.table.process(pid) else {
        // A thread that isn't a leader has no descriptor.
        return Err(if call.server.table.thread(pid).is_some() { Errno::EINVAL } else { Errno::ESRCH });
    };
    call.server.open_process(call.process(), &process, flags).map(u64::from)
}

/// pidfd_send_signal(pidfd, signal, info, flags)
pub fn pidfd_send_signal(call: &Call) -> Result<Outcome> {
    if call.half(3) != 0 {
        return Err(Errno::EINVAL);
    }
    let file = call.file(0)?;
    // From before there were descriptors for processes: a directory of /proc.
    let process = match procfs::process_of(file.inode()).filter(|_| !file.is_path()) {
        Some(process) if process.is_zombie() && call.server.table.process(process.pid).is_none() => {
            return Err(Errno::ESRCH);
        }
        Some(process) => process,
        None => call.server.living_process_of_file(&file)?,
    };
    let signal = signal_argument(call.half(1))?;
    if !may_signal(call, &process, signal) {
        return Err(Errno::EPERM);
    }
    let Some(signal) = signal else { return Ok(Outcome::value(0u64)) };
    let info = if call.word(2) == 0 {
        sent_by(call, signal, code::USER)
    } else {
        if call.space().read_u32(call.word(2))? != u32::from(signal.number()) {
            return Err(Errno::EINVAL);
        }
        queued_info(call, signal, call.word(2), process.pid)?
    };
    send(call, &process, info)
}

fn send(call: &Call, process: &Rc<Process>, info: SignalInfo) -> Result<Outcome> {
    super::signals::check_queue(process, info)?;
    call.server.signal_process(process, info);
    Ok(super::signals::done(call))
}

/// Who may look into a process: whoever has all its ids, or is privileged (ptrace(2), PTRACE_MODE_ATTACH).
pub fn may_look_into(call: &Call, process: &Rc<Process>) -> Result<()> {
    if Rc::ptr_eq(process, call.process()) || call.is_privileged() {
        return Ok(());
    }
    let (own, other) = (call.process().ids.get(), process.ids.get());
    let same_user = [other.user, other.effective_user, other.saved_user].iter().all(|&id| id == own.user);
    let same_group = [other.group, other.effective_group, other.saved_group].iter().all(|&id| id == own.group);
    if same_user && same_group && process.dumpable.get() == 1 { Ok(()) } else { Err(Errno::EPERM) }
}

/// pidfd_getfd(pidfd, descriptor, flags)
pub fn pidfd_getfd(call: &Call) -> Result<u64> {
    if call.half(2) != 0 {
        return Err(Errno::EINVAL);
    }
    let process = call.server.living_process_of_file(&*call.file(0)?)?;
    may_look_into(call, &process)?;
    let file = process.descriptors().borrow().get(call.int(1))?.clone();
    let descriptor = call.process().descriptors().borrow_mut().insert(file, true)?;
    Ok(descriptor as u64)
}

/// What kcmp compares.
mod compared {
    pub const FILE: u32 = 0;
    pub const MEMORY: u32 = 1;
    pub const DESCRIPTORS: u32 = 2;
    pub const DIRECTORIES: u32 = 3;
    pub const HANDLERS: u32 = 4;
    pub const INPUT_OUTPUT: u32 = 5;
    pub const SEMAPHORES: u32 = 6;
}

/// kcmp(first, second, kind, index, index): 0 if both have the same, else 1 or 2 in some order that stays.
pub fn kcmp(call: &Call) -> Result<u64> {
    let find = |index| call.server.table.thread(call.half(index)).ok_or(Errno::ESRCH);
    let (first, second) = (find(0)?.process.clone(), find(1)?.process.clone());
    may_look_into(call, &first)?;
    may_look_into(call, &second)?;
    let file = |process: &Rc<Process>, index: usize| -> Result<usize> {
        let number = i32::try_from(call.word(index)).map_err(|_| Errno::EBADF)?;
        let file = process.descriptors().borrow().get(number)?.clone();
        Ok(Rc::as_ptr(&file).addr())
    };
    let place = |process: &Rc<Process>, index: usize| {
        Ok(match call.half(2) {
            compared::FILE => file(process, index)?,
            compared::MEMORY => Rc::as_ptr(&process.space()).addr(),
            compared::DESCRIPTORS => Rc::as_ptr(&process.descriptors()).addr(),
            compared::HANDLERS => process.actions_key(),
            compared::DIRECTORIES | compared::INPUT_OUTPUT => Rc::as_ptr(process).addr(),
            // Nobody has any.
            compared::SEMAPHORES => 0,
            _ => return Err(Errno::EINVAL),
        })
    };
    Ok(match place(&first, 3)?.cmp(&place(&second, 4)?) {
        Ordering::Equal => 0,
        Ordering::Less => 1,
        Ordering::Greater => 2,
    })
}

/// ptrace(request, pid, address, data): nobody can be traced. That is said as by a system whose policy forbids it.
pub fn ptrace(call: &Call) -> Result<u64> {
    const TRACEME: u64 = 0;
    if call.word(0) != TRACEME && call.server.table.thread(call.half(1)).is_none() {
        return Err(Errno::ESRCH);
    }
    Err(Errno::EPERM)
}

/// process_vm_readv(pid, local, local count, remote, remote count, flags)
pub fn process_vm_readv(call: &Call) -> Result<u64> {
    let (local, remote, other) = vectors(call)?;
    copy(&other, remote, &call.space(), local)
}
/// process_vm_writev(pid, local, local count, remote, remote count, flags)
pub fn process_vm_writev(call: &Call) -> Result<u64> {
    let (local, remote, other) = vectors(call)?;
    copy(&call.space(), local, &other, remote)
}

type Vectors = (vec::Vec<Iovec>, vec::Vec<Iovec>, Rc<AddressSpace>);

fn vectors(call: &Call) -> Result<Vectors> {
    if call.word(5) != 0 {
        return Err(Errno::EINVAL);
    }
    let space = call.space();
    let local = space.read_vector(call.word(1), call.word(2))?;
    let remote = space.read_vector(call.word(3), call.word(4))?;
    let thread = call.server.table.thread(call.half(0)).ok_or(Errno::ESRCH)?;
    may_look_into(call, &thread.process)?;
    Ok((local, remote, thread.space()))
}

/// Copies as much as both have room for: what was copied before a bad address counts.
fn copy(from: &AddressSpace, source: vec::Vec<Iovec>, to: &AddressSpace, target: vec::Vec<Iovec>) -> Result<u64> {
    /// The server does nothing else meanwhile.
    const MOST: u64 = 1 << 20;
    let mut pieces = source.into_iter();
    let mut places = target.into_iter();
    let (mut piece, mut place) = (Iovec { base: 0, length: 0 }, Iovec { base: 0, length: 0 });
    let mut done = 0;
    let mut buffer = vec![0; 4096];
    while done < MOST {
        if piece.length == 0 {
            match pieces.next() {
                Some(next) => piece = next,
                None => break,
            }
            continue;
        }
        if place.length == 0 {
            match places.next() {
                Some(next) => place = next,
                None => break,
            }
            continue;
        }
        let length = piece.length.min(place.length).min(buffer.len() as u64) as usize;
        let read = from.read_some(piece.base, &mut buffer[..length]);
        let written = to.write_some(place.base, &buffer[..read]);
        done += written as u64;
        if written < length {
            return if done == 0 { Err(Errno::EFAULT) } else { Ok(done) };
        }
        for end in [&mut piece, &mut place] {
            end.base = end.base.wrapping_add(length as u64);
            end.length -= length as u64;
        }
    }
    Ok(done)
}
