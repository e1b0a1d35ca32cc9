//! The user's terminal: raw while the guest has it, and always put back.

use anyhow::{Context, Result};
use chestnut_manifest::HostMessage;
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

/// The terminal on standard input is raw while this lives; panics restore it too, as they unwind.
#[derive(Debug)]
pub struct RawMode {
    before: Termios,
}

impl RawMode {
    pub fn enter() -> Result<RawMode> {
        let before = tcgetattr(stdin()).context("reading the terminal's settings")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw).context("changing the terminal's settings")?;
        Ok(RawMode { before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nothing can be done if the terminal is gone, and then nobody misses its settings.
        let _ = tcsetattr(stdin(), OptionalActions::Drain, &self.before);
    }
}

/// Standard input and standard output are both terminals.
pub fn is_interactive() -> bool {
    isatty(stdin()) && isatty(stdout())
}

/// The size of the terminal on standard output, as the guest is told.
pub fn window_size() -> Option<HostMessage> {
    let size = tcgetwinsize(stdout()).ok().filter(|size| size.ws_row > 0 && size.ws_col > 0)?;
    Some(HostMessage::WindowSize { rows: size.ws_row, columns: size.ws_col })
}
