//! The master's end.

use alloc::rc::Rc;

use linux_raw_sys::{general as linux, ioctl};

use super::Pair;
use crate::buffer::{Argument, Sink, Source};
use crate::caller::Caller;
use crate::open::{Attempt, File};
use crate::wait::{Events, WaitQueue};
use crate::{Errno, Result};

/// TIOCGPKT, which the header crate leaves out.
pub(super) const TIOCGPKT: u32 = 0x8004_5438;
/// What TIOCSIG can send: the signals of keys.
const SIGNALS: [u32; 3] = [linux::SIGINT, linux::SIGQUIT, linux::SIGTSTP];

/// Bytes that a pair takes, about, its terminal's buffers included.
const COST: usize = 8192;

pub(super) struct Master(pub(super) Rc<Pair>);

impl Master {
    /// The terminal has been open and is no more.
    fn is_deserted(&self) -> bool {
        self.0.opened.get() && self.0.slaves.get() == 0
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        self.0.line.close();
        self.0.terminal.hang_up();
    }
}

impl File for Master {
    fn read(&self, _: &mut Attempt, _: u64, sink: &mut dyn Sink) -> Result<usize> {
        let line = &self.0.line;
        if sink.remaining() == 0 {
            return Ok(0);
        }
        if line.status() != 0 {
            return sink.put(&[line.take_status()]);
        }
        if line.unread() == 0 {
            return Err(if self.is_deserted() { Errno::EIO } else { Errno::EAGAIN });
        }
        let marker = if line.packets.get() { sink.put(&[linux::TIOCPKT_DATA as u8])? } else { 0 };
        let count = marker + crate::buffer::partial(marker, line.read(sink))?;
        self.0.terminal.output_drained();
        Ok(count)
    }

    fn write(&self, _: &mut Attempt, _: u64, source: &mut dyn Source) -> Result<usize> {
        let mut written = 0;
        let mut chunk = [0; 256];
        while source.remaining() > 0 && self.0.line.takes_input() {
            let taken = crate::buffer::partial(written, source.take(&mut chunk))?;
            if taken == 0 {
                return Ok(written);
            }
            self.0.line.write(&chunk[..taken]);
            written += taken;
        }
        if written == 0 && source.remaining() > 0 { Err(Errno::EAGAIN) } else { Ok(written) }
    }

    fn writes_everything(&self) -> bool {
        true
    }

    fn ioctl(&self, attempt: &mut Attempt, caller: &Caller, request: u32, argument: &mut dyn Argument) -> Result<i64> {
        let (pair, terminal) = (&self.0, &self.0.terminal);
        let number = match request {
            ioctl::TIOCGPTN => pair.number,
            ioctl::TIOCGPTLCK => pair.locked.get().into(),
            TIOCGPKT => pair.line.packets.get().into(),
            ioctl::FIONREAD => pair.line.unread() as u32,
            ioctl::TIOCOUTQ => 0,
            // The master asks about the terminal without belonging to its session.
            ioctl::TIOCGPGRP => terminal.foreground_group().unwrap_or(0),
            ioctl::TIOCGSID => terminal.session().ok_or(Errno::ENOTTY)?,
            ioctl::TIOCSPTLCK => {
                pair.locked.set(fetch(argument)? != 0);
                return Ok(0);
            }
            ioctl::TIOCPKT => {
                let packets = fetch(argument)? != 0;
                if packets && !pair.line.packets.get() {
                    pair.line.take_status();
                }
                pair.line.packets.set(packets);
                return Ok(0);
            }
            ioctl::TIOCSIG => {
                let signal = SIGNALS.into_iter().find(|&signal| u64::from(signal) == argument.value());
                terminal.signal_foreground(signal.ok_or(Errno::EINVAL)?);
                return Ok(0);
            }
            ioctl::TCFLSH => return self.discard(argument.value()),
            // These are for the terminal itself.
            ioctl::TIOCSCTTY | ioctl::TIOCNOTTY => return Err(Errno::ENOTTY),
            _ => return terminal.ioctl(attempt, caller, request, argument),
        };
        argument.write(&number.to_le_bytes())?;
        Ok(0)
    }

    fn readiness(&self) -> Events {
        let mut ready = Events::empty();
        let line = &self.0.line;
        ready.set(Events::READABLE, line.unread() > 0 || line.status() != 0);
        ready.set(Events::PRI, line.status() != 0);
        ready.set(Events::WRITABLE, line.takes_input());
        ready.set(Events::HUP, self.is_deserted());
        ready
    }

    fn held(&self) -> usize {
        COST + self.0.line.held()
    }

    fn waiters(&self) -> Option<&WaitQueue> {
        Some(&self.0.line.waiters)
    }

    fn gives_notice(&self) -> bool {
        true
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

impl Master {
    /// TCFLSH from this side: its input is the terminal's output.
    fn discard(&self, queues: u64) -> Result<i64> {
        let queues = u32::try_from(queues).map_err(|_| Errno::EINVAL)?;
        if !matches!(queues, linux::TCIFLUSH | linux::TCOFLUSH | linux::TCIOFLUSH) {
            return Err(Errno::EINVAL);
        }
        if queues != linux::TCOFLUSH {
            self.0.line.discard_unread();
            self.0.terminal.output_drained();
        }
        if queues != linux::TCIFLUSH {
            self.0.terminal.discard_input();
        }
        Ok(0)
    }
}

fn fetch(argument: &dyn Argument) -> Result<u32> {
    let mut bytes = [0; 4];
    argument.read(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}
