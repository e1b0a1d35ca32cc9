//! Communication: messages between threads, signals, faults as messages, replies, and what becomes of threads that were waiting
//! when one of these goes away.
#![deny(unsafe_code)]
mod buffer;
mod cancel;
mod faults;
mod message;
mod rendezvous;
mod replies;
mod signal;

pub use buffer::Buffer;
pub use cancel::{cancel, cancel_all, cancel_all_signals, cancel_badged, restart, set_runnable, suspend};
pub use faults::{complete_yield, consumed_us, deliver_fault, has_timeout_handler, timeout};
pub use message::{ExtraCaps, NotDerivable, derive, message_word, set_message_word};
pub use rendezvous::{Received, Sending, receive, send};
pub use replies::{remove_reply, reply_to, unlink_caller};
pub use signal::{bind, complete_signal, signal, unbind, wait};
