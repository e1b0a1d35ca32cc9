//! System V message queues: msgget(2), msgsnd(2), msgrcv(2), msgctl(2).

use super::shared_memory::{command, wanted};
use super::{Call, Outcome};
use crate::ipc::messages::{MOST, MOST_IN_MESSAGE, MOST_IN_QUEUE, Message, Queue, Wanted};
use crate::ipc::{Object, Permissions, READ, WRITE, flag};
use crate::process::capabilities::SYS_RESOURCE;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::wait::Events;
use chestnut_linux_files::{Errno, Result};

/// msgctl's own commands.
mod own {
    pub const STATUS_AT: u32 = 11;
    pub const USE: u32 = 12;
    pub const STATUS_AT_ANY: u32 = 13;
}

/// Flags of msgrcv.
const CUT: u32 = 0o10000;
const EXCEPT: u32 = 0o20000;
const COPY: u32 = 0o40000;

/// msgget(key, flags)
pub fn msgget(call: &Call) -> Result<u64> {
    let (key, flags, asker) = (call.half(0), call.half(1), call.asker());
    let make = |sequence| Ok(Queue::new(Permissions { sequence, ..Permissions::new(key, flags, &asker) }, call.now()));
    let check = |queue: &Rc<Queue>| queue.permissions().check(&asker, wanted(flags));
    call.server.ipc.queues.borrow_mut().table.find_or_make(key, flags, MOST, check, make).map(u64::from)
}

/// msgsnd(id, message, length, flags)
pub fn msgsnd(call: &Call) -> Result<Outcome> {
    let (address, length, flags) = (call.word(1), call.word(2), call.half(3));
    let space = call.space();
    let kind = space.read_u64(address)? as i64;
    if length > MOST_IN_MESSAGE as u64 || kind < 1 || (call.half(0) as i32) < 0 {
        return Err(Errno::EINVAL);
    }
    let mut bytes = vec![0; length as usize];
    space.read(address.wrapping_add(8), &mut bytes)?;
    let server = call.server;
    let queue = server.ipc.queues.borrow().table.get(call.half(0))?;
    let (asker, process) = (call.asker(), call.process().pid);
    let mut message = Some(Message { kind, bytes });
    let mut attempt = move || {
        if queue.removed.get() {
            return Err(Errno::EIDRM);
        }
        queue.permissions().check(&asker, WRITE)?;
        if !queue.has_room(length as usize) {
            return Err(Errno::EAGAIN);
        }
        server.ipc.queues.borrow().check_room(length as usize)?;
        queue.sent.set((server.clock.wall().as_secs(), process));
        if let Some(message) = message.take() {
            queue.put(message);
        }
        Ok(0)
    };
    let waits = server.ipc.queues.borrow().table.get(call.half(0))?.queue.clone();
    match attempt() {
        Err(Errno::EAGAIN) if flags & flag::NO_WAIT == 0 => Ok(call.wait_once(async move {
            loop {
                waits.wait(Events::IN).await;
                match attempt() {
                    Err(Errno::EAGAIN) => {}
                    result => return result,
                }
            }
        })),
        result => Ok(result.into()),
    }
}

/// msgrcv(id, message, length, type, flags)
pub fn msgrcv(call: &Call) -> Result<Outcome> {
    let (address, length, kind, flags) = (call.word(1), call.word(2), call.word(3) as i64, call.half(4));
    if length > i64::MAX as u64 || (call.half(0) as i32) < 0 {
        return Err(Errno::EINVAL);
    }
    if flags & COPY != 0 {
        // As on a Linux that can't be checkpointed.
        return Err(Errno::ENOSYS);
    }
    let server = call.server;
    let queue = server.ipc.queues.borrow().table.get(call.half(0))?;
    let (asker, process, space) = (call.asker(), call.process().pid, call.space());
    let (wanted, waits) = (Wanted::new(kind, flags & EXCEPT != 0), queue.queue.clone());
    let attempt = move || {
        if queue.removed.get() {
            return Err(Errno::EIDRM);
        }
        queue.permissions().check(&asker, READ)?;
        let message = queue.take(wanted, length.min(usize::MAX as u64) as usize, flags & CUT != 0)?;
        queue.received.set((server.clock.wall().as_secs(), process));
        space.write_u64(address, message.kind as u64)?;
        space.write(address.wrapping_add(8), &message.bytes)?;
        Ok(message.bytes.len() as u64)
    };
    match attempt() {
        Err(Errno::ENOMSG) if flags & flag::NO_WAIT == 0 => Ok(call.wait_once(async move {
            loop {
                waits.wait(Events::IN).await;
                match attempt() {
                    Err(Errno::ENOMSG) => {}
                    result => return result,
                }
            }
        })),
        result => Ok(result.into()),
    }
}

/// `struct msqid64_ds`.
fn encode(queue: &Queue) -> Vec<u8> {
    let mut bytes = queue.permissions.get().encode();
    let ((sent, sender), (received, receiver)) = (queue.sent.get(), queue.received.get());
    for word in [sent, received, queue.changed.get(), queue.bytes(), queue.count() as u64, queue.most.get()] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(&sender.to_le_bytes());
    bytes.extend_from_slice(&receiver.to_le_bytes());
    bytes.resize(120, 0);
    bytes
}

/// msgctl(id, command, buffer)
pub fn msgctl(call: &Call) -> Result<u64> {
    let (id, what, buffer, space) = (call.half(0), call.half(1), call.word(2), call.space());
    let queues = &call.server.ipc.queues;
    if matches!(what, command::INFORMATION | own::USE) {
        let queues = queues.borrow();
        let (mut count, mut bytes) = (0, 0);
        for (_, queue) in queues.table.iter() {
            count += queue.count() as u32;
            bytes += queue.bytes() as u32;
        }
        let (pool, map, headers) = match what {
            own::USE => (queues.table.len() as u32, count, bytes),
            _ => ((MOST * MOST_IN_QUEUE as usize / 1024) as u32, MOST_IN_QUEUE as u32, MOST_IN_QUEUE as u32),
        };
        // The last one is half a word: msgseg.
        let words = [pool, map, MOST_IN_MESSAGE as u32, MOST_IN_QUEUE as u32, MOST as u32, 16, headers, 0xffff];
        let encoded: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        space.write(buffer, &encoded)?;
        return Ok(queues.table.last_index().into());
    }
    let status_at = matches!(what, own::STATUS_AT | own::STATUS_AT_ANY);
    let (id, queue) = if status_at { queues.borrow().table.at(id)? } else { (id, queues.borrow().table.get(id)?) };
    let (asker, permissions) = (call.asker(), queue.permissions());
    match what {
        command::STATUS | own::STATUS_AT | own::STATUS_AT_ANY => {
            if what != own::STATUS_AT_ANY {
                permissions.check(&asker, READ)?;
            }
            space.write(buffer, &encode(&queue))?;
            return Ok(if status_at { id.into() } else { 0 });
        }
        command::SET => {
            let mut bytes = [0; 48];
            space.read(buffer, &mut bytes)?;
            let most = space.read_u64(buffer.wrapping_add(88))?;
            permissions.check_owner(&asker)?;
            if most > MOST_IN_QUEUE && !call.can(SYS_RESOURCE) {
                return Err(Errno::EPERM);
            }
            let mut new = permissions;
            new.set(&bytes);
            queue.permissions.set(new);
            queue.most.set(most);
            queue.changed.set(call.now());
            queue.queue.wake(Events::all());
        }
        command::REMOVE => {
            permissions.check_owner(&asker)?;
            queues.borrow_mut().table.remove(id);
            queue.remove();
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}
