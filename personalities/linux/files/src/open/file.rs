//! Open file descriptions: offset, status flags, and the calls that go through a descriptor.

use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll};
use core::time::Duration;

use linux_raw_sys::{general, ioctl};

use super::traits::Traits;
use super::{Attempt, File, Notices, OpenFlags, Plain, Weight, Whence};
use crate::buffer::{Argument, Limited, Sink, Source};
use crate::caller::Caller;
use crate::clock::{Clock, Wakeup};
use crate::inode::{Body, Filesystem, Inode, Metadata, mode};
use crate::inotify::{self, Mask};
use crate::page::Contents;
use crate::terminal::Terminal;
use crate::vfs::{Location, Restrictions};
use crate::wait::{Events, Registration, Wait, WaitQueue};
use crate::{Errno, Result};

/// An open file description (open(2)). Descriptors and mappings share it by `Rc`; the last one dropped closes the file.
pub struct OpenFile {
    file: Rc<dyn File>,
    pub(super) location: Rc<Location>,
    flags: Cell<OpenFlags>,
    pub(super) traits: Traits,
    plain: Plain,
    pub(super) offset: Cell<u64>,
    /// Who opened it may write without taking the set-id bits away (CAP_FSETID).
    keeps_set_id: Cell<bool>,
    /// Who is signalled of it, once anybody has asked.
    pub(super) notices: RefCell<Option<Rc<Notices>>>,
}

/// Descriptions that there may be (/proc/sys/fs/file-max); `ENFILE` beyond.
static DESCRIPTIONS_MAX: AtomicUsize = AtomicUsize::new(32_768);

/// Descriptions that there are. Each takes a kilobyte and more of the server's memory, whoever's it is.
static DESCRIPTIONS: AtomicUsize = AtomicUsize::new(0);

/// `ENFILE` if there are too many.
pub(super) fn check_number() -> Result<()> {
    if OpenFile::count() > OpenFile::most() { Err(Errno::ENFILE) } else { Ok(()) }
}

impl OpenFile {
    /// Bytes that a description takes, about: with its inode and its place in the tree, if it has those for itself.
    pub const COST: usize = 1024;

    /// Descriptions that there are.
    pub fn count() -> usize {
        DESCRIPTIONS.load(Ordering::Relaxed)
    }

    /// Descriptions that there may be (/proc/sys/fs/file-max).
    pub fn most() -> usize {
        DESCRIPTIONS_MAX.load(Ordering::Relaxed)
    }

    /// Sets that.
    pub fn set_most(count: usize) {
        DESCRIPTIONS_MAX.store(count, Ordering::Relaxed);
    }

    /// What goes with the description when it closes, about. Pages are those of a file that has no name.
    pub fn weight(&self) -> Weight {
        let unnamed = self.inode().contents().filter(|_| self.inode().links() == 0);
        let pages = unnamed.map_or(0, Contents::own_pages);
        Weight { bytes: (Self::COST + self.file.held()) as u64, pages }
    }

    /// A description of something that was opened under a name.
    pub fn new(file: Rc<dyn File>, location: Rc<Location>, flags: OpenFlags) -> Rc<Self> {
        DESCRIPTIONS.fetch_add(1, Ordering::Relaxed);
        let traits = Traits::of(&*file, location.inode(), flags);
        let plain = traits.plain(&*file, location.inode(), flags);
        let flags = Cell::new(flags - OpenFlags::MOMENTARY);
        Rc::new(OpenFile {
            file,
            location,
            flags,
            traits,
            plain,
            offset: Cell::new(0),
            keeps_set_id: Cell::default(),
            notices: RefCell::default(),
        })
    }

    /// A description of something without a name; `label` is what readlink of its /proc/self/fd entry shows
    /// (`anon_inode:[eventfd]`).
    pub fn anonymous(filesystem: &Rc<Filesystem>, file: Rc<dyn File>, label: &[u8], flags: OpenFlags) -> Rc<Self> {
        let inode = Inode::new(filesystem, Body::Anonymous, 0o600, 0, 0);
        Self::new(file, Location::detached(inode, label), flags)
    }

    /// Where it was opened; for a pipe or an eventfd a location with a label instead of a name.
    pub fn location(&self) -> &Rc<Location> {
        &self.location
    }

    pub fn inode(&self) -> &Rc<Inode> {
        self.location.inode()
    }

    pub fn file(&self) -> &Rc<dyn File> {
        &self.file
    }

    pub fn metadata(&self) -> Metadata {
        self.inode().metadata()
    }

    /// F_GETFL.
    pub fn flags(&self) -> OpenFlags {
        self.flags.get()
    }

    /// F_SETFL: only the flags in [`OpenFlags::CHANGEABLE`] change. `EBADF` on an O_PATH description.
    pub fn set_flags(&self, flags: OpenFlags) -> Result<()> {
        self.check_not_path()?;
        self.flags.set((self.flags.get() - OpenFlags::CHANGEABLE) | (flags & OpenFlags::CHANGEABLE));
        Ok(())
    }

    /// See [`OpenFile::set_asynchronous`].
    pub(super) fn keep_asynchronous(&self, on: bool) {
        let mut flags = self.flags.get();
        flags.set(OpenFlags::ASYNC, on);
        self.flags.set(flags);
    }

    /// Opened with O_PATH: a place in the tree, not an open file.
    pub fn is_path(&self) -> bool {
        self.traits.contains(Traits::PATH)
    }

    /// How it is read and written, if that needs nothing but a call's arguments, and nobody hears of it unless the file
    /// system says so ([`Filesystem::tell_of_watches`]).
    pub fn plain(&self) -> Plain {
        self.plain
    }

    /// It is a terminal, a socket or a pipe.
    pub fn is_special(&self) -> bool {
        self.traits.contains(Traits::SPECIAL)
    }

    pub fn is_readable(&self) -> bool {
        !self.is_path() && self.flags.get().readable()
    }

    pub fn is_writable(&self) -> bool {
        !self.is_path() && self.flags.get().writable()
    }

    pub fn is_seekable(&self) -> bool {
        self.traits.contains(Traits::SEEKABLE)
    }

    /// The current offset.
    pub fn offset(&self) -> u64 {
        self.offset.get()
    }

    pub fn terminal(&self) -> Option<&Rc<Terminal>> {
        if self.is_path() { None } else { self.file.terminal() }
    }

    pub fn readiness(&self) -> Events {
        self.file.readiness()
    }

    pub fn waiters(&self) -> Option<&WaitQueue> {
        self.file.waiters()
    }

    /// An attempt that does as O_NONBLOCK says.
    pub fn attempt(&self) -> Attempt {
        Attempt { nonblocking: self.flags.get().contains(OpenFlags::NONBLOCKING), ..Attempt::default() }
    }

    /// read(2), now: at the current offset, which moves. `EBADF` if not open for reading.
    pub fn try_read(&self, attempt: &mut Attempt, sink: &mut dyn Sink) -> Result<usize> {
        let count = self.read_once(attempt, self.offset.get(), sink)?;
        self.advance(count);
        Ok(count)
    }

    /// read(2): waits unless O_NONBLOCK is set.
    pub async fn read(&self, sink: &mut dyn Sink) -> Result<usize> {
        let mut attempt = self.attempt();
        loop {
            match self.try_read(&mut attempt, sink) {
                Err(Errno::EAGAIN) => self.pause(&attempt, Events::IN | Events::RDNORM).await?,
                result => return result,
            }
        }
    }

    /// The same as a step of a future: whoever asks again after being woken passes the same `waiting`.
    pub fn poll_read(&self, context: &Context<'_>, waiting: &mut Waiting, sink: &mut dyn Sink) -> Poll<Result<usize>> {
        waiting.forget();
        match self.try_read(&mut waiting.attempt, sink) {
            Err(Errno::EAGAIN) => self.poll_again(context, waiting, Events::READABLE),
            result => Poll::Ready(result),
        }
    }

    /// Waits for a reason to try again, of which the task is told; `EAGAIN` if nobody shall.
    fn poll_again<T>(&self, context: &Context<'_>, waiting: &mut Waiting, events: Events) -> Poll<Result<T>> {
        let queue = match self.file.waiters() {
            Some(queue) if !waiting.attempt.nonblocking => queue,
            _ => return Poll::Ready(Err(Errno::EAGAIN)),
        };
        if let Some(deadline) = waiting.attempt.deadline {
            waiting.wakeup = Some(Wakeup::new(&self.inode().filesystem.clock, deadline, context.waker()));
        }
        waiting.registration = Some(queue.register(events, context.waker()));
        Poll::Pending
    }

    /// pread(2), now: the offset stays. `ESPIPE` if offsets mean nothing here.
    pub fn try_read_at(&self, attempt: &mut Attempt, offset: u64, sink: &mut dyn Sink) -> Result<usize> {
        self.check_offset(offset)?;
        self.read_once(attempt, offset, sink)
    }

    /// pwrite(2), now: the offset stays.
    pub fn try_write_at(&self, attempt: &mut Attempt, offset: u64, source: &mut dyn Source) -> Result<usize> {
        self.check_offset(offset)?;
        self.write_once(attempt, offset, source)
    }

    /// pread(2): the offset stays. `ESPIPE` if offsets mean nothing here.
    pub async fn read_at(&self, offset: u64, sink: &mut dyn Sink) -> Result<usize> {
        self.check_offset(offset)?;
        let mut attempt = self.attempt();
        loop {
            match self.read_once(&mut attempt, offset, sink) {
                Err(Errno::EAGAIN) => self.pause(&attempt, Events::IN | Events::RDNORM).await?,
                result => return result,
            }
        }
    }

    /// write(2), now: at the current offset, or at the end with O_APPEND. `EBADF` if not open for writing. A short count is
    /// what fitted. After `EPIPE` the server sends SIGPIPE.
    pub fn try_write(&self, attempt: &mut Attempt, source: &mut dyn Source) -> Result<usize> {
        if self.flags.get().contains(OpenFlags::APPEND) && self.is_seekable() && self.is_writable() {
            self.offset.set(self.file.seek(Whence::End, 0, 0)?);
        }
        let count = self.write_once(attempt, self.offset.get(), source)?;
        self.advance(count);
        Ok(count)
    }

    /// write(2): waits unless O_NONBLOCK is set, for pipes and terminals until all is written. Dropped earlier, it has written
    /// what `source` no longer holds.
    pub async fn write(&self, source: &mut dyn Source) -> Result<usize> {
        self.write_with(self.attempt(), source).await
    }

    /// The same with an attempt that says more: a size limit, RWF_NOWAIT.
    pub async fn write_with(&self, attempt: Attempt, source: &mut dyn Source) -> Result<usize> {
        let mut attempt = attempt;
        let mut written = 0;
        loop {
            match self.try_write(&mut attempt, source) {
                Err(Errno::EAGAIN) if written > 0 && attempt.nonblocking => return Ok(written),
                Err(Errno::EAGAIN) => self.pause(&attempt, Events::OUT | Events::WRNORM).await?,
                Err(_) if written > 0 => return Ok(written),
                Err(error) => return Err(error),
                Ok(count) => {
                    written += count;
                    let unfinished = count > 0 && source.remaining() > 0 && self.file.writes_everything();
                    if !unfinished || attempt.nonblocking {
                        return Ok(written);
                    }
                }
            }
        }
    }

    /// pwrite(2): the offset stays. With O_APPEND it appends nevertheless (pwrite(2), BUGS).
    pub async fn write_at(&self, offset: u64, source: &mut dyn Source) -> Result<usize> {
        self.write_at_with(self.attempt(), offset, source).await
    }

    /// The same with an attempt that says more: a size limit, RWF_NOWAIT.
    pub async fn write_at_with(&self, attempt: Attempt, offset: u64, source: &mut dyn Source) -> Result<usize> {
        self.check_offset(offset)?;
        let append = self.flags.get().contains(OpenFlags::APPEND);
        let mut attempt = attempt;
        loop {
            let at = if append { self.file.seek(Whence::End, 0, 0)? } else { offset };
            match self.write_once(&mut attempt, at, source) {
                Err(Errno::EAGAIN) => self.pause(&attempt, Events::OUT | Events::WRNORM).await?,
                result => return result,
            }
        }
    }

    /// lseek(2).
    pub fn seek(&self, whence: Whence, offset: i64) -> Result<u64> {
        self.check_not_path()?;
        let target = self.file.seek(whence, offset, self.offset.get())?;
        self.offset.set(target);
        Ok(target)
    }

    /// The same if the file needn't be asked for it ([`File::seeks_plainly`]): from its beginning or the current offset, and without an error.
    /// `None` if nothing has been done.
    #[inline]
    pub fn seek_plainly(&self, whence: u32, offset: i64) -> Option<u64> {
        if whence > general::SEEK_CUR || !self.traits.contains(Traits::SEEKS_PLAINLY) {
            return None;
        }
        // SEEK_SET is 0, SEEK_CUR 1. An offset is below 2⁶³, so a sum that overflows is negative, too; which error that is, is asked elsewhere.
        let base = self.offset.get() * u64::from(whence);
        let target = base.wrapping_add(offset as u64);
        if (target as i64) < 0 {
            return None;
        }
        self.offset.set(target);
        Some(target)
    }

    /// ioctl(2), now.
    pub fn try_ioctl(
        &self,
        attempt: &mut Attempt,
        caller: &Caller,
        request: u32,
        argument: &mut dyn Argument,
    ) -> Result<i64> {
        self.check_not_path()?;
        match (request, self.inode().contents()) {
            (ioctl::FIONBIO, _) => {
                let mut number = [0; 4];
                argument.read(&mut number)?;
                let mut flags = self.flags.get();
                flags.set(OpenFlags::NONBLOCKING, number != [0; 4]);
                self.flags.set(flags);
                Ok(0)
            }
            (ioctl::FIONREAD, Some(contents)) => {
                let left = contents.size().saturating_sub(self.offset.get());
                argument.write(&(left as i32).to_le_bytes())?;
                Ok(0)
            }
            _ => self.file.ioctl(attempt, caller, request, argument),
        }
    }

    /// ioctl(2): waits where the request does (TCSETSW, TCSBRK).
    pub async fn ioctl(&self, caller: &Caller, request: u32, argument: &mut dyn Argument) -> Result<i64> {
        let mut attempt = Attempt::blocking();
        loop {
            match self.try_ioctl(&mut attempt, caller, request, argument) {
                Err(Errno::EAGAIN) => self.pause(&attempt, Events::OUT | Events::WRNORM).await?,
                result => return result,
            }
        }
    }

    /// Waits until the open is complete: only for a FIFO, whose open waits for the other side unless O_NONBLOCK was given.
    pub async fn opened(&self) -> Result<()> {
        let attempt = self.attempt();
        while let Err(error) = self.file.opened() {
            if error != Errno::EAGAIN {
                return Err(error);
            }
            self.pause(&attempt, Events::all()).await?;
        }
        Ok(())
    }

    /// ftruncate(2): `EINVAL` unless it is a regular file open for writing; `EBADF` for O_PATH.
    pub fn truncate(&self, size: u64) -> Result<()> {
        self.check_not_path()?;
        if !self.is_writable() {
            return Err(Errno::EINVAL);
        }
        self.inode().truncate(size)?;
        self.lose_set_id();
        inotify::tell(&self.location, Mask::MODIFY);
        Ok(())
    }

    /// Who opened it is privileged: writes leave the set-id bits.
    pub(crate) fn keep_set_id(&self) {
        self.keeps_set_id.set(true);
    }

    /// Contents were changed.
    #[inline]
    fn lose_set_id(&self) {
        let inode = self.inode();
        if !self.keeps_set_id.get() && inode.permissions() & (mode::SET_USER | mode::SET_GROUP) != 0 {
            inode.drop_set_id();
        }
    }

    /// fallocate(2). `EBADF` unless open for writing, `ESPIPE` for a pipe, `ENODEV` for what has no pages, `EOPNOTSUPP` for modes
    /// other than 0, KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE and ZERO_RANGE | KEEP_SIZE.
    pub fn allocate(&self, mode: u32, offset: i64, length: i64) -> Result<()> {
        if !self.is_writable() {
            return Err(Errno::EBADF);
        }
        let (Ok(offset), Ok(length @ 1..)) = (u64::try_from(offset), u64::try_from(length)) else {
            return Err(Errno::EINVAL);
        };
        if self.pipe().is_some() {
            return Err(Errno::ESPIPE);
        }
        let contents = self.inode().contents().ok_or(Errno::ENODEV)?;
        const KEEP_SIZE: u32 = general::FALLOC_FL_KEEP_SIZE;
        let grows = mode & KEEP_SIZE == 0 && offset.saturating_add(length) > contents.size();
        self.inode().check_seals(mode & !KEEP_SIZE != 0, grows, false)?;
        match mode & !KEEP_SIZE {
            0 => contents.allocate(offset, length, mode & KEEP_SIZE != 0)?,
            general::FALLOC_FL_PUNCH_HOLE if mode & KEEP_SIZE != 0 => contents.punch(offset, length)?,
            general::FALLOC_FL_ZERO_RANGE => {
                contents.allocate(offset, length, mode & KEEP_SIZE != 0)?;
                contents.punch(offset, length)?;
            }
            _ => return Err(Errno::EOPNOTSUPP),
        }
        self.inode().stamp_modified();
        self.lose_set_id();
        inotify::tell(&self.location, Mask::MODIFY);
        Ok(())
    }

    /// What the description is known by where it isn't held: its address.
    pub(crate) fn key(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    fn read_once(&self, attempt: &mut Attempt, offset: u64, sink: &mut dyn Sink) -> Result<usize> {
        if !self.is_readable() {
            return Err(Errno::EBADF);
        }
        // Also if there is nothing to be moved.
        sink.check()?;
        let count = self.file.read(attempt, offset, sink)?;
        self.has_been_read(count);
        Ok(count)
    }

    /// So many bytes were read: watchers are told, the time is stamped.
    #[inline]
    pub fn has_been_read(&self, count: usize) {
        if count > 0 {
            inotify::tell(&self.location, Mask::ACCESS);
        }
        if self.traits.contains(Traits::KEEPS_TIMES) && !self.flags.get().contains(OpenFlags::NO_ACCESS_TIME) {
            let location = &*self.location;
            self.inode().stamp_accessed_if(|| !location.restrictions().contains(Restrictions::READ_ONLY));
        }
    }

    fn write_once(&self, attempt: &mut Attempt, offset: u64, source: &mut dyn Source) -> Result<usize> {
        if !self.is_writable() {
            return Err(Errno::EBADF);
        }
        source.check()?;
        let limit = attempt.size_limit.filter(|_| self.inode().contents().is_some() && source.remaining() > 0);
        let count = match limit {
            Some(limit) if offset >= limit => return Err(Errno::EFBIG),
            Some(limit) => self.file.write(attempt, offset, &mut Limited::new(source, limit - offset))?,
            None => self.file.write(attempt, offset, source)?,
        };
        self.has_been_written(count);
        Ok(count)
    }

    /// So many bytes were written: the times are stamped, set-id bits go, watchers are told.
    pub fn has_been_written(&self, count: usize) {
        if count > 0 {
            self.was_written();
        }
    }

    /// Bytes were written.
    #[inline]
    pub(super) fn was_written(&self) {
        if self.traits.contains(Traits::KEEPS_TIMES) {
            self.inode().stamp_modified();
            self.lose_set_id();
        }
        inotify::tell(&self.location, Mask::MODIFY);
    }

    /// So many bytes were moved at the current offset.
    #[inline]
    pub fn advance(&self, count: usize) {
        // Memory devices, which keep no times, are always at their beginning.
        if self.traits.contains(Traits::SEEKABLE | Traits::KEEPS_TIMES) {
            self.offset.set(self.offset.get() + count as u64);
        }
    }

    fn check_not_path(&self) -> Result<()> {
        if self.is_path() { Err(Errno::EBADF) } else { Ok(()) }
    }

    fn check_offset(&self, offset: u64) -> Result<()> {
        self.check_not_path()?;
        if !self.is_seekable() {
            return Err(Errno::ESPIPE);
        }
        if offset > i64::MAX as u64 { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// Waits for a reason to try again; `EAGAIN` if nobody shall.
    async fn pause(&self, attempt: &Attempt, events: Events) -> Result<()> {
        let queue = match self.file.waiters() {
            Some(queue) if !attempt.nonblocking => queue,
            _ => return Err(Errno::EAGAIN),
        };
        let clock = self.inode().filesystem.clock.clone();
        let deadline = attempt.deadline.map(|deadline| (deadline, clock));
        Pause { wait: queue.wait(events), deadline, wakeup: None }.await;
        Ok(())
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        DESCRIPTIONS.fetch_sub(1, Ordering::Relaxed);
        self.drop_own_locks();
        if !self.is_path() {
            let written = self.flags.get().writable();
            inotify::tell(&self.location, if written { Mask::CLOSE_WRITE } else { Mask::CLOSE_NO_WRITE });
        }
    }
}

/// What is kept between two tries of a call that waits: the attempt, and where it is to be woken.
pub struct Waiting {
    attempt: Attempt,
    registration: Option<Registration>,
    wakeup: Option<Wakeup>,
}

impl Waiting {
    pub const fn new(attempt: Attempt) -> Self {
        Waiting { attempt, registration: None, wakeup: None }
    }

    fn forget(&mut self) {
        self.registration = None;
        self.wakeup = None;
    }
}

/// Waits for a wake-up or a deadline.
struct Pause {
    wait: Wait,
    deadline: Option<(Duration, Rc<dyn Clock>)>,
    wakeup: Option<Wakeup>,
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some((deadline, clock)) = self.deadline.take() {
            self.wakeup = Some(Wakeup::new(&clock, deadline, context.waker()));
        }
        Pin::new(&mut self.wait).poll(context)
    }
}
