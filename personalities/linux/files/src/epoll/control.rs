//! epoll_ctl(2): adding, changing and removing members.

use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use super::{Epoll, EpollEvent, Member, Mode, Operation, instance, nesting};
use crate::open::OpenFile;
use crate::wait::Events;
use crate::{Errno, Result};

/// What may go with EPOLLEXCLUSIVE (epoll_ctl(2)).
const EXCLUSIVE_EVENTS: Events = Events::IN.union(Events::OUT).union(Events::ERR).union(Events::HUP);
const EXCLUSIVE_MODES: Mode = Mode::EXCLUSIVE.union(Mode::WAKE_UP).union(Mode::EDGE);

impl Epoll {
    /// epoll_ctl(2) for `file`, which is open under `descriptor` in the caller's table. `EEXIST`, `ENOENT`, `EPERM` for what can't
    /// be waited for (regular files, directories), `EINVAL` for the instance itself and what doesn't go with EPOLLEXCLUSIVE,
    /// `ELOOP` for circles and more than five instances in a row, `ENOSPC`, `EBADF` for an O_PATH descriptor.
    pub fn control(self: &Rc<Self>, descriptor: i32, file: &Rc<OpenFile>, operation: Operation) -> Result<()> {
        if file.is_path() {
            return Err(Errno::EBADF);
        }
        file.waiters().ok_or(Errno::EPERM)?;
        let inner = instance(file);
        if inner.as_ref().is_some_and(|inner| Rc::ptr_eq(inner, self)) {
            return Err(Errno::EINVAL);
        }
        let key = (descriptor, Rc::as_ptr(file).addr());
        let known = self.members.borrow().get(&key).cloned();
        match (operation, known) {
            (Operation::Add(_), Some(_)) => Err(Errno::EEXIST),
            (Operation::Add(event), None) => {
                check_exclusive(&event, inner.is_some())?;
                self.check_room(inner.is_some())?;
                inner.as_ref().map_or(Ok(()), |inner| nesting::check(self, inner))?;
                self.add(key, file, &event, inner.is_some());
                inner.iter().for_each(|inner| nesting::join(self, inner));
                Ok(())
            }
            (_, None) => Err(Errno::ENOENT),
            (Operation::Modify(event), Some(member)) => {
                let mode = Mode::from_bits_truncate(event.events);
                if (mode | member.mode.get()).contains(Mode::EXCLUSIVE) {
                    return Err(Errno::EINVAL);
                }
                member.set(&event);
                member.watch(file);
                Ok(())
            }
            (Operation::Delete, Some(member)) => {
                self.remove(&member);
                if let Some(inner) = inner {
                    nesting::leave(self, &inner);
                }
                Ok(())
            }
        }
    }

    /// `ENOSPC` if all instances together have the members that they may have.
    fn check_room(&self, nested: bool) -> Result<()> {
        if self.load.has_room(nested) {
            return Ok(());
        }
        self.forget_closed();
        if self.load.has_room(nested) { Ok(()) } else { Err(Errno::ENOSPC) }
    }

    fn add(self: &Rc<Self>, key: (i32, usize), file: &Rc<OpenFile>, event: &EpollEvent, nested: bool) {
        self.load.count(nested, 1);
        let member = Rc::new_cyclic(|itself| Member {
            key,
            itself: itself.clone(),
            owner: Rc::downgrade(self),
            file: Rc::downgrade(file),
            events: Cell::default(),
            mode: Cell::default(),
            data: Cell::default(),
            listed: Cell::default(),
            silent: Cell::default(),
            due: Cell::default(),
            registration: RefCell::default(),
            nested,
            load: self.load.clone(),
        });
        member.set(event);
        self.members.borrow_mut().insert(key, member.clone());
        member.watch(file);
    }

    /// Takes a member out of the set. It leaves the list when that is next looked at.
    pub(super) fn remove(&self, member: &Rc<Member>) {
        self.members.borrow_mut().remove(&member.key);
        member.silent.set(true);
        member.registration.take();
    }

    /// Drops members whose files have been closed.
    fn forget_closed(&self) {
        self.members.borrow_mut().retain(|_, member| member.file.strong_count() > 0);
    }
}

impl Member {
    fn set(&self, event: &EpollEvent) {
        self.events.set(Events::from_bits_truncate(event.events as u16));
        self.mode.set(Mode::from_bits_truncate(event.events));
        self.data.set(event.data);
        self.silent.set(false);
    }

    /// Listens to the file, and looks at it once.
    fn watch(&self, file: &Rc<OpenFile>) {
        let Some(queue) = file.waiters() else { return };
        let registration = queue.listen(self.events.get(), self.itself.clone());
        self.registration.replace(Some(registration));
        self.follow_alarm();
        if file.readiness().intersects(self.events.get() | Events::ALWAYS) {
            self.list();
        }
    }
}

fn check_exclusive(event: &EpollEvent, nested: bool) -> Result<()> {
    let mode = Mode::from_bits_truncate(event.events);
    let events = Events::from_bits_truncate(event.events as u16);
    let fits = EXCLUSIVE_EVENTS.contains(events) && EXCLUSIVE_MODES.contains(mode) && !nested;
    if !mode.contains(Mode::EXCLUSIVE) || fits { Ok(()) } else { Err(Errno::EINVAL) }
}
