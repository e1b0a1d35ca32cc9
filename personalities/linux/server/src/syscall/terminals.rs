//! ioctl(2), and job control's word on who may use a terminal.

use super::files::give_out;
use super::{Call, Outcome, owners};
use crate::memory::UserArgument;
use crate::process::signal::Signal;
use alloc::rc::Rc;
use chestnut_linux_files::open::{OpenFile, OpenFlags};
use chestnut_linux_files::terminal::{Terminal, Use, Verdict};
use chestnut_linux_files::{Errno, Result};
use linux_raw_sys::ioctl as linux;

/// Whether a call may go on.
pub enum Access {
    Allowed,
    Denied(Outcome),
}

/// A process in the background is stopped when it uses its terminal, and tries again when it is continued.
#[inline]
pub fn job_control(call: &Call, file: &Rc<OpenFile>, wanted: Use) -> Access {
    match file.terminal() {
        None => Access::Allowed,
        Some(terminal) => terminal_access(call, terminal, wanted),
    }
}

fn terminal_access(call: &Call, terminal: &Rc<Terminal>, wanted: Use) -> Access {
    let verdict = terminal.check_access(&call.caller(), wanted);
    let signal = match verdict {
        Verdict::Allowed => return Access::Allowed,
        Verdict::BackgroundRead => Signal::TTIN,
        Verdict::BackgroundWrite => Signal::TTOU,
    };
    let process = call.process();
    let ignores = call.thread.mask().contains(signal) || process.ignores(signal);
    let orphaned = call.server.is_orphaned(process.group.get(), process.session.get());
    if ignores && signal == Signal::TTOU {
        return Access::Allowed;
    }
    if ignores || orphaned {
        return Access::Denied(Outcome::fails(Errno::EIO));
    }
    call.server.signal_group(process.group.get(), signal);
    Access::Denied(if call.thread.ended.get() { Outcome::Gone } else { Outcome::Again })
}

/// ioctl(fd, request, argument)
pub fn ioctl(call: &Call) -> Result<Outcome> {
    let (file, request) = (call.file(0)?, call.half(1));
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    if let Some(result) = owners::request(call, &file, request) {
        return result.map(Outcome::value);
    }
    match request {
        linux::FIOCLEX | linux::FIONCLEX => {
            let on = request == linux::FIOCLEX;
            call.process().descriptors().borrow_mut().set_close_on_exec(call.int(0), on)?;
            return Ok(Outcome::value(0u64));
        }
        linux::FIONBIO => {
            let on = call.space().read_u32(call.word(2))? != 0;
            let mut flags = file.flags();
            flags.set(OpenFlags::NONBLOCKING, on);
            file.set_flags(flags)?;
            return Ok(Outcome::value(0u64));
        }
        linux::TIOCGPTPEER => {
            let flags = OpenFlags::from_argument(call.half(2));
            call.process().descriptors().borrow().check_room()?;
            return give_out(call, file.pseudo_terminal_peer(flags)?, flags);
        }
        // Faking input is refused as Linux has it since 6.2 (dev.tty.legacy_tiocsti).
        linux::TIOCSTI if file.terminal().is_some() => return Err(Errno::EIO),
        _ => {}
    }
    if Terminal::is_changing(request)
        && let Access::Denied(outcome) = job_control(call, &file, Use::Change)
    {
        return Ok(outcome);
    }
    let mut argument = UserArgument { space: call.space(), value: call.word(2) };
    let caller = call.caller_copy();
    let mut attempt = chestnut_linux_files::open::Attempt::blocking();
    match file.try_ioctl(&mut attempt, &caller, request, &mut argument) {
        Err(Errno::EAGAIN) if !attempt.nonblocking => {
            Ok(call.wait(async move { file.ioctl(&caller, request, &mut argument).await.map(|value| value as u64) }))
        }
        result => Ok(result.map(|value| value as u64).into()),
    }
}
