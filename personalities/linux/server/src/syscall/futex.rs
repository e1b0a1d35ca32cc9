//! futex(2).

use super::time::with_deadline;
use super::{Call, Outcome, futex_more};
use crate::clock::duration_of;
use crate::memory::Intent;
use crate::process::futex::{ANY, key, load};
use crate::process::parked::may_park;
use chestnut_linux_files::clock::Clock;
use chestnut_linux_files::{Errno, Result};
use core::time::Duration;
use linux_raw_sys::general as linux;

/// futex(word, operation, value, timeout or value 2, word 2, value 3)
pub fn futex(call: &Call) -> Result<Outcome> {
    let operation = call.half(1);
    let private = operation & linux::FUTEX_PRIVATE_FLAG != 0;
    let wall = operation & linux::FUTEX_CLOCK_REALTIME != 0;
    let command = operation & linux::FUTEX_CMD_MASK as u32;
    match command {
        linux::FUTEX_WAIT => wait(call, private, ANY, timeout(call, false, false)?),
        linux::FUTEX_WAIT_BITSET => wait(call, private, call.half(5), timeout(call, true, wall)?),
        linux::FUTEX_WAKE => wake(call, private, ANY),
        linux::FUTEX_WAKE_BITSET => wake(call, private, call.half(5)),
        linux::FUTEX_REQUEUE => requeue(call, private, None),
        linux::FUTEX_CMP_REQUEUE => requeue(call, private, Some(call.half(5))),
        linux::FUTEX_WAKE_OP => wake_op(call, private),
        linux::FUTEX_LOCK_PI => futex_more::lock(call, private, false, timeout(call, true, true)?),
        linux::FUTEX_LOCK_PI2 => futex_more::lock(call, private, false, timeout(call, true, wall)?),
        linux::FUTEX_TRYLOCK_PI => futex_more::lock(call, private, true, None),
        linux::FUTEX_UNLOCK_PI => futex_more::unlock(call, private),
        // Condition variables of locks with owners, which no C library has used for years.
        _ => Err(Errno::ENOSYS),
    }
}

/// The deadline on the monotonic clock.
fn timeout(call: &Call, absolute: bool, wall: bool) -> Result<Option<Duration>> {
    if call.word(3) == 0 {
        return Ok(None);
    }
    deadline_of(call, call.word(3), absolute, wall).map(Some)
}

/// The same for a time at an address.
pub fn deadline_of(call: &Call, address: u64, absolute: bool, wall: bool) -> Result<Duration> {
    let time = duration_of(call.space().read_words(address)?).ok_or(Errno::EINVAL)?;
    Ok(match (absolute, wall) {
        (false, _) => call.server.clock.monotonic() + time,
        (true, false) => time,
        (true, true) => time.saturating_sub(call.server.clock.wall_offset()),
    })
}

fn wait(call: &Call, private: bool, bits: u32, deadline: Option<Duration>) -> Result<Outcome> {
    if bits == 0 {
        return Err(Errno::EINVAL);
    }
    let (space, address) = (call.space(), call.word(0));
    let key = key(&space, address, private)?;
    // Counted first, looked at then: whoever changes the word afterwards sees the count.
    let waiting = call.server.futexes.wait(key, bits, call.process());
    if load(&space, address)? != call.half(2) {
        return Err(Errno::EAGAIN);
    }
    Ok(match deadline {
        None if may_park(call) => call.server.futexes.park(call, waiting),
        None => call.wait(waiting),
        _ => with_deadline(call, waiting, deadline, Errno::ETIMEDOUT, false),
    })
}

fn wake(call: &Call, private: bool, bits: u32) -> Result<Outcome> {
    if bits == 0 {
        return Err(Errno::EINVAL);
    }
    let key = key(&call.space(), call.word(0), private)?;
    let woken = call.server.futexes.wake(key, call.half(2), bits);
    Ok(Outcome::value(woken))
}

fn requeue(call: &Call, private: bool, expected: Option<u32>) -> Result<Outcome> {
    let (count, most) = (call.int(2), call.word(3) as i32);
    if count < 0 || most < 0 {
        return Err(Errno::EINVAL);
    }
    let space = call.space();
    let (from, to) = (key(&space, call.word(0), private)?, key(&space, call.word(4), private)?);
    if let Some(expected) = expected
        && load(&space, call.word(0))? != expected
    {
        return Err(Errno::EAGAIN);
    }
    let futexes = &call.server.futexes;
    let woken = futexes.wake(from, count as u32, ANY);
    let moved = futexes.requeue(from, to, most as u32);
    Ok(Outcome::value(woken + moved))
}

/// FUTEX_WAKE_OP: changes the second word, wakes waiters of the first, and those of the second if its old value compares.
fn wake_op(call: &Call, private: bool) -> Result<Outcome> {
    let space = call.space();
    let (first, second) = (key(&space, call.word(0), private)?, key(&space, call.word(4), private)?);
    let encoded = call.half(5);
    let sign_extend = |value: u32| ((value << 20) as i32 >> 20) as u32;
    let (operation, compare) = (encoded >> 28 & 7, encoded >> 24 & 15);
    let (mut operand, comparand) = (sign_extend(encoded >> 12 & 0xfff), sign_extend(encoded & 0xfff));
    if encoded >> 31 != 0 {
        operand = 1u32.checked_shl(operand).ok_or(Errno::EINVAL)?;
    }
    let apply: fn(u32, u32) -> u32 = match operation {
        0 => |_, operand| operand,
        1 => u32::wrapping_add,
        2 => |old, operand| old | operand,
        3 => |old, operand| old & !operand,
        4 => |old, operand| old ^ operand,
        _ => return Err(Errno::ENOSYS),
    };
    let holds: fn(i32, i32) -> bool = match compare {
        0 => |old, with| old == with,
        1 => |old, with| old != with,
        2 => |old, with| old < with,
        3 => |old, with| old <= with,
        4 => |old, with| old > with,
        5 => |old, with| old >= with,
        _ => return Err(Errno::ENOSYS),
    };
    let frame = space.frame(call.word(4), Intent::Write)?;
    let old = frame.update32((call.word(4) % 4096) as usize, |old| apply(old, operand));
    let futexes = &call.server.futexes;
    let mut woken = futexes.wake(first, call.half(2), ANY);
    if holds(old as i32, comparand as i32) {
        woken += futexes.wake(second, call.word(3) as u32, ANY);
    }
    Ok(Outcome::value(woken))
}
