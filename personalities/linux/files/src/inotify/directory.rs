//! Signals for directories (fcntl(2), F_NOTIFY): an open directory tells its owner of what happens to the names in it.
//!
//! It is an inotify instance with one watch that nobody reads; what arrives there becomes a signal.

use alloc::rc::{Rc, Weak};
use core::cell::Cell;

use linux_raw_sys::general as linux;

use super::{Inotify, Mask, instance};
use crate::Result;
use crate::caller::Caller;
use crate::open::{Notices, OpenFile, Owner, Reason};
use crate::wait::{Events, Listener, Registration};

/// What an open directory keeps for this.
pub struct DirectoryNotice {
    inotify: Rc<Inotify>,
    listener: Rc<Watcher>,
    _registration: Registration,
}

struct Watcher {
    inotify: Weak<Inotify>,
    notices: Weak<Notices>,
    descriptor: i32,
    /// DN_…; empty once the one event has come that was asked for.
    wanted: Cell<u32>,
}

impl Listener for Watcher {
    fn notify(&self, _: Events) {
        let Some(inotify) = self.inotify.upgrade() else { return };
        let mut queue = inotify.queue.borrow_mut();
        let mut happened = false;
        while let Some((mask, named)) = queue.front() {
            happened |= named && mask.intersects(events_of(self.wanted.get()));
            queue.pop();
        }
        drop(queue);
        let Some(notices) = self.notices.upgrade().filter(|_| happened) else { return };
        if self.wanted.get() & linux::DN_MULTISHOT == 0 {
            self.wanted.set(0);
        }
        let descriptor = self.descriptor;
        notices.tell(move || Some((Reason::Message, descriptor)));
    }
}

/// The inotify events that bits of F_NOTIFY stand for.
fn events_of(wanted: u32) -> Mask {
    let both = [
        (linux::DN_ACCESS, Mask::ACCESS),
        (linux::DN_MODIFY, Mask::MODIFY),
        (linux::DN_CREATE, Mask::CREATE | Mask::MOVED_TO),
        (linux::DN_DELETE, Mask::DELETE | Mask::MOVED_FROM),
        (linux::DN_RENAME, Mask::MOVED_FROM),
        (linux::DN_ATTRIB, Mask::ATTRIBUTES),
    ];
    both.iter().filter(|(bit, _)| wanted & bit != 0).fold(Mask::empty(), |mask, (_, events)| mask | *events)
}

impl OpenFile {
    /// F_NOTIFY: `wanted` (DN_…) is added to what is waited for already; none ends it. `owner` hears of it if nobody else has been
    /// named. `ENOTDIR`.
    pub fn notify_directory(&self, caller: &Caller, wanted: u32, descriptor: i32, owner: Rc<dyn Owner>) -> Result<()> {
        self.inode().directory()?;
        let notices = self.make_notices();
        if events_of(wanted).is_empty() {
            let ended = notices.directory.take();
            drop(ended);
            return Ok(());
        }
        if self.owner().is_none() {
            self.set_owner(Some(owner));
        }
        let known = notices.directory.borrow().as_ref().map(|known| (known.inotify.clone(), known.listener.clone()));
        if let Some((inotify, listener)) = known {
            listener.wanted.set(listener.wanted.get() | wanted);
            inotify.add(caller, self.location(), events_of(listener.wanted.get()).bits())?;
            return Ok(());
        }
        let inotify = instance(&self.inode().filesystem)?;
        inotify.add(caller, self.location(), events_of(wanted).bits())?;
        let (weak, heard) = (Rc::downgrade(&inotify), Rc::downgrade(&notices));
        let listener = Rc::new(Watcher { inotify: weak, notices: heard, descriptor, wanted: Cell::new(wanted) });
        let heard: Weak<Watcher> = Rc::downgrade(&listener);
        let registration = inotify.waiters.listen(Events::READABLE, heard);
        *notices.directory.borrow_mut() = Some(DirectoryNotice { inotify, listener, _registration: registration });
        Ok(())
    }
}
