//! The trampoline's text, executed on the host's processor: what programs see, what the server sees.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod calls;
mod machine;
mod plain;
mod requests;
mod scan;
mod signals;
mod ways_out;
