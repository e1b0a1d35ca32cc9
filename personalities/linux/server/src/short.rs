//! The short way: calls that only look into their process's descriptors are answered without leaving one loop.
//!
//! What such a call costs isn't in its function but around it, so all is left out here that the other calls need and these don't. The thread
//! isn't noted as held, nor its reply object put away and fetched: between message and answer nothing looks at the thread. Whether it is
//! traced, filtered, stopped, or refused things for want of memory is asked when the loop begins, and holds until it ends: nothing
//! but these functions runs in it, and they change nothing but the table of descriptors and offsets. The server's longest stretch isn't kept
//! either: one in here has some hundred instructions. What isn't left out, for it may be different at each call: the time that the server
//! takes is charged to the thread, and whatever is due is seen before the next receive. A function that finds more to do than that does
//! nothing, and the call goes the ordinary way ([`messages`](crate::messages)).

use crate::capability::{Message, Reply, ticks};
use crate::process::Thread;
use crate::process::thread::Activity;
use crate::server::Server;
use crate::syscall::register;
use chestnut_linux_files::open::Descriptors;
use chestnut_linux_trampoline::message::INFO_SYSCALL;
use core::sync::atomic::Ordering;

/// The calls, by number.
const CLOSE: u64 = 3;
const LSEEK: u64 = 8;
const DUP: u64 = 32;

/// How the short way ends.
pub enum Left {
    /// With a message that is for the ordinary way.
    Message(Message),
    /// With an answer that isn't to go out before what is due has been done.
    Answer(u64),
}

/// Where the short way may begin. Not with `close`, which mostly has more to do.
#[inline(always)]
pub fn begins_with(message: &Message) -> bool {
    message.info == INFO_SYSCALL && matches!(message.words[3], LSEEK | DUP)
}

/// A call's value. `None` if it has to go the ordinary way: then nothing has been done.
#[inline(always)]
pub(crate) fn value(descriptors: &mut Descriptors, number: u64, [first, second, third]: [u64; 3]) -> Option<u64> {
    match number {
        LSEEK => descriptors.get(first as i32).ok()?.seek_plainly(third as u32, second as i64),
        DUP => Some(register(descriptors.duplicate(first as i32).map(|number| number as u64))),
        CLOSE => descriptors.close_held(first as i32).map(|()| 0),
        _ => None,
    }
}

impl Server {
    /// Nothing but its arguments decides what a thread's calls do.
    fn is_ordinary(&self, thread: &Thread) -> bool {
        let watched =
            self.tracing.get() | self.watch.is_scarce() | self.turns.are_waited_for() | thread.is_restricted();
        !watched && thread.activity() == Activity::Running && !thread.process.is_stopped()
    }

    /// Carries out a thread's calls, of which `message` is the first and came at `since`, as long as they are short and nobody else's messages
    /// come. `since` is when the last one came afterwards.
    #[inline(never)]
    pub fn short_calls(&self, thread: &Thread, reply: &Reply, message: Message, since: &mut u64) -> Left {
        if !self.is_ordinary(thread) {
            return Left::Message(message);
        }
        thread.has_woken_nobody();
        let (due, answer) = (self.agenda.reading(), self.kernel.exchange(reply));
        let files = thread.process.files.borrow();
        let mut descriptors = files.borrow_mut();
        let (mut next, mut began) = (message, *since);
        while next.badge == thread.machine.badge() && next.info == INFO_SYSCALL {
            let number = next.words[3];
            let Some(value) = value(&mut descriptors, number, thread.page().arguments()) else { break };
            let ended = ticks();
            if ended >= due.load(Ordering::Relaxed) || !thread.charge_less(ended.wrapping_sub(began)) {
                thread.last_call.set(number);
                *since = began;
                return Left::Answer(value);
            }
            next = answer(value);
            began = ticks();
        }
        *since = began;
        Left::Message(next)
    }
}
