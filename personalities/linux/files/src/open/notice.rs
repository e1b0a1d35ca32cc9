//! Signals for files (fcntl(2): F_SETOWN, F_SETSIG, O_ASYNC): an open file description tells its owner when something happens
//! to it, instead of being waited for.
//!
//! Who the owner is and how it is signalled is the server's business ([`Owner`]); here is when. What has happened is told at
//! the wake-up of the file's queue that everybody hears, so nothing is told that poll(2) would not see at that moment.

use alloc::boxed::Box;
use alloc::rc::{Rc, Weak};
use core::any::Any;
use core::cell::{Cell, RefCell};

use super::{File, OpenFile, OpenFlags};
use crate::inotify::DirectoryNotice;
use crate::wait::{Events, Listener, Registration};
use crate::{Errno, Result};

/// Who hears of a file: a thread, a process or a group.
pub trait Owner {
    /// Looks what there is to tell, once the call that has led to this is done (the file may be borrowed until then), and
    /// signals it.
    fn tell(&self, look: Look);

    /// For the server, to find its own again.
    fn as_any(&self) -> &dyn Any;
}

/// What happened, by the time that somebody can be told.
pub type Look = Box<dyn FnOnce() -> Option<Notice>>;

/// What an owner is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// F_SETSIG's; 0 for SIGIO without further information.
    pub signal: u8,
    pub reason: Reason,
    /// The descriptor that O_ASYNC was set by (`si_fd`).
    pub descriptor: i32,
}

/// Why: POLL_… of sigaction(2) (`si_code`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Input = 1,
    Output = 2,
    Message = 3,
    Error = 4,
    Priority = 5,
    HangUp = 6,
}

impl Reason {
    /// The events that this stands for (`si_band`), as bits of poll(2).
    pub fn band(self) -> u32 {
        /// POLLMSG.
        const MESSAGE: u32 = 0x400;
        let band = match self {
            Reason::Input | Reason::Message => Events::READABLE,
            Reason::Output => Events::WRITABLE | Events::WRBAND,
            Reason::Error => Events::ERR,
            Reason::Priority => Events::PRI | Events::RDBAND,
            Reason::HangUp => Events::HUP | Events::ERR,
        };
        u32::from(band.bits()) | if self == Reason::Message { MESSAGE } else { 0 }
    }
}

/// What an open file description keeps for this.
#[derive(Default)]
pub struct Notices {
    owner: RefCell<Option<Rc<dyn Owner>>>,
    signal: Cell<u8>,
    /// Set while O_ASYNC is.
    watch: RefCell<Option<Watch>>,
    /// Set while F_NOTIFY is.
    pub(crate) directory: RefCell<Option<DirectoryNotice>>,
}

struct Watch {
    _registration: Registration,
    /// The queue knows it weakly.
    _listener: Rc<Watcher>,
}

/// Hears of the file's wake-ups.
#[derive(Clone)]
struct Watcher {
    file: Weak<dyn File>,
    notices: Weak<Notices>,
    descriptor: i32,
    wanted: Events,
}

impl Listener for Watcher {
    fn notify(&self, events: Events) {
        let Some(notices) = self.notices.upgrade() else { return };
        let watcher = self.clone();
        notices.tell(move || watcher.look(events));
    }
}

impl Watcher {
    /// What there is to tell of these events.
    fn look(&self, events: Events) -> Option<(Reason, i32)> {
        let ready = self.file.upgrade()?.readiness() & events;
        let reads = self.wanted.contains(Events::IN);
        let wanted = ready & self.wanted;
        let reason = if wanted.intersects(Events::PRI) {
            Reason::Priority
        } else if wanted.intersects(Events::IN) || reads && ready.intersects(Events::HUP) {
            Reason::Input
        } else if wanted.intersects(Events::OUT) || ready.intersects(Events::ERR | Events::HUP) {
            Reason::Output
        } else {
            return None;
        };
        Some((reason, self.descriptor))
    }
}

impl Notices {
    /// Signals the owner, if there is one and there is something to say by then.
    pub fn tell(self: &Rc<Self>, look: impl FnOnce() -> Option<(Reason, i32)> + 'static) {
        let Some(owner) = self.owner.borrow().clone() else { return };
        let notices = Rc::downgrade(self);
        owner.tell(Box::new(move || {
            let signal = notices.upgrade()?.signal.get();
            look().map(|(reason, descriptor)| Notice { signal, reason, descriptor })
        }));
    }
}

impl OpenFile {
    /// F_SETOWN; `None` for nobody.
    pub fn set_owner(&self, owner: Option<Rc<dyn Owner>>) {
        *self.make_notices().owner.borrow_mut() = owner;
    }

    /// F_GETOWN.
    pub fn owner(&self) -> Option<Rc<dyn Owner>> {
        self.notices.borrow().as_ref()?.owner.borrow().clone()
    }

    /// F_SETSIG; 0 for SIGIO without further information.
    pub fn set_notice_signal(&self, signal: u8) {
        self.make_notices().signal.set(signal);
    }

    /// F_GETSIG.
    pub fn notice_signal(&self) -> u8 {
        self.notices.borrow().as_ref().map_or(0, |notices| notices.signal.get())
    }

    /// Does O_ASYNC mean something here?
    pub fn gives_notice(&self) -> bool {
        !self.is_path() && self.file().gives_notice()
    }

    /// Sets or clears O_ASYNC by a descriptor, which signals will name. On files that give no notice it doesn't stay.
    pub fn set_asynchronous(&self, on: bool, descriptor: i32) -> Result<()> {
        let flags = self.flags();
        if flags.contains(OpenFlags::ASYNC) == on || !self.gives_notice() {
            return Ok(());
        }
        let watch = match self.waiters().filter(|_| on) {
            None => None,
            Some(queue) => {
                let mut wanted = Events::empty();
                wanted.set(Events::READABLE | Events::PRI, self.is_readable());
                wanted.set(Events::WRITABLE, self.is_writable());
                let (file, notices) = (Rc::downgrade(self.file()), Rc::downgrade(&self.make_notices()));
                let listener = Rc::new(Watcher { file, notices, descriptor, wanted });
                let heard: Weak<Watcher> = Rc::downgrade(&listener);
                Some(Watch { _registration: queue.listen(wanted, heard), _listener: listener })
            }
        };
        if let Some(notices) = &*self.notices.borrow() {
            *notices.watch.borrow_mut() = watch;
        }
        self.keep_asynchronous(on);
        Ok(())
    }

    /// FIOASYNC: the same, but `ENOTTY` for files that give no notice.
    pub fn ioctl_asynchronous(&self, on: bool, descriptor: i32) -> Result<()> {
        if self.flags().contains(OpenFlags::ASYNC) != on && !self.gives_notice() {
            return Err(Errno::ENOTTY);
        }
        self.set_asynchronous(on, descriptor)
    }

    pub(crate) fn make_notices(&self) -> Rc<Notices> {
        self.notices.borrow_mut().get_or_insert_default().clone()
    }
}
