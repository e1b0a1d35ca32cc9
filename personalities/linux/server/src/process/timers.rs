//! Timers that send signals: alarm(2), setitimer(2), timer_create(2), and RLIMIT_CPU's.
//!
//! A process with an armed timer has one task, which sleeps until the first of them can be due and ends when none is armed. So
//! however often a program sets its timers, the server holds one sleeper for it. Timers of processor time need no interrupt of
//! their own: on one processor that time passes no faster than the clock's, so the task sleeps for as long as is left
//! and looks again.

use super::limits::{self, INFINITY};
use super::signal::{Detail, Signal, SignalInfo, code};
use super::{Process, Thread};
use crate::server::Server;
use alloc::collections::BTreeMap;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use chestnut_linux_files::clock::Clock;
use chestnut_linux_files::wait::{Events, WaitQueue};
use chestnut_linux_files::{Errno, Result};
use core::cell::{Cell, RefCell};
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

/// How closely processor time is watched: a tick of Linux's at 250 Hz.
const WATCH: Duration = Duration::from_millis(4);
/// Timers are looked at no more often than this, so that one with an interval of a nanosecond leaves time for others.
const LEAST: Duration = Duration::from_micros(20);
const NANOSECONDS: u128 = 1_000_000_000;
/// Most POSIX timers of a process.
const MOST: usize = 256;

/// What a timer goes by.
#[derive(Clone)]
pub enum Base {
    Wall,
    Monotonic,
    /// User time alone (ITIMER_VIRTUAL), or with the system's, of the process.
    Process {
        user_only: bool,
    },
    /// Processor time of a thread.
    Thread(Weak<Thread>),
}

/// When a timer goes off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// On the timer's own clock; `None`: never.
    pub next: Option<Duration>,
    /// Zero: once.
    pub interval: Duration,
}

impl Setting {
    /// How often it has gone off by `now`, and what is set then.
    fn expire(self, now: Duration) -> (u64, Self) {
        match self.next {
            Some(next) if next <= now => {
                if self.interval.is_zero() {
                    return (1, Self { next: None, ..self });
                }
                let missed = (now - next).as_nanos() / self.interval.as_nanos();
                let past = next.as_nanos() + self.interval.as_nanos() * (missed + 1);
                let next = Duration::new((past / NANOSECONDS) as u64, (past % NANOSECONDS) as u32);
                (missed as u64 + 1, Self { next: Some(next), ..self })
            }
            _ => (0, self),
        }
    }
}

/// How a POSIX timer tells of itself.
#[derive(Clone)]
pub enum Notice {
    None,
    /// `thread`: to this one alone.
    Signal {
        signal: Signal,
        value: u64,
        thread: Option<Weak<Thread>>,
    },
}

/// A POSIX timer.
#[derive(Clone)]
pub struct PosixTimer {
    /// What its setting counts by: the wall clock only for absolute times.
    pub base: Base,
    /// It was made with the wall clock.
    pub is_wall: bool,
    pub setting: Setting,
    pub notice: Notice,
    /// Expirations beside the one that the last signal told of.
    pub overrun: u32,
}

/// The three interval timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    Real,
    Virtual,
    Profiling,
}

impl Interval {
    pub const ALL: [Self; 3] = [Self::Real, Self::Virtual, Self::Profiling];

    const fn base(self) -> Base {
        match self {
            Self::Real => Base::Monotonic,
            Self::Virtual => Base::Process { user_only: true },
            Self::Profiling => Base::Process { user_only: false },
        }
    }
    const fn signal(self) -> Signal {
        match self {
            Self::Real => Signal::ALRM,
            Self::Virtual => Signal::VTALRM,
            Self::Profiling => Signal::PROF,
        }
    }
}

/// A process's timers.
#[derive(Default)]
pub struct Timers {
    intervals: [Cell<Setting>; 3],
    posix: RefCell<BTreeMap<u32, PosixTimer>>,
    next_id: Cell<u32>,
    /// Processor time at which RLIMIT_CPU is looked at next.
    limit: Cell<Option<Duration>>,
    changed: WaitQueue,
    watched: Cell<bool>,
}

impl Timers {
    /// execve and exit: POSIX timers end, the interval timers stay (a process that has ended stops them).
    pub fn delete_posix(&self) {
        self.posix.borrow_mut().clear();
        self.changed.wake(Events::all());
    }
    /// The process has ended.
    pub fn stop(&self) {
        for interval in &self.intervals {
            interval.set(Setting::default());
        }
        self.limit.set(None);
        self.delete_posix();
    }

    /// A new timer. `EAGAIN` if there are too many.
    pub fn create(&self, timer: PosixTimer) -> Result<u32> {
        let mut posix = self.posix.borrow_mut();
        if posix.len() >= MOST {
            return Err(Errno::EAGAIN);
        }
        let mut id = self.next_id.get();
        while posix.contains_key(&id) {
            id = id.wrapping_add(1) & 0x7fff_ffff;
        }
        self.next_id.set(id.wrapping_add(1) & 0x7fff_ffff);
        posix.insert(id, timer);
        Ok(id)
    }
    /// `EINVAL` if there is no such timer.
    pub fn delete(&self, id: u32) -> Result<()> {
        self.posix.borrow_mut().remove(&id).map(|_| ()).ok_or(Errno::EINVAL)
    }
    pub fn set_notice(&self, id: u32, notice: Notice) {
        if let Some(timer) = self.posix.borrow_mut().get_mut(&id) {
            timer.notice = notice;
        }
    }
    /// `EINVAL` if there is no such timer.
    pub fn get(&self, id: u32) -> Result<PosixTimer> {
        self.posix.borrow().get(&id).cloned().ok_or(Errno::EINVAL)
    }
    /// The signal of a timer is taken: what timer_getoverrun(2) says from now on.
    pub fn taken(&self, id: u32, overrun: u32) {
        if let Some(timer) = self.posix.borrow_mut().get_mut(&id) {
            timer.overrun = overrun;
        }
    }
}

impl Server {
    /// What a timer's clock says; `None` once its thread has ended.
    pub fn read_base(&self, process: &Process, base: &Base) -> Option<Duration> {
        Some(match base {
            Base::Wall => self.clock.wall(),
            Base::Monotonic => self.clock.monotonic(),
            Base::Process { user_only } => {
                let usage = process.total_usage();
                Duration::from_micros(if *user_only { usage.user } else { usage.user + usage.system })
            }
            Base::Thread(thread) => {
                let thread = thread.upgrade().filter(|thread| !thread.ended.get())?;
                Duration::from_micros(thread.user_time() + thread.system_time())
            }
        })
    }

    /// What is left of a setting, and its interval.
    pub fn left(&self, process: &Process, base: &Base, setting: Setting) -> (Duration, Duration) {
        let now = self.read_base(process, base).unwrap_or_default();
        // A timer that is due but hasn't been seen yet is not "off".
        let left = setting.next.map_or(Duration::ZERO, |next| next.saturating_sub(now).max(Duration::from_nanos(1)));
        (left, setting.interval)
    }

    pub fn interval_timer(&self, process: &Process, which: Interval) -> (Duration, Duration) {
        self.left(process, &which.base(), process.timers.intervals[which as usize].get())
    }
    /// Sets an interval timer; a zero value turns it off.
    pub fn set_interval_timer(
        &'static self,
        process: &Rc<Process>,
        which: Interval,
        value: Duration,
        interval: Duration,
    ) {
        let now = self.read_base(process, &which.base()).unwrap_or_default();
        let next = (!value.is_zero()).then(|| now.saturating_add(value));
        process.timers.intervals[which as usize].set(Setting { next, interval });
        self.watch(process);
    }
    pub fn set_posix_timer(&'static self, process: &Rc<Process>, id: u32, base: Base, setting: Setting) -> Result<()> {
        {
            let mut posix = process.timers.posix.borrow_mut();
            let timer = posix.get_mut(&id).ok_or(Errno::EINVAL)?;
            timer.base = base;
            timer.setting = setting;
            timer.overrun = 0;
        }
        self.watch(process);
        Ok(())
    }
    /// RLIMIT_CPU has been set.
    pub fn watch_limit(&'static self, process: &Rc<Process>) {
        let soft = process.limits.borrow().soft(limits::PROCESSOR);
        process.timers.limit.set((soft != INFINITY).then(|| Duration::from_secs(soft)));
        self.watch(process);
    }

    /// Starts the process's task, or has it look again.
    fn watch(&'static self, process: &Rc<Process>) {
        if process.timers.watched.replace(true) {
            process.timers.changed.wake(Events::all());
            return;
        }
        let process = process.clone();
        self.executor.start(async move {
            // A signal may just have ended the process, and nobody waited yet to be told.
            let look = || self.expire_timers(&process).filter(|_| process.ending.get().is_none());
            while let Some(deadline) = look() {
                let deadline = deadline.max(self.clock.monotonic() + LEAST);
                let mut sleep = pin!(self.clock.sleep_until(deadline));
                let mut changed = pin!(process.timers.changed.wait(Events::all()));
                let mut stepped = pin!(self.clock.wall_was_set.wait(Events::all()));
                poll_fn(|context| {
                    let ready = sleep.as_mut().poll(context).is_ready()
                        | changed.as_mut().poll(context).is_ready()
                        | stepped.as_mut().poll(context).is_ready();
                    if ready { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
            }
            process.timers.watched.set(false);
        });
    }

    /// Sends the signals of timers that are due. Returns when to look again, if any timer is armed.
    fn expire_timers(&self, process: &Rc<Process>) -> Option<Duration> {
        let mut first: Option<Duration> = None;
        let monotonic = self.clock.monotonic();
        let mut again = |base: &Base, now: Duration, setting: Setting| {
            if let Some(next) = setting.next {
                let left = next.saturating_sub(now);
                let left = if matches!(base, Base::Wall | Base::Monotonic) { left } else { left.max(WATCH) };
                let deadline = monotonic.saturating_add(left);
                first = Some(first.map_or(deadline, |first| first.min(deadline)));
            }
        };
        for which in Interval::ALL {
            let timer = &process.timers.intervals[which as usize];
            if timer.get().next.is_none() {
                continue;
            }
            let base = which.base();
            let now = self.read_base(process, &base)?;
            let (count, setting) = timer.get().expire(now);
            timer.set(setting);
            again(&base, now, setting);
            if count > 0 {
                self.signal_process(process, SignalInfo::kernel(which.signal()));
            }
        }
        let ids: Vec<u32> = process.timers.posix.borrow().keys().copied().collect();
        for id in ids {
            let Ok(timer) = process.timers.get(id) else { continue };
            if timer.setting.next.is_none() {
                continue;
            }
            let now = self.read_base(process, &timer.base);
            let (count, setting) = now.map_or((0, Setting::default()), |now| timer.setting.expire(now));
            if let Some(timer) = process.timers.posix.borrow_mut().get_mut(&id) {
                timer.setting = setting;
            }
            again(&timer.base, now.unwrap_or_default(), setting);
            if count > 0 {
                self.send_timer(process, id, &timer.notice, (count - 1).min(i32::MAX as u64) as u32);
            }
        }
        if let Some(next) = process.timers.limit.get() {
            let base = Base::Process { user_only: false };
            let now = self.read_base(process, &base)?;
            let setting = Setting { next: Some(next), interval: Duration::from_secs(1) };
            let (count, setting) = setting.expire(now);
            process.timers.limit.set(setting.next);
            again(&base, now, setting);
            if count > 0 {
                let hard = process.limits.borrow().get(limits::PROCESSOR as u64).map_or(INFINITY, |limit| limit.hard);
                let signal = if now.as_secs() >= hard { Signal::KILL } else { Signal::XCPU };
                self.signal_process(process, SignalInfo::kernel(signal));
            }
        }
        first
    }

    /// One signal per timer is pending at most; what it misses is counted.
    fn send_timer(&self, process: &Rc<Process>, id: u32, notice: &Notice, overrun: u32) {
        let Notice::Signal { signal, value, thread } = notice else { return };
        let info =
            SignalInfo { signal: *signal, code: code::TIMER, detail: Detail::Timer { id, overrun, value: *value } };
        match thread {
            None => {
                if !process.pending.borrow_mut().overrun(id, overrun) {
                    self.signal_process(process, info);
                }
            }
            Some(thread) => {
                if let Some(thread) = thread.upgrade().filter(|thread| !thread.ended.get())
                    && !thread.pending.borrow_mut().overrun(id, overrun)
                {
                    self.signal_thread(&thread, info);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn expirations_that_were_missed_are_counted_and_the_rhythm_is_kept() {
        let setting = Setting { next: Some(seconds(10)), interval: seconds(3) };
        assert_eq!(setting.expire(seconds(9)), (0, setting));
        assert_eq!(setting.expire(seconds(10)), (1, Setting { next: Some(seconds(13)), ..setting }));
        assert_eq!(setting.expire(seconds(20)), (4, Setting { next: Some(seconds(22)), ..setting }));
        // A nanosecond's interval and centuries.
        let fine = Setting { next: Some(seconds(1)), interval: Duration::from_nanos(1) };
        let (_, after) = fine.expire(seconds(1 << 32));
        assert_eq!(after.next, Some(seconds(1 << 32) + Duration::from_nanos(1)));
        let once = Setting { next: Some(seconds(10)), interval: Duration::ZERO };
        assert_eq!(once.expire(seconds(99)), (1, Setting::default()));
        assert_eq!(Setting::default().expire(seconds(99)), (0, Setting::default()));
    }

    #[test]
    fn ids_are_not_used_twice_and_their_number_is_limited() {
        let timers = Timers::default();
        let timer = PosixTimer {
            base: Base::Monotonic,
            is_wall: false,
            setting: Setting::default(),
            notice: Notice::None,
            overrun: 0,
        };
        for id in 0..MOST as u32 {
            assert_eq!(timers.create(timer.clone()), Ok(id));
        }
        assert_eq!(timers.create(timer.clone()), Err(Errno::EAGAIN));
        assert_eq!((timers.delete(7), timers.delete(7)), (Ok(()), Err(Errno::EINVAL)));
        assert_eq!(timers.create(timer), Ok(MOST as u32));
    }
}
