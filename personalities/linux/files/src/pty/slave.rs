//! The terminal's end: an open terminal that counts itself, so that the master knows whether anybody is there.

use alloc::rc::Rc;

use super::Pair;
use crate::Result;
use crate::buffer::{Argument, Sink, Source};
use crate::caller::Caller;
use crate::open::{Attempt, File};
use crate::terminal::Terminal;
use crate::wait::{Events, WaitQueue};

pub(super) struct Slave {
    pair: Rc<Pair>,
    file: Rc<dyn File>,
}

impl Slave {
    pub(super) fn new(pair: Rc<Pair>) -> Self {
        pair.slaves.set(pair.slaves.get() + 1);
        pair.opened.set(true);
        Slave { file: pair.terminal.open(), pair }
    }
}

impl Drop for Slave {
    fn drop(&mut self) {
        self.pair.slaves.set(self.pair.slaves.get() - 1);
        if self.pair.slaves.get() == 0 {
            self.pair.line.waiters.wake(Events::all());
        }
    }
}

impl File for Slave {
    fn read(&self, attempt: &mut Attempt, offset: u64, sink: &mut dyn Sink) -> Result<usize> {
        self.file.read(attempt, offset, sink)
    }

    fn write(&self, attempt: &mut Attempt, offset: u64, source: &mut dyn Source) -> Result<usize> {
        self.file.write(attempt, offset, source)
    }

    fn writes_everything(&self) -> bool {
        self.file.writes_everything()
    }

    fn ioctl(&self, attempt: &mut Attempt, caller: &Caller, request: u32, argument: &mut dyn Argument) -> Result<i64> {
        self.file.ioctl(attempt, caller, request, argument)
    }

    fn readiness(&self) -> Events {
        self.file.readiness()
    }

    fn waiters(&self) -> Option<&WaitQueue> {
        self.file.waiters()
    }

    fn gives_notice(&self) -> bool {
        true
    }

    fn terminal(&self) -> Option<&Rc<Terminal>> {
        self.file.terminal()
    }
}
