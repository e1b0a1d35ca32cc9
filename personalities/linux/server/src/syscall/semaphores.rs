//! System V semaphores: semget(2), semop(2), semtimedop(2), semctl(2).

use super::poll::read_timeout;
use super::shared_memory::{command, wanted};
use super::{Call, Outcome};
use crate::ipc::semaphores::{Blocked, HIGHEST, MOST, MOST_IN_ALL, MOST_IN_SET, MOST_OPERATIONS, Operation, Set};
use crate::ipc::{Object, Permissions, READ, WRITE};
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::clock::{Clock, Wakeup};
use chestnut_linux_files::wait::Events;
use chestnut_linux_files::{Errno, Result};
use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;

/// semctl's own commands.
mod own {
    pub const GET_PROCESS: u32 = 11;
    pub const GET_VALUE: u32 = 12;
    pub const GET_ALL: u32 = 13;
    pub const COUNT_GROWTH_WAITERS: u32 = 14;
    pub const COUNT_ZERO_WAITERS: u32 = 15;
    pub const SET_VALUE: u32 = 16;
    pub const SET_ALL: u32 = 17;
    pub const STATUS_AT: u32 = 18;
    pub const USE: u32 = 19;
    pub const STATUS_AT_ANY: u32 = 20;
}

/// semget(key, count, flags)
pub fn semget(call: &Call) -> Result<u64> {
    let (key, count, flags) = (call.half(0), call.int(1), call.half(2));
    let count = usize::try_from(count).ok().filter(|&count| count <= MOST_IN_SET).ok_or(Errno::EINVAL)?;
    let asker = call.asker();
    let mut sets = call.server.ipc.semaphores.borrow_mut();
    let all = sets.semaphores();
    let check = |set: &Rc<Set>| {
        set.permissions().check(&asker, wanted(flags))?;
        if count > set.count() { Err(Errno::EINVAL) } else { Ok(()) }
    };
    let make = |sequence| match count {
        0 => Err(Errno::EINVAL),
        _ if all + count > MOST_IN_ALL => Err(Errno::ENOSPC),
        _ => Ok(Set::new(Permissions { sequence, ..Permissions::new(key, flags, &asker) }, count, call.now())),
    };
    sets.table.find_or_make(key, flags, MOST, check, make).map(u64::from)
}

/// semop(id, operations, count)
pub fn semop(call: &Call) -> Result<Outcome> {
    operate(call, None)
}
/// semtimedop(id, operations, count, timeout)
pub fn semtimedop(call: &Call) -> Result<Outcome> {
    let timeout = read_timeout(call, call.word(3))?;
    operate(call, timeout)
}

fn operate(call: &Call, timeout: Option<Duration>) -> Result<Outcome> {
    let count = call.word(2);
    if count == 0 || (call.half(0) as i32) < 0 {
        return Err(Errno::EINVAL);
    }
    if count > MOST_OPERATIONS as u64 {
        return Err(Errno::E2BIG);
    }
    let mut bytes = vec![0; count as usize * 6];
    call.space().read(call.word(1), &mut bytes)?;
    let operations: Vec<Operation> = bytes
        .chunks_exact(6)
        .map(|row| Operation {
            index: u16::from_le_bytes([row[0], row[1]]),
            change: i16::from_le_bytes([row[2], row[3]]),
            flags: u16::from_le_bytes([row[4], row[5]]),
        })
        .collect();
    let set = call.server.ipc.semaphores.borrow().table.get(call.half(0))?;
    if operations.iter().any(|operation| usize::from(operation.index) >= set.count()) {
        return Err(Errno::EFBIG);
    }
    let access = if operations.iter().any(|operation| operation.change != 0) { WRITE } else { READ };
    set.permissions().check(&call.asker(), access)?;
    let process = call.process().pid;
    match set.operate(&operations, process, call.now()) {
        Ok(()) => return Ok(Outcome::value(0u64)),
        Err(Blocked::Never) => return Err(Errno::EAGAIN),
        Err(Blocked::Error(error)) => return Err(error),
        Err(Blocked::By(..)) => {}
    }
    let server = call.server;
    let clock: Rc<dyn Clock> = call.server.clock.clone();
    let deadline = timeout.map(|timeout| clock.monotonic().saturating_add(timeout));
    let mut waiting = None;
    Ok(call.wait_once(poll_fn(move |context| {
        if set.removed.get() {
            return Poll::Ready(Err(Errno::EIDRM));
        }
        drop(waiting.take());
        let mark = match set.operate(&operations, process, server.clock.wall().as_secs()) {
            Ok(()) => return Poll::Ready(Ok(0)),
            Err(Blocked::Never) => return Poll::Ready(Err(Errno::EAGAIN)),
            Err(Blocked::Error(error)) => return Poll::Ready(Err(error)),
            Err(Blocked::By(index, for_zero)) => set.wait_for(index, for_zero),
        };
        if deadline.is_some_and(|deadline| clock.monotonic() >= deadline) {
            return Poll::Ready(Err(Errno::EAGAIN));
        }
        let registration = set.queue.register(Events::IN, context.waker());
        let wakeup = deadline.map(|deadline| Wakeup::new(&clock, deadline, context.waker()));
        waiting = Some((mark, registration, wakeup));
        Poll::Pending
    })))
}

/// `struct semid64_ds`.
fn encode(set: &Set) -> Vec<u8> {
    let mut bytes = set.permissions.get().encode();
    for word in [set.operated.get(), 0, set.changed.get(), 0, set.count() as u64, 0, 0] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// semctl(id, index, command, argument)
pub fn semctl(call: &Call) -> Result<u64> {
    let (id, index, what, argument, space) = (call.half(0), call.half(1), call.half(2), call.word(3), call.space());
    let sets = &call.server.ipc.semaphores;
    if matches!(what, command::INFORMATION | own::USE) {
        let sets = sets.borrow();
        let (used, semaphores) = match what {
            own::USE => (sets.table.len() as u32, sets.semaphores() as u32),
            // semusz and semaem of Linux.
            _ => (20, HIGHEST as u32),
        };
        let (all, most) = (MOST_IN_ALL as u32, MOST as u32);
        let words = [
            all,
            most,
            all,
            all,
            MOST_IN_SET as u32,
            MOST_OPERATIONS as u32,
            MOST_OPERATIONS as u32,
            used,
            HIGHEST as u32,
            semaphores,
        ];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        space.write(argument, &bytes)?;
        return Ok(sets.table.last_index().into());
    }
    let status_at = matches!(what, own::STATUS_AT | own::STATUS_AT_ANY);
    let (id, set) = if status_at { sets.borrow().table.at(id)? } else { (id, sets.borrow().table.get(id)?) };
    let (asker, permissions, now) = (call.asker(), set.permissions(), call.now());
    let one = || u16::try_from(index).ok().filter(|&index| usize::from(index) < set.count()).ok_or(Errno::EINVAL);
    let pid = call.process().pid;
    match what {
        command::STATUS | own::STATUS_AT | own::STATUS_AT_ANY => {
            if what != own::STATUS_AT_ANY {
                permissions.check(&asker, READ)?;
            }
            space.write(argument, &encode(&set))?;
            return Ok(if status_at { id.into() } else { 0 });
        }
        command::SET => {
            let mut bytes = [0; 48];
            space.read(argument, &mut bytes)?;
            permissions.check_owner(&asker)?;
            let mut new = permissions;
            new.set(&bytes);
            set.permissions.set(new);
            set.changed.set(now);
        }
        command::REMOVE => {
            permissions.check_owner(&asker)?;
            sets.borrow_mut().table.remove(id);
            set.remove();
        }
        own::GET_ALL => {
            permissions.check(&asker, READ)?;
            let values = set.semaphores.borrow();
            let bytes: Vec<u8> = values.iter().flat_map(|semaphore| (semaphore.value as u16).to_le_bytes()).collect();
            drop(values);
            space.write(argument, &bytes)?;
        }
        own::SET_ALL => {
            permissions.check(&asker, WRITE)?;
            let mut bytes = vec![0; set.count() * 2];
            space.read(argument, &mut bytes)?;
            let values: Vec<i32> =
                bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]).into()).collect();
            set.set_values(0, &values, pid, now)?;
        }
        own::SET_VALUE => {
            permissions.check(&asker, WRITE)?;
            set.set_values(one()?.into(), &[argument as i32], pid, now)?;
        }
        own::GET_VALUE | own::GET_PROCESS | own::COUNT_GROWTH_WAITERS | own::COUNT_ZERO_WAITERS => {
            permissions.check(&asker, READ)?;
            let index = one()?;
            let semaphore = set.semaphores.borrow().get(usize::from(index)).copied().unwrap_or_default();
            return Ok(match what {
                own::GET_VALUE => semaphore.value as u64,
                own::GET_PROCESS => semaphore.process.into(),
                counted => set.waiters(index, counted == own::COUNT_ZERO_WAITERS) as u64,
            });
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}
