//! The pages that every Linux process shares with the server: system-call trampoline, vDSO, thread page.
//!
//! A Linux program's `syscall` is sent by the kernel to the [`text`]'s entry, in the same address space. What needs no
//! authority is answered there from the [`pages`]; the rest is one `Call` to the server, in the words of [`message`].
//! Nothing here protects anything: a program may jump to any byte of the text with any registers and may write its
//! thread page, so the server believes neither. What is guaranteed is Linux's interface to programs that leave these
//! pages alone: all registers but RAX, RCX (= RIP) and R11 (= RFLAGS) come back, the user's stack and the FS and GS bases
//! are never touched, and a signal is taken at every way out.
//!
//! # What the server does
//!
//! **Mapping.** Text: one frame for all, read-execute, page-aligned, anywhere. vDSO: one frame for all, read-execute,
//! outside the text's page; the time page read-only just below it. Process page, mm page: read-only. Thread page:
//! read-write, never executable; IPC buffer of the TCB at its beginning. Each page is filled through a [`View`], a thread page by
//! `initialise` before its thread runs. Where they are, the thread page says ([`view::Addresses`]), so their
//! addresses are free and may differ between processes that share an address space.
//!
//! **A thread.** CSpace with the server's endpoint at [`message::SERVER_CPTR`]; SetRedirect(text, [`text::LENGTH`],
//! text + [`text::entry`], thread page). Put all registers into the frame and the FPU's into the FX area
//! ([`pages::FxArea::INITIAL`] or the parent's), then WriteRegisters with RIP = text + [`text::start`], RSP =
//! [`view::stack_pointer`]. FS and GS bases are set by WriteRegisters, for they aren't in the frame.
//!
//! **fork and clone.** The parent's frame and FX area are complete when the call arrives ([`dispatch::SERVER_ALL`]): copy them to
//! the child's page, set `rax` = 0 (and `rsp`), start the child as above; FS base by ReadRegisters of the parent.
//!
//! **A signal** is first made pending (`set_pending` on every thread page that it concerns) and then, for a thread that doesn't
//! block it, `set_attention(true)` and:
//! 1. A call of the thread is held: end it with −EINTR or what there is; remember whether it may be restarted. Never suspend.
//! 2. Else suspend it, read its registers. RIP outside the text: store them in the frame (FS and GS stay), write RIP = text +
//!    [`text::sigenter`] and RSP = `stack_pointer`, resume.
//! 3. RIP inside the text: do what [`text::stopped_at`] says; to rewind, write RIP and RSP likewise. Resume.
//!
//! In case 3 a system call may still arrive before `TakeSignals` does: one that would block while a signal is deliverable ends
//! with −EINTR at once. A thread blocks a signal locally at any time, so `TakeSignals` may find nothing to deliver.
//!
//! In all three cases [`Request::TakeSignals`] follows. Frame and FX area hold the thread's state then. For a restart, `rip` −= 2
//! and `rax` = `number`. For a handler: copy frame, FX area and `blocked` into a signal frame on the program's stack,
//! set `rip`, `rsp`, `rdi`, `rsi`, `rdx`, `rax` = 0, `rflags` without DF and TF, and `blocked`. Clear attention (set it
//! again if more is to come), answer [`Reply::Restore`]. The same can be done at the end of any call that comes with the whole state
//! ([`dispatch::SERVER_ALL`]), after `set_result`. `rt_sigreturn` is the text's own, as all that it
//! changes is the thread's: registers, mask, alternate stack. The server gets what the text can't read, or can't load into the FPU:
//! it fills frame, FX area (MXCSR's reserved bits cleared) and `blocked` from the signal frame, sets attention if something is
//! pending and unblocked now, and answers `Restore`.
//!
//! **Actions** on signals are shown on the process page (`show_actions`) once somebody has asked,
//! and only while no other process shares them. Those of a process with one thread may be left to that thread altogether
//! (`give_actions`): then the table on its page is the only one, and the server reads it (`action`) where it needs one, believing
//! nothing but that it is what the process wants.
//!
//! **Faults.** RIP in the text: the server resolves the page fault as any other, and if it can't (or it is a general
//! protection fault), writes RIP = text + [`text::fixup`] of the position and lets the thread go on; without a fix-up the
//! signal is SIGSEGV. RIP elsewhere: if it ends in a signal, as in case 2, the thread being stopped already. After an exception whose answer
//! sets RIP, RSP and RFLAGS, those go into the frame (`set_interrupted`) and the thread to [`text::trapenter`]; or, if nothing else is to be
//! taken, the server writes the signal frame at once, and the thread goes to the handler by [`text::handlerenter`].
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
