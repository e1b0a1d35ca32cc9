//! Communication: messages between threads, signals, faults as messages, replies, and what becomes of threads that were waiting
//! when one of these goes away.
#![deny(unsafe_code)]
mod buffer;
mod call_stack;
mod cancel;
mod consumed;
mod fault_message;
mod faults;
mod message;
mod rendezvous;
mod reply;
mod signal;
mod waiting;

pub use buffer::Buffer;
pub use call_stack::remove_reply;
pub use cancel::{cancel, cancel_badged, cancel_first, cancel_first_wait, restart, set_runnable, suspend};
pub use consumed::{complete_yield, consumed_us};
pub use fault_message::{apply_reply as apply_fault_reply, write as write_fault};
pub use faults::{deliver_fault, has_timeout_handler, timeout};
pub use message::{ExtraCaps, NotDerivable, derive, message_word, set_message_word};
pub use rendezvous::{Received, Sending, receive, send};
pub use reply::reply_to;
pub use signal::{bind, complete_signal, signal, unbind, wait};
