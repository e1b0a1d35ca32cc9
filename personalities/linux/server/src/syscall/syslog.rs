//! syslog(2), which C libraries call klogctl: what `dmesg` shows.

use super::{Call, Outcome};
use crate::kernel_log::{self, CAPACITY};
use crate::process::capabilities::{SYS_ADMIN, SYSLOG};
use alloc::rc::Rc;
use chestnut_linux_files::clock::Clock;
use chestnut_linux_files::{Errno, Result};

mod action {
    pub const CLOSE: u32 = 0;
    pub const OPEN: u32 = 1;
    pub const READ: u32 = 2;
    pub const READ_ALL: u32 = 3;
    pub const READ_CLEAR: u32 = 4;
    pub const CLEAR: u32 = 5;
    pub const CONSOLE_OFF: u32 = 6;
    pub const CONSOLE_ON: u32 = 7;
    pub const CONSOLE_LEVEL: u32 = 8;
    pub const SIZE_UNREAD: u32 = 9;
    pub const SIZE_BUFFER: u32 = 10;
}

/// syslog(type, buffer, length). No line ever goes to a terminal, whatever the console's level: it is checked, and changes nothing.
pub fn syslog(call: &Call) -> Result<Outcome> {
    let (what, address, length) = (call.half(0), call.word(1), call.int(2));
    let public = matches!(what, action::READ_ALL | action::SIZE_BUFFER);
    if !public && !call.can(SYSLOG) && !call.can(SYS_ADMIN) {
        return Err(Errno::EPERM);
    }
    let reads = matches!(what, action::READ | action::READ_ALL | action::READ_CLEAR);
    if reads && (address == 0 || length < 0) {
        return Err(Errno::EINVAL);
    }
    if reads && length == 0 {
        return Ok(Outcome::value(0u64));
    }
    let (room, space) = ((length.max(0) as usize).min(CAPACITY), call.space());
    match what {
        action::CLOSE | action::OPEN | action::CONSOLE_OFF | action::CONSOLE_ON => {}
        action::CONSOLE_LEVEL if (1..=8).contains(&length) => {}
        action::READ => {
            let clock: Rc<dyn Clock> = call.server.clock.clone();
            return Ok(call.wait(async move {
                kernel_log::unread(clock).await;
                let bytes = kernel_log::with(|ring| ring.read(room));
                space.write(address, &bytes)?;
                Ok(bytes.len() as u64)
            }));
        }
        action::READ_ALL | action::READ_CLEAR => {
            let bytes = kernel_log::with(|ring| ring.last(room));
            space.write(address, &bytes)?;
            if what == action::READ_CLEAR {
                kernel_log::with(kernel_log::Ring::clear);
            }
            return Ok(Outcome::value(bytes.len() as u64));
        }
        action::CLEAR => kernel_log::with(kernel_log::Ring::clear),
        action::SIZE_UNREAD => return Ok(Outcome::value(kernel_log::with(|ring| ring.unread()) as u64)),
        action::SIZE_BUFFER => return Ok(Outcome::value(CAPACITY as u64)),
        _ => return Err(Errno::EINVAL),
    }
    Ok(Outcome::value(0u64))
}
