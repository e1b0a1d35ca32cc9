//! An open end of a pipe.

use alloc::rc::Rc;

use super::{ATOMIC, Pipe};
use crate::buffer::{Argument, Sink, Source};
use crate::caller::Caller;
use crate::open::{Attempt, File};
use crate::wait::{Events, WaitQueue};
use crate::{Errno, Result};

/// One open of a pipe, for reading, writing or both.
pub(super) struct End {
    pipe: Rc<Pipe>,
    reads: bool,
    writes: bool,
    /// The open needn't wait for the other side.
    complete: bool,
    /// How many readers and writers there had ever been when this end was opened: more means that one has come since.
    readers_before: u64,
    writers_before: u64,
}

impl End {
    pub(super) fn new(pipe: Rc<Pipe>, reads: bool, writes: bool, complete: bool) -> Self {
        let readers_before = pipe.readers.ever.get();
        // A writer that is there already counts as one that has come: when it goes, this end is hung up. So does a nameless
        // pipe's writer that has gone.
        let writer_there = u64::from(pipe.writers.open.get() > 0);
        if !pipe.is_open() {
            pipe.begin();
        }
        let writers_before = if pipe.nameless { 0 } else { pipe.writers.ever.get() - writer_there };
        if reads {
            pipe.readers.add();
        }
        if writes {
            pipe.writers.add();
        }
        pipe.waiters.wake(Events::all());
        let complete = complete || (reads && writes);
        End { pipe, reads, writes, complete, readers_before, writers_before }
    }

    fn has_writer(&self) -> bool {
        self.pipe.writers.open.get() > 0
    }

    fn has_reader(&self) -> bool {
        self.pipe.readers.open.get() > 0
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if self.reads {
            self.pipe.readers.remove();
        }
        if self.writes {
            self.pipe.writers.remove();
        }
        if !self.pipe.is_open() {
            self.pipe.end();
        }
        self.pipe.waiters.wake(Events::all());
    }
}

impl File for End {
    fn read(&self, _: &mut Attempt, _: u64, sink: &mut dyn Sink) -> Result<usize> {
        if sink.remaining() == 0 {
            return Ok(0);
        }
        if self.pipe.buffer.borrow().is_empty() {
            return if self.has_writer() { Err(Errno::EAGAIN) } else { Ok(0) };
        }
        let count = self.pipe.buffer.borrow_mut().read(sink)?;
        self.pipe.waiters.wake(Events::WRITABLE);
        Ok(count)
    }

    fn write(&self, _: &mut Attempt, _: u64, source: &mut dyn Source) -> Result<usize> {
        let (wanted, room) = (source.remaining(), self.pipe.room());
        if wanted == 0 {
            return Ok(0);
        }
        if !self.has_reader() {
            return Err(Errno::EPIPE);
        }
        if room == 0 || (wanted <= ATOMIC && room < wanted) {
            return Err(Errno::EAGAIN);
        }
        let count = self.pipe.buffer.borrow_mut().write(source, room)?;
        self.pipe.waiters.wake(Events::READABLE);
        Ok(count)
    }

    fn writes_everything(&self) -> bool {
        true
    }

    fn ioctl(&self, _: &mut Attempt, _: &Caller, request: u32, argument: &mut dyn Argument) -> Result<i64> {
        if request != linux_raw_sys::ioctl::FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let count = self.pipe.buffer.borrow().len() as i32;
        argument.write(&count.to_le_bytes())?;
        Ok(0)
    }

    fn readiness(&self) -> Events {
        let mut ready = Events::empty();
        if self.reads {
            ready.set(Events::READABLE, !self.pipe.buffer.borrow().is_empty());
            // A FIFO that no writer has opened yet isn't hung up.
            let had_writer = self.pipe.writers.ever.get() > self.writers_before;
            ready.set(Events::HUP, !self.has_writer() && had_writer);
        }
        if self.writes {
            ready.set(Events::WRITABLE, self.pipe.room() >= ATOMIC.min(self.pipe.capacity()));
            ready.set(Events::ERR, !self.has_reader());
        }
        ready
    }

    fn held(&self) -> usize {
        let ends = self.pipe.readers.open.get() + self.pipe.writers.open.get();
        self.pipe.buffer.borrow().held() / ends.max(1) as usize
    }

    fn waiters(&self) -> Option<&WaitQueue> {
        Some(&self.pipe.waiters)
    }

    fn gives_notice(&self) -> bool {
        true
    }

    fn opened(&self) -> Result<()> {
        let other_came = (self.reads && (self.has_writer() || self.pipe.writers.ever.get() > self.writers_before))
            || (self.writes && (self.has_reader() || self.pipe.readers.ever.get() > self.readers_before));
        if self.complete || other_came { Ok(()) } else { Err(Errno::EAGAIN) }
    }
}
