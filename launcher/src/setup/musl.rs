//! The C compiler's wrapper for the C library musl, for test programs.

use super::debian::ensure_installed;
use crate::subprocess;
use anyhow::Result;

/// Makes sure that there is `musl-gcc`.
pub fn ensure_musl_compiler() -> Result<()> {
    let missing = || subprocess::find("musl-gcc").is_none().then(|| "musl-gcc".to_owned());
    ensure_installed("the compiler for musl", &["musl-tools"], missing)
}
