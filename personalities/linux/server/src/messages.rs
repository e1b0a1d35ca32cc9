//! The message loop: what the kernel brings is told apart by badge, and every future that can go on does so before the next.

#[cfg(test)]
mod tests;

use crate::capability::{Message, Reply, Threads, ticks};
use crate::devices::Devices;
use crate::faults::FaultMessage;
use crate::process::signal::Signal;
use crate::process::table::Table;
use crate::process::thread::{Activity, Answer};
use crate::process::{Ending, Thread};
use crate::server::Server;
use crate::short::{Left, begins_with};
use crate::syscall::{Call, register};
use alloc::rc::Rc;
use chestnut_linux_files::Errno;
use chestnut_linux_trampoline::Request;

impl Server {
    /// Serves for ever.
    pub fn serve(&'static self, devices: &Devices) -> ! {
        // Who is served, and since when: what the server does until it waits again is that thread's system time.
        let mut served: Option<Rc<Thread>> = None;
        let mut since = ticks();
        loop {
            let mut now = ticks();
            if self.agenda.is_due(now) {
                self.do_what_is_due(devices, now);
                now = ticks();
            }
            self.end_service(served.as_ref(), now.wrapping_sub(since));
            if self.turns.are_waited_for() {
                self.check_turns();
            }
            let (reply, answer) = match self.take_answer() {
                Some((reply, answer)) => (reply, Some(answer)),
                None => (self.next_reply(&mut served), None),
            };
            let mut message = if self.agenda.is_pressing() || self.turns.are_waited_for() && self.turns.has_pieces() {
                let message = self.kernel.look(&reply, answer);
                self.turns.next_piece();
                message
            } else {
                self.kernel.receive(&reply, answer)
            };
            since = ticks();
            if begins_with(&message) {
                Self::find_sender(&mut served, &self.table, message.badge);
                if let Some(thread) = &served {
                    match self.short_calls(thread, &reply, &mut message, &mut since) {
                        Left::Answer(value) => {
                            self.answer_next(thread, reply, Answer::Done(value).message());
                            continue;
                        }
                        Left::Message => {}
                    }
                }
            }
            if message.badge < Threads::BADGE_UNIT {
                served = None;
                devices.notified(message.badge);
                continue;
            }
            self.take_message(&mut served, reply, message);
        }
    }

    /// What there is to do between two messages. What that leaves to do in turn stays on the agenda, so that the loop doesn't wait then; a deadline
    /// that is past already is for the timer service to ring: whoever asks for one moment after the other doesn't keep the server busy.
    #[inline(never)]
    fn do_what_is_due(&'static self, devices: &Devices, now: u64) {
        self.executor.run();
        if self.clock.is_due(now) {
            self.clock.wake();
            self.executor.run();
        }
        devices.flush();
        let look_again = self.watch_memory(now);
        self.clock.tell();
        if self.executor.is_idle() && !devices.have_work() {
            self.agenda.clear();
        }
        self.agenda.at_latest(look_again);
        self.agenda.at_latest(self.clock.next());
    }

    /// A reply object to receive with, when nobody is answered. Nothing is kept of a thread that has ended.
    #[cold]
    fn next_reply(&self, served: &mut Option<Rc<Thread>>) -> Reply {
        served.take_if(|thread| thread.ended.get());
        // Without a reply object nobody's call can be taken; memory for one is found once something ends.
        self.capabilities.replies.allocate().unwrap_or_else(|_| panic!("no memory for a reply object"))
    }

    /// `served` is the last message's thread, and becomes this one's: mostly it is the same.
    #[inline(always)]
    fn find_sender(served: &mut Option<Rc<Thread>>, table: &Table, badge: u64) {
        if served.as_ref().is_none_or(|thread| thread.machine.badge() != badge) {
            *served = table.by_badge(badge);
        }
    }

    /// A message of a thread, whom `reply` holds if it wants an answer.
    #[inline(always)]
    fn take_message(&'static self, served: &mut Option<Rc<Thread>>, reply: Reply, message: Message) {
        let is_fault = message.badge & Threads::FAULT != 0;
        let fifth = if is_fault { self.kernel.fifth_word() } else { 0 };
        Self::find_sender(served, &self.table, message.badge & !Threads::FAULT);
        let Some(thread) = served else { return };
        if thread.activity() != Activity::Running {
            // It sent something while the server still owed it an answer, which no trampoline does.
            log::warn!("thread {} sent a second message", thread.tid.get());
            return self.end_process(&thread.process, Ending::Killed(Signal::SYS));
        }
        thread.hold(reply);
        if is_fault {
            let [first, second, third, fourth] = message.words;
            let words = [first, second, third, fourth, fifth];
            return self.fault(thread, FaultMessage { label: message.info.label(), words });
        }
        self.serve_thread(thread, message);
    }

    /// One call of a thread, which is held from now on.
    #[inline(always)]
    fn serve_thread(&'static self, thread: &Rc<Thread>, message: Message) {
        match Request::decode(message.info, message.words, thread.page()) {
            Some(Request::Syscall { number, arguments }) => {
                self.system_call(&Call { server: self, thread, number, arguments });
            }
            Some(Request::TakeSignals) => self.take_signals(thread),
            None => self.answer(thread, Answer::Done(register(Err(Errno::ENOSYS)))),
        }
    }
}
