//! Calls on time: clocks, sleeping, processor time.

use super::processes::encode_usage;
use super::{Call, Outcome};
use crate::clock::{duration_of, timespec_of};
use crate::exec::load::TICKS_PER_SECOND;
use crate::process::Thread;
use crate::process::capabilities::SYS_TIME;
use alloc::boxed::Box;
use alloc::rc::Rc;
use chestnut_linux_files::clock::Clock;
use chestnut_linux_files::{Errno, Result};
use core::cell::Cell;
use core::time::Duration;
use linux_raw_sys::general as linux;

/// What a clock says now. Clocks of processor time count what has been used up to now.
fn read_clock(call: &Call, clock: u32) -> Result<Duration> {
    let clocks = &call.server.clock;
    Ok(match clock {
        linux::CLOCK_REALTIME | linux::CLOCK_REALTIME_COARSE | linux::CLOCK_REALTIME_ALARM => clocks.wall(),
        // CLOCK_TAI without known leap seconds is the wall's.
        linux::CLOCK_TAI => clocks.wall(),
        linux::CLOCK_MONOTONIC
        | linux::CLOCK_MONOTONIC_RAW
        | linux::CLOCK_MONOTONIC_COARSE
        | linux::CLOCK_BOOTTIME
        | linux::CLOCK_BOOTTIME_ALARM => clocks.monotonic(),
        linux::CLOCK_PROCESS_CPUTIME_ID => Duration::from_micros(call.process().total_usage().time()),
        linux::CLOCK_THREAD_CPUTIME_ID => thread_time(call.thread),
        other => return processor_clock(call, other),
    })
}

/// Clocks of other processes and threads: the id is in the upper bits, inverted (clock_getcpuclockid(3)).
fn processor_clock(call: &Call, clock: u32) -> Result<Duration> {
    let id = !((clock as i32) >> 3) as u32;
    if (clock as i32) >= 0 {
        return Err(Errno::EINVAL);
    }
    let of_thread = clock & 4 != 0;
    if of_thread {
        let thread = if id == 0 { Some(call.thread.clone()) } else { call.server.table.thread(id) };
        return thread.map(|thread| thread_time(&thread)).ok_or(Errno::EINVAL);
    }
    let process = call.server.process_or_self(call.process(), id).ok_or(Errno::EINVAL)?;
    let usage = process.total_usage();
    // CPUCLOCK_PROF, CPUCLOCK_VIRT, CPUCLOCK_SCHED
    let micros = match clock & 3 {
        0 | 2 => usage.time(),
        1 => usage.user,
        _ => return Err(Errno::EINVAL),
    };
    Ok(Duration::from_micros(micros))
}

fn thread_time(thread: &Thread) -> Duration {
    Duration::from_micros(thread.user_time() + thread.system_time())
}

/// clock_gettime(clock, time)
pub fn clock_gettime(call: &Call) -> Result<u64> {
    let now = read_clock(call, call.half(0))?;
    call.space().write_words(call.word(1), &timespec_of(now))?;
    Ok(0)
}
/// clock_settime(clock, time)
pub fn clock_settime(call: &Call) -> Result<u64> {
    let time = duration_of(call.space().read_words(call.word(1))?).ok_or(Errno::EINVAL)?;
    if call.half(0) != linux::CLOCK_REALTIME {
        return Err(Errno::EINVAL);
    }
    set_wall(call, time)
}
fn set_wall(call: &Call, time: Duration) -> Result<u64> {
    if !call.can(SYS_TIME) {
        return Err(Errno::EPERM);
    }
    call.server.clock.set_wall(time);
    Ok(0)
}
/// clock_getres(clock, resolution)
pub fn clock_getres(call: &Call) -> Result<u64> {
    read_clock(call, call.half(0))?;
    if call.word(1) != 0 {
        call.space().write_words(call.word(1), &[0, 1])?;
    }
    Ok(0)
}
/// gettimeofday(time, zone)
pub fn gettimeofday(call: &Call) -> Result<u64> {
    let now = call.server.clock.wall();
    if call.word(0) != 0 {
        call.space().write_words(call.word(0), &[now.as_secs(), now.subsec_micros().into()])?;
    }
    if call.word(1) != 0 {
        call.space().write_u64(call.word(1), 0)?;
    }
    Ok(0)
}
/// settimeofday(time, zone)
pub fn settimeofday(call: &Call) -> Result<u64> {
    if call.word(0) == 0 {
        return if call.can(SYS_TIME) { Ok(0) } else { Err(Errno::EPERM) };
    }
    let [seconds, micros] = call.space().read_words(call.word(0))?;
    let time = duration_of([seconds, micros.saturating_mul(1000)]).ok_or(Errno::EINVAL)?;
    set_wall(call, time)
}
/// adjtimex(timex)
pub fn adjtimex(call: &Call) -> Result<u64> {
    adjust(call, call.word(0))
}
/// clock_adjtime(clock, timex)
pub fn clock_adjtime(call: &Call) -> Result<u64> {
    match call.half(0) {
        linux::CLOCK_REALTIME => adjust(call, call.word(1)),
        clock => read_clock(call, clock).and(Err(Errno::EOPNOTSUPP)),
    }
}

/// `struct timex`: the clock is as exact as the machine's, follows nobody (STA_UNSYNC), and can be moved at once, not
/// gradually.
fn adjust(call: &Call, address: u64) -> Result<u64> {
    const SET_OFFSET: u32 = 0x0100;
    const NANO: u32 = 0x2000;
    const READ_SINGLE_SHOT: u32 = 0xa001;
    const UNSYNCHRONISED: u64 = 0x40;
    const ERROR: u64 = 5;
    /// Microseconds: nothing is known.
    const MOST_ERROR: u64 = 16_000_000;
    let space = call.space();
    let modes = space.read_u32(address)?;
    if modes != 0 && modes != READ_SINGLE_SHOT {
        if !call.can(SYS_TIME) {
            return Err(Errno::EPERM);
        }
        if modes & !(SET_OFFSET | NANO) != 0 || modes & SET_OFFSET == 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let [seconds, part] = space.read_words(address.wrapping_add(72))?;
        let part = if modes & NANO != 0 { Some(part) } else { part.checked_mul(1000) };
        let part = part.filter(|&part| part < 1_000_000_000).ok_or(Errno::EINVAL)?;
        let moved = i128::from(seconds as i64) * 1_000_000_000 + i128::from(part);
        let wall = call.server.clock.wall().as_nanos() as i128 + moved;
        let wall = u64::try_from(wall).map_err(|_| Errno::EINVAL)?;
        set_wall(call, Duration::from_nanos(wall))?;
    }
    let now = call.server.clock.wall();
    let mut words = [0u64; 26];
    words[0] = modes.into();
    (words[3], words[4], words[5]) = (MOST_ERROR, MOST_ERROR, UNSYNCHRONISED);
    // Time constant, precision and tolerance as of a clock that nobody has adjusted; the length of a tick.
    (words[6], words[7], words[8], words[11]) = (2, 1, 32_768_000, 10_000);
    let part = if modes & NANO != 0 { now.subsec_nanos() } else { now.subsec_micros() };
    (words[9], words[10]) = (now.as_secs(), part.into());
    space.write_words(address, &words)?;
    Ok(ERROR)
}

/// time(seconds)
pub fn time(call: &Call) -> Result<u64> {
    let now = call.server.clock.wall().as_secs();
    if call.word(0) != 0 {
        call.space().write_u64(call.word(0), now)?;
    }
    Ok(now)
}

/// nanosleep(duration, remaining)
pub fn nanosleep(call: &Call) -> Result<Outcome> {
    let duration = duration_of(call.space().read_words(call.word(0))?).ok_or(Errno::EINVAL)?;
    let deadline = call.server.clock.monotonic() + duration;
    Ok(sleep(call, deadline, call.word(1)))
}

/// clock_nanosleep(clock, flags, time, remaining)
pub fn clock_nanosleep(call: &Call) -> Result<Outcome> {
    /// The same clock as the C library names it.
    const OWN_PROCESS: u32 = -6i32 as u32;
    let (clock, flags) = (call.half(0), call.half(1));
    let time = duration_of(call.space().read_words(call.word(2))?).ok_or(Errno::EINVAL)?;
    let absolute = flags & linux::TIMER_ABSTIME != 0;
    let now = call.server.clock.monotonic();
    let deadline = match clock {
        _ if !absolute && matches!(clock, 0 | 1 | 7 | 11) => now + time,
        linux::CLOCK_REALTIME | linux::CLOCK_TAI => time.saturating_sub(call.server.clock.wall_offset()),
        linux::CLOCK_MONOTONIC | linux::CLOCK_BOOTTIME => time,
        linux::CLOCK_PROCESS_CPUTIME_ID | OWN_PROCESS => return Ok(sleep_by_processor(call, time, absolute)),
        _ => return Err(Errno::EINVAL),
    };
    Ok(sleep(call, deadline, if absolute { 0 } else { call.word(3) }))
}

/// Sleeps until the process, by its other threads, has used so much processor time.
fn sleep_by_processor(call: &Call, time: Duration, absolute: bool) -> Outcome {
    /// That time passes no faster than the clock's, and is looked at no more often than this.
    const LEAST: Duration = Duration::from_millis(4);
    let (server, process) = (call.server, call.process().clone());
    let used = move || Duration::from_micros(process.total_usage().time());
    let end = if absolute { time } else { used().saturating_add(time) };
    call.wait_once(async move {
        loop {
            let left = end.saturating_sub(used());
            if left.is_zero() {
                return Ok(0);
            }
            server.clock.sleep_until(server.clock.monotonic() + left.max(LEAST)).await;
        }
    })
}

/// Sleeps, and says how much is left if a signal comes first.
fn sleep(call: &Call, deadline: Duration, remaining: u64) -> Outcome {
    let clock = call.server.clock.clone();
    let guard =
        Remaining { clock: clock.clone(), space: call.space(), address: remaining, deadline, done: Cell::new(false) };
    call.wait_once(async move {
        clock.sleep_until(deadline).await;
        guard.done.set(true);
        Ok(0)
    })
}

/// Writes the time that is left when a sleep is dropped before its end.
struct Remaining {
    clock: Rc<crate::clock::SystemClock>,
    space: Rc<crate::memory::AddressSpace>,
    address: u64,
    deadline: Duration,
    done: Cell<bool>,
}

impl Drop for Remaining {
    fn drop(&mut self) {
        if self.address != 0 && !self.done.get() {
            let left = self.deadline.saturating_sub(self.clock.monotonic());
            let _ = self.space.write_words(self.address, &timespec_of(left));
        }
    }
}

/// times(buf)
pub fn times(call: &Call) -> Result<u64> {
    const TICK: u64 = 1_000_000 / TICKS_PER_SECOND;
    if call.word(0) != 0 {
        let (own, children) = (call.process().total_usage(), call.process().children_usage.get());
        let times = [own.user, own.system, children.user, children.system];
        call.space().write_words(call.word(0), &times.map(|micros| micros / TICK))?;
    }
    Ok(call.server.clock.monotonic().as_micros() as u64 / TICK)
}

/// getrusage(who, usage)
pub fn getrusage(call: &Call) -> Result<u64> {
    let usage = match call.int(0) {
        0 => call.process().total_usage(),
        -1 => call.process().children_usage.get(),
        1 => {
            let (user, system) = (call.thread.user_time(), call.thread.system_time());
            crate::process::Usage { user, system, ..call.process().total_usage() }
        }
        _ => return Err(Errno::EINVAL),
    };
    call.space().write_words(call.word(1), &encode_usage(usage))?;
    Ok(0)
}

/// sched_yield(): by the time of the answer all others of the priority have had their turn, or will before the next.
pub fn sched_yield(_: &Call) -> Result<u64> {
    Ok(0)
}

/// A waiting call that fails with `error` when a deadline has come first.
pub fn with_deadline(
    call: &Call,
    future: impl Future<Output = Result<u64>> + 'static,
    deadline: Option<Duration>,
    error: Errno,
    restarts: bool,
) -> Outcome {
    let clock = call.server.clock.clone();
    let future = async move {
        let Some(deadline) = deadline else { return future.await };
        let mut future = Box::pin(future);
        let mut sleep = Box::pin(clock.sleep_until(deadline));
        core::future::poll_fn(|context| {
            if let core::task::Poll::Ready(result) = future.as_mut().poll(context) {
                return core::task::Poll::Ready(result);
            }
            sleep.as_mut().poll(context).map(|()| Err(error))
        })
        .await
    };
    call.later(future, restarts, None)
}
