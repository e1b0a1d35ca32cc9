//! Who is signalled when something happens to a file (fcntl(2), F_SETOWN), and how.
//!
//! An owner is known by what it is and not by its id, which somebody else may have later. Who named it must be allowed to signal
//! it, with the ids that he had then.

use crate::process::signal::{Detail, Signal, SignalInfo, code};
use crate::process::{Ids, Process, Thread};
use crate::server::Server;
use crate::syscall::signals::check_queue;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use chestnut_linux_files::open::{Look, Notice, Owner};
use core::any::Any;

/// Whom a file's signals go to.
pub struct FileOwner {
    server: &'static Server,
    target: Target,
    /// Of the process that named it.
    pub ids: Ids,
}

/// See [`FileOwner`].
#[derive(Clone)]
pub enum Target {
    Thread(Weak<Thread>),
    Process(Weak<Process>),
    Group(u32),
}

impl FileOwner {
    pub fn new(server: &'static Server, target: Target, ids: Ids) -> Rc<Self> {
        Rc::new(Self { server, target, ids })
    }

    pub fn of(owner: &Rc<dyn Owner>) -> Option<&Self> {
        owner.as_any().downcast_ref()
    }

    /// What it is, if it is still there.
    pub fn target(&self) -> Option<(&Target, u32)> {
        let id = match &self.target {
            Target::Thread(thread) => thread.upgrade().filter(|thread| !thread.ended.get())?.tid.get(),
            Target::Process(process) => process.upgrade().filter(|process| self.is_known(process))?.pid,
            Target::Group(group) => *group,
        };
        Some((&self.target, id))
    }

    fn is_known(&self, process: &Rc<Process>) -> bool {
        self.server.table.process(process.pid).is_some_and(|known| Rc::ptr_eq(&known, process))
    }

    /// F_SETOWN's rule: kill(2)'s, for the ids of who named the owner.
    fn may_signal(&self, process: &Process) -> bool {
        let (own, other) = (self.ids, process.ids.get());
        own.effective_user == 0
            || [own.effective_user, own.user].iter().any(|&id| id == other.user || id == other.saved_user)
    }

    fn signal(&self, info: SignalInfo) {
        match &self.target {
            Target::Thread(thread) => {
                if let Some(thread) = thread.upgrade().filter(|thread| self.may_signal(&thread.process)) {
                    self.server.signal_thread(&thread, fitting(&thread.process, info));
                }
            }
            Target::Process(process) => self.signal_all(process.upgrade().into_iter().collect(), info),
            Target::Group(group) => self.signal_all(self.server.table.group(*group), info),
        }
    }

    fn signal_all(&self, processes: Vec<Rc<Process>>, info: SignalInfo) {
        for process in processes.iter().filter(|process| self.may_signal(process)) {
            self.server.signal_process(process, fitting(process, info));
        }
    }
}

/// SIGIO, where a real-time signal has no room.
fn fitting(process: &Process, info: SignalInfo) -> SignalInfo {
    if check_queue(process, info).is_ok() { info } else { SignalInfo::kernel(Signal::IO) }
}

impl Owner for FileOwner {
    fn tell(&self, look: Look) {
        let owner = Self { server: self.server, target: self.target.clone(), ids: self.ids };
        self.server.executor.start(async move {
            if let Some(notice) = look() {
                owner.signal(info(notice));
            }
        });
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn info(notice: Notice) -> SignalInfo {
    let Notice { signal, reason, descriptor } = notice;
    match Signal::new(signal.into()) {
        Some(signal) => {
            let detail = Detail::File { band: reason.band(), descriptor };
            SignalInfo { signal, code: reason as i32, detail }
        }
        None => SignalInfo { signal: Signal::IO, code: code::KERNEL, detail: Detail::None },
    }
}
