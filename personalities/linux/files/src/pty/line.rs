//! The line between a terminal and its master: bytes on their way to the master, and what packet mode tells (ioctl_tty(2)).

use alloc::collections::VecDeque;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use linux_raw_sys::general as linux;

use crate::Result;
use crate::buffer::{Sink, partial};
use crate::terminal::{Line, Terminal};
use crate::wait::{Events, WaitQueue};

/// Bytes that wait for the master to read; then writers to the terminal wait.
const ROOM: usize = 16384;

pub(super) struct MasterLine {
    terminal: RefCell<Weak<Terminal>>,
    output: RefCell<VecDeque<u8>>,
    /// Bytes that the master has written and the terminal has refused.
    refused: RefCell<VecDeque<u8>>,
    /// TIOCPKT.
    pub(super) packets: Cell<bool>,
    /// TIOCPKT_… since the last read.
    status: Cell<u8>,
    closed: Cell<bool>,
    /// Those of the master.
    pub(super) waiters: WaitQueue,
}

impl MasterLine {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(MasterLine {
            terminal: RefCell::default(),
            output: RefCell::default(),
            refused: RefCell::default(),
            packets: Cell::default(),
            status: Cell::default(),
            closed: Cell::default(),
            waiters: WaitQueue::new(),
        })
    }

    pub(super) fn connect(&self, terminal: &Rc<Terminal>) {
        *self.terminal.borrow_mut() = Rc::downgrade(terminal);
    }

    /// The master is gone.
    pub(super) fn close(&self) {
        self.closed.set(true);
        self.output.take();
        self.refused.take();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Bytes that wait for the master.
    pub(super) fn unread(&self) -> usize {
        self.output.borrow().len()
    }

    /// Memory taken, bytes.
    pub(super) fn held(&self) -> usize {
        self.output.borrow().capacity() + self.refused.borrow().capacity()
    }

    pub(super) fn discard_unread(&self) {
        self.output.take();
    }

    /// A status that packet mode has to tell; 0 if there is none.
    pub(super) fn status(&self) -> u8 {
        if self.packets.get() { self.status.get() } else { 0 }
    }

    pub(super) fn take_status(&self) -> u8 {
        self.status.take()
    }

    /// Moves bytes to the master.
    pub(super) fn read(&self, sink: &mut dyn Sink) -> Result<usize> {
        let mut output = self.output.borrow_mut();
        let mut moved = 0;
        while sink.remaining() > 0 {
            let (front, _) = output.as_slices();
            let run = front.len().min(sink.remaining());
            let stored = if run > 0 { partial(moved, sink.put(&front[..run]))? } else { 0 };
            output.drain(..stored);
            moved += stored;
            if stored < run || run == 0 {
                break;
            }
        }
        Ok(moved)
    }

    /// Would bytes of the master be taken?
    pub(super) fn takes_input(&self) -> bool {
        self.refused.borrow().is_empty()
            && self.terminal.borrow().upgrade().is_some_and(|terminal| terminal.takes_input())
    }

    /// Bytes of the master. What the terminal refuses waits here, so call it only if [`MasterLine::takes_input`].
    pub(super) fn write(&self, bytes: &[u8]) {
        let terminal = self.terminal.borrow().upgrade();
        let taken = terminal.map_or(bytes.len(), |terminal| terminal.receive(bytes));
        self.refused.borrow_mut().extend(&bytes[taken..]);
    }
}

impl Line for MasterLine {
    fn send(&self, bytes: &[u8]) -> usize {
        if self.closed.get() {
            return bytes.len();
        }
        let mut output = self.output.borrow_mut();
        let count = bytes.len().min(ROOM.saturating_sub(output.len()));
        output.extend(&bytes[..count]);
        drop(output);
        if count > 0 {
            self.waiters.wake(Events::READABLE);
        }
        count
    }

    fn input_wanted(&self) {
        let waiting: Vec<u8> = self.refused.take().into();
        if !waiting.is_empty() {
            self.write(&waiting);
        }
        if self.refused.borrow().is_empty() {
            self.waiters.wake(Events::WRITABLE);
        }
    }

    fn status_changed(&self, status: u8) {
        if !self.packets.get() {
            return;
        }
        let opposite = match u32::from(status) {
            linux::TIOCPKT_STOP => linux::TIOCPKT_START,
            linux::TIOCPKT_START => linux::TIOCPKT_STOP,
            linux::TIOCPKT_NOSTOP => linux::TIOCPKT_DOSTOP,
            linux::TIOCPKT_DOSTOP => linux::TIOCPKT_NOSTOP,
            _ => 0,
        };
        self.status.set((self.status.get() & !(opposite as u8)) | status);
        self.waiters.wake(Events::READABLE | Events::PRI);
    }
}
