//! The system calls of Linux/x86_64: one function for each, one file for each family, one table from number to both.
//!
//! A handler reads like its manual page: arguments, checks, what is done. It answers now, or hands over a future when it has to
//! wait. While it waits nothing is borrowed, and a signal may end it at any time by dropping it.

pub mod attributes;
pub mod capabilities;
pub mod direct;
pub mod directories;
pub mod epoll;
pub mod files;
pub mod foreign;
pub mod futex;
pub mod futex_more;
pub mod identity;
pub mod inotify;
pub mod ioprio;
pub mod locking;
pub mod locks;
pub mod memfd;
pub mod memory;
pub mod message_queues;
pub mod messages;
pub mod mounts;
pub mod named_queues;
pub mod names;
pub mod owners;
pub mod pieces;
pub mod pipes;
pub mod poll;
pub mod processes;
pub mod read_write;
pub mod scheduling;
pub mod seccomp;
pub mod semaphores;
pub mod shared_memory;
pub mod sharing;
pub mod signals;
pub mod sockets;
pub mod status;
pub mod syslog;
pub mod system;
pub mod table;
pub mod terminals;
pub mod time;
pub mod timerfd;
pub mod timers;
pub mod transfer;

use crate::memory::AddressSpace;
use crate::process::capabilities::SYS_ADMIN;
use crate::process::signal::action_flag;
use crate::process::thread::Answer;
use crate::process::{Process, Thread};
use crate::server::Server;
use crate::trace::{Traced, Tracer};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::caller::Caller;
use chestnut_linux_files::open::OpenFile;
use chestnut_linux_files::vfs::At;
use chestnut_linux_files::{Errno, Result};
use chestnut_linux_trampoline::pages::SYSCALLS;
use core::cell::{Cell, Ref};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// One system call being made.
pub struct Call<'a> {
    pub server: &'static Server,
    pub thread: &'a Rc<Thread>,
    pub number: u64,
    pub arguments: [u64; 6],
}

/// What a waiting call ends with to begin anew after a handler, whether that has SA_RESTART or not: no program sees it.
pub const INTERRUPTED: Errno = Errno(513);

/// What a handler says, in two words.
pub enum Outcome {
    /// What RAX gets ([`register`]).
    Done(u64),
    Later(Box<Waiting>),
    /// The same call again, once signals have been taken and the process runs.
    Again,
    /// All registers come from the thread page.
    Restore,
    /// Done with 0, and signals are taken on the way out. Only for calls that the trampoline makes with the thread's whole state in its
    /// page: it needn't come again for them.
    Signals,
    /// The thread has ended or started anew, or its call is parked ([`crate::process::parked`]): nobody is to be answered.
    Gone,
}

/// What a waiting call does.
type Work = Pin<Box<dyn Future<Output = Result<u64>>>>;

/// A call that waits: goes on to its end, a signal's arrival or the thread's.
pub struct Waiting {
    server: &'static Server,
    thread: Rc<Thread>,
    /// Gone once it is over.
    future: Option<Work>,
    /// A handler with SA_RESTART lets it begin anew; so does stopping and continuing (signal(7)).
    restarts: bool,
    /// Bytes that it has moved already: returned if it is interrupted.
    moved: Option<Rc<Cell<u64>>>,
    /// It doesn't wait for anybody, only for its turn: nothing interrupts it but its thread's end.
    steady: bool,
    traced: Option<Box<Traced>>,
}

impl Outcome {
    /// Done, with this value.
    pub fn value(value: impl Into<u64>) -> Self {
        Self::Done(value.into())
    }
    /// Done, with an error.
    pub fn fails(error: Errno) -> Self {
        Self::Done(register(Err(error)))
    }
    /// As [`Call::later`], for who hasn't the call at hand.
    pub fn later(
        server: &'static Server,
        thread: Rc<Thread>,
        future: impl Future<Output = Result<u64>> + 'static,
        restarts: bool,
        moved: Option<Rc<Cell<u64>>>,
    ) -> Self {
        let future: Work = Box::pin(future);
        Self::Later(Box::new(Waiting {
            server,
            thread,
            future: Some(future),
            restarts,
            moved,
            steady: false,
            traced: None,
        }))
    }
}

impl From<Result<u64>> for Outcome {
    fn from(result: Result<u64>) -> Self {
        Self::Done(register(result))
    }
}
impl From<Result<Outcome>> for Outcome {
    fn from(result: Result<Outcome>) -> Self {
        result.unwrap_or_else(Self::fails)
    }
}

/// A result as it is in RAX.
#[inline]
pub fn register(result: Result<u64>) -> u64 {
    match result {
        Ok(value) => value,
        Err(error) => error.to_register() as u64,
    }
}

impl Call<'_> {
    pub const fn word(&self, index: usize) -> u64 {
        self.arguments[index]
    }
    /// An `int` or `unsigned int` argument: the upper half is not looked at.
    pub const fn int(&self, index: usize) -> i32 {
        self.arguments[index] as i32
    }
    pub const fn half(&self, index: usize) -> u32 {
        self.arguments[index] as u32
    }

    pub fn process(&self) -> &Rc<Process> {
        &self.thread.process
    }
    pub fn space(&self) -> Rc<AddressSpace> {
        self.thread.space()
    }
    /// Who asks, as the file crate wants to know it. Held only while a file function runs that calls nobody back.
    pub fn caller(&self) -> Ref<'_, Caller> {
        self.thread.process.caller.borrow()
    }
    /// The same, for functions that may change it (terminals) or wait.
    pub fn caller_copy(&self) -> Caller {
        self.caller().clone()
    }
    /// May do what administrators may.
    pub fn is_privileged(&self) -> bool {
        self.can(SYS_ADMIN)
    }
    /// Has one of Linux's capabilities.
    pub fn can(&self, capability: u32) -> bool {
        self.process().capabilities.get().can(capability)
    }

    /// The open file of a descriptor argument.
    pub fn file(&self, index: usize) -> Result<Rc<OpenFile>> {
        self.file_of(self.int(index))
    }
    #[inline]
    pub fn file_of(&self, descriptor: i32) -> Result<Rc<OpenFile>> {
        self.process().files.borrow().borrow().get(descriptor).cloned()
    }
    /// Descriptors of these files have been closed, and are no longer in the table: the process loses its record locks on them.
    pub fn closed(&self, files: impl IntoIterator<Item = Rc<OpenFile>>) {
        for file in files {
            file.closed_by(self.process().pid);
        }
    }
    /// Gives an open file the lowest free descriptor.
    pub fn install(&self, file: Rc<OpenFile>, close_on_exec: bool) -> Result<u64> {
        self.process().descriptors().borrow_mut().insert(file, close_on_exec).map(|number| number as u64)
    }
    /// The path that an argument points at.
    pub fn path(&self, index: usize) -> Result<Vec<u8>> {
        self.space().read_path(self.word(index))
    }
    /// Where a path begins that goes with a `dirfd` argument.
    pub fn at(&self, index: usize, path: &[u8]) -> Result<At> {
        At::for_path(&self.process().descriptors().borrow(), self.int(index), path)
    }

    /// Waits; interrupted, the call begins anew if the handler has SA_RESTART.
    pub fn wait(&self, future: impl Future<Output = Result<u64>> + 'static) -> Outcome {
        self.later(future, true, None)
    }
    /// Waits; interrupted, the call always fails with EINTR.
    pub fn wait_once(&self, future: impl Future<Output = Result<u64>> + 'static) -> Outcome {
        self.later(future, false, None)
    }
    /// Waits; interrupted, the call returns what `moved` counts if that isn't 0. Else it begins anew if it `restarts` and the handler has
    /// SA_RESTART, or fails with EINTR.
    pub fn later(
        &self,
        future: impl Future<Output = Result<u64>> + 'static,
        restarts: bool,
        moved: Option<Rc<Cell<u64>>>,
    ) -> Outcome {
        Outcome::later(self.server, self.thread.clone(), future, restarts, moved)
    }
    /// Goes on when its turn comes. Nothing interrupts it but its thread's end.
    pub fn steadily(&self, future: impl Future<Output = Result<u64>> + 'static) -> Outcome {
        let (server, thread) = (self.server, self.thread.clone());
        let future: Work = Box::pin(future);
        let waiting =
            Waiting { server, thread, future: Some(future), restarts: false, moved: None, steady: true, traced: None };
        Outcome::Later(Box::new(waiting))
    }
}

impl Server {
    /// Carries a call out, as far as that goes without waiting.
    #[inline(always)]
    pub fn system_call(&'static self, call: &Call) {
        let thread = call.thread;
        thread.last_call.set(call.number);
        self.current.set(thread.tid.get());
        if self.tracing.get() | self.watch.is_scarce() | thread.is_restricted() {
            return self.watched_system_call(call);
        }
        match table::handler(call.number)(call) {
            Outcome::Done(value) => self.answer_inlined(thread, Answer::Done(value)),
            outcome => self.go_on(thread, outcome, None),
        }
    }

    /// The same for calls that are traced, or that may be refused for want of memory or by a filter.
    #[cold]
    fn watched_system_call(&'static self, call: &Call) {
        let mut traced = None;
        if let Some(tracer) = self.tracer() {
            if tracer.is_full() {
                return self.system_call_later(call, tracer);
            }
            traced = tracer.begin(call);
        }
        let refusal = if self.watch.is_scarce() { self.refusal(call) } else { None };
        let restricted = if call.thread.is_restricted() { self.restrict_call(call) } else { None };
        let outcome = match (restricted, refusal) {
            (Some(outcome), _) => outcome,
            (None, Some(error)) => Outcome::fails(error),
            (None, None) => table::handler(call.number)(call),
        };
        let traced = traced.and_then(|traced| self.trace_outcome(traced, &outcome));
        self.go_on(call.thread, outcome, traced);
    }

    /// Does what a handler has said.
    pub fn go_on(&'static self, thread: &Rc<Thread>, outcome: Outcome, traced: Option<Traced>) {
        match outcome {
            Outcome::Done(value) => self.answer(thread, Answer::Done(value)),
            Outcome::Again => self.answer(thread, Answer::Restart),
            Outcome::Restore => self.answer(thread, Answer::Restore),
            Outcome::Signals => {
                thread.page().set_result(0);
                self.take_signals(thread);
            }
            Outcome::Gone => {}
            Outcome::Later(mut waiting) => {
                waiting.traced = traced.map(Box::new);
                self.executor.start_boxed(waiting);
            }
        }
    }

    /// ENOSYS, and a line in the log the first time. From then on trampolines answer it.
    fn missing(&self, call: &Call) -> Outcome {
        // Numbers that will never be calls are neither remembered nor told: there are four thousand million of them.
        if call.number as usize >= SYSCALLS {
            return Outcome::fails(Errno::ENOSYS);
        }
        if self.reported.borrow_mut().insert(call.number) {
            let name = names::of(call.number).unwrap_or("no such call");
            log::warn!("system call {} ({name}) is missing", call.number);
        }
        call.process().own_pages.borrow().process.view().retire(call.number);
        Outcome::fails(Errno::ENOSYS)
    }

    /// The same once the launcher has read what traced threads did before.
    fn system_call_later(&'static self, call: &Call, tracer: &Tracer) {
        let ready = tracer.ready();
        let (thread, number, arguments) = (call.thread.clone(), call.number, call.arguments);
        self.executor.start(async move {
            ready.await;
            if !thread.ended.get() {
                self.system_call(&Call { server: self, thread: &thread, number, arguments });
            }
        });
    }
}

impl Waiting {
    /// What the thread is answered; `None` for nothing, as it has ended.
    fn result(&mut self, context: &mut Context<'_>) -> Poll<Option<Answer>> {
        let Self { server, thread, .. } = self;
        if thread.ended.get() {
            return Poll::Ready(None);
        }
        server.current.set(thread.tid.get());
        match self.future.as_mut().map(|future| future.as_mut().poll(context)) {
            Some(Poll::Ready(Err(INTERRUPTED))) => return Poll::Ready(Some(Answer::Restart)),
            Some(Poll::Ready(result)) => return Poll::Ready(Some(Answer::Done(register(result)))),
            Some(Poll::Pending) | None => {}
        }
        if self.steady {
            *thread.waker.borrow_mut() = Some(context.waker().clone());
            return Poll::Pending;
        }
        let moved = self.moved.as_ref().map_or(0, |moved| moved.get());
        if let Some(action) = server.interruption(thread) {
            let restart = self.restarts && action.flags & action_flag::RESTART != 0;
            return Poll::Ready(Some(match (moved, restart) {
                (0, true) => Answer::Restart,
                (0, false) => Answer::Done(register(Err(Errno::EINTR))),
                (moved, _) => Answer::Done(moved),
            }));
        }
        if thread.ended.get() {
            return Poll::Ready(None);
        }
        if thread.process.is_stopped() && self.restarts {
            return Poll::Ready(Some(if moved > 0 { Answer::Done(moved) } else { Answer::Restart }));
        }
        let mut waker = thread.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Poll::Ready(answer) = self.result(context) else { return Poll::Pending };
        let Self { server, thread, future, traced, .. } = &mut *self;
        *thread.waker.borrow_mut() = None;
        // What it has waited for goes before the thread does.
        *future = None;
        if let (Some(traced), Some(tracer)) = (traced.take(), server.tracer()) {
            tracer.end(*traced, if let Some(Answer::Done(value)) = answer { Some(value) } else { None });
        }
        if let Some(answer) = answer {
            // A temporary mask ends with its call, unless a handler is about to run and will restore it.
            if !matches!(answer, Answer::Restart)
                && thread.saved_mask.get().is_some()
                && thread.deliverable().is_empty()
            {
                thread.restore_mask();
            }
            server.answer(thread, answer);
        }
        Poll::Ready(())
    }
}
