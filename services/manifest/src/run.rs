//! What the Linux personality is to run, decided before the machine starts.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Programs to run one after the other in the same system, each with a process tree of its own.
///
/// After each one the server ends what the program left running, sends
/// [`GuestMessage::Exit`](crate::GuestMessage::Exit) once all its output has left the rings (terminal output too), and starts the next. Files
/// stay from one to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRequest {
    /// At least one.
    pub commands: Vec<Command>,
    /// The wall clock when the machine was started: microseconds since 1970, UTC. The guest's TSC was 0 then.
    pub started: u64,
    /// Tell of every system call by [`GuestMessage::Trace`](crate::GuestMessage::Trace).
    pub trace: bool,
}

/// One program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The file to execute: a path, or a bare name that is looked up in the environment's PATH. If it can't be
    /// executed, the exit status is 127 (no such file) or 126 (anything else), with a message on standard error.
    pub program: String,
    /// argv, the program's own name included.
    pub arguments: Vec<Vec<u8>>,
    /// `NAME=VALUE` each.
    pub environment: Vec<Vec<u8>>,
    /// The working directory, absolute.
    pub directory: String,
    pub stdio: Stdio,
}

/// What descriptors 0, 1 and 2 are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stdio {
    /// `/dev/console`, the terminal on COM1, which is the program's controlling terminal.
    Terminal,
    /// Three pipes. Input comes as [`HostMessage::Stdin`](crate::HostMessage::Stdin), output goes as
    /// [`GuestMessage::Stdout`](crate::GuestMessage::Stdout) and `Stderr`. There is no controlling terminal.
    Channel,
    /// As `Channel`, but the input is this, at most 65,536 bytes (a pipe's capacity), and then its end.
    Input(Vec<u8>),
}
