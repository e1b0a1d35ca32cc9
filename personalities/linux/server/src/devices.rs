//! The server's wires to other services: two byte rings each for the terminal and the host channel, and the timer.
//!
//! Output that finds no room in a ring waits here; input that nobody takes stays in the ring. Messages of the host
//! channel go through a link, which sees to it that none is lost when the driver is made anew (see `chestnut-manifest`).

use crate::agenda::Agenda;
use crate::clock::SystemClock;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::terminal::{Line, Terminal};
use chestnut_linux_files::wait::{Events, WaitQueue};
use chestnut_manifest::link::{Link, Lost};
use chestnut_manifest::{GuestMessage, HostMessage, LOG_FATAL};
use chestnut_runtime::logger;
use core::cell::{Cell, OnceCell, RefCell};

/// Bits of the server's notification (services/manifest.toml).
const TERMINAL: u64 = 1 << 0;
const HOST: u64 = 1 << 1;
const TIMER: u64 = 1 << 2;

/// A stream in both directions whose other end is another service.
pub trait Wire {
    /// Takes what is there; announces that we sleep if that is nothing.
    fn read(&self, into: &mut [u8]) -> usize;
    /// Writes what there is room for; announces that we wait for room if not everything went.
    fn write(&self, bytes: &[u8]) -> usize;
    /// Bytes written and not yet taken by the other side.
    fn unread(&self) -> usize;
    /// Another number than before says that the driver was made anew.
    fn driver(&self) -> u32;
}

/// The terminal's side of COM1.
pub struct TerminalLine {
    wire: Box<dyn Wire>,
    /// Bytes that the terminal refused; offered again when it wants them.
    held: RefCell<VecDeque<u8>>,
    wanted: Cell<bool>,
    agenda: Agenda,
}

impl TerminalLine {
    pub fn new(wire: Box<dyn Wire>, agenda: Agenda) -> Rc<Self> {
        Rc::new(Self { wire, held: RefCell::default(), wanted: Cell::new(false), agenda })
    }

    fn pump(&self, terminal: &Terminal) {
        let mut chunk = [0; 512];
        loop {
            let mut bytes: Vec<u8> = self.held.take().into();
            if bytes.is_empty() {
                let count = self.wire.read(&mut chunk);
                if count == 0 {
                    return;
                }
                bytes.extend_from_slice(&chunk[..count]);
            }
            let taken = terminal.receive(&bytes);
            if taken < bytes.len() {
                self.held.borrow_mut().extend(&bytes[taken..]);
                return;
            }
        }
    }
}

impl Line for TerminalLine {
    fn send(&self, bytes: &[u8]) -> usize {
        self.wire.write(bytes)
    }
    fn pending(&self) -> usize {
        self.wire.unread()
    }
    fn input_wanted(&self) {
        self.wanted.set(true);
        self.agenda.now();
    }
}

/// The host channel on COM2.
pub struct HostChannel {
    wire: Box<dyn Wire>,
    link: RefCell<Link<GuestMessage, HostMessage>>,
    /// The driver that the link has been told of.
    driver: Cell<u32>,
    /// There may be something to send, since something was queued or the driver has signalled, as it does when it is made anew.
    active: Cell<bool>,
    agenda: Agenda,
    incoming: RefCell<VecDeque<HostMessage>>,
    /// Woken when something came in or went out.
    pub changed: WaitQueue,
}

impl HostChannel {
    /// Bytes that may wait to be sent before writers have to.
    const LIMIT: usize = 64 << 10;

    pub fn new(wire: Box<dyn Wire>, agenda: Agenda) -> Rc<Self> {
        Rc::new(Self {
            agenda,
            driver: Cell::new(wire.driver()),
            active: Cell::new(true),
            wire,
            link: RefCell::default(),
            incoming: RefCell::default(),
            changed: WaitQueue::new(),
        })
    }

    /// Queues a message.
    pub fn send(&self, message: &GuestMessage) {
        unless_lost(self.link.borrow_mut().send(message));
        self.active.set(true);
        self.agenda.now();
    }

    /// The next message that has come, if any.
    pub fn take(&self) -> Option<HostMessage> {
        self.incoming.borrow_mut().pop_front()
    }

    /// Little is queued.
    pub fn has_room(&self) -> bool {
        self.queued() <= Self::LIMIT
    }

    /// Waits until little is queued.
    pub async fn ready(&self) {
        while !self.has_room() {
            self.changed.wait(Events::OUT).await;
        }
    }

    /// Waits until everything has been taken by the driver's ring.
    pub async fn drained(&self) {
        while self.queued() > 0 {
            self.changed.wait(Events::OUT).await;
        }
    }

    fn queued(&self) -> usize {
        self.link.borrow().queued()
    }

    fn check_driver(&self) {
        let driver = self.wire.driver();
        if self.driver.replace(driver) != driver {
            unless_lost(self.link.borrow_mut().broken());
        }
    }

    fn pump_out(&self) {
        self.check_driver();
        let mut link = self.link.borrow_mut();
        let mut moved = false;
        while !link.outgoing().is_empty() {
            let count = self.wire.write(link.outgoing());
            if count == 0 {
                break;
            }
            link.written(count);
            moved = true;
        }
        drop(link);
        if moved {
            self.changed.wake(Events::OUT);
        }
    }

    fn pump_in(&self) {
        self.active.set(true);
        self.agenda.now();
        self.check_driver();
        let mut chunk = [0; 512];
        let mut arrived = false;
        loop {
            let count = self.wire.read(&mut chunk);
            if count == 0 {
                break;
            }
            let messages = unless_lost(self.link.borrow_mut().receive(&chunk[..count])).unwrap_or_default();
            arrived |= !messages.is_empty();
            self.incoming.borrow_mut().extend(messages);
        }
        let garbled = self.link.borrow_mut().garbled();
        if garbled > 0 {
            log::warn!("host channel: {garbled} frames can't be read");
        }
        if arrived {
            self.changed.wake(Events::IN);
        }
    }
}

/// Without the host channel a program's output and status can't reach anybody: the log says so, and the launcher ends the run.
fn unless_lost<T>(result: Result<T, Lost>) -> Option<T> {
    result.map_err(|lost| logger::print(format_args!("{LOG_FATAL}{lost}\n"))).ok()
}

/// Everything that the notification can tell of.
pub struct Devices {
    pub line: Rc<TerminalLine>,
    pub host: Rc<HostChannel>,
    pub terminal: OnceCell<Rc<Terminal>>,
    pub clock: Rc<SystemClock>,
}

impl Devices {
    /// The notification's word.
    pub fn notified(&self, bits: u64) {
        if bits & TIMER != 0 {
            self.clock.rung();
        }
        if bits & TERMINAL != 0
            && let Some(terminal) = self.terminal.get()
        {
            self.line.pump(terminal);
            terminal.output_drained();
        }
        if bits & HOST != 0 {
            self.host.pump_in();
        }
    }

    /// There is something to [`flush`](Self::flush).
    pub fn have_work(&self) -> bool {
        self.host.active.get() || self.line.wanted.get()
    }

    /// Before the server waits: what was queued goes out, what was refused is offered again.
    #[inline]
    pub fn flush(&self) {
        if self.host.active.take() {
            self.host.pump_out();
        }
        if self.line.wanted.take()
            && let Some(terminal) = self.terminal.get()
        {
            self.line.pump(terminal);
        }
    }
}
