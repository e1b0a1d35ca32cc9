//! seccomp(2): which system calls a thread may still make.
//!
//! A thread with a filter has its trampoline send every call to the server, where the filters are asked first. A program that
//! makes its trampoline answer some of them nevertheless learns its own ids and the time, clears memory of its own, and nothing
//! else: no other call works without the server.

use super::Thread;
use super::packet_filter::Program;
use super::signal::{Detail, Signal, SignalInfo};
use super::thread::FaultDetail;
use super::{Ending, Process};
use crate::server::Server;
use crate::syscall::{Call, Outcome};
use alloc::rc::Rc;
use chestnut_linux_files::{Errno, Result};

/// SECCOMP_RET_…: what a filter says, in the upper half.
pub mod action {
    pub const KILL_PROCESS: u32 = 0x8000_0000;
    pub const KILL_THREAD: u32 = 0;
    pub const TRAP: u32 = 0x0003_0000;
    pub const ERROR: u32 = 0x0005_0000;
    pub const TRACE: u32 = 0x7ff0_0000;
    pub const LOG: u32 = 0x7ffc_0000;
    pub const ALLOW: u32 = 0x7fff_0000;
    pub const MASK: u32 = 0xffff_0000;
}

/// AUDIT_ARCH_X86_64.
pub const ARCHITECTURE: u32 = 0xc000_003e;
/// Bytes of `struct seccomp_data`.
pub const DATA: u32 = 64;
/// Most instructions of all filters of a thread, each counting as four more.
const MOST_INSTRUCTIONS: usize = 32_768;
const FILTER_PENALTY: usize = 4;
/// The most that a call may fail with.
const MOST_ERROR: u32 = 4095;
/// SYS_SECCOMP.
const CODE: i32 = 1;

/// What restricts a thread.
#[derive(Clone, Default)]
pub enum Seccomp {
    #[default]
    Off,
    /// Only read, write, exit and rt_sigreturn.
    Strict,
    /// All of the chain are asked.
    Filters(Rc<Filter>),
}

/// A filter, and those that were there before it.
pub struct Filter {
    program: Program,
    before: Option<Rc<Filter>>,
    logs: bool,
}

impl Drop for Filter {
    fn drop(&mut self) {
        // A chain may be thousands long: not by recursion.
        let mut next = self.before.take();
        while let Some(mut filter) = next.and_then(Rc::into_inner) {
            next = filter.before.take();
        }
    }
}

impl Seccomp {
    pub const fn is_off(&self) -> bool {
        matches!(self, Self::Off)
    }
    /// As /proc/PID/status says it.
    pub const fn mode(&self) -> u32 {
        match self {
            Self::Off => 0,
            Self::Strict => 1,
            Self::Filters(_) => 2,
        }
    }
    fn filters(&self) -> impl Iterator<Item = &Filter> {
        let first = if let Self::Filters(filter) = self { Some(&**filter) } else { None };
        core::iter::successors(first, |filter| filter.before.as_deref())
    }
    pub fn count(&self) -> usize {
        self.filters().count()
    }

    /// With one filter more. `EINVAL` in strict mode, `ENOMEM` if there are too many.
    pub fn with(&self, program: Program, logs: bool) -> Result<Self> {
        let before = match self {
            Self::Off => None,
            Self::Strict => return Err(Errno::EINVAL),
            Self::Filters(before) => Some(before.clone()),
        };
        let instructions: usize = self.filters().map(|filter| filter.program.len() + FILTER_PENALTY).sum();
        if instructions + program.len() > MOST_INSTRUCTIONS {
            return Err(Errno::ENOMEM);
        }
        Ok(Self::Filters(Rc::new(Filter { program, before, logs })))
    }

    /// Could a thread with this have `newer` by filters added alone?
    pub fn is_beginning_of(&self, newer: &Self) -> bool {
        match self {
            Self::Off => true,
            Self::Strict => false,
            Self::Filters(own) => newer.filters().any(|filter| core::ptr::eq(filter, &**own)),
        }
    }

    /// What the filters say of a call, and whether that is to be logged: the most severe counts, of equals the newest.
    fn verdict(&self, data: &[u32]) -> (u32, bool) {
        let mut worst = (action::ALLOW, false);
        for filter in self.filters() {
            let said = filter.program.run(data);
            // As signed numbers, killing the process comes first.
            if ((said & action::MASK) as i32) < (worst.0 & action::MASK) as i32 {
                worst = (said, filter.logs);
            }
        }
        worst
    }
}

impl Thread {
    /// Restricts it from its next call on.
    pub fn restrict(&self, seccomp: Seccomp) {
        self.set_seccomp(seccomp);
        if self.is_restricted() {
            self.process.keep_actions();
            self.send_all_calls();
        }
    }

    /// Its trampoline sends every call to the server.
    pub fn send_all_calls(&self) {
        self.page().set_traced(self.process.own_pages.borrow().process_address, true);
    }
}

impl Server {
    /// What becomes of a call of a restricted thread; `None` if it may go on.
    pub fn restrict_call(&self, call: &Call) -> Option<Outcome> {
        const ALLOWED: [u64; 4] = [0, 1, 15, 60];
        let thread = &call.thread;
        let seccomp = thread.seccomp().clone();
        let position = thread.page().frame().rip;
        let (said, logs) = match &seccomp {
            Seccomp::Off => return None,
            Seccomp::Strict if ALLOWED.contains(&call.number) => return None,
            Seccomp::Strict => {
                self.end_thread_by(thread, Signal::KILL);
                return Some(Outcome::Gone);
            }
            Seccomp::Filters(_) => {
                let mut data = [0; DATA as usize / 4];
                let words = [position].into_iter().chain(call.arguments);
                (data[0], data[1]) = (call.number as u32, ARCHITECTURE);
                for (pair, word) in data[2..].chunks_exact_mut(2).zip(words) {
                    (pair[0], pair[1]) = (word as u32, (word >> 32) as u32);
                }
                seccomp.verdict(&data)
            }
        };
        let (what, value) = (said & action::MASK, said & !action::MASK);
        if logs && what != action::ALLOW || what == action::LOG {
            log::info!("process {}: call {} has the verdict {said:#x} of seccomp", thread.process.pid, call.number);
        }
        Some(match what {
            action::ALLOW | action::LOG => return None,
            action::ERROR if value == 0 => Outcome::value(0u64),
            action::ERROR => Outcome::fails(Errno(value.min(MOST_ERROR) as u16)),
            // Nobody traces, nobody listens.
            action::TRACE | 0x7fc0_0000 => Outcome::fails(Errno::ENOSYS),
            action::TRAP => {
                let detail = Detail::SystemCall { address: position, number: call.number as u32, data: value };
                let info = SignalInfo { signal: Signal::SYS, code: CODE, detail };
                if self.force(thread, info, FaultDetail::default()) {
                    // The handler finds the registers as they were.
                    Outcome::value(call.number)
                } else {
                    Outcome::Gone
                }
            }
            action::KILL_THREAD => {
                self.end_thread_by(thread, Signal::SYS);
                Outcome::Gone
            }
            _ => {
                self.end_process(&thread.process, Ending::Killed(Signal::SYS));
                Outcome::Gone
            }
        })
    }

    /// A thread ends alone; the last one's process by a signal.
    fn end_thread_by(&self, thread: &Rc<Thread>, signal: Signal) {
        let process: &Rc<Process> = &thread.process;
        if process.threads.borrow().len() == 1 {
            self.end_process(process, Ending::Killed(signal));
        } else {
            self.exit_thread(thread, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::packet_filter::Instruction;
    use alloc::vec;

    fn says(seccomp: &Seccomp, what: u32) -> Seccomp {
        let program = Program::new(vec![Instruction::from_word(u64::from(what) << 32 | 6)], DATA).unwrap();
        seccomp.with(program, false).unwrap()
    }

    #[test]
    fn the_most_severe_counts_and_of_equals_the_newest() {
        let data = [0; DATA as usize / 4];
        let first = says(&Seccomp::Off, action::ERROR | 5);
        let second = says(&first, action::ERROR | 6);
        assert_eq!(second.verdict(&data).0, action::ERROR | 6);
        assert_eq!(says(&second, action::ALLOW).verdict(&data).0, action::ERROR | 6);
        assert_eq!(says(&second, action::TRAP).verdict(&data).0, action::TRAP);
        assert_eq!(
            says(&says(&second, action::KILL_PROCESS), action::KILL_THREAD).verdict(&data).0,
            action::KILL_PROCESS
        );
        assert!(
            first.is_beginning_of(&second) && !second.is_beginning_of(&first) && Seccomp::Off.is_beginning_of(&first)
        );
        assert_eq!((second.count(), second.mode(), Seccomp::Strict.mode()), (2, 2, 1));
    }

    #[test]
    fn there_are_not_too_many() {
        let mut seccomp = Seccomp::Off;
        let long = || Program::new(vec![Instruction::from_word(6); 4096], DATA).unwrap();
        for _ in 0..7 {
            seccomp = seccomp.with(long(), false).unwrap();
        }
        assert_eq!(seccomp.with(long(), false).map(|_| ()), Err(Errno::ENOMEM));
        assert_eq!(Seccomp::Strict.with(long(), false).map(|_| ()), Err(Errno::EINVAL));
    }
}
