//! timerfd_create(2): timers to wait for and read.
//!
//! A timer is ready by the passing of time, with nobody to tell: its wait queue has an alarm ([`crate::wait::Alarm`]).

use alloc::rc::{Rc, Weak};
use core::cell::Cell;
use core::time::Duration;

use linux_raw_sys::general as linux;

use crate::buffer::Sink;
use crate::caller::Caller;
use crate::clock::Clock;
use crate::inode::Filesystem;
use crate::open::{Attempt, File, OpenFile, OpenFlags};
use crate::wait::{Alarm, Events, WaitQueue};
use crate::{Errno, Result};

/// `struct itimerspec`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimerSetting {
    /// Zero: once only.
    pub interval: Duration,
    /// Until the next expiration, or with TFD_TIMER_ABSTIME its time. Zero: disarmed.
    pub value: Duration,
}

impl TimerSetting {
    /// Bytes of the structure.
    pub const SIZE: usize = 32;

    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let times = [self.interval, self.value];
        let words = times.iter().flat_map(|time| [time.as_secs(), time.subsec_nanos().into()]);
        bytes.chunks_exact_mut(8).zip(words).for_each(|(to, word)| to.copy_from_slice(&word.to_le_bytes()));
        bytes
    }

    /// `EINVAL` for negative times and more nanoseconds than a second has.
    pub fn decode(bytes: &[u8; Self::SIZE]) -> Result<Self> {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let time = |at: usize| match (word(at), word(at + 8)) {
            (seconds, nanos @ ..1_000_000_000) if seconds <= i64::MAX as u64 => {
                Ok(Duration::new(seconds, nanos as u32))
            }
            _ => Err(Errno::EINVAL),
        };
        Ok(TimerSetting { interval: time(0)?, value: time(16)? })
    }
}

/// When a timer expires.
#[derive(Clone, Copy)]
struct Armed {
    /// The first time, on the wall clock (since 1970) if `wall`, else monotonic.
    first: Duration,
    wall: bool,
    interval: Duration,
    /// Expirations that have been read.
    read: u64,
    /// ECANCELED when the wall clock is set.
    cancelable: bool,
}

/// A timer.
pub struct TimerFile {
    clock: Rc<dyn Clock>,
    wall: bool,
    armed: Cell<Option<Armed>>,
    canceled: Cell<bool>,
    waiters: WaitQueue,
}

/// timerfd_create(2): `flags` may hold TFD_NONBLOCK; TFD_CLOEXEC is the descriptor table's. `EINVAL` for an unknown clock or flag,
/// `EPERM` for the clocks that would wake a machine without privilege. Nothing suspends, so those are as the others.
pub fn create(filesystem: &Rc<Filesystem>, caller: &Caller, clock: u32, flags: u32) -> Result<Rc<OpenFile>> {
    let wall = match clock {
        linux::CLOCK_REALTIME => true,
        linux::CLOCK_MONOTONIC | linux::CLOCK_BOOTTIME => false,
        linux::CLOCK_REALTIME_ALARM | linux::CLOCK_BOOTTIME_ALARM if !caller.credentials.privileged => {
            return Err(Errno::EPERM);
        }
        linux::CLOCK_REALTIME_ALARM => true,
        linux::CLOCK_BOOTTIME_ALARM => false,
        _ => return Err(Errno::EINVAL),
    };
    let known = OpenFlags::NONBLOCKING | OpenFlags::CLOSE_ON_EXEC;
    let flags = OpenFlags::from_bits(flags).filter(|&flags| known.contains(flags)).ok_or(Errno::EINVAL)?;
    let timer = Rc::new(TimerFile {
        clock: filesystem.clock.clone(),
        wall,
        armed: Cell::default(),
        canceled: Cell::default(),
        waiters: WaitQueue::new(),
    });
    timer.waiters.set_alarm(Rc::downgrade(&timer) as Weak<TimerFile>);
    let flags = flags | OpenFlags::READ_WRITE;
    Ok(OpenFile::anonymous(filesystem, timer, b"anon_inode:[timerfd]", flags))
}

impl OpenFile {
    /// The timer behind a descriptor; `EINVAL` if it is something else.
    pub fn timer(&self) -> Result<&TimerFile> {
        self.file().as_any().and_then(|any| any.downcast_ref()).ok_or(Errno::EINVAL)
    }
}

impl TimerFile {
    /// timerfd_settime(2): returns what was set before. `EINVAL` for unknown flags.
    pub fn set(&self, flags: u32, setting: TimerSetting) -> Result<TimerSetting> {
        const ABSOLUTE: u32 = linux::TFD_TIMER_ABSTIME;
        const CANCEL: u32 = linux::TFD_TIMER_CANCEL_ON_SET;
        if flags & !(ABSOLUTE | CANCEL) != 0 {
            return Err(Errno::EINVAL);
        }
        let old = self.setting();
        let absolute = flags & ABSOLUTE != 0;
        let wall = self.wall && absolute;
        let armed = Armed {
            // A span isn't changed by setting the wall clock, so it is counted on the other one.
            first: if absolute { setting.value } else { self.clock.monotonic().saturating_add(setting.value) },
            wall,
            interval: setting.interval,
            read: 0,
            cancelable: wall && flags & CANCEL != 0,
        };
        self.armed.set((!setting.value.is_zero()).then_some(armed));
        self.canceled.set(false);
        self.waiters.alarm_changed();
        Ok(old)
    }

    /// timerfd_gettime(2).
    pub fn setting(&self) -> TimerSetting {
        let Some(armed) = self.armed.get() else { return TimerSetting::default() };
        let next = self.next_expiration(&armed);
        let value = next.map_or(Duration::ZERO, |next| next - self.now(&armed));
        TimerSetting { interval: armed.interval, value }
    }

    /// The wall clock has been set: timers with TFD_TIMER_CANCEL_ON_SET are cancelled, and all reckon anew.
    pub fn clock_was_set(&self) {
        if self.armed.get().is_some_and(|armed| armed.cancelable) {
            self.canceled.set(true);
            self.waiters.wake(Events::READABLE);
        }
        self.waiters.alarm_changed();
    }

    /// On the clock that the timer goes by.
    fn now(&self, armed: &Armed) -> Duration {
        if !armed.wall {
            return self.clock.monotonic();
        }
        let now = self.clock.realtime();
        Duration::new(now.seconds.max(0) as u64, now.nanoseconds)
    }

    /// How often it has expired.
    fn expirations(&self, armed: &Armed) -> u64 {
        match self.now(armed).checked_sub(armed.first) {
            None => 0,
            Some(_) if armed.interval.is_zero() => 1,
            Some(since) => {
                let more = since.as_nanos() / armed.interval.as_nanos();
                u64::try_from(more).unwrap_or(u64::MAX - 1) + 1
            }
        }
    }

    /// The first expiration after now, on its clock.
    fn next_expiration(&self, armed: &Armed) -> Option<Duration> {
        let past = self.expirations(armed);
        match past {
            0 => Some(armed.first),
            _ if armed.interval.is_zero() => None,
            _ => {
                let since = (self.now(armed) - armed.first).as_nanos() % armed.interval.as_nanos();
                // Less than an interval, so it fits.
                let left = armed.interval.as_nanos() - since;
                let left = Duration::new((left / 1_000_000_000) as u64, (left % 1_000_000_000) as u32);
                self.now(armed).checked_add(left)
            }
        }
    }

    fn unread(&self) -> u64 {
        self.armed.get().map_or(0, |armed| self.expirations(&armed).saturating_sub(armed.read))
    }
}

impl Alarm for TimerFile {
    fn next(&self) -> Option<(Rc<dyn Clock>, Duration)> {
        let armed = self.armed.get()?;
        let left = self.next_expiration(&armed)?.saturating_sub(self.now(&armed));
        Some((self.clock.clone(), self.clock.monotonic().saturating_add(left)))
    }
}

impl File for TimerFile {
    fn read(&self, _: &mut Attempt, _: u64, sink: &mut dyn Sink) -> Result<usize> {
        if sink.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        if self.canceled.take() {
            return Err(Errno::ECANCELED);
        }
        let count = self.unread();
        if count == 0 {
            return Err(Errno::EAGAIN);
        }
        if sink.put(&count.to_le_bytes())? < 8 {
            return Err(Errno::EFAULT);
        }
        let armed = self.armed.get().map(|armed| Armed { read: armed.read + count, ..armed });
        self.armed.set(armed);
        Ok(8)
    }

    fn readiness(&self) -> Events {
        if self.unread() > 0 || self.canceled.get() { Events::READABLE } else { Events::empty() }
    }

    fn waiters(&self) -> Option<&WaitQueue> {
        Some(&self.waiters)
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
