//! Calls on priorities and scheduling policies (sched(7)).

use super::Call;
use crate::process::Thread;
use crate::process::capabilities::SYS_NICE;
use crate::process::limits;
use crate::process::schedule::{ROUND, Schedule, policy};
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::general as linux;

/// The threads that getpriority and setpriority mean.
fn targets(call: &Call) -> Result<Vec<Rc<Thread>>> {
    threads_of(call, call.half(0), call.half(1))
}

/// The threads that `kind` (PRIO_…) and `who` mean together. `EINVAL` for another kind, `ESRCH` if there are none.
pub fn threads_of(call: &Call, kind: u32, who: u32) -> Result<Vec<Rc<Thread>>> {
    let table = &call.server.table;
    let found: Vec<Rc<Thread>> = match kind {
        linux::PRIO_PROCESS if who == 0 => vec![call.thread.clone()],
        linux::PRIO_PROCESS => table.thread(who).into_iter().collect(),
        linux::PRIO_PGRP => {
            let group = if who == 0 { call.process().group.get() } else { who };
            table.group(group).iter().flat_map(|process| process.threads.borrow().clone()).collect()
        }
        linux::PRIO_USER => {
            let user = if who == 0 { call.process().ids.get().user } else { who };
            let processes = table.processes();
            let own = processes.iter().filter(|process| process.ids.get().user == user);
            own.flat_map(|process| process.threads.borrow().clone()).collect()
        }
        _ => return Err(Errno::EINVAL),
    };
    if found.is_empty() { Err(Errno::ESRCH) } else { Ok(found) }
}

/// getpriority(which, who): the system call answers 20 − nice.
pub fn getpriority(call: &Call) -> Result<u64> {
    let nice = targets(call)?.iter().map(|thread| thread.schedule.get().nice).min().unwrap_or(0);
    Ok((20 - nice) as u64)
}

/// setpriority(which, who, nice)
pub fn setpriority(call: &Call) -> Result<u64> {
    let targets = targets(call)?;
    let nice = call.int(2).clamp(-20, 19);
    let mut outcome = Ok(0);
    for thread in targets {
        let old = thread.schedule.get();
        let result = check_owner(call, &thread, Errno::EPERM).and_then(|()| check_nice(call, &thread, nice));
        match result {
            Ok(()) => thread.set_schedule(Schedule { nice, ..old }),
            Err(error) => outcome = Err(error),
        }
    }
    outcome
}

pub fn check_owner(call: &Call, thread: &Thread, error: Errno) -> Result<()> {
    let (own, other) = (call.process().ids.get(), thread.process.ids.get());
    let same = own.effective_user == other.user || own.effective_user == other.effective_user;
    if same || call.can(SYS_NICE) { Ok(()) } else { Err(error) }
}
/// Lower values than RLIMIT_NICE allows need a privilege.
fn check_nice(call: &Call, thread: &Thread, nice: i32) -> Result<()> {
    let lowest = 20 - thread.process.limits.borrow().soft(limits::NICE).min(40) as i32;
    let allowed = nice >= thread.schedule.get().nice || nice >= lowest || call.can(SYS_NICE);
    if allowed { Ok(()) } else { Err(Errno::EACCES) }
}

fn thread(call: &Call) -> Result<Rc<Thread>> {
    match call.int(0) {
        ..0 => Err(Errno::EINVAL),
        0 => Ok(call.thread.clone()),
        _ => call.server.table.thread(call.half(0)).ok_or(Errno::ESRCH),
    }
}

/// Gives a thread another policy, if it and the caller may.
fn change(call: &Call, thread: &Thread, new: Schedule) -> Result<u64> {
    let right_priority = match new.policy {
        policy::FIFO | policy::ROUND_ROBIN => (1..=99).contains(&new.priority),
        policy::OTHER | policy::BATCH | policy::IDLE => new.priority == 0,
        _ => false,
    };
    if !right_priority {
        return Err(Errno::EINVAL);
    }
    check_owner(call, thread, Errno::EPERM)?;
    let old = thread.schedule.get();
    let limit = thread.process.limits.borrow().soft(limits::REAL_TIME_PRIORITY);
    let raises = new.is_real_time() && !(old.is_real_time() && new.priority <= old.priority);
    let beyond = raises && u64::from(new.priority) > limit;
    let unresets = old.resets && !new.resets;
    if (beyond || unresets) && !call.can(SYS_NICE) {
        return Err(Errno::EPERM);
    }
    thread.set_schedule(new);
    Ok(0)
}

const RESET_ON_FORK: u32 = linux::SCHED_RESET_ON_FORK;

/// sched_setscheduler(tid, policy, param)
pub fn sched_setscheduler(call: &Call) -> Result<u64> {
    if call.int(1) < 0 || call.word(2) == 0 {
        return Err(Errno::EINVAL);
    }
    let thread = thread(call)?;
    let priority = call.space().read_u32(call.word(2))?;
    let (policy, resets) = (call.half(1) & !RESET_ON_FORK, call.half(1) & RESET_ON_FORK != 0);
    change(call, &thread, Schedule { policy, priority, resets, ..thread.schedule.get() })
}
/// sched_getscheduler(tid)
pub fn sched_getscheduler(call: &Call) -> Result<u64> {
    let schedule = thread(call)?.schedule.get();
    Ok(u64::from(schedule.policy | if schedule.resets { RESET_ON_FORK } else { 0 }))
}
/// sched_setparam(tid, param)
pub fn sched_setparam(call: &Call) -> Result<u64> {
    if call.word(1) == 0 {
        return Err(Errno::EINVAL);
    }
    let thread = thread(call)?;
    let priority = call.space().read_u32(call.word(1))?;
    change(call, &thread, Schedule { priority, ..thread.schedule.get() })
}
/// sched_getparam(tid, param)
pub fn sched_getparam(call: &Call) -> Result<u64> {
    if call.word(1) == 0 {
        return Err(Errno::EINVAL);
    }
    call.space().write_u32(call.word(1), thread(call)?.schedule.get().priority)?;
    Ok(0)
}

/// Bytes of `struct sched_attr` as it first was.
const ATTRIBUTES: u32 = 48;

/// sched_setattr(tid, attributes, flags)
pub fn sched_setattr(call: &Call) -> Result<u64> {
    if call.word(1) == 0 || call.half(2) != 0 {
        return Err(Errno::EINVAL);
    }
    let thread = thread(call)?;
    let space = call.space();
    let size = space.read_u32(call.word(1))?;
    if size != 0 && size < ATTRIBUTES {
        space.write_u32(call.word(1), ATTRIBUTES)?;
        return Err(Errno::E2BIG);
    }
    let [first, flags, third, ..] = space.read_words::<6>(call.word(1))?;
    let (policy, nice, priority) = ((first >> 32) as u32, third as i32, (third >> 32) as u32);
    if flags & !u64::from(linux::SCHED_FLAG_RESET_ON_FORK) != 0 || !(-20..=19).contains(&nice) {
        return Err(Errno::EINVAL);
    }
    let old = thread.schedule.get();
    // The real-time policies have no nice value.
    let nice = if matches!(policy, policy::OTHER | policy::BATCH) { nice } else { old.nice };
    check_nice(call, &thread, nice).map_err(|_| Errno::EPERM)?;
    change(call, &thread, Schedule { policy, nice, priority, resets: flags != 0 })
}
/// sched_getattr(tid, attributes, size, flags)
pub fn sched_getattr(call: &Call) -> Result<u64> {
    if call.word(1) == 0 || call.half(2) < ATTRIBUTES || call.half(3) != 0 {
        return Err(Errno::EINVAL);
    }
    let schedule = thread(call)?.schedule.get();
    let nice = if schedule.is_real_time() { 0 } else { schedule.nice };
    let words = [
        u64::from(ATTRIBUTES) | u64::from(schedule.policy) << 32,
        schedule.resets.into(),
        u64::from(nice as u32) | u64::from(schedule.priority) << 32,
        0,
        0,
        0,
    ];
    call.space().write_words(call.word(1), &words)?;
    Ok(0)
}

/// sched_get_priority_max(policy), sched_get_priority_min(policy)
pub fn sched_get_priority_max(call: &Call) -> Result<u64> {
    match call.half(0) {
        policy::OTHER | policy::BATCH | policy::IDLE => Ok(0),
        policy::FIFO | policy::ROUND_ROBIN => Ok(99),
        _ => Err(Errno::EINVAL),
    }
}
pub fn sched_get_priority_min(call: &Call) -> Result<u64> {
    sched_get_priority_max(call).map(|most| most.min(1))
}
/// sched_rr_get_interval(tid, interval)
pub fn sched_rr_get_interval(call: &Call) -> Result<u64> {
    let schedule = thread(call)?.schedule.get();
    let micros = match schedule.policy {
        policy::FIFO => 0,
        policy::ROUND_ROBIN => ROUND,
        _ => schedule.turn().1,
    };
    call.space().write_words(call.word(1), &[0, micros * 1000])?;
    Ok(0)
}

/// Unlike the other calls, these two know no wrong numbers, only threads that there aren't.
fn affine_thread(call: &Call) -> Result<Rc<Thread>> {
    if call.int(0) < 0 { Err(Errno::ESRCH) } else { thread(call) }
}

/// sched_getaffinity(tid, size, mask): there is one processor.
pub fn sched_getaffinity(call: &Call) -> Result<u64> {
    affine_thread(call)?;
    if call.half(1) < 8 || !call.half(1).is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    call.space().write_u64(call.word(2), 1)?;
    Ok(8)
}
/// sched_setaffinity(tid, size, mask): the mask must hold that processor.
pub fn sched_setaffinity(call: &Call) -> Result<u64> {
    let thread = affine_thread(call)?;
    let mut mask = vec![0; (call.half(1) as usize).min(128)];
    call.space().read(call.word(2), &mut mask)?;
    check_owner(call, &thread, Errno::EPERM)?;
    if mask.first().is_some_and(|byte| byte & 1 != 0) { Ok(0) } else { Err(Errno::EINVAL) }
}
