//! Which members are ready: the list, how members come onto it, and how it is read.

use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::time::Duration;

use super::{Epoll, EpollEvent, Member, Mode};
use crate::clock::Clock;
use crate::wait::{Alarm, Events, Listener};

impl Epoll {
    /// Ready members now, as [`report`](Self::report) tells of them.
    pub fn collect(&self, most: usize) -> Vec<EpollEvent> {
        let mut found = Vec::new();
        self.report(most, |event| found.push(event));
        found
    }

    /// Tells of at most `most` ready members, those that have waited longest first. Returns how many there were.
    pub fn report(&self, most: usize, mut report: impl FnMut(EpollEvent)) -> usize {
        self.list_due();
        let (mut found, mut left) = (0, self.ready.borrow().len());
        while found < most && left > 0 {
            left -= 1;
            // Nothing is borrowed while files are asked; what becomes ready meanwhile goes to the end, as does what stays ready.
            let Some(member) = self.ready.borrow_mut().pop_front() else { break };
            member.listed.set(false);
            let Some(ready) = self.look_at(&member) else { continue };
            report(EpollEvent { events: ready.bits().into(), data: member.data.get() });
            found += 1;
            if member.mode.get().contains(Mode::ONE_SHOT) {
                member.silent.set(true);
            } else if !member.mode.get().contains(Mode::EDGE) && !member.listed.replace(true) {
                self.ready.borrow_mut().push_back(member);
            }
        }
        found
    }

    /// The commonest case: there is one member on the list, and there it stays, as it is ready and level-triggered. `None` if it isn't so, and
    /// then nothing has happened.
    #[inline]
    pub fn only_event(&self) -> Option<EpollEvent> {
        self.list_due();
        let member = {
            let ready = self.ready.borrow();
            if ready.len() != 1 {
                return None;
            }
            ready.front()?.clone()
        };
        if member.silent.get() || member.mode.get().intersects(Mode::ONE_SHOT | Mode::EDGE) {
            return None;
        }
        let ready = member.file.upgrade()?.readiness() & (member.events.get() | Events::ALWAYS);
        (!ready.is_empty()).then(|| EpollEvent { events: ready.bits().into(), data: member.data.get() })
    }

    /// Is any member ready? Reports nothing, so edges are still there afterwards.
    pub(super) fn has_ready(&self) -> bool {
        self.list_due();
        loop {
            let Some(member) = self.ready.borrow().front().cloned() else { return false };
            if self.look_at(&member).is_some() {
                return true;
            }
            let mut list = self.ready.borrow_mut();
            if list.front().is_some_and(|front| Rc::ptr_eq(front, &member)) {
                list.pop_front();
                member.listed.set(false);
            }
        }
    }

    /// What of a member's interest is ready; `None` if nothing is. Members whose file has closed leave the set.
    fn look_at(&self, member: &Rc<Member>) -> Option<Events> {
        let Some(file) = member.file.upgrade() else {
            self.remove(member);
            return None;
        };
        if member.silent.get() {
            return None;
        }
        let ready = file.readiness() & (member.events.get() | Events::ALWAYS);
        if ready.is_empty() { None } else { Some(ready) }
    }

    /// Lists the timed members whose time has come.
    #[inline]
    fn list_due(&self) {
        if !self.timed.borrow().is_empty() {
            self.list_timed();
        }
    }
    fn list_timed(&self) {
        let timed: Vec<Rc<Member>> = self.timed.borrow().iter().filter_map(Weak::upgrade).collect();
        for member in timed {
            let Some(file) = member.file.upgrade() else { continue };
            let clock = &file.inode().filesystem.clock;
            if member.due.get().is_some_and(|due| clock.monotonic() >= due) {
                member.due.set(next_alarm(&member).map(|(_, due)| due));
                member.list();
            }
        }
    }
}

impl Member {
    /// Puts it on the list, and tells those who wait.
    pub(super) fn list(&self) {
        let (Some(owner), Some(member)) = (self.owner.upgrade(), self.itself.upgrade()) else { return };
        if !self.silent.get() && !self.listed.replace(true) {
            owner.ready.borrow_mut().push_back(member);
            owner.waiters.wake(Events::READABLE);
        }
    }

    /// Notes when it will be ready by itself.
    pub(super) fn follow_alarm(&self) {
        let (Some(owner), Some(member)) = (self.owner.upgrade(), self.itself.upgrade()) else { return };
        let next = next_alarm(&member);
        let known = owner.timed.borrow().iter().any(|timed| Weak::ptr_eq(timed, &self.itself));
        if next.is_some() && !known {
            let mut timed = owner.timed.borrow_mut();
            timed.retain(|timed| timed.strong_count() > 0);
            timed.push(self.itself.clone());
        }
        self.due.set(next.as_ref().map(|(_, due)| *due));
        if next.is_some() || known {
            owner.waiters.alarm_changed();
        }
    }
}

impl Listener for Member {
    fn notify(&self, events: Events) {
        match (self.file.strong_count(), self.owner.upgrade(), self.itself.upgrade()) {
            // The file closes just now.
            (0, Some(owner), Some(member)) => owner.remove(&member),
            _ if events.intersects(self.events.get() | Events::ALWAYS) => self.list(),
            _ => {}
        }
    }

    fn alarm_changed(&self) {
        self.follow_alarm();
    }
}

fn next_alarm(member: &Member) -> Option<(Rc<dyn Clock>, Duration)> {
    member.file.upgrade()?.waiters()?.next_alarm()
}

/// An instance is ready with time when a member is.
impl Alarm for Epoll {
    fn next(&self) -> Option<(Rc<dyn Clock>, Duration)> {
        let timed: Vec<Rc<Member>> = self.timed.borrow().iter().filter_map(Weak::upgrade).collect();
        timed.iter().filter_map(|member| next_alarm(member)).min_by_key(|(_, due)| *due)
    }
}

pub(super) fn alarm_of(epoll: &Rc<Epoll>) -> Weak<dyn Alarm> {
    Rc::downgrade(epoll) as Weak<Epoll>
}
