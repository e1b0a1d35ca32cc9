//! Files in flight: those in messages that nobody has received (SCM_RIGHTS).
//!
//! **Bounds.** An unprivileged user may have [`PER_USER_MAX`] files in flight, all together [`ALL_MAX`] (`ETOOMANYREFS`).
//!
//! **Circles.** A socket in the queue of a socket that is itself in flight may be kept by nothing but that circle. After sockets have
//! closed, the collector looks for sockets that are referred to only from queues, and only from queues of such sockets:
//! it empties their queues, which closes them. It looks at all files in flight, so it runs once for every
//! sixty-fourth part of their number that closes, and when there is no room for more, and when the server has time: garbage may wait,
//! but is bounded like all that is in flight.
//!
//! **Depth.** A queue may hold a socket whose queue holds a socket, and so on. Files of dropped messages are closed one after the
//! other by whoever drops the first, never by recursion.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use super::message::Message;
use super::{Socket, SocketSpace, file};
use crate::caller::Caller;
use crate::open::OpenFile;
use crate::{Errno, Result};

/// Files in flight of one unprivileged user.
pub const PER_USER_MAX: usize = 1024;
/// Files in flight altogether.
pub const ALL_MAX: usize = 4096;
/// Who finds no room has it looked for, if so many files have been sent since that was done last.
const SENT_BETWEEN: usize = 256;
/// Files in one message (SCM_MAX_FD).
pub const PER_MESSAGE_MAX: usize = 253;

/// What is known of files in flight.
#[derive(Default)]
pub(super) struct Flight {
    /// How many each user has sent.
    by_user: RefCell<BTreeMap<u32, usize>>,
    /// How many of them are sockets.
    sockets: Cell<usize>,
    all: Cell<usize>,
    /// Sockets whose queues have held files, by address.
    holders: RefCell<BTreeMap<usize, Weak<Socket>>>,
    /// Sockets closed since the last collection, and files sent.
    closed: Cell<usize>,
    sent: Cell<usize>,
    /// Files to close, and whether somebody is at it.
    graveyard: RefCell<VecDeque<Rc<OpenFile>>>,
    burying: Cell<bool>,
}

/// The files of one message.
pub(super) struct Rights {
    files: Vec<Rc<OpenFile>>,
    user: u32,
    space: Rc<SocketSpace>,
}

impl Rights {
    /// `EINVAL` for more than a message may have, `ETOOMANYREFS` for more than a user may.
    pub(super) fn new(space: &Rc<SocketSpace>, caller: &Caller, files: Vec<Rc<OpenFile>>) -> Result<Self> {
        if files.len() > PER_MESSAGE_MAX {
            return Err(Errno::EINVAL);
        }
        let (flight, user) = (&space.flight, caller.credentials.user);
        if flight.all.get() + files.len() > ALL_MAX && flight.sent.get() >= SENT_BETWEEN {
            flight.collect();
        }
        flight.sent.set(flight.sent.get() + files.len());
        let mut by_user = flight.by_user.borrow_mut();
        let used = by_user.entry(user).or_default();
        let too_many = *used + files.len() > PER_USER_MAX && !caller.credentials.privileged;
        if too_many || flight.all.get() + files.len() > ALL_MAX {
            return Err(Errno::ETOOMANYREFS);
        }
        *used += files.len();
        flight.count(&files, 1);
        Ok(Rights { files, user, space: space.clone() })
    }

    pub(super) fn files(&self) -> &[Rc<OpenFile>] {
        &self.files
    }

    /// They have arrived.
    pub(super) fn land(mut self) -> Vec<Rc<OpenFile>> {
        self.leave()
    }

    fn leave(&mut self) -> Vec<Rc<OpenFile>> {
        let files = core::mem::take(&mut self.files);
        let flight = &self.space.flight;
        flight.count(&files, -1);
        let mut by_user = flight.by_user.borrow_mut();
        if let Some(used) = by_user.get_mut(&self.user) {
            *used -= files.len();
            if *used == 0 {
                by_user.remove(&self.user);
            }
        }
        files
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        let files = self.leave();
        // Of those that have landed nothing is left to close; and the queue that they were in is borrowed, which the collector looks into.
        if !files.is_empty() {
            self.space.flight.bury(files);
        }
    }
}

impl Flight {
    fn count(&self, files: &[Rc<OpenFile>], sign: isize) {
        let sockets = files.iter().filter(|file| file::socket_of(file).is_some()).count();
        self.all.set(self.all.get().wrapping_add_signed(sign * files.len() as isize));
        self.sockets.set(self.sockets.get().wrapping_add_signed(sign * sockets as isize));
    }

    /// `socket` has a message with files.
    pub(super) fn held_by(&self, socket: &Weak<Socket>) {
        self.holders.borrow_mut().insert(socket.as_ptr().addr(), socket.clone());
    }

    fn bury(&self, files: Vec<Rc<OpenFile>>) {
        self.graveyard.borrow_mut().extend(files);
        if self.burying.replace(true) {
            return;
        }
        loop {
            let next = self.graveyard.borrow_mut().pop_front();
            match next {
                Some(file) => drop(file),
                None => break,
            }
        }
        self.burying.set(false);
        self.collect_if_due();
    }

    /// A socket has closed: collects if it is time.
    pub(super) fn socket_closed(&self) {
        self.closed.set(self.closed.get() + 1);
        self.collect_if_due();
    }

    /// Closes what only circles keep, now, if anything can have become such.
    pub(super) fn collect_what_closed(&self) {
        if self.sockets.get() > 0 && self.closed.get() + self.sent.get() > 0 && !self.burying.get() {
            self.collect();
        }
    }

    fn collect_if_due(&self) {
        let closed = self.closed.get();
        if self.sockets.get() > 0 && closed > 0 && closed * 64 >= self.all.get() && !self.burying.get() {
            self.collect();
        }
    }

    /// Closes sockets that only circles of each other keep.
    fn collect(&self) {
        self.closed.set(0);
        self.sent.set(0);
        let holders = self.holders();
        let candidates = candidates(&holders);
        let mut reached = BTreeSet::new();
        let mut open: Vec<Rc<Socket>> = Vec::new();
        for holder in &holders {
            if !candidates.contains_key(&address(&owner(holder))) {
                open.push(holder.clone());
            }
        }
        while let Some(holder) = open.pop() {
            for found in sockets_in(&holder) {
                if candidates.contains_key(&address(&found)) && reached.insert(address(&found)) {
                    open.extend(found.waiting());
                    open.push(found);
                }
            }
        }
        let garbage = candidates.into_iter().filter(|(at, _)| !reached.contains(at)).map(|(_, socket)| socket);
        let mut messages: Vec<VecDeque<Message>> = Vec::new();
        for socket in garbage {
            messages.extend(socket.waiting().iter().map(|waiting| waiting.queue.take()));
            messages.push(socket.queue.take());
        }
        drop(messages);
    }

    /// Sockets with files in their queues.
    fn holders(&self) -> Vec<Rc<Socket>> {
        let holds = |socket: &Rc<Socket>| socket.queue.borrow().iter().any(|message| message.rights.is_some());
        let mut holders = self.holders.borrow_mut();
        holders.retain(|_, socket| socket.upgrade().is_some_and(|socket| holds(&socket)));
        holders.values().filter_map(Weak::upgrade).collect()
    }
}

impl Socket {
    /// Connections to it that nobody has accepted.
    fn waiting(&self) -> Vec<Rc<Socket>> {
        self.listening.borrow().as_ref().map_or_else(Vec::new, |listening| listening.queue.iter().cloned().collect())
    }
}

/// Sockets whose open files are referred to from queues only. (Somebody who holds a file for a moment makes it live, which
/// errs on the safe side.)
fn candidates(holders: &[Rc<Socket>]) -> BTreeMap<usize, Rc<Socket>> {
    let mut counts: BTreeMap<usize, (usize, usize, Rc<Socket>)> = BTreeMap::new();
    for holder in holders {
        for message in holder.queue.borrow().iter() {
            for file in message.rights.iter().flat_map(|rights| rights.files()) {
                let Some(socket) = file::socket_of(file) else { continue };
                let entry = counts.entry(address(&socket)).or_insert((0, Rc::strong_count(file), socket));
                entry.0 += 1;
            }
        }
    }
    let only_queues = |(at, (queued, all, socket))| (queued == all).then_some((at, socket));
    counts.into_iter().filter_map(only_queues).collect()
}

fn sockets_in(holder: &Socket) -> Vec<Rc<Socket>> {
    let queue = holder.queue.borrow();
    let files = queue.iter().flat_map(|message| message.rights.iter().flat_map(|rights| rights.files()));
    files.filter_map(|file| file::socket_of(file)).collect()
}

/// Who keeps a socket's queue: its listener, as long as it hasn't been accepted.
fn owner(socket: &Rc<Socket>) -> Rc<Socket> {
    socket.listener.borrow().upgrade().unwrap_or_else(|| socket.clone())
}

fn address(socket: &Rc<Socket>) -> usize {
    Rc::as_ptr(socket).addr()
}
