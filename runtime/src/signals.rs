//! How a service waits: for the signals of its notification, and it answers root's question meanwhile.
//!
//! Root asks a service now and then whether it goes on, by a bit of its notification. Whoever is back at [`wait`] does; whoever hangs somewhere
//! doesn't answer and is made anew.

use crate::cap::Notification;
use chestnut_manifest::{QUESTION_BIT, slots};

const QUESTION: u64 = 1 << QUESTION_BIT;

/// Waits for signals and takes them, one bit each. Root's question is answered here and not among them.
pub fn wait() -> u64 {
    loop {
        let woken = Notification(slots::NOTIFICATION).wait();
        if woken & QUESTION != 0 {
            Notification(slots::ALIVE).signal();
        }
        if woken & !QUESTION != 0 {
            return woken & !QUESTION;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{Registers, fake};
    use chestnut_abi::Syscall;
    use std::vec::Vec;

    #[test]
    fn the_question_is_answered_and_the_other_signals_are_taken() {
        for badge in [QUESTION, 5, QUESTION | 6] {
            fake::answer(Registers { badge, ..Registers::default() });
            if badge & QUESTION != 0 {
                // What signalling returns.
                fake::answer(Registers::default());
            }
        }
        assert_eq!(wait(), 5);
        assert_eq!(wait(), 6);
        let asked: Vec<_> = fake::asked().into_iter().map(|(call, arguments)| (call, arguments.cap)).collect();
        let (waited, answered) = ((Syscall::Wait, slots::NOTIFICATION), (Syscall::Send, slots::ALIVE));
        assert_eq!(asked, [waited, answered, waited, waited, answered]);
    }
}
