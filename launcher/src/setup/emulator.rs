//! The emulator: QEMU for x86_64.

use super::debian::ensure_installed;
use crate::subprocess;
use anyhow::Result;

/// The emulator's program.
pub const EMULATOR: &str = "qemu-system-x86_64";
const PACKAGE: &str = "qemu-system-x86";

/// The emulator is in PATH; else it is installed, by root on a Debian machine.
pub fn ensure_emulator() -> Result<()> {
    let missing = || subprocess::find(EMULATOR).is_none().then(|| EMULATOR.to_owned());
    ensure_installed("the emulator", &[PACKAGE], missing)
}
