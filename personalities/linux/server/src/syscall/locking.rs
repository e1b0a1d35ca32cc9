//! mlock(2), mlock2(2), mlockall(2) and what undoes them. Pages are never taken away, so locking means bringing them in, and counting
//! them against RLIMIT_MEMLOCK.

use super::{Call, Outcome, pieces};
use crate::capability::ticks;
use crate::memory::{FutureLocks, PAGE, page_down};
use crate::process::capabilities::IPC_LOCK;
use crate::process::limits::LOCKED;
use chestnut_linux_files::{Errno, Result};
use core::ops::Range;

/// `EPERM` if the caller may lock nothing at all.
fn check_may_lock(call: &Call) -> Result<()> {
    if limit(call) > 0 { Ok(()) } else { Err(Errno::EPERM) }
}
/// Bytes that the caller may have locked.
fn limit(call: &Call) -> u64 {
    if call.can(IPC_LOCK) { u64::MAX } else { call.process().limits.borrow().soft(LOCKED) }
}

/// Whether a mapping made with `wanted` (MAP_LOCKED) is locked, as all are after mlockall(MCL_FUTURE): `EPERM`, or `EAGAIN` beyond the limit.
pub fn for_mapping(call: &Call, wanted: bool, length: u64) -> Result<FutureLocks> {
    let space = call.space();
    let locks = if wanted { FutureLocks::Present } else { space.future_locks.get() };
    if wanted {
        check_may_lock(call)?;
    }
    if locks != FutureLocks::None && space.locked().saturating_add(length) > limit(call) {
        return Err(Errno::EAGAIN);
    }
    Ok(locks)
}

/// The whole pages around a range, covered by areas.
fn range_of(call: &Call) -> Result<Range<u64>> {
    let start = page_down(call.word(0));
    let length = call.word(1).checked_add(call.word(0) - start).ok_or(Errno::EINVAL)?;
    let whole = length.checked_next_multiple_of(PAGE).filter(|whole| start.checked_add(*whole).is_some());
    call.space().check_covered(start, whole.ok_or(Errno::EINVAL)?)
}

/// Locks a range, if the limit allows that.
fn lock(call: &Call) -> Result<Range<u64>> {
    check_may_lock(call)?;
    let space = call.space();
    let (limit, start) = (limit(call), page_down(call.word(0)));
    let length =
        call.word(1).saturating_add(call.word(0) - start).checked_next_multiple_of(PAGE).ok_or(Errno::EINVAL)?;
    if limit != u64::MAX {
        let already = space.locked_in(start..start.saturating_add(length));
        if space.locked().saturating_add(length) - already > limit {
            return Err(Errno::ENOMEM);
        }
    }
    let range = range_of(call)?;
    space.set_locked(range.clone(), true);
    Ok(range)
}

/// mlock(addr, length)
pub fn mlock(call: &Call) -> Result<Outcome> {
    Ok(pieces::populate(call, lock(call)?, 0))
}
/// mlock2(addr, length, flags): with MLOCK_ONFAULT pages come when they are touched.
pub fn mlock2(call: &Call) -> Result<Outcome> {
    const ON_FAULT: u32 = 1;
    match call.half(2) {
        0 => mlock(call),
        ON_FAULT => lock(call).map(|_| Outcome::value(0u64)),
        _ => Err(Errno::EINVAL),
    }
}
/// munlock(addr, length)
pub fn munlock(call: &Call) -> Result<u64> {
    call.space().set_locked(range_of(call)?, false);
    Ok(0)
}

/// mlockall(flags)
pub fn mlockall(call: &Call) -> Result<Outcome> {
    const CURRENT: u32 = 1;
    const FUTURE: u32 = 2;
    const ON_FAULT: u32 = 4;
    let flags = call.half(0);
    if flags & !(CURRENT | FUTURE | ON_FAULT) != 0 || flags & (CURRENT | FUTURE) == 0 {
        return Err(Errno::EINVAL);
    }
    check_may_lock(call)?;
    let space = call.space();
    if flags & CURRENT != 0 && space.size() > limit(call) {
        return Err(Errno::ENOMEM);
    }
    space.future_locks.set(match flags & (FUTURE | ON_FAULT) {
        FUTURE => FutureLocks::Present,
        0 | ON_FAULT => FutureLocks::None,
        _ => FutureLocks::OnFault,
    });
    if flags & CURRENT == 0 {
        return Ok(Outcome::value(0u64));
    }
    space.set_all_locked(true);
    if flags & ON_FAULT != 0 {
        return Ok(Outcome::value(0u64));
    }
    // What can't be had is left, as with mmap's MAP_POPULATE; in turns with others, a piece at a time.
    const PIECE: u64 = 256 * PAGE;
    let (server, thread, ranges) = (call.server, call.thread.clone(), space.locked_ranges());
    let future = async move {
        let mut since = ticks();
        for range in ranges {
            for start in range.clone().step_by(PIECE as usize) {
                if !space.populate(start..range.end.min(start + PIECE)) {
                    break;
                }
                server.breathe(&thread, &mut since).await;
            }
        }
        Ok(0)
    };
    Ok(call.steadily(future))
}
/// munlockall()
pub fn munlockall(call: &Call) -> Result<u64> {
    let space = call.space();
    space.future_locks.set(FutureLocks::None);
    space.set_all_locked(false);
    Ok(0)
}
