//! The host channel: messages between the launcher and the Linux server over COM2.
//!
//! A [`Link`](crate::link::Link) at either end carries them. The host sends nothing before [`GuestMessage::Ready`]: the UART would lose what comes before its driver.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Most bytes that one `Stdin`, `Stdout`, `Stderr` or `Trace` message carries.
pub const MAX_PAYLOAD: usize = 1024;
/// Most bytes that a framed message takes, its zero byte included.
pub(crate) const MAX_FRAME: usize = MAX_PAYLOAD + 32;
/// Most bytes of `Stdin` that the host may have sent and the guest not yet acknowledged with `StdinConsumed`.
pub const STDIN_WINDOW: u32 = 4096;

/// From the launcher to the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostMessage {
    /// Bytes for standard input of a program whose [`Stdio`](crate::Stdio) is `Channel`.
    Stdin(Vec<u8>),
    /// No more `Stdin` will come.
    StdinEnd,
    /// The host's terminal has this size now: SIGWINCH to the foreground process group.
    WindowSize { rows: u16, columns: u16 },
    /// Send this signal to the foreground process group, or to the program if it has no terminal.
    Signal(u8),
}

/// From the guest to the launcher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GuestMessage {
    /// The guest listens on both UARTs. Sent once, before the first program starts.
    Ready,
    /// Standard output of a program whose [`Stdio`](crate::Stdio) is not the terminal.
    Stdout(Vec<u8>),
    /// Its standard error.
    Stderr(Vec<u8>),
    /// So many further bytes of `Stdin` have been taken.
    StdinConsumed(u32),
    /// The program has ended; all its output was sent before. 128 + n if signal n ended it.
    Exit(u8),
    /// A line of a trace: who, and a system call with its result, a signal, or an end.
    Trace(String),
}
