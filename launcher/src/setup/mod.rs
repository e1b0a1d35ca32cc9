//! Makes sure of what a run needs and a fresh machine hasn't got: the bare-metal Rust target, the emulator, Debian
//! packages with Linux programs; and of what makes boot discs.
//!
//! What can be installed without asking is installed; otherwise the error names the one command that would do it.

mod boot_disc;
mod debian;
mod emulator;
mod musl;
mod packages;
mod rust_target;

pub use boot_disc::{MAKE_DISC, UEFI, ensure_boot_disc_tools};
pub use emulator::{EMULATOR, ensure_emulator};
pub use musl::ensure_musl_compiler;
pub use packages::{fetch_package, fetch_packages};
pub use rust_target::{TARGET, ensure_target};

/// `command` as the user would have to type it.
fn as_root(command: &str) -> String {
    if crate::subprocess::is_root() { command.to_owned() } else { format!("sudo {command}") }
}
