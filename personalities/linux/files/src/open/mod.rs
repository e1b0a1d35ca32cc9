//! Open files: what a descriptor leads to.
//!
//! Three layers, as open(2) describes them: a descriptor table ([`Descriptors`], one per process) holds open file
//! descriptions ([`OpenFile`]: offset and status flags, shared by dup and fork), which drive something that does the work
//! ([`File`]: a regular file, a pipe's end, a terminal, a device, whatever the server adds).

mod descriptors;
mod direct;
mod directory;
mod event;
mod file;
mod flags;
mod notice;
mod plain;
mod regular;
#[cfg(test)]
mod tests;
mod traits;

pub use descriptors::{Descriptor, Descriptors};
pub(crate) use directory::DirectoryFile;
pub use event::EventCounter;
pub use file::{OpenFile, Waiting};
pub use flags::{OpenFlags, Whence};
pub use notice::{Look, Notice, Notices, Owner, Reason};
pub use plain::{Board, Plain};
pub use regular::{GeneratedFile, RegularFile};

use alloc::rc::Rc;
use core::time::Duration;

use crate::buffer::{Argument, Sink, Source};
use crate::caller::Caller;
use crate::epoll::Epoll;
use crate::terminal::Terminal;
use crate::wait::{Events, WaitQueue};
use crate::{Errno, Result};

/// What an open file description drives. All methods answer at once: `EAGAIN` means "not now", and then a look at
/// `readiness` after a wake-up of `waiters` is worthwhile.
///
/// Whether the description was opened for reading or writing is checked before these are called.
pub trait File {
    /// Reads at `offset` (meaningless unless [`File::is_seekable`]). 0 is the end of the file.
    fn read(&self, attempt: &mut Attempt, offset: u64, sink: &mut dyn Sink) -> Result<usize> {
        let _ = (attempt, offset, sink);
        Err(Errno::EINVAL)
    }

    fn write(&self, attempt: &mut Attempt, offset: u64, source: &mut dyn Source) -> Result<usize> {
        let _ = (attempt, offset, source);
        Err(Errno::EINVAL)
    }

    /// Where lseek(2) leads. `ESPIPE` if there are no offsets here.
    fn seek(&self, whence: Whence, offset: i64, current: u64) -> Result<u64> {
        let _ = (whence, offset, current);
        Err(Errno::ESPIPE)
    }

    /// Do offsets mean something (pread, pwrite, append)?
    fn is_seekable(&self) -> bool {
        false
    }

    /// Is [`File::seek`] nothing but [`Whence::resolve`], where the size doesn't matter? Asked once, when it is opened.
    fn seeks_plainly(&self) -> bool {
        false
    }

    /// Do reads and writes stamp its inode (all but memory devices)?
    fn keeps_times(&self) -> bool {
        true
    }

    /// Whether reads and writes need nothing but their arguments. Asked only of what keeps no times.
    fn plain(&self) -> Plain {
        Plain::empty()
    }

    /// Does a blocking write go on until all is written (pipes, terminals)?
    fn writes_everything(&self) -> bool {
        false
    }

    /// ioctl(2); `ENOTTY` for a request that this file doesn't know.
    fn ioctl(&self, attempt: &mut Attempt, caller: &Caller, request: u32, argument: &mut dyn Argument) -> Result<i64> {
        let _ = (attempt, caller, request, argument);
        Err(Errno::ENOTTY)
    }

    /// What it is ready for now.
    fn readiness(&self) -> Events {
        Events::READABLE | Events::WRITABLE
    }

    /// Who hears of changes; `None` if it is always ready, or can't be waited for (epoll_ctl's EPERM).
    fn waiters(&self) -> Option<&WaitQueue> {
        None
    }

    /// Does O_ASYNC mean something here (pipes, sockets, terminals, inotify)?
    fn gives_notice(&self) -> bool {
        false
    }

    /// `EAGAIN` while an open has to wait for the other side (FIFOs).
    fn opened(&self) -> Result<()> {
        Ok(())
    }

    /// The terminal behind it, for isatty, job control and O_NOCTTY.
    fn terminal(&self) -> Option<&Rc<Terminal>> {
        None
    }

    /// The epoll instance that it is.
    fn epoll(&self) -> Option<&Rc<Epoll>> {
        None
    }

    /// Bytes of memory that are kept on its account and go when it closes, about: what it costs to be open counts apart.
    fn held(&self) -> usize {
        0
    }

    /// For the server, to find its own kinds of file again (sockets, signalfd).
    fn as_any(&self) -> Option<&dyn core::any::Any> {
        None
    }
}

/// Memory that somebody keeps, about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Of the server's own.
    pub bytes: u64,
    /// Of files.
    pub pages: u64,
}

/// One system call's tries at an operation. It carries over what a later try must know.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// O_NONBLOCK, RWF_NOWAIT, MSG_DONTWAIT: nobody will try again.
    pub nonblocking: bool,
    /// When the first try was made (monotonic); set by a file that needs it.
    pub started: Option<Duration>,
    /// Set by a file along with `EAGAIN`: try again then, even without a wake-up.
    pub deadline: Option<Duration>,
    /// A word that a file took from the source already (eventfd).
    pub carried: Option<u64>,
    /// RLIMIT_FSIZE, bytes: a regular file isn't written beyond it. At it, `EFBIG`; then the server sends SIGXFSZ.
    pub size_limit: Option<u64>,
}

impl Attempt {
    /// The first of one.
    pub fn once() -> Self {
        Attempt { nonblocking: true, ..Attempt::default() }
    }

    /// The first of many.
    pub fn blocking() -> Self {
        Attempt::default()
    }
}

/// What an O_PATH description drives: nothing.
pub(crate) struct Unopened;

impl File for Unopened {
    fn readiness(&self) -> Events {
        Events::NVAL
    }
}
