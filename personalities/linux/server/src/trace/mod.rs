//! What `--trace` prints: every system call with its arguments and its result, signals, and ends, one line each, as strace(1) does.
//!
//! A traced thread's trampoline answers nothing by itself (`dispatch::TRACED`), so all its calls come by here. A call that waits has
//! two lines if another one's come between. Lines go over the host channel; while it is full, traced threads wait, so that nothing
//! piles up in the server.

mod argument;
mod names;
mod signature;

use crate::devices::HostChannel;
use crate::process::signal::SignalInfo;
use crate::process::{Ending, Process, Thread};
use crate::server::Server;
use crate::syscall::{Call, Outcome};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use chestnut_linux_files::Errno;
use chestnut_manifest::{GuestMessage, MAX_PAYLOAD};
use core::cell::Cell;

/// Where lines go, and who had the last one.
pub struct Tracer {
    host: Rc<HostChannel>,
    /// The thread whose call is printed up to a point, which the next line would interrupt.
    open: Cell<Option<u32>>,
    /// What is printed of it.
    line: Cell<String>,
}

/// A call on its way.
pub struct Traced {
    server: &'static Server,
    thread: Rc<Thread>,
    number: u64,
    arguments: [u64; 6],
    name: String,
    /// How many arguments `text` has.
    shown: usize,
    text: String,
    /// How much of the text was printed when it began to wait.
    printed: usize,
}

/// Calls that never return; the end that they bring is told of after them.
const EXITS: [u64; 2] = [60, 231];
/// Calls whose result is an address.
const ADDRESS_RESULTS: [u64; 3] = [9, 12, 25];

impl Tracer {
    pub fn new(host: Rc<HostChannel>) -> Self {
        Self { host, open: Cell::new(None), line: Cell::default() }
    }

    /// Nothing should be added now: wait for [`Tracer::ready`].
    pub fn is_full(&self) -> bool {
        !self.host.has_room()
    }
    pub fn ready(&self) -> impl Future<Output = ()> + use<> {
        let host = self.host.clone();
        async move { host.ready().await }
    }

    fn send(&self, mut line: String) {
        // A character may take several bytes.
        while line.len() > MAX_PAYLOAD - 4 {
            line.pop();
        }
        self.host.send(&GuestMessage::Trace(line));
    }

    /// Ends the line that another thread's call has begun.
    fn interrupt(&self) {
        if self.open.take().is_some() {
            let line = self.line.take();
            self.send(format!("{line} <unfinished ...>"));
        }
    }

    fn line(&self, tid: u32, text: &str) {
        self.interrupt();
        self.send(format!("{tid} {text}"));
    }

    /// A call has come: its arguments, as far as they are the program's. `None` if there is no more to say of it.
    pub fn begin(&self, call: &Call) -> Option<Traced> {
        let name = crate::syscall::names::of(call.number);
        let name = name.map_or_else(|| format!("syscall_{:#x}", call.number), str::to_string);
        let &Call { server, thread, number, arguments } = call;
        let (thread, text) = (thread.clone(), format!("{name}("));
        let mut traced = Traced { server, thread, number, arguments, name, shown: 0, text, printed: 0 };
        traced.show(None);
        if EXITS.contains(&traced.number) {
            self.end(traced, None);
            return None;
        }
        Some(traced)
    }

    /// It waits.
    fn waits(&self, traced: &mut Traced) {
        self.interrupt();
        let tid = traced.thread.tid.get();
        self.open.set(Some(tid));
        self.line.set(format!("{tid} {}", traced.text));
        traced.printed = traced.text.len();
    }

    /// It is over; `None` if there is no result, because its thread has ended or makes the call again.
    pub fn end(&self, mut traced: Traced, result: Option<u64>) {
        let tid = traced.thread.tid.get();
        traced.finish(result);
        if self.open.get() == Some(tid) {
            // Nothing has come between.
            self.open.set(None);
            traced.printed = 0;
        }
        match traced.printed {
            0 => self.line(tid, &traced.text),
            printed => self.line(tid, &format!("<... {} resumed>{}", traced.name, &traced.text[printed..])),
        }
    }
}

impl Traced {
    fn call(&self) -> Call<'_> {
        Call { server: self.server, thread: &self.thread, number: self.number, arguments: self.arguments }
    }

    /// Adds arguments: before the call up to the first that it fills, all of them afterwards.
    fn show(&mut self, result: Option<u64>) {
        let kinds = signature::of(self.number);
        for (index, kind) in kinds.iter().enumerate().skip(self.shown) {
            if result.is_none() && kind.is_result() {
                return;
            }
            self.shown = index + 1;
            if argument::is_absent(&self.call(), *kind, index) {
                continue;
            }
            if index > 0 {
                self.text.push_str(", ");
            }
            let shown = argument::show(&self.call(), *kind, index, result);
            self.text.push_str(&shown);
        }
    }

    fn finish(&mut self, result: Option<u64>) {
        let Some(value) = result else {
            self.text.push_str(") = ?");
            return;
        };
        self.show(Some(value));
        let shown = match Errno(value.wrapping_neg() as u16) {
            _ if value <= -4096i64 as u64 => {
                if ADDRESS_RESULTS.contains(&self.number) {
                    format!("{value:#x}")
                } else {
                    (value as i64).to_string()
                }
            }
            error => {
                let meaning = names::one(u64::from(error.0), names::MEANINGS).unwrap_or("Unknown error");
                format!("-1 {error} ({meaning})")
            }
        };
        self.text.push_str(") = ");
        self.text.push_str(&shown);
    }
}

impl Server {
    /// The tracer, if there is tracing.
    pub fn tracer(&self) -> Option<&Tracer> {
        if self.tracing.get() { self.tracer.get() } else { None }
    }

    /// A handler has answered, or its thread has gone.
    pub fn trace_outcome(&self, traced: Traced, outcome: &Outcome) -> Option<Traced> {
        let tracer = self.tracer()?;
        let result = match outcome {
            Outcome::Done(value) => Some(*value),
            Outcome::Signals => Some(0),
            Outcome::Restore => Some(traced.thread.page().frame().rax),
            // Its first call in the new program is not this one: execve has succeeded.
            Outcome::Gone if !traced.thread.ended.get() => Some(0),
            Outcome::Gone | Outcome::Again => None,
            Outcome::Later(_) => {
                let mut traced = traced;
                tracer.waits(&mut traced);
                return Some(traced);
            }
        };
        tracer.end(traced, result);
        None
    }

    /// A signal is about to be taken.
    pub fn trace_signal(&self, thread: &Thread, info: &SignalInfo) {
        if let Some(tracer) = self.tracer() {
            let name = argument::signal(info.signal.number().into());
            tracer.line(thread.tid.get(), &format!("--- {name} {} ---", argument::info(info)));
        }
    }

    /// A process has ended.
    pub fn trace_ending(&self, process: &Process, ending: Ending) {
        if let Some(tracer) = self.tracer() {
            let text = match ending {
                Ending::Exited(status) => format!("+++ exited with {status} +++"),
                Ending::Killed(signal) => format!("+++ killed by {} +++", argument::signal(signal.number().into())),
            };
            tracer.line(process.pid, &text);
        }
    }
}
