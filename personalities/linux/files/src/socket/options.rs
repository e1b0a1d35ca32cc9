//! getsockopt(2) and setsockopt(2), socket(7).

use alloc::vec::Vec;
use core::cell::Cell;
use core::time::Duration;

use linux_raw_sys::net;

use super::{Socket, SocketKind};
use crate::caller::Caller;
use crate::wait::Events;
use crate::{Errno, Result};

/// Bytes that a socket may have on their way; also the most that may be asked for without privilege
/// (/proc/sys/net/core/wmem_max), before doubling.
const BUFFER: usize = 212_992;
/// What even the privileged get no more than, before doubling.
const BUFFER_MAX: usize = 4 << 20;
const SEND_BUFFER_MIN: usize = 4608;
const RECEIVE_BUFFER_MIN: usize = 2304;

/// A socket's settings.
pub(super) struct Options {
    pub(super) pass_credentials: Cell<bool>,
    pub(super) send_buffer: Cell<usize>,
    /// Told, but without effect: only senders are charged (unix(7)).
    receive_buffer: Cell<usize>,
    receive_timeout: Cell<Duration>,
    send_timeout: Cell<Duration>,
    /// Settings that mean nothing in this domain and are only remembered: SO_REUSEADDR, SO_KEEPALIVE, SO_BROADCAST,
    /// SO_DONTROUTE, SO_OOBINLINE, by number. SO_LINGER likewise: nothing lingers, what is sent has arrived.
    flags: Cell<u32>,
    linger: Cell<[u8; 8]>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            pass_credentials: Cell::default(),
            send_buffer: Cell::new(BUFFER),
            receive_buffer: Cell::new(BUFFER),
            receive_timeout: Cell::default(),
            send_timeout: Cell::default(),
            flags: Cell::default(),
            linger: Cell::default(),
        }
    }
}

/// Those in [`Options::flags`].
fn is_flag(name: u32) -> bool {
    matches!(name, net::SO_REUSEADDR | net::SO_KEEPALIVE | net::SO_BROADCAST | net::SO_DONTROUTE | net::SO_OOBINLINE)
}

impl Socket {
    /// getsockopt(2): the value, to be cut to the length that the caller gave. `EOPNOTSUPP` for other levels than SOL_SOCKET,
    /// `ENOPROTOOPT`.
    pub fn option(&self, level: u32, name: u32) -> Result<Vec<u8>> {
        if level != net::SOL_SOCKET {
            return Err(Errno::EOPNOTSUPP);
        }
        let options = &self.options;
        let number = match name {
            net::SO_TYPE => self.kind as u32,
            net::SO_DOMAIN => net::AF_UNIX,
            net::SO_PROTOCOL => 0,
            net::SO_ERROR => self.error.take().map_or(0, |error| error.0.into()),
            net::SO_ACCEPTCONN => self.listening.borrow().is_some().into(),
            net::SO_SNDBUF => options.send_buffer.get() as u32,
            net::SO_RCVBUF => options.receive_buffer.get() as u32,
            net::SO_PASSCRED => options.pass_credentials.get().into(),
            net::SO_PEERCRED => return Ok(self.peer_credentials().encode().into()),
            net::SO_RCVTIMEO_OLD => return Ok(encode_time(options.receive_timeout.get()).into()),
            net::SO_SNDTIMEO_OLD => return Ok(encode_time(options.send_timeout.get()).into()),
            net::SO_LINGER => return Ok(options.linger.get().into()),
            name if is_flag(name) => (options.flags.get() >> name) & 1,
            _ => return Err(Errno::ENOPROTOOPT),
        };
        Ok(number.to_le_bytes().into())
    }

    /// setsockopt(2). `EINVAL` for a value that is too short, `EDOM` for a time that is none, `EPERM` for the forced sizes.
    pub fn set_option(&self, caller: &Caller, level: u32, name: u32, value: &[u8]) -> Result<()> {
        if level != net::SOL_SOCKET {
            return Err(Errno::EOPNOTSUPP);
        }
        let options = &self.options;
        let number = value.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes)).ok_or(Errno::EINVAL)?;
        let privileged = caller.credentials.privileged;
        match name {
            net::SO_SNDBUFFORCE | net::SO_RCVBUFFORCE if !privileged => return Err(Errno::EPERM),
            net::SO_SNDBUF | net::SO_SNDBUFFORCE => {
                let most = if name == net::SO_SNDBUF { BUFFER } else { BUFFER_MAX };
                options.send_buffer.set(((number as usize).min(most) * 2).max(SEND_BUFFER_MIN));
                self.waiters.wake(Events::WRITABLE);
            }
            net::SO_RCVBUF | net::SO_RCVBUFFORCE => {
                let most = if name == net::SO_RCVBUF { BUFFER } else { BUFFER_MAX };
                options.receive_buffer.set(((number as usize).min(most) * 2).max(RECEIVE_BUFFER_MIN));
            }
            net::SO_PASSCRED => options.pass_credentials.set(number != 0),
            net::SO_RCVTIMEO_OLD => options.receive_timeout.set(decode_time(value)?),
            net::SO_SNDTIMEO_OLD => options.send_timeout.set(decode_time(value)?),
            net::SO_LINGER => options.linger.set(*value.first_chunk().ok_or(Errno::EINVAL)?),
            name if is_flag(name) => {
                let others = options.flags.get() & !(1 << name);
                options.flags.set(others | (u32::from(number != 0) << name));
            }
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    /// SO_PEERCRED: who connected, listened, or made the pair.
    pub fn peer_credentials(&self) -> super::ProcessCredentials {
        if self.kind == SocketKind::Datagram || self.peer.borrow().is_some() || self.listening.borrow().is_some() {
            return self.peer_credentials.get();
        }
        super::ProcessCredentials::NOBODY
    }

    /// SO_RCVTIMEO is set: a receive or accept that a signal interrupts isn't begun anew (signal(7)).
    pub fn has_receive_timeout(&self) -> bool {
        !self.options.receive_timeout.get().is_zero()
    }

    /// The same for SO_SNDTIMEO, sends and connects.
    pub fn has_send_timeout(&self) -> bool {
        !self.options.send_timeout.get().is_zero()
    }

    /// When a receive gives up; a moment in the past if it doesn't wait.
    pub(super) fn receive_deadline(&self, nonblocking: bool) -> Option<Duration> {
        self.deadline(nonblocking, self.options.receive_timeout.get())
    }

    pub(super) fn send_deadline(&self, nonblocking: bool) -> Option<Duration> {
        self.deadline(nonblocking, self.options.send_timeout.get())
    }

    fn deadline(&self, nonblocking: bool, timeout: Duration) -> Option<Duration> {
        match timeout {
            _ if nonblocking => Some(Duration::ZERO),
            Duration::ZERO => None,
            timeout => Some(self.space.clock().monotonic() + timeout),
        }
    }
}

/// `struct timeval`: seconds and microseconds.
fn encode_time(time: Duration) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&time.as_secs().to_le_bytes());
    bytes[8..].copy_from_slice(&u64::from(time.subsec_micros()).to_le_bytes());
    bytes
}

fn decode_time(bytes: &[u8]) -> Result<Duration> {
    let (seconds, rest) = bytes.split_first_chunk::<8>().ok_or(Errno::EINVAL)?;
    let micros = rest.first_chunk::<8>().ok_or(Errno::EINVAL)?;
    let (seconds, micros) = (i64::from_le_bytes(*seconds), u64::from_le_bytes(*micros));
    if micros >= 1_000_000 {
        return Err(Errno::EDOM);
    }
    // A negative time doesn't wait, and so is the shortest that there is.
    let seconds = u64::try_from(seconds).map(|seconds| seconds.min(u64::from(u32::MAX)));
    let time = seconds.map(|seconds| Duration::from_secs(seconds) + Duration::from_micros(micros));
    Ok(time.unwrap_or(Duration::from_nanos(1)))
}
