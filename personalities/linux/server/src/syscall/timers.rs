//! Calls on timers that send signals: alarm(2), getitimer(2), timer_create(2).

use super::Call;
use crate::clock::{duration_of, timespec_of};
use crate::process::capabilities::WAKE_ALARM;
use crate::process::signal::Signal;
use crate::process::timers::{Base, Interval, Notice, PosixTimer, Setting};
use alloc::rc::Rc;
use chestnut_linux_files::{Errno, Result};
use core::time::Duration;
use linux_raw_sys::general as linux;

/// alarm(seconds)
pub fn alarm(call: &Call) -> Result<u64> {
    let (left, _) = call.server.interval_timer(call.process(), Interval::Real);
    let value = Duration::from_secs(call.half(0).into());
    call.server.set_interval_timer(call.process(), Interval::Real, value, Duration::ZERO);
    // Rounded, and not down to 0 while something is left.
    let rounded = left.as_secs() + u64::from(left.subsec_millis() >= 500);
    Ok(if left.is_zero() { 0 } else { rounded.max(1) })
}

fn interval(call: &Call) -> Result<Interval> {
    match call.half(0) {
        linux::ITIMER_REAL => Ok(Interval::Real),
        linux::ITIMER_VIRTUAL => Ok(Interval::Virtual),
        linux::ITIMER_PROF => Ok(Interval::Profiling),
        _ => Err(Errno::EINVAL),
    }
}

fn put_interval(call: &Call, which: Interval, address: u64) -> Result<()> {
    let (left, interval) = call.server.interval_timer(call.process(), which);
    let micros = |duration: Duration| [duration.as_secs(), duration.subsec_micros().into()];
    let left = if left.is_zero() { left } else { left.max(Duration::from_micros(1)) };
    let ([a, b], [c, d]) = (micros(interval), micros(left));
    call.space().write_words(address, &[a, b, c, d])
}

/// getitimer(which, value)
pub fn getitimer(call: &Call) -> Result<u64> {
    put_interval(call, interval(call)?, call.word(1))?;
    Ok(0)
}
/// setitimer(which, new, old)
pub fn setitimer(call: &Call) -> Result<u64> {
    let which = interval(call)?;
    let words: [u64; 4] = if call.word(1) == 0 { [0; 4] } else { call.space().read_words(call.word(1))? };
    let duration = |seconds, micros: u64| duration_of([seconds, micros.saturating_mul(1000)]).ok_or(Errno::EINVAL);
    let (interval, value) = (duration(words[0], words[1])?, duration(words[2], words[3])?);
    if call.word(2) != 0 {
        put_interval(call, which, call.word(2))?;
    }
    call.server.set_interval_timer(call.process(), which, value, interval);
    Ok(0)
}

/// The clocks that a timer can go by.
fn base(call: &Call, clock: u32) -> Result<Base> {
    Ok(match clock {
        linux::CLOCK_REALTIME | linux::CLOCK_TAI => Base::Wall,
        linux::CLOCK_MONOTONIC | linux::CLOCK_BOOTTIME => Base::Monotonic,
        // Nothing suspends here, so that those which would wake the machine are as the others.
        linux::CLOCK_REALTIME_ALARM if call.can(WAKE_ALARM) => Base::Wall,
        linux::CLOCK_BOOTTIME_ALARM if call.can(WAKE_ALARM) => Base::Monotonic,
        linux::CLOCK_REALTIME_ALARM | linux::CLOCK_BOOTTIME_ALARM => return Err(Errno::EPERM),
        linux::CLOCK_PROCESS_CPUTIME_ID => Base::Process { user_only: false },
        linux::CLOCK_THREAD_CPUTIME_ID => Base::Thread(Rc::downgrade(call.thread)),
        other if (other as i32) < 0 => return processor_base(call, other),
        _ => return Err(Errno::EINVAL),
    })
}

/// Clocks by process or thread (clock_getcpuclockid(3)): here those of the own process, which 0 stands for.
fn processor_base(call: &Call, clock: u32) -> Result<Base> {
    let id = !((clock as i32) >> 3) as u32;
    match (clock & 7, id) {
        (0 | 2, _) if id == 0 || id == call.process().pid => Ok(Base::Process { user_only: false }),
        (1, _) if id == 0 || id == call.process().pid => Ok(Base::Process { user_only: true }),
        (4 | 6, 0) => Ok(Base::Thread(Rc::downgrade(call.thread))),
        (4 | 6, _) => {
            let thread = call.server.table.thread(id).ok_or(Errno::EINVAL)?;
            let own = Rc::ptr_eq(&thread.process, call.process());
            if own { Ok(Base::Thread(Rc::downgrade(&thread))) } else { Err(Errno::EINVAL) }
        }
        _ => Err(Errno::EINVAL),
    }
}

/// What `struct sigevent` asks for.
fn notice(call: &Call, [value, signal_and_kind, thread]: [u64; 3]) -> Result<Notice> {
    let kind = (signal_and_kind >> 32) as u32;
    if kind == linux::SIGEV_NONE {
        return Ok(Notice::None);
    }
    let signal = Signal::new(signal_and_kind & 0xffff_ffff).ok_or(Errno::EINVAL)?;
    let thread = match kind {
        linux::SIGEV_SIGNAL => None,
        linux::SIGEV_THREAD_ID => {
            let thread = call.server.table.thread(thread as u32).ok_or(Errno::EINVAL)?;
            if !Rc::ptr_eq(&thread.process, call.process()) {
                return Err(Errno::EINVAL);
            }
            Some(Rc::downgrade(&thread))
        }
        _ => return Err(Errno::EINVAL),
    };
    Ok(Notice::Signal { signal, value, thread })
}

/// timer_create(clock, event, id)
pub fn timer_create(call: &Call) -> Result<u64> {
    let base = base(call, call.half(0))?;
    let space = call.space();
    let notice = match call.word(1) {
        0 => None,
        address => Some(notice(call, space.read_words(address)?)?),
    };
    let timers = &call.process().timers;
    let is_default = notice.is_none();
    let is_wall = matches!(base, Base::Wall);
    let notice = notice.unwrap_or(Notice::None);
    let id = timers.create(PosixTimer { base, is_wall, setting: Setting::default(), notice, overrun: 0 })?;
    if is_default {
        // Without an event it is SIGALRM with the timer's id, which is known only now.
        timers.set_notice(id, Notice::Signal { signal: Signal::ALRM, value: id.into(), thread: None });
    }
    space.write_u32(call.word(2), id).inspect_err(|_| {
        let _ = timers.delete(id);
    })?;
    Ok(0)
}

fn put_setting(call: &Call, timer: &PosixTimer, address: u64) -> Result<()> {
    let (left, interval) = call.server.left(call.process(), &timer.base, timer.setting);
    let ([a, b], [c, d]) = (timespec_of(interval), timespec_of(left));
    call.space().write_words(address, &[a, b, c, d])
}

/// timer_settime(id, flags, new, old)
pub fn timer_settime(call: &Call) -> Result<u64> {
    if call.word(2) == 0 {
        return Err(Errno::EINVAL);
    }
    let [interval, interval_nanos, value, value_nanos] = call.space().read_words(call.word(2))?;
    let interval = duration_of([interval, interval_nanos]).ok_or(Errno::EINVAL)?;
    let value = duration_of([value, value_nanos]).ok_or(Errno::EINVAL)?;
    let process = call.process();
    let timer = process.timers.get(call.half(0))?;
    let absolute = call.half(1) & linux::TIMER_ABSTIME != 0;
    let base = match (timer.is_wall, absolute) {
        // A span isn't changed by setting the wall clock.
        (true, false) => Base::Monotonic,
        (true, true) => Base::Wall,
        (false, _) => timer.base.clone(),
    };
    let now = call.server.read_base(process, &base).unwrap_or_default();
    let next = match (value.is_zero(), absolute) {
        (true, _) => None,
        (false, true) => Some(value),
        (false, false) => Some(now.saturating_add(value)),
    };
    if call.word(3) != 0 {
        put_setting(call, &timer, call.word(3))?;
    }
    call.server.set_posix_timer(process, call.half(0), base, Setting { next, interval })?;
    Ok(0)
}
/// timer_gettime(id, value)
pub fn timer_gettime(call: &Call) -> Result<u64> {
    let timer = call.process().timers.get(call.half(0))?;
    put_setting(call, &timer, call.word(1))?;
    Ok(0)
}
/// timer_getoverrun(id)
pub fn timer_getoverrun(call: &Call) -> Result<u64> {
    Ok(call.process().timers.get(call.half(0))?.overrun.into())
}
/// timer_delete(id)
pub fn timer_delete(call: &Call) -> Result<u64> {
    call.process().timers.delete(call.half(0))?;
    Ok(0)
}
