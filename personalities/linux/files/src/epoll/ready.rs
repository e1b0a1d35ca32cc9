//! Which members are ready: the list, how members come onto it, and how it is read.

use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::time::Duration;

use super::{Epoll, EpollEvent, Member, Mode};
use crate::clock::Clock;
use crate::wait::{Alarm, Events, Listener};

impl Epoll {
    /// Reports at most `most` ready members now, those that have waited longest first.
    pub fn collect(&self, most: usize) -> Vec<EpollEvent> {
        self.list_due();
        // Taken out, so that nothing is borrowed while files are asked; what becomes ready meanwhile joins the new list.
        let mut waiting = self.ready.take();
        let mut again = Vec::new();
        let mut found = Vec::new();
        while found.len() < most {
            let Some(member) = waiting.pop_front() else { break };
            member.listed.set(false);
            let Some(ready) = self.look_at(&member) else { continue };
            found.push(EpollEvent { events: ready.bits().into(), data: member.data.get() });
            if member.mode.get().contains(Mode::ONE_SHOT) {
                member.silent.set(true);
            } else if !member.mode.get().contains(Mode::EDGE) && !member.listed.replace(true) {
                again.push(member);
            }
        }
        let mut list = self.ready.borrow_mut();
        while let Some(member) = waiting.pop_back() {
            list.push_front(member);
        }
        list.extend(again);
        found
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
    fn list_due(&self) {
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
