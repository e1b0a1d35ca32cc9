//! Time: clocks from the time-stamp counter, and who is to be woken when.
//!
//! CLOCK_MONOTONIC begins when the server starts; it is computed from the time page by the same formula as in the
//! trampoline and the vDSO, so that no two of them disagree. Reading it needs nobody else. Waking needs the timer service, which
//! gets the earliest deadline each time that changes.

use crate::agenda::Agenda;
use crate::capability::{SharedPage, ticks};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::clock::{Clock, Timestamp};
use chestnut_linux_files::wait::{Events, WaitQueue};
use chestnut_linux_trampoline::TimePage;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

/// Where the clock stands in ticks, and the rate.
pub struct SystemClock {
    tsc_base: u64,
    tsc_mhz: u64,
    multiplier: u64,
    /// Nanoseconds from the monotonic clock to the wall's.
    wall_offset: Cell<u64>,
    time_page: SharedPage<TimePage>,
    /// The stamp that inodes get before that reading of the time-stamp counter.
    stamp: Cell<Timestamp>,
    stamp_until: Cell<u64>,
    sleepers: RefCell<BTreeMap<(Duration, u64), Waker>>,
    next_key: Cell<u64>,
    /// Tells the timer service the earliest deadline, in ticks.
    alarm: Box<dyn Fn(u64)>,
    /// What it was told last.
    told: Cell<u64>,
    /// Somebody sleeps, or doesn't any more, who wasn't thought of when that was told.
    changed: Cell<bool>,
    agenda: Agenda,
    /// Woken when CLOCK_REALTIME has been set.
    pub wall_was_set: WaitQueue,
}

const NANOSECONDS: u64 = 1_000_000_000;
/// Between two stamps that differ: microseconds. Linux takes one to ten milliseconds.
const STAMPS: u64 = 1000;

impl SystemClock {
    /// `wall` is the time now, in nanoseconds since 1970.
    pub fn new(
        time_page: SharedPage<TimePage>,
        tsc_mhz: u32,
        wall: u64,
        alarm: Box<dyn Fn(u64)>,
        agenda: Agenda,
    ) -> Rc<Self> {
        let tsc_base = ticks();
        let tsc_mhz = u64::from(tsc_mhz.max(1));
        time_page.view().initialise(tsc_base, tsc_mhz, wall);
        Rc::new(Self {
            tsc_base,
            tsc_mhz,
            multiplier: TimePage::multiplier_for(tsc_mhz),
            wall_offset: Cell::new(wall),
            time_page,
            stamp: Cell::default(),
            stamp_until: Cell::new(0),
            sleepers: RefCell::default(),
            next_key: Cell::new(0),
            alarm,
            told: Cell::new(u64::MAX),
            changed: Cell::new(false),
            agenda,
            wall_was_set: WaitQueue::new(),
        })
    }

    pub const fn tsc_mhz(&self) -> u64 {
        self.tsc_mhz
    }
    /// How long so many ticks of the time-stamp counter are, in nanoseconds.
    pub const fn nanoseconds(&self, ticks: u64) -> u64 {
        TimePage::monotonic(ticks, 0, self.multiplier)
    }
    /// How many ticks so many nanoseconds are.
    pub fn ticks(&self, nanoseconds: u64) -> u64 {
        nanoseconds.saturating_mul(self.tsc_mhz) / 1000
    }
    pub const fn time_page(&self) -> &SharedPage<TimePage> {
        &self.time_page
    }

    /// CLOCK_REALTIME since 1970.
    pub fn wall(&self) -> Duration {
        self.monotonic() + Duration::from_nanos(self.wall_offset.get())
    }
    /// clock_settime(CLOCK_REALTIME).
    pub fn set_wall(&self, wall: Duration) {
        let offset = (wall.as_nanos() as u64).wrapping_sub(self.monotonic().as_nanos() as u64);
        self.wall_offset.set(offset);
        self.time_page.view().set_wall_offset(offset);
        self.stamp_until.set(0);
        self.wall_was_set.wake(Events::all());
    }
    /// What to add to the monotonic clock for the wall's.
    pub fn wall_offset(&self) -> Duration {
        Duration::from_nanos(self.wall_offset.get())
    }

    fn change(&self) {
        self.changed.set(true);
        self.agenda.now();
    }
    /// When there will be anything to do, as a reading of the time-stamp counter.
    pub const fn next(&self) -> u64 {
        if self.changed.get() { 0 } else { self.told.get() }
    }
    /// Whether there is at this reading ([`wake`](Self::wake), [`tell`](Self::tell)).
    pub const fn is_due(&self, now: u64) -> bool {
        now >= self.next()
    }
    /// Wakes all whose time has come.
    pub fn wake(&self) {
        self.changed.set(true);
        let now = self.monotonic();
        let due: Vec<Waker> = {
            let mut sleepers = self.sleepers.borrow_mut();
            // Called whenever somebody begins to sleep or doesn't any more, too.
            if sleepers.first_key_value().is_none_or(|((deadline, _), _)| *deadline > now) {
                return;
            }
            let later = sleepers.split_off(&(now + Duration::from_nanos(1), 0));
            core::mem::replace(&mut *sleepers, later).into_values().collect()
        };
        for waker in due {
            waker.wake();
        }
    }
    /// Tells the timer service of the next deadline, if it is another one. To be called when those who were woken have had the time to sleep again.
    pub fn tell(&self) {
        if !self.changed.take() {
            return;
        }
        let next = self.sleepers.borrow().keys().next().map_or(u64::MAX, |(deadline, _)| self.ticks_at(*deadline));
        if next != self.told.get() {
            self.told.set(next);
            (self.alarm)(next);
        }
    }
    /// The timer service has rung: it forgets the deadline that it was told.
    pub fn rung(&self) {
        self.told.set(u64::MAX);
        self.change();
    }

    /// The reading of the time-stamp counter at which the monotonic clock has reached `time`.
    fn ticks_at(&self, time: Duration) -> u64 {
        let ticks = (time.as_nanos() * u128::from(self.tsc_mhz)).div_ceil(1000) + 1;
        u64::try_from(ticks).map_or(u64::MAX - 1, |ticks| self.tsc_base.saturating_add(ticks))
    }

    /// A future that is ready once the monotonic clock has reached `deadline`.
    pub fn sleep_until(self: &Rc<Self>, deadline: Duration) -> Sleep {
        Sleep { clock: self.clone(), deadline, key: None }
    }
}

impl Clock for SystemClock {
    fn realtime(&self) -> Timestamp {
        let wall = self.wall();
        Timestamp { seconds: wall.as_secs() as i64, nanoseconds: wall.subsec_nanos() }
    }
    fn stamp(&self) -> Timestamp {
        let now = ticks();
        if now >= self.stamp_until.get() {
            self.stamp.set(self.realtime());
            self.stamp_until.set(now + STAMPS * self.tsc_mhz);
        }
        self.stamp.get()
    }
    fn monotonic(&self) -> Duration {
        Duration::from_nanos(TimePage::monotonic(ticks(), self.tsc_base, self.multiplier))
    }
    fn wake_at(&self, deadline: Duration, waker: &Waker) -> u64 {
        let key = self.next_key.get();
        self.next_key.set(key + 1);
        self.sleepers.borrow_mut().insert((deadline, key), waker.clone());
        self.change();
        key
    }
    fn forget(&self, deadline: Duration, number: u64) {
        self.sleepers.borrow_mut().remove(&(deadline, number));
        self.change();
    }
}

/// See [`SystemClock::sleep_until`]. Dropped, it leaves no trace.
pub struct Sleep {
    clock: Rc<SystemClock>,
    deadline: Duration,
    key: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.forget();
        if self.clock.monotonic() >= self.deadline {
            return Poll::Ready(());
        }
        self.key = Some(self.clock.wake_at(self.deadline, context.waker()));
        Poll::Pending
    }
}

impl Sleep {
    fn forget(&mut self) {
        if let Some(key) = self.key.take() {
            self.clock.forget(self.deadline, key);
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.forget();
    }
}

/// `struct timespec` as a duration; `None` if a field is out of range.
pub fn duration_of([seconds, nanoseconds]: [u64; 2]) -> Option<Duration> {
    let valid = seconds as i64 >= 0 && nanoseconds < NANOSECONDS;
    // Beyond centuries, so that sums don't overflow.
    valid.then(|| Duration::new(seconds.min(1 << 40), nanoseconds as u32))
}
/// A duration as `struct timespec`.
pub fn timespec_of(duration: Duration) -> [u64; 2] {
    [duration.as_secs(), duration.subsec_nanos().into()]
}
