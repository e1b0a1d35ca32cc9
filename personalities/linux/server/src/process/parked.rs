//! Calls that wait for one thing, without a future.
//!
//! Most calls that wait are a read of an empty pipe or socket, or a futex, and what ends them is another thread's call. They are kept in
//! their threads, and whoever brings what they wait for carries them out in passing: no task is made, woken and polled. Whatever else
//! happens to such a thread — a signal, the end of its process — turns its call into the task that it would have been otherwise
//! ([`Server::go_on`]), which knows what is to be done.
//!
//! A call is only parked if nothing keeps it from waiting: it isn't traced, and no signal is pending.

use super::Thread;
use super::futex;
use super::pipe_read::PipeRead;
use super::thread::Answer;
use crate::memory::UserSink;
use crate::server::Server;
use crate::syscall::{Call, Outcome, read_write, register};
use alloc::rc::{Rc, Weak};
use chestnut_linux_files::open::{Attempt, OpenFile};
use chestnut_linux_files::socket::{MessageFlags, Socket};
use chestnut_linux_files::wait::{Events, Listener, Registration};
use chestnut_linux_files::{Errno, Result};
use core::cell::{Cell, RefCell};

/// What a thread waits for.
pub enum Parked {
    Read(Rc<Read>),
    Pipe(PipeRead),
    Futex(futex::Parked),
}

impl Parked {
    /// Its call becomes a task.
    pub fn start(self) {
        match self {
            Self::Read(read) => read.start(),
            Self::Pipe(read) => read.start(),
            Self::Futex(wait) => wait.start(),
        }
    }
}

/// Whether a call may be parked.
pub fn may_park(call: &Call) -> bool {
    !call.server.tracing.get() && may_wait(call.thread)
}

pub(super) fn may_wait(thread: &Thread) -> bool {
    !thread.ended.get() && !thread.process.is_stopped() && thread.deliverable().is_empty()
}

/// A read of a pipe or a socket in which there was nothing. That of a pipe into one buffer is a [`PipeRead`].
pub struct Read {
    server: &'static Server,
    thread: Rc<Thread>,
    file: Rc<OpenFile>,
    /// If the file is one.
    socket: Option<Rc<Socket>>,
    /// Gone once the call is over, or a task.
    sink: RefCell<Option<UserSink>>,
    place: Cell<Option<Registration>>,
}

impl Read {
    /// Parks a call that has tried to read and found nothing.
    pub fn park(call: &Call, file: Rc<OpenFile>, socket: Option<Rc<Socket>>, sink: UserSink) -> Outcome {
        let (server, thread) = (call.server, call.thread.clone());
        let sink = RefCell::new(Some(sink));
        let read = Rc::new(Self { server, thread, file, socket, sink, place: Cell::default() });
        read.wait();
        call.thread.park(Parked::Read(read));
        Outcome::Gone
    }

    fn wait(self: &Rc<Self>) {
        let listener: Weak<dyn Listener> = Rc::<Self>::downgrade(self);
        self.place.set(self.file.waiters().map(|queue| queue.listen(Events::READABLE, listener)));
    }

    fn attempt(&self, sink: &mut UserSink) -> Result<usize> {
        match &self.socket {
            Some(socket) => socket.try_receive(MessageFlags::empty(), sink).map(|received| received.count),
            None => self.file.try_read(&mut Attempt::blocking(), sink),
        }
    }

    fn start(&self) {
        self.place.set(None);
        let Some(mut sink) = self.sink.take() else { return };
        let (server, thread, file) = (self.server, self.thread.clone(), self.file.clone());
        let outcome = match self.socket.clone() {
            None => Outcome::later(server, thread, read_write::Read::new(file, sink), true, None),
            Some(socket) => {
                let receive = async move {
                    let received = socket.receive(MessageFlags::empty(), false, &mut sink).await;
                    // It keeps the socket open.
                    drop(file);
                    received.map(|received| received.count as u64)
                };
                Outcome::later(server, thread, receive, true, None)
            }
        };
        server.go_on(&self.thread, outcome, None);
    }
}

impl Listener for Read {
    fn notify(&self, events: Events) {
        // What it does itself needs no telling; and whatever comes of that mustn't start it while it is carried out: it is looked at afterwards.
        self.place.set(None);
        let Some(parked) = self.thread.take_parked() else { return };
        let result = match &mut *self.sink.borrow_mut() {
            Some(sink) => self.attempt(sink),
            None => return,
        };
        match result {
            Err(Errno::EAGAIN) => {
                // Mostly somebody else has read it; or something else has happened than that there is something to read.
                if let Parked::Read(read) = &parked {
                    read.wait();
                }
                self.thread.park(parked);
                if events.intersects(Events::ALWAYS) || !may_wait(&self.thread) {
                    self.thread.wake();
                }
            }
            result => self.server.answer(&self.thread, Answer::Done(register(result.map(|count| count as u64)))),
        }
    }
}
