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

/// Who is served, and since when: what the server does until it waits again is that thread's system time.
struct Service {
    served: Option<Rc<Thread>>,
    since: u64,
}

impl Service {
    /// Whoever is served becomes a message's sender: mostly it is the same.
    #[inline(always)]
    fn find_sender(&mut self, table: &Table, badge: u64) {
        if self.served.as_ref().is_none_or(|thread| thread.machine.badge() != badge) {
            self.served = table.by_badge(badge);
        }
    }
}

impl Server {
    /// Serves for ever.
    pub fn serve(&'static self, devices: &Devices) -> ! {
        let mut service = Service { served: None, since: ticks() };
        loop {
            let now = ticks();
            let is_busy = self.agenda.is_due(now) | self.turns.are_waited_for();
            let now = if is_busy { self.attend(devices, now) } else { now };
            let is_busy = self.end_service(service.served.as_ref(), now.wrapping_sub(service.since)) | is_busy;
            match if is_busy { None } else { self.take_answer() } {
                Some((reply, answer)) => {
                    let message = self.kernel.answer_and_receive(&reply, answer);
                    self.deal_with(devices, &mut service, reply, message);
                }
                None => self.receive_or_look(devices, &mut service),
            }
        }
    }

    /// What there is to do besides messages. Returns the time.
    #[inline(never)]
    fn attend(&'static self, devices: &Devices, now: u64) -> u64 {
        if self.agenda.is_due(now) {
            self.do_what_is_due(devices, now);
        }
        ticks()
    }

    /// Takes the next message where there is or may be more to it than to send an answer and wait: nobody is answered, somebody waits for a
    /// turn, or the loop has other things to do and only looks whether a message has come.
    #[inline(never)]
    fn receive_or_look(&'static self, devices: &Devices, service: &mut Service) {
        if self.turns.are_waited_for() {
            self.check_turns();
        }
        let (reply, answer) = match self.take_answer() {
            Some((reply, answer)) => (reply, Some(answer)),
            None => (self.next_reply(service), None),
        };
        let message = if self.agenda.is_pressing() || self.turns.are_waited_for() && self.turns.has_pieces() {
            let message = self.kernel.look(&reply, answer);
            self.turns.next_piece();
            message
        } else {
            self.kernel.receive(&reply, answer)
        };
        self.deal_with(devices, service, reply, message);
    }

    /// What has just come in, whoever sent it.
    #[inline(always)]
    fn deal_with(&'static self, devices: &Devices, service: &mut Service, reply: Reply, message: Message) {
        service.since = ticks();
        let mut message = message;
        if begins_with(&message) {
            service.find_sender(&self.table, message.badge);
            if let Some(thread) = &service.served {
                match self.short_calls(thread, &reply, message, &mut service.since) {
                    Left::Answer(value) => return self.answer_next(thread, reply, Answer::Done(value).message()),
                    Left::Message(next) => message = next,
                }
            }
        }
        if message.badge < Threads::BADGE_UNIT {
            service.served = None;
            return devices.notified(message.badge);
        }
        self.take_message(service, reply, message);
    }

    /// What there is to do between two messages. What that leaves to do in turn stays on the agenda, so that the loop doesn't wait then; a deadline
    /// that is past already is for the timer service to ring: whoever asks for one moment after the other doesn't keep the server busy.
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
    fn next_reply(&self, service: &mut Service) -> Reply {
        service.served.take_if(|thread| thread.ended.get());
        // Without a reply object nobody's call can be taken; memory for one is found once something ends.
        self.capabilities.replies.allocate().unwrap_or_else(|_| panic!("no memory for a reply object"))
    }

    /// A message of a thread, whom `reply` holds if it wants an answer.
    #[inline(always)]
    fn take_message(&'static self, service: &mut Service, reply: Reply, message: Message) {
        if message.badge & Threads::FAULT != 0 {
            return self.take_fault(service, reply, message);
        }
        service.find_sender(&self.table, message.badge);
        let Some(thread) = &service.served else { return };
        if self.hold(thread, reply) {
            self.serve_thread(thread, message);
        }
    }

    /// The same if it is a fault.
    #[inline(always)]
    fn take_fault(&'static self, service: &mut Service, reply: Reply, message: Message) {
        let [first, second, third, fourth] = message.words;
        let words = [first, second, third, fourth, self.kernel.fifth_word()];
        service.find_sender(&self.table, message.badge & !Threads::FAULT);
        let Some(thread) = &service.served else { return };
        if self.hold(thread, reply) {
            self.fault(thread, FaultMessage { label: message.info.label(), words });
        }
    }

    /// A thread has sent a message, and is held from now on. False if it has ended instead.
    #[inline(always)]
    fn hold(&'static self, thread: &Rc<Thread>, reply: Reply) -> bool {
        let runs = thread.activity() == Activity::Running;
        if runs {
            thread.hold(reply);
        } else {
            // It sent something while the server still owed it an answer, which no trampoline does.
            log::warn!("thread {} sent a second message", thread.tid.get());
            self.end_process(&thread.process, Ending::Killed(Signal::SYS));
        }
        runs
    }

    /// One call of a thread, which is held.
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
