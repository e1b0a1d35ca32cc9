//! A terminal's ioctls (ioctl_tty(2)).

use alloc::rc::Rc;

use linux_raw_sys::{general as linux, ioctl};

use super::settings::{SIZE, SIZE_2, Settings, WindowSize};
use super::{Caller, Terminal};
use crate::buffer::Argument;
use crate::open::Attempt;
use crate::wait::Events;
use crate::{Errno, Result};

impl Terminal {
    /// `EAGAIN` from the requests that wait for output: try again when writable.
    pub(crate) fn ioctl(
        self: &Rc<Self>,
        attempt: &mut Attempt,
        caller: &Caller,
        request: u32,
        argument: &mut dyn Argument,
    ) -> Result<i64> {
        match request {
            ioctl::TCGETS => argument.write(&self.settings.get().encode())?,
            ioctl::TCGETS2 => argument.write(&encode_2(&self.settings.get()))?,
            ioctl::TCSETS | ioctl::TCSETS2 => self.set_settings(fetch(argument)?),
            ioctl::TCSETSW | ioctl::TCSETSW2 => {
                let settings = fetch(argument)?;
                self.check_drained(attempt)?;
                self.set_settings(settings);
            }
            ioctl::TCSETSF | ioctl::TCSETSF2 => {
                let settings = fetch(argument)?;
                self.check_drained(attempt)?;
                self.discard_input();
                self.set_settings(settings);
            }
            // A break can't be sent on this line; its length passes at once. Waiting for the output is tcdrain(3).
            ioctl::TCSBRK | ioctl::TCSBRKP => self.check_drained(attempt)?,
            ioctl::TCXONC => self.flow(argument.value())?,
            ioctl::TCFLSH => self.discard(argument.value())?,
            ioctl::TIOCGWINSZ => argument.write(&self.size.get().encode())?,
            ioctl::TIOCSWINSZ => {
                let mut bytes = [0; 8];
                argument.read(&mut bytes)?;
                self.set_window_size(WindowSize::decode(&bytes));
            }
            ioctl::FIONREAD => put_number(argument, self.input.borrow().available() as i32)?,
            ioctl::TIOCOUTQ => put_number(argument, (self.output.borrow().len() + self.line.pending()) as i32)?,
            ioctl::TIOCGPGRP => {
                let group = self.foreground.get().filter(|_| self.controls(caller));
                put_number(argument, group.ok_or(Errno::ENOTTY)? as i32)?;
            }
            ioctl::TIOCSPGRP => {
                let mut bytes = [0; 4];
                argument.read(&mut bytes)?;
                self.set_foreground(caller, i32::from_le_bytes(bytes))?;
            }
            ioctl::TIOCGSID => {
                let session = self.session.get().filter(|_| self.controls(caller));
                put_number(argument, session.ok_or(Errno::ENOTTY)? as i32)?;
            }
            ioctl::TIOCSCTTY => self.acquire(caller, argument.value() == 1)?,
            ioctl::TIOCNOTTY => self.give_up(caller)?,
            ioctl::TIOCGETD => put_number(argument, self.settings.get().discipline.into())?,
            ioctl::TIOCSETD => {
                let mut bytes = [0; 4];
                argument.read(&mut bytes)?;
                // N_TTY is the only discipline.
                if bytes != [0; 4] {
                    return Err(Errno::EINVAL);
                }
            }
            _ => return Err(Errno::ENOTTY),
        }
        Ok(0)
    }

    fn check_drained(&self, attempt: &Attempt) -> Result<()> {
        if self.is_drained() || attempt.nonblocking { Ok(()) } else { Err(Errno::EAGAIN) }
    }

    /// TCXONC: holds and lets go the output, or asks the other side to.
    fn flow(&self, action: u64) -> Result<()> {
        let settings = self.settings.get();
        let mut output = self.output.borrow_mut();
        match u32::try_from(action).map_err(|_| Errno::EINVAL)? {
            linux::TCOOFF => output.held = true,
            linux::TCOON => output.held = false,
            linux::TCIOFF => output.urgent(settings.character(linux::VSTOP)),
            linux::TCION => output.urgent(settings.character(linux::VSTART)),
            _ => return Err(Errno::EINVAL),
        }
        drop(output);
        match action as u32 {
            linux::TCOOFF => self.tell(linux::TIOCPKT_STOP),
            linux::TCOON => self.tell(linux::TIOCPKT_START),
            _ => {}
        }
        self.flush();
        Ok(())
    }

    /// TCFLSH.
    fn discard(&self, queues: u64) -> Result<()> {
        let queues = u32::try_from(queues).map_err(|_| Errno::EINVAL)?;
        if !matches!(queues, linux::TCIFLUSH | linux::TCOFLUSH | linux::TCIOFLUSH) {
            return Err(Errno::EINVAL);
        }
        if queues != linux::TCOFLUSH {
            self.discard_input();
        }
        if queues != linux::TCIFLUSH {
            self.output.borrow_mut().discard();
            self.tell(linux::TIOCPKT_FLUSHWRITE);
            self.waiters.wake(Events::WRITABLE);
        }
        Ok(())
    }

    pub(crate) fn discard_input(&self) {
        self.input.borrow_mut().discard();
        self.tell(linux::TIOCPKT_FLUSHREAD);
        self.made_room();
    }
}

fn fetch(argument: &dyn Argument) -> Result<Settings> {
    let mut bytes = [0; SIZE];
    argument.read(&mut bytes)?;
    Ok(Settings::decode(&bytes))
}

/// With the speeds of TCGETS2, in bits per second; they follow from c_cflag.
fn encode_2(settings: &Settings) -> [u8; SIZE_2] {
    let mut bytes = [0; SIZE_2];
    bytes[..SIZE].copy_from_slice(&settings.encode());
    let speed = speed(settings.control).to_le_bytes();
    bytes[SIZE..SIZE + 4].copy_from_slice(&speed);
    bytes[SIZE + 4..].copy_from_slice(&speed);
    bytes
}

fn speed(control: u32) -> u32 {
    const SLOW: [u32; 16] = [0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400];
    const FAST: [u32; 5] = [0, 57600, 115200, 230400, 460800];
    let code = (control & linux::CBAUD) as usize;
    match code.checked_sub(0o10000) {
        None => SLOW[code & 15],
        Some(fast) => FAST.get(fast).copied().unwrap_or(0),
    }
}

fn put_number(argument: &mut dyn Argument, number: i32) -> Result<()> {
    argument.write(&number.to_le_bytes())
}
