//! signalfd(2): signals to be read instead of taken.
//!
//! A read takes the signals of the thread that reads, and readiness is looked at for the thread that asks; both are the one that
//! the server serves ([`Server::current`]), as on Linux. All such descriptors share one wait queue: which signals have come is
//! looked at when somebody wakes up.

use crate::process::Thread;
use crate::process::seccomp::ARCHITECTURE;
use crate::process::signal::{Detail, SignalInfo, SignalSet};
use crate::server::Server;
use alloc::rc::Rc;
use chestnut_linux_files::buffer::Sink;
use chestnut_linux_files::open::{Attempt, File, OpenFile, OpenFlags};
use chestnut_linux_files::wait::{Events, WaitQueue};
use chestnut_linux_files::{Errno, Result};
use core::any::Any;
use core::cell::Cell;

/// Bytes of `struct signalfd_siginfo`.
const INFO_BYTES: usize = 128;

/// What signalfd makes.
pub struct SignalFile {
    server: &'static Server,
    signals: Cell<SignalSet>,
}

/// A descriptor's file for these signals.
pub fn open(server: &'static Server, signals: SignalSet, flags: OpenFlags) -> Rc<OpenFile> {
    let file = Rc::new(SignalFile { server, signals: Cell::new(signals) });
    OpenFile::anonymous(&server.nameless, file, b"anon_inode:[signalfd]", flags | OpenFlags::READ_WRITE)
}

/// Gives one that is open other signals. `EINVAL` if it is something else.
pub fn change(file: &OpenFile, signals: SignalSet) -> Result<()> {
    let file: &SignalFile = file.file().as_any().and_then(<dyn Any>::downcast_ref).ok_or(Errno::EINVAL)?;
    file.signals.set(signals);
    file.server.signals_came.wake(Events::READABLE);
    Ok(())
}

impl SignalFile {
    fn thread(&self) -> Option<Rc<Thread>> {
        self.server.table.thread(self.server.current.get())
    }
}

impl File for SignalFile {
    fn read(&self, _: &mut Attempt, _: u64, sink: &mut dyn Sink) -> Result<usize> {
        if sink.remaining() < INFO_BYTES {
            return Err(Errno::EINVAL);
        }
        let thread = self.thread().ok_or(Errno::EAGAIN)?;
        let mut done = 0;
        while sink.remaining() >= INFO_BYTES {
            let Some(info) = self.server.take(&thread, self.signals.get()) else { break };
            let put = sink.put(&encode(&info))?;
            done += put;
            if put < INFO_BYTES {
                return if done == put { Err(Errno::EFAULT) } else { Ok(done - put) };
            }
        }
        if done == 0 { Err(Errno::EAGAIN) } else { Ok(done) }
    }

    fn write(&self, _: &mut Attempt, _: u64, _: &mut dyn chestnut_linux_files::buffer::Source) -> Result<usize> {
        Err(Errno::EINVAL)
    }

    fn readiness(&self) -> Events {
        let pending = self.thread().map_or(SignalSet::EMPTY, |thread| thread.all_pending());
        if (pending & self.signals.get()).is_empty() { Events::empty() } else { Events::READABLE }
    }

    fn waiters(&self) -> Option<&WaitQueue> {
        Some(&self.server.signals_came)
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// `struct signalfd_siginfo`.
fn encode(info: &SignalInfo) -> [u8; INFO_BYTES] {
    let mut bytes = [0; INFO_BYTES];
    let mut put = |offset: usize, value: &[u8]| bytes[offset..offset + value.len()].copy_from_slice(value);
    put(0, &u32::from(info.signal.number()).to_le_bytes());
    put(8, &info.code.to_le_bytes());
    match info.detail {
        Detail::None => {}
        Detail::Sender { pid, uid } => {
            put(12, &pid.to_le_bytes());
            put(16, &uid.to_le_bytes());
        }
        Detail::Value { pid, uid, value } => {
            put(12, &pid.to_le_bytes());
            put(16, &uid.to_le_bytes());
            put(44, &(value as u32).to_le_bytes());
            put(48, &value.to_le_bytes());
        }
        Detail::Timer { id, overrun, value } => {
            put(24, &id.to_le_bytes());
            put(32, &overrun.to_le_bytes());
            put(44, &(value as u32).to_le_bytes());
            put(48, &value.to_le_bytes());
        }
        Detail::Child { pid, uid, status, user_ticks, system_ticks } => {
            put(12, &pid.to_le_bytes());
            put(16, &uid.to_le_bytes());
            put(40, &status.to_le_bytes());
            put(56, &user_ticks.to_le_bytes());
            put(64, &system_ticks.to_le_bytes());
        }
        Detail::File { band, descriptor } => {
            put(20, &descriptor.to_le_bytes());
            put(28, &band.to_le_bytes());
        }
        Detail::SystemCall { address, number, data } => {
            put(4, &data.to_le_bytes());
            put(84, &number.to_le_bytes());
            put(88, &address.to_le_bytes());
            put(96, &ARCHITECTURE.to_le_bytes());
        }
        Detail::Fault { address } => put(72, &address.to_le_bytes()),
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::signal::{Signal, code};

    #[test]
    fn fields_are_where_linux_has_them() {
        let signal = Signal::new(40).expect("a signal");
        let detail = Detail::Timer { id: 3, overrun: 5, value: 0x1_0000_0007 };
        let bytes = encode(&SignalInfo { signal, code: code::TIMER, detail });
        assert_eq!((bytes[0], bytes[8], bytes[24], bytes[32], bytes[44], bytes[52]), (40, 0xfe, 3, 5, 7, 1));
    }
}
