//! The message loop: what the kernel brings is told apart by badge, and every future that can go on does so before the next.

#[cfg(test)]
mod tests;

use crate::capability::{Message, Reply, Threads, ticks};
use crate::devices::Devices;
use crate::faults::FaultMessage;
use crate::process::signal::Signal;
use crate::process::thread::{Activity, Answer};
use crate::process::{Ending, Thread};
use crate::server::Server;
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
            self.executor.run();
            let mut now = ticks();
            if self.clock.is_due(now) {
                self.clock.run();
                self.executor.run();
                now = ticks();
            }
            devices.flush();
            self.watch_memory();
            self.end_service(served.take(), now.wrapping_sub(since));
            let somebody_waits = self.turns.are_waited_for();
            if somebody_waits {
                self.check_turns();
            }
            let (reply, answer) = match self.take_answer() {
                Some((reply, answer)) => (reply, Some(answer)),
                // Without a reply object nobody's call can be taken; memory for one is found once something ends.
                None => match self.capabilities.replies.allocate() {
                    Ok(reply) => (reply, None),
                    Err(_) => panic!("no memory for a reply object"),
                },
            };
            let answer = answer.map(Answer::message);
            let message = if somebody_waits && self.turns.has_pieces() {
                let message = self.kernel.look(&reply, answer);
                self.turns.next_piece();
                message
            } else {
                self.kernel.receive(&reply, answer)
            };
            since = ticks();
            if message.badge < Threads::BADGE_UNIT {
                devices.notified(message.badge);
                continue;
            }
            served = self.take_message(reply, message);
        }
    }

    /// A message of a thread, whom `reply` holds if it wants an answer. The thread, if it was served.
    #[inline]
    fn take_message(&'static self, reply: Reply, message: Message) -> Option<Rc<Thread>> {
        let thread = self.table.by_badge(message.badge)?;
        if thread.hold(reply) != Activity::Running {
            // It sent something while the server still owed it an answer, which no trampoline does.
            log::warn!("thread {} sent a second message", thread.tid.get());
            self.end_process(&thread.process, Ending::Killed(Signal::SYS));
            return None;
        }
        self.serve_thread(&thread, message);
        Some(thread)
    }

    /// One call or fault of a thread, which is held from now on.
    fn serve_thread(&'static self, thread: &Rc<Thread>, message: Message) {
        if message.badge & Threads::FAULT != 0 {
            return self.fault(thread, FaultMessage { label: message.info.label(), words: message.words });
        }
        let [first, second, third, fourth, _] = message.words;
        match Request::decode(message.info, [first, second, third, fourth], thread.page()) {
            Some(Request::Syscall { number, arguments }) => {
                self.system_call(&Call { server: self, thread, number, arguments });
            }
            Some(Request::TakeSignals) => self.take_signals(thread),
            None => self.answer(thread, Answer::Done(register(Err(Errno::ENOSYS)))),
        }
    }
}
