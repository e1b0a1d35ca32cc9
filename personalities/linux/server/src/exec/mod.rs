//! Executing files: what kind of file it is, where its parts go, and what a new program finds on its stack.
//!
//! [`elf`] and [`script`] read headers, [`stack`] lays out the initial stack; all three are pure. [`load`] puts a program into
//! a new address space. A file that isn't an executable of this machine is `ENOEXEC`.

pub mod elf;
pub mod load;
pub mod script;
pub mod stack;
