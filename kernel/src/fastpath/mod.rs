//! The short ways: Call, ReplyRecv, Send, Recv, signals and faults where what is to happen is the common thing.
//!
//! Each does what the general way would do, for the common cases only, and has changed nothing (but the clock that was read) if it finds that the
//! case is another one: it looks first, and changes then. It ends in a call of what is left to be done, be it the general way ([`Otherwise`]) or a way
//! apart for a less common case, so that the commonest needs no register to be kept: that is a passive server's Call and ReplyRecv with as many words
//! as there are registers. Apart are an active server, on round-robin contexts and on others, and a signal or message to one of a higher priority.
//! The checks, and why they are enough:
//!
//! 1. The message has words only, no capabilities. Those beyond the fourth are lost if the two threads haven't both buffers for them.
//! 2. The capability is found, through the cached CSpace root or by walking, and allows what is asked.
//! 3. The partner waits already, so that nobody blocks but a caller or who has faulted, and nothing is queued but the server.
//! 4. Nobody who is ready outranks the partner: so the partner runs next, and the scheduler needn't choose. Where nobody blocks, the priorities
//!    of the two alone say which of them runs next.
//! 5. The partner's address space may be loaded, if it runs.
//! 6. Time: either the caller's scheduling context goes along and comes back with the reply (passive server), where it runs on and its
//!    end is still what the timer is set to; or both have contexts of their own (active server), and then the clock is read, the one that ran has
//!    time left, is charged, and the one that runs next has budget, on a context that isn't sporadic. Nobody's awaited budget has come meanwhile.
//!    A round-robin context has budget always; and one that ran on it, in the quiet before the end of its slice, has more left than it used.
//!    That holds likewise where a thread waits and the first that is ready runs.
//! 7. What a thread has beyond its general registers, a segment base or its state in the FPU, is asked in one word of each of the two.
//! 8. Whoever is answered is in the middle of no stack of calls; what it is answered for is a call, or a fault whose answer lets it go on.
//!
//! Where the thread that runs goes on running, or lends its time, the clock isn't read, as the general way would: the timer is still set to the end of
//! its budget. So a system call that begins in the last moments of a budget, which the general way would hold back until there is more, is made.
//!
//! Capabilities in messages, receiving from who waits to send, timeout faults, and everything else go the general way.
#![forbid(unsafe_code)]
mod call;
mod fault;
mod receive;
mod reply_recv;
mod send;
mod steps;
mod turns;

pub use call::call;
pub use fault::fault;
pub use reply_recv::reply_recv;
pub use send::signal;
pub use steps::{NotFast, Otherwise, find_slot};

use crate::arch::Resumed;
use crate::mem::Ref;
use crate::object::{Fault, Kernel, Tcb};
use chestnut_abi::Syscall;
use steps::or;

/// Makes the system call of `thread`, which runs and is neither Call nor ReplyRecv, if it is a common one; `otherwise` does what is left if it isn't.
#[inline(always)]
pub fn other<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, otherwise: impl Otherwise<'k>) -> Resumed {
    match thread.context.system_call_number() {
        SEND | NB_SEND => send::send(k, thread, otherwise),
        _ => neither(k, thread, otherwise),
    }
}

const SEND: i64 = Syscall::Send as i64;
const NB_SEND: i64 = Syscall::NBSend as i64;
const RECV: i64 = Syscall::Recv as i64;

/// The same for what isn't a Send either.
#[inline(never)]
fn neither<'k>(k: Kernel<'k>, thread: Ref<'k, Tcb>, otherwise: impl Otherwise<'k>) -> Resumed {
    match thread.context.system_call_number() {
        RECV => or(k, receive::receive(k, thread), otherwise),
        number if Syscall::from_number(number).is_none() => {
            or(k, fault(k, thread, Fault::UnknownSyscall { number: number.cast_unsigned() }), otherwise)
        }
        _ => otherwise(k, thread),
    }
}
