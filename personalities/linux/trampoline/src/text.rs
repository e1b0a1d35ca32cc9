//! The trampoline's text as the server uses it: its bytes, and what a position inside means for a thread found there.
//!
//! All positions are byte offsets from the beginning of the text, which is one frame, mapped read-execute at any page-aligned
//! address of the program. SetRedirect takes: base = that address, length = [`LENGTH`], entry = base + [`entry`], word =
//! the thread page's address.
//!
//! A thread that the server sends into the text needs RIP = base + position and RSP =
//! [`stack_pointer`](crate::view::stack_pointer)(thread page): the first two words of WriteRegisters. Nothing else in its
//! registers counts, except at `trapenter` and the tails, which need all others as they were.

use crate::assembly::{accesses, chestnut_linux_offsets, chestnut_linux_text};
use crate::pages::PAGE;

/// Bytes of the text, and of the range whose system calls are native.
pub const LENGTH: u64 = PAGE as u64;

/// What to copy into the frame.
pub fn bytes() -> &'static [u8; PAGE] {
    &chestnut_linux_text
}

/// Where the code ends; beyond are a table and traps.
pub fn code_end() -> u64 {
    chestnut_linux_offsets.handlers.into()
}

/// Number of handlers, one for each code of [`dispatch`](crate::dispatch) that is no id.
pub fn handlers() -> usize {
    chestnut_linux_offsets.handler_count as usize
}

/// Where the kernel redirects to.
pub fn entry() -> u64 {
    chestnut_linux_offsets.entry.into()
}

/// Where a thread starts whose whole state is in frame and FX area: a new process, a new thread, a fork's child.
pub fn start() -> u64 {
    chestnut_linux_offsets.start.into()
}

/// Where a thread goes that was stopped in the program's own code and whose integer registers the server has put into the
/// frame: it adds the FPU's and calls for [`TakeSignals`](crate::Request::TakeSignals).
pub fn sigenter() -> u64 {
    chestnut_linux_offsets.sigenter.into()
}

/// Where a thread goes that has raised an exception in the program's own code: with all its registers but RIP, RSP and RFLAGS, which
/// the server has put into the frame. It adds the others and goes on as from [`sigenter`].
pub fn trapenter() -> u64 {
    chestnut_linux_offsets.trapenter.into()
}

/// Where a thread goes that has raised an exception and whose handler begins at once: with all its registers but RIP, RSP and RFLAGS. The
/// server has written the whole signal frame but the other registers and the FPU's state, which are added here, and has put what the handler
/// begins with into the thread page ([`begin_handler`](crate::View::begin_handler)).
pub fn handlerenter() -> u64 {
    chestnut_linux_offsets.handlerenter.into()
}

/// The instruction that calls the server: a thread whose call is held has RIP here or just after it.
pub fn server_call() -> u64 {
    chestnut_linux_offsets.server_call.into()
}

/// What to do with a thread that was stopped inside the text, after `attention` was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It will look at `attention` by itself.
    Leave,
    /// It may have looked already: send it to this position. The registers that `Stopped` doesn't name stay.
    RewindTo(u64),
}

/// What to do with a thread whose RIP is at a position in the text.
pub fn stopped_at(position: u64) -> Stopped {
    let o = &chestnut_linux_offsets;
    if (o.tail.into()..o.tail_end.into()).contains(&position) {
        Stopped::RewindTo(o.tail.into())
    } else if (o.short_tail.into()..o.short_tail_end.into()).contains(&position) {
        Stopped::RewindTo(o.short_tail.into())
    } else if (o.restore.into()..o.restore_end.into()).contains(&position) {
        Stopped::RewindTo(o.restore.into())
    } else {
        Stopped::Leave
    }
}

/// Where a thread goes on whose access to the program's memory at this position faulted for good (page fault the server
/// can't resolve, or general protection from a non-canonical address): the call returns −EFAULT. `None`: not such an
/// access, the fault is the program's (SIGSEGV).
pub fn fixup(position: u64) -> Option<u64> {
    let position = u32::try_from(position).ok()?;
    accesses().binary_search(&position).is_ok().then_some(chestnut_linux_offsets.fixup.into())
}
