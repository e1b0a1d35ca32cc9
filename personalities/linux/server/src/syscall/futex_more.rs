//! The futexes of few programs: with an owner (FUTEX_LOCK_PI and its relatives), and many at once (futex_waitv(2)).

use super::futex::deadline_of;
use super::time::with_deadline;
use super::{Call, INTERRUPTED, Outcome};
use crate::process::futex::{ANY, key, load};
use crate::process::pi_futex::Locking;
use alloc::vec::Vec;
use chestnut_linux_files::{Errno, Result};
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use linux_raw_sys::general as linux;

/// FUTEX_LOCK_PI, FUTEX_LOCK_PI2 and FUTEX_TRYLOCK_PI. Interrupted by a handler, it always begins anew.
pub fn lock(call: &Call, private: bool, only_try: bool, deadline: Option<Duration>) -> Result<Outcome> {
    let key = key(&call.space(), call.word(0), private)?;
    let (server, thread) = (call.server, call.thread.clone());
    let waiting = match server.pi_futexes.lock(&server.table, &thread, key, call.word(0), only_try)? {
        Locking::Acquired => return Ok(Outcome::value(0u64)),
        Locking::Waits(waiting) => waiting,
    };
    let future = async move {
        let mut waiting = pin!(waiting);
        poll_fn(|context| {
            if waiting.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ok(0));
            }
            if server.interruption(&thread).is_some() { Poll::Ready(Err(INTERRUPTED)) } else { Poll::Pending }
        })
        .await
    };
    Ok(with_deadline(call, future, deadline, Errno::ETIMEDOUT, true))
}

/// FUTEX_UNLOCK_PI
pub fn unlock(call: &Call, private: bool) -> Result<Outcome> {
    let key = key(&call.space(), call.word(0), private)?;
    call.server.pi_futexes.unlock(call.thread, key, call.word(0))?;
    Ok(Outcome::value(0u64))
}

/// Most futexes of one call (FUTEX_WAITV_MAX).
const MOST: u32 = 128;
/// FUTEX2_SIZE_U32, the only size that there is.
const SIZE_32: u32 = 2;

/// futex_waitv(waiters, count, flags, timeout, clock): the index of one that was woken.
pub fn futex_waitv(call: &Call) -> Result<Outcome> {
    let (count, clock) = (call.half(1), call.half(4));
    if call.half(2) != 0 || count == 0 || count > MOST || call.word(0) == 0 {
        return Err(Errno::EINVAL);
    }
    let deadline = match (call.word(3), clock) {
        (0, _) => None,
        (address, linux::CLOCK_REALTIME | linux::CLOCK_MONOTONIC) => {
            Some(deadline_of(call, address, true, clock == linux::CLOCK_REALTIME)?)
        }
        _ => return Err(Errno::EINVAL),
    };
    let space = call.space();
    let mut waiting = Vec::new();
    let mut expected = Vec::new();
    for index in 0..u64::from(count) {
        // Value, address, flags and a word that must be 0.
        let [value, address, last] = space.read_words(call.word(0).wrapping_add(index * 24))?;
        let flags = last as u32;
        if last >> 32 != 0 || flags & !(linux::FUTEX_PRIVATE_FLAG | SIZE_32) != 0 || flags & SIZE_32 == 0 {
            return Err(Errno::EINVAL);
        }
        let key = key(&space, address, flags & linux::FUTEX_PRIVATE_FLAG != 0)?;
        waiting.push(call.server.futexes.wait(key, ANY, call.process()));
        expected.push((address, value as u32));
    }
    // All are counted before the first is looked at: who changes one afterwards sees that.
    for (address, value) in expected {
        if load(&space, address)? != value {
            return Err(Errno::EAGAIN);
        }
    }
    let future = poll_fn(move |context| {
        let mut woken = None;
        for (index, wait) in waiting.iter_mut().enumerate() {
            if pin!(wait).poll(context).is_ready() {
                woken = woken.or(Some(index as u64));
            }
        }
        woken.map_or(Poll::Pending, |index| Poll::Ready(Ok(index)))
    });
    Ok(with_deadline(call, future, deadline, Errno::ETIMEDOUT, deadline.is_none()))
}
