//! POSIX message queues: mq_open(2), mq_unlink(2), mq_timedsend(2), mq_timedreceive(2), mq_notify(2), mq_getsetattr(2).

use super::poll::read_timeout;
use super::{Call, Outcome};
use crate::ipc::named::{
    Arrival, MOST, MOST_IN_MESSAGE, MOST_MESSAGES, NamedQueue, Notice, PRIORITIES, QueueFile, Receiver,
};
use crate::ipc::{Asker, Permissions, READ, WRITE};
use crate::process::capabilities::SYS_RESOURCE;
use crate::process::limits::MESSAGES;
use crate::process::signal::{Detail, Signal, SignalInfo};
use crate::server::Server;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::clock::{Clock, Wakeup};
use chestnut_linux_files::open::{OpenFile, OpenFlags};
use chestnut_linux_files::wait::Events;
use chestnut_linux_files::{Errno, Result};
use core::any::Any;
use core::future::poll_fn;
use core::task::Poll;
use linux_raw_sys::general as linux;

/// SI_MESGQ.
const CODE: i32 = -3;

/// The name of an argument, as the C library hands it over: without the slash that it begins with.
fn name(call: &Call) -> Result<Vec<u8>> {
    const LONGEST: usize = 255;
    let name = call.path(0)?;
    match () {
        () if name.is_empty() => Err(Errno::ENOENT),
        () if name.contains(&b'/') || name == b"." || name == b".." => Err(Errno::EACCES),
        () if name.len() > LONGEST => Err(Errno::ENAMETOOLONG),
        () => Ok(name),
    }
}

fn asker(call: &Call) -> Asker {
    Asker { owns_all: call.caller().credentials.privileged, ..call.asker() }
}

/// mq_open(name, flags, mode, attributes)
pub fn mq_open(call: &Call) -> Result<u64> {
    let (flags, asker) = (OpenFlags::from_bits_truncate(call.half(1)), asker(call));
    let name = name(call)?;
    let mut queues = call.server.ipc.named.borrow_mut();
    let queue = match queues.names.get(&name) {
        Some(_) if flags.contains(OpenFlags::CREATE | OpenFlags::EXCLUSIVE) => return Err(Errno::EEXIST),
        Some(queue) => {
            let wanted = if flags.readable() { READ } else { 0 } | if flags.writable() { WRITE } else { 0 };
            queue.permissions.check(&asker, wanted)?;
            queue.clone()
        }
        None if !flags.contains(OpenFlags::CREATE) => return Err(Errno::ENOENT),
        None => {
            let raised = call.can(SYS_RESOURCE);
            if queues.names.len() >= MOST && !raised {
                return Err(Errno::ENOSPC);
            }
            let (most, longest) = match call.word(3) {
                0 => (MOST_MESSAGES, MOST_IN_MESSAGE),
                address => {
                    let [_, most, longest] = call.space().read_words(address)?;
                    let beyond = most > MOST_MESSAGES || longest > MOST_IN_MESSAGE;
                    if most == 0 || longest == 0 || (most | longest) >> 32 != 0 || beyond && !raised {
                        return Err(Errno::EINVAL);
                    }
                    (most, longest)
                }
            };
            let mode = call.half(2) & 0o777 & !call.caller().umask;
            let limit = call.process().limits.borrow().soft(MESSAGES);
            let queue = NamedQueue::new(Permissions::new(0, mode, &asker), most, longest, limit, &queues.accounts)?;
            queues.names.insert(name.clone(), queue.clone());
            queue
        }
    };
    drop(queues);
    let kept = OpenFlags::READ_WRITE | OpenFlags::WRITE_ONLY | OpenFlags::NONBLOCKING;
    let label: Vec<u8> = [&b"/"[..], &name].concat();
    let file = OpenFile::anonymous(&call.server.nameless, Rc::new(QueueFile(queue)), &label, flags & kept);
    // Asked for or not, as on Linux.
    call.install(file, true)
}

/// mq_unlink(name): who has it open keeps it.
pub fn mq_unlink(call: &Call) -> Result<u64> {
    let (name, asker) = (name(call)?, asker(call));
    let mut queues = call.server.ipc.named.borrow_mut();
    let queue = queues.names.get(&name).ok_or(Errno::ENOENT)?;
    // The folder that they are in is everybody's, and sticky.
    if queue.permissions.creator != asker.ids.effective_user && !asker.owns_all {
        return Err(Errno::EPERM);
    }
    queues.names.remove(&name);
    Ok(0)
}

/// `EBADF` for what isn't a queue.
fn queue_of(file: &OpenFile) -> Result<Rc<NamedQueue>> {
    let file: Option<&QueueFile> = file.file().as_any().and_then(<dyn Any>::downcast_ref);
    file.map(|file| file.0.clone()).ok_or(Errno::EBADF)
}

/// Tries until it works or a moment of the clock on the wall has come (`ETIMEDOUT`).
fn wait(
    call: &Call,
    queue: Rc<NamedQueue>,
    nonblocking: bool,
    receives: bool,
    mut attempt: impl FnMut() -> Result<u64> + 'static,
) -> Result<Outcome> {
    let server = call.server;
    let until = read_timeout(call, call.word(4))?;
    match attempt() {
        Err(Errno::EAGAIN) if !nonblocking => {}
        result => return Ok(result.into()),
    }
    let deadline = until.map(|moment| server.clock.monotonic() + moment.saturating_sub(server.clock.wall()));
    let clock: Rc<dyn Clock> = server.clock.clone();
    let receiver = receives.then(|| Receiver::new(&queue));
    let mut waiting = None;
    Ok(call.wait(poll_fn(move |context| {
        let _counts = &receiver;
        drop(waiting.take());
        match attempt() {
            Err(Errno::EAGAIN) => {}
            result => return Poll::Ready(result),
        }
        if deadline.is_some_and(|deadline| clock.monotonic() >= deadline) {
            return Poll::Ready(Err(Errno::ETIMEDOUT));
        }
        let registration = queue.changed.register(Events::IN | Events::OUT, context.waker());
        waiting = Some((registration, deadline.map(|deadline| Wakeup::new(&clock, deadline, context.waker()))));
        Poll::Pending
    })))
}

/// mq_timedsend(fd, message, length, priority, until)
pub fn mq_timedsend(call: &Call) -> Result<Outcome> {
    let (file, length, priority) = (call.file(0)?, call.word(2), call.half(3));
    let queue = queue_of(&file)?;
    if priority >= PRIORITIES {
        return Err(Errno::EINVAL);
    }
    if !file.is_writable() {
        return Err(Errno::EBADF);
    }
    if length > queue.longest {
        return Err(Errno::EMSGSIZE);
    }
    let mut bytes = vec![0; length as usize];
    call.space().read(call.word(1), &mut bytes)?;
    let (server, sender) = (call.server, (call.process().pid, call.process().ids.get().user));
    let (target, nonblocking) = (queue.clone(), file.flags().contains(OpenFlags::NONBLOCKING));
    wait(call, queue, nonblocking, false, move || {
        if target.count() >= target.most {
            return Err(Errno::EAGAIN);
        }
        if let Arrival::First = target.put(priority, core::mem::take(&mut bytes))? {
            tell(server, &target, sender);
        }
        Ok(0)
    })
}

/// Tells whoever has asked, once.
fn tell(server: &Server, queue: &NamedQueue, (pid, uid): (u32, u32)) {
    let Some(Notice { process, signal }) = queue.notice.take() else { return };
    if let (Some(process), Some((signal, value))) = (process.upgrade(), signal) {
        server.signal_process(&process, SignalInfo { signal, code: CODE, detail: Detail::Value { pid, uid, value } });
    }
}

/// mq_timedreceive(fd, buffer, length, priority, until)
pub fn mq_timedreceive(call: &Call) -> Result<Outcome> {
    let file = call.file(0)?;
    let queue = queue_of(&file)?;
    if !file.is_readable() {
        return Err(Errno::EBADF);
    }
    if call.word(2) < queue.longest {
        return Err(Errno::EMSGSIZE);
    }
    let (space, buffer, place) = (call.space(), call.word(1), call.word(3));
    let (source, nonblocking) = (queue.clone(), file.flags().contains(OpenFlags::NONBLOCKING));
    wait(call, queue, nonblocking, true, move || {
        let (priority, bytes) = source.take()?;
        space.write(buffer, &bytes)?;
        if place != 0 {
            space.write_u32(place, priority)?;
        }
        Ok(bytes.len() as u64)
    })
}

/// mq_notify(fd, event): SIGEV_THREAD needs a socket of a family that there isn't.
pub fn mq_notify(call: &Call) -> Result<u64> {
    let queue = queue_of(&*call.file(0)?)?;
    let mut notice = queue.notice.borrow_mut();
    let holder = notice.as_ref().and_then(|notice| notice.process.upgrade()).filter(|process| !process.is_zombie());
    if call.word(1) == 0 {
        if holder.is_some_and(|holder| Rc::ptr_eq(&holder, call.process())) {
            *notice = None;
        }
        return Ok(0);
    }
    let [value, signal_and_kind] = call.space().read_words(call.word(1))?;
    let signal = match (signal_and_kind >> 32) as u32 {
        linux::SIGEV_NONE => None,
        linux::SIGEV_SIGNAL => Some((Signal::new(signal_and_kind & 0xffff_ffff).ok_or(Errno::EINVAL)?, value)),
        _ => return Err(Errno::EINVAL),
    };
    if holder.is_some() {
        return Err(Errno::EBUSY);
    }
    *notice = Some(Notice { process: Rc::downgrade(call.process()), signal });
    Ok(0)
}

/// mq_getsetattr(fd, new, old): only O_NONBLOCK changes.
pub fn mq_getsetattr(call: &Call) -> Result<u64> {
    let (file, space) = (call.file(0)?, call.space());
    let queue = queue_of(&file)?;
    let nonblocking = u64::from(OpenFlags::NONBLOCKING.bits());
    let new = match call.word(1) {
        0 => None,
        address => Some(space.read_u64(address)?),
    };
    if new.is_some_and(|flags| flags & !nonblocking != 0) {
        return Err(Errno::EINVAL);
    }
    if call.word(2) != 0 {
        let flags = u64::from(file.flags().bits()) & nonblocking;
        space.write_words(call.word(2), &[flags, queue.most, queue.longest, queue.count(), 0, 0, 0, 0])?;
    }
    if let Some(flags) = new {
        let others = file.flags() - OpenFlags::NONBLOCKING;
        file.set_flags(if flags == 0 { others } else { others | OpenFlags::NONBLOCKING })?;
    }
    Ok(0)
}
