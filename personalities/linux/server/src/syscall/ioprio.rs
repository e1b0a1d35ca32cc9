//! ioprio_set(2), ioprio_get(2): whose requests a disk serves first. There is no disk, so a priority is kept, told and handed
//! on, and changes nothing else.

use super::Call;
use super::scheduling::{check_owner, threads_of};
use crate::process::Thread;
use crate::process::capabilities::{SYS_ADMIN, SYS_NICE};
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::{Errno, Result};

/// Bits of a priority below its class.
const CLASS_SHIFT: u32 = 13;
mod class {
    pub const NONE: u32 = 0;
    pub const REAL_TIME: u32 = 1;
    pub const BEST_EFFORT: u32 = 2;
    pub const IDLE: u32 = 3;
}

/// IOPRIO_WHO_… are one more than PRIO_….
fn targets(call: &Call) -> Result<Vec<Rc<Thread>>> {
    threads_of(call, call.half(0).wrapping_sub(1), call.half(1))
}

/// ioprio_get(which, who): the best of them.
pub fn ioprio_get(call: &Call) -> Result<u64> {
    /// IOPRIO_WHO_PROCESS
    const PROCESS: u32 = 1;
    let targets = targets(call)?;
    if let (PROCESS, [thread]) = (call.half(0), &*targets) {
        return Ok(thread.io_priority.get().into());
    }
    // What nobody has set follows the nice value.
    let effective = |thread: &Rc<Thread>| match thread.io_priority.get() {
        0 => (class::BEST_EFFORT << CLASS_SHIFT) + (thread.schedule.get().nice + 20).unsigned_abs() / 5,
        set => set,
    };
    Ok(targets.iter().map(effective).min().unwrap_or(0).into())
}

/// ioprio_set(which, who, priority)
pub fn ioprio_set(call: &Call) -> Result<u64> {
    let priority = call.half(2) & 0xffff;
    let (class, level) = (priority >> CLASS_SHIFT, priority & 7);
    match class {
        class::REAL_TIME if !call.can(SYS_NICE) && !call.can(SYS_ADMIN) => return Err(Errno::EPERM),
        class::REAL_TIME | class::BEST_EFFORT | class::IDLE => {}
        class::NONE if level == 0 => {}
        _ => return Err(Errno::EINVAL),
    }
    for thread in targets(call)? {
        check_owner(call, &thread, Errno::EPERM)?;
        thread.io_priority.set(priority);
    }
    Ok(0)
}
