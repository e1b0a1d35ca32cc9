//! Makes sure of what a run needs and a fresh machine hasn't got: the bare-metal Rust target, the emulator, Debian
//! packages with Linux programs.
//!
//! What can be installed without asking is installed; otherwise the error names the one command that would do it.

mod emulator;
mod packages;
mod rust_target;

pub use emulator::{EMULATOR, ensure_emulator};
pub use packages::fetch_package;
pub use rust_target::{TARGET, ensure_target};

/// `command` as the user would have to type it.
fn as_root(command: &str) -> String {
    if crate::subprocess::is_root() { command.to_owned() } else { format!("sudo {command}") }
}
