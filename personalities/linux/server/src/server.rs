//! The server's state, and how a thread that it holds is answered.
//!
//! There is one [`Server`] for the machine's life; everything in it is a cell, and no borrow is held across an await or a
//! call back into the server.

use crate::agenda::Agenda;
use crate::capability::{Capabilities, Frame, Kept, Kernel, OutOfMemory, Reply};
use crate::clock::SystemClock;
use crate::executor::Executor;
use crate::file_services::FileServices;
use crate::ipc::Ipc;
use crate::load::Load;
use crate::memory::{AddressSpace, Memory};
use crate::pressure::Watch;
use crate::process::futex::Futexes;
use crate::process::pi_futex::PiFutexes;
use crate::process::table::Table;
use crate::process::thread::{Activity, Answer, Sent};
use crate::process::{Process, Thread};
use crate::trace::Tracer;
use crate::turns::Turns;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_abi::{MessageInfo, UserContext};
use chestnut_linux_files::devfs::Generator;
use chestnut_linux_files::inode::Filesystem;
use chestnut_linux_files::terminal::Terminal;
use chestnut_linux_files::vfs::Vfs;
use chestnut_linux_files::wait::WaitQueue;
use chestnut_linux_trampoline::{text, vdso};
use core::cell::{Cell, OnceCell, RefCell};

/// Everything that the server knows.
pub struct Server {
    pub kernel: &'static Kernel,
    pub capabilities: &'static Capabilities,
    pub memory: Rc<Memory>,
    pub clock: Rc<SystemClock>,
    pub agenda: Agenda,
    pub executor: Executor,
    pub table: Table,
    pub futexes: Rc<Futexes>,
    pub pi_futexes: Rc<PiFutexes>,
    pub generator: Rc<Generator>,
    pub vfs: Vfs,
    /// Numbers the inodes of pipes, eventfds and shared memory.
    pub nameless: Rc<Filesystem>,
    /// Woken when a signal has become pending for anybody (signalfd).
    pub signals_came: WaitQueue,
    /// The thread whose call is being carried out.
    pub current: Cell<u32>,
    pub load: Load,
    pub files: FileServices,
    pub console: OnceCell<Rc<Terminal>>,
    pub text: Frame,
    pub vdso: Frame,
    pub features: [u64; 2],
    /// What ended processes have in place of theirs.
    pub no_space: Rc<AddressSpace>,
    /// System V's objects.
    pub ipc: Ipc,
    pub host_name: RefCell<Vec<u8>>,
    pub domain_name: RefCell<Vec<u8>>,
    /// Numbers of system calls that were reported as missing.
    pub reported: RefCell<BTreeSet<u64>>,
    /// Every call is told to the launcher, by `tracer`.
    pub tracing: Cell<bool>,
    pub tracer: OnceCell<Tracer>,
    /// The program that the launcher asked for, while it runs.
    pub init_program: Cell<u32>,
    pub watch: Watch,
    pub turns: Turns,
    /// An answer that goes out along with the next receive.
    next_answer: NextAnswer,
}

/// An answer that goes out along with the next receive, if there is a reply object for it.
#[derive(Default)]
struct NextAnswer {
    reply: Cell<Option<Kept>>,
    info: Cell<u64>,
    words: Cell<[u64; 2]>,
    /// Whose it is.
    badge: Cell<u64>,
}

/// What [`Server::new`] is made of.
pub struct Parts {
    pub kernel: &'static Kernel,
    pub agenda: Agenda,
    pub capabilities: &'static Capabilities,
    pub memory: Rc<Memory>,
    pub clock: Rc<SystemClock>,
    pub generator: Rc<Generator>,
    pub vfs: Vfs,
    pub nameless: Rc<Filesystem>,
    pub features: [u64; 2],
}

impl Server {
    pub fn new(parts: Parts) -> Result<&'static Self, OutOfMemory> {
        let Parts { kernel, agenda, capabilities, memory, clock, generator, vfs, nameless, features } = parts;
        let page = |bytes: &[u8]| {
            let frame = capabilities.frames.allocate()?;
            frame.write(0, bytes);
            Ok(frame)
        };
        let no_space = AddressSpace::new(&memory).map_err(|_| OutOfMemory)?;
        Ok(Box::leak(Box::new(Self {
            kernel,
            capabilities,
            memory,
            clock,
            executor: Executor::new(agenda.clone()),
            agenda,
            table: Table::default(),
            futexes: Rc::default(),
            pi_futexes: Rc::default(),
            generator,
            vfs,
            files: FileServices::new(&nameless, capabilities.heap_limit()),
            nameless,
            signals_came: WaitQueue::new(),
            current: Cell::new(0),
            load: Load::default(),
            console: OnceCell::new(),
            text: page(text::bytes())?,
            vdso: page(vdso::bytes())?,
            features,
            no_space,
            ipc: Ipc::default(),
            host_name: RefCell::new(b"chestnut".to_vec()),
            domain_name: RefCell::new(b"(none)".to_vec()),
            reported: RefCell::default(),
            tracing: Cell::new(false),
            tracer: OnceCell::new(),
            init_program: Cell::new(0),
            watch: Watch::default(),
            turns: Turns::default(),
            next_answer: NextAnswer::default(),
        })))
    }

    /// Answers a held thread: at once if it can't wait, else with the next receive. If its process is stopped, it goes on
    /// when that does.
    pub fn answer(&self, thread: &Thread, answer: Answer) {
        self.answer_inlined(thread, answer);
    }
    /// The same where it is done for each call.
    #[inline(always)]
    pub fn answer_inlined(&self, thread: &Thread, answer: Answer) {
        if let Some(reply) = thread.let_go(answer) {
            self.send_answer(thread, reply, answer.message());
        }
    }

    /// Sends the answer of a thread that is taken to run already.
    #[inline(always)]
    pub fn send_answer(&self, thread: &Thread, reply: Reply, message: Sent) {
        if let Some(first) = self.next_answer.reply.get() {
            return self.send_one_of_two(first.take_up(), thread, reply, message);
        }
        thread.has_woken_nobody();
        self.answer_next(thread, reply, message);
    }

    /// Its answer goes out along with the next receive, which no other waits for.
    #[inline(always)]
    pub fn answer_next(&self, thread: &Thread, reply: Reply, (info, words): Sent) {
        let next = &self.next_answer;
        next.reply.set(Some(reply.keep()));
        next.info.set(info.0);
        next.words.set(words);
        next.badge.set(thread.machine.badge());
    }

    /// `first` waits for the next receive already, and its thread would run first. That is so if this thread, which has woken it, gives
    /// way; else this one goes on.
    #[cold]
    fn send_one_of_two(&self, first: Reply, thread: &Thread, reply: Reply, message: Sent) {
        let next = &self.next_answer;
        if thread.gives_way() {
            reply.send(message.0, message.1);
            next.reply.set(Some(first.keep()));
        } else {
            first.send(MessageInfo(next.info.get()), next.words.get());
            self.answer_next(thread, reply, message);
        }
    }

    /// Takes a thread's answer back, if it is the one that waits for the next receive.
    pub fn withdraw_answer(&self, thread: &Thread) -> Option<(Reply, Sent)> {
        if self.next_answer.badge.get() == thread.machine.badge() { self.take_answer() } else { None }
    }

    /// Sends the answers that wait for the next receive or for a turn: their threads then are where their activities say.
    pub fn flush_answer(&self) {
        self.forget_turns();
        if let Some((reply, (info, words))) = self.take_answer() {
            reply.send(info, words);
        }
    }

    /// The answer to send along with the next receive, and the reply object to receive with.
    #[inline]
    pub fn take_answer(&self) -> Option<(Reply, Sent)> {
        let next = &self.next_answer;
        next.reply.take().map(|reply| (reply.take_up(), (MessageInfo(next.info.get()), next.words.get())))
    }

    /// Lets a thread whose fault the server holds go on with other registers.
    pub fn redirect(&self, thread: &Thread, registers: &UserContext) {
        let stopped = thread.process.is_stopped();
        thread.set_activity(if stopped { Activity::Suspended } else { Activity::Running });
        thread.machine.set_registers(registers, !stopped);
    }

    /// The process that a system call's pid argument names; 0 is the caller's.
    pub fn process_or_self(&self, caller: &Rc<Process>, pid: u32) -> Option<Rc<Process>> {
        if pid == 0 || pid == caller.pid { Some(caller.clone()) } else { self.table.process(pid) }
    }
}
