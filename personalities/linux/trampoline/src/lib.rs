//! The pages that every Linux process shares with the server: system-call trampoline, vDSO, thread page.
//!
//! A Linux program's `syscall` is sent by the kernel to [`text`]'s entry, in the same address space. What needs no
//! authority is answered there from the pages of [`pages`]; the rest is one `Call` to the server, in the words of
//! [`message`]. Nothing here protects anything: a program may jump to any byte of the text with any registers and
//! may write its thread page, so the server believes neither. What is guaranteed is Linux's interface to programs that
//! leave these pages alone: all registers but RAX, RCX (= RIP) and R11 (= RFLAGS) come back, the user's stack and the FS
//! and GS bases are never touched, and a signal is taken at every way out.
#![no_std]

mod assembly;
pub mod dispatch;
pub mod message;
pub mod pages;
pub mod text;
pub mod vdso;
pub mod view;

pub use message::{Reply, Request};
pub use pages::{Frame, MmPage, ProcessPage, ThreadPage, TimePage};
pub use view::View;
