//! What the kernel's sources promise about themselves: the floors of the design, and where `unsafe` is.
//!
//! The sources are parsed, not compiled, so that code for the bare machine is looked at on every host. Unit tests inside them
//! (`#[cfg(test)]`) are left out.

mod floors;
mod paths;
mod source;
mod tree;
mod unsafety;
