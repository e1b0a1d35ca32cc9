//! A read of an empty pipe into one buffer that waits ([`super::parked`]), with nothing of its own on the heap: it lies in its thread, and the
//! thread is who waits in the pipe's queue.
//!
//! A writer hands its bytes over at once if they are all that the reader will get ([`PipeRead::end`]); else it puts them into the pipe and
//! tells who waits, as always. A buffer that can't be written to is the reader's error alone: the writer's bytes are in the pipe then.

use super::Thread;
use super::parked::{Parked, may_wait};
use super::thread::Answer;
use crate::capability::Window;
use crate::memory::{Iovec, PAGE, UserSink};
use crate::server::Server;
use crate::syscall::{Call, Outcome, read_write, register};
use alloc::rc::{Rc, Weak};
use chestnut_linux_files::open::{Attempt, OpenFile};
use chestnut_linux_files::pipe::Pipe;
use chestnut_linux_files::wait::{Events, Listener};
use chestnut_linux_files::{Errno, Result};
use core::any::Any;

/// See the module.
pub struct PipeRead {
    server: &'static Server,
    thread: Rc<Thread>,
    file: Rc<OpenFile>,
    base: u64,
    /// Bytes.
    length: u64,
    /// The thread's place in the pipe's queue.
    key: u64,
}

impl PipeRead {
    /// Parks a call that has found nothing in the pipe that is `file`.
    pub fn park(call: &Call, file: Rc<OpenFile>, pipe: &Pipe, into: Iovec) -> Outcome {
        let thread = call.thread;
        let listener: Weak<dyn Listener> = Rc::<Thread>::downgrade(thread);
        let key = pipe.waiters().stay(Events::READABLE, listener);
        let Iovec { base, length } = into;
        thread.park(Parked::Pipe(Self { server: call.server, thread: thread.clone(), file, base, length, key }));
        Outcome::Gone
    }

    /// It becomes a task.
    pub fn start(self) {
        let (server, thread) = (self.server, self.thread.clone());
        let read = read_write::Read::new(self.file.clone(), self.sink());
        drop(self);
        let outcome = Outcome::later(server, thread.clone(), read, true, None);
        server.go_on(&thread, outcome, None);
    }

    fn sink(&self) -> UserSink {
        UserSink::new(&self.thread.space(), Iovec::one(self.base, self.length))
    }

    fn attempt(&self) -> Result<usize> {
        self.file.try_read(&mut Attempt::blocking(), &mut self.sink())
    }

    /// Ends the read of a thread with `length` bytes of a page from `offset`, if it waits for one and they fit into a page that was found lately.
    /// Else nothing has happened.
    pub fn end(thread: &Thread, from: Window, offset: usize, length: usize) -> bool {
        let parked = thread.take_parked();
        let Some(Parked::Pipe(read)) = &parked else {
            thread.park_again(parked);
            return false;
        };
        let fits = length as u64 <= read.length;
        let window = if fits { thread.process.space.borrow().window_to_write(read.base, length) } else { None };
        let Some(window) = window else {
            thread.park_again(parked);
            return false;
        };
        window.copy_from((read.base % PAGE) as usize, from, offset, length);
        read.file.has_been_read(length);
        read.server.answer(thread, Answer::Done(length as u64));
        true
    }
}

impl Drop for PipeRead {
    fn drop(&mut self) {
        if let Some(pipe) = self.file.pipe() {
            pipe.waiters().leave(self.key);
        }
    }
}

impl Listener for Thread {
    fn notify(&self, events: Events) {
        // Whatever comes of the attempt mustn't start the read while it is carried out: it isn't to be found meanwhile, and looked at afterwards.
        let parked = self.take_parked();
        let Some(Parked::Pipe(read)) = &parked else { return self.park_again(parked) };
        match read.attempt() {
            Err(Errno::EAGAIN) => {
                // Mostly somebody else has read it; or something else has happened than that there is something to read.
                self.park_again(parked);
                if events.intersects(Events::ALWAYS) || !may_wait(self) {
                    self.wake();
                }
            }
            result => read.server.answer(self, Answer::Done(register(result.map(|count| count as u64)))),
        }
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}
