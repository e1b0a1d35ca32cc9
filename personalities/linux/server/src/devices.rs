//! The server's wires to other services: two byte rings each for the terminal and the host channel, and the timer.
//!
//! Output that finds no room in a ring waits here; input that nobody takes stays in the ring. Messages of the host
//! channel are postcard, framed by COBS (see `chestnut-manifest`).

use crate::clock::SystemClock;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use chestnut_linux_files::terminal::{Line, Terminal};
use chestnut_linux_files::wait::{Events, WaitQueue};
use chestnut_manifest::{GuestMessage, HostMessage, MAX_FRAME};
use core::cell::{Cell, OnceCell, RefCell};
use postcard::accumulator::{CobsAccumulator, FeedResult};

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
}

/// The terminal's side of COM1.
pub struct TerminalLine {
    wire: Box<dyn Wire>,
    /// Bytes that the terminal refused; offered again when it wants them.
    held: RefCell<VecDeque<u8>>,
    wanted: Cell<bool>,
}

impl TerminalLine {
    pub fn new(wire: Box<dyn Wire>) -> Rc<Self> {
        Rc::new(Self { wire, held: RefCell::default(), wanted: Cell::new(false) })
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
    }
}

/// The host channel on COM2.
pub struct HostChannel {
    wire: Box<dyn Wire>,
    /// Frames and parts of frames that found no room.
    outgoing: RefCell<VecDeque<u8>>,
    accumulator: RefCell<CobsAccumulator<MAX_FRAME>>,
    incoming: RefCell<VecDeque<HostMessage>>,
    /// Woken when something came in or went out.
    pub changed: WaitQueue,
}

impl HostChannel {
    /// Bytes that may wait to be sent before writers have to.
    const LIMIT: usize = 64 << 10;

    pub fn new(wire: Box<dyn Wire>) -> Rc<Self> {
        Rc::new(Self {
            wire,
            outgoing: RefCell::default(),
            accumulator: RefCell::new(CobsAccumulator::new()),
            incoming: RefCell::default(),
            changed: WaitQueue::new(),
        })
    }

    /// Queues a message.
    pub fn send(&self, message: &GuestMessage) {
        match postcard::to_allocvec_cobs(message) {
            Ok(frame) => self.outgoing.borrow_mut().extend(frame),
            Err(error) => log::error!("a message to the host can't be encoded: {error}"),
        }
    }

    /// The next message that has come, if any.
    pub fn take(&self) -> Option<HostMessage> {
        self.incoming.borrow_mut().pop_front()
    }

    /// Little is queued.
    pub fn has_room(&self) -> bool {
        self.outgoing.borrow().len() <= Self::LIMIT
    }
    /// Waits until little is queued.
    pub async fn ready(&self) {
        while !self.has_room() {
            self.changed.wait(Events::OUT).await;
        }
    }
    /// Waits until everything has been taken by the driver's ring.
    pub async fn drained(&self) {
        while !self.outgoing.borrow().is_empty() {
            self.changed.wait(Events::OUT).await;
        }
    }

    fn pump_out(&self) {
        let mut outgoing = self.outgoing.borrow_mut();
        let mut moved = false;
        while !outgoing.is_empty() {
            let (front, _) = outgoing.as_slices();
            let count = self.wire.write(front);
            if count == 0 {
                break;
            }
            outgoing.drain(..count);
            moved = true;
        }
        drop(outgoing);
        if moved {
            self.changed.wake(Events::OUT);
        }
    }

    fn pump_in(&self) {
        let mut chunk = [0; 512];
        let mut arrived = false;
        loop {
            let count = self.wire.read(&mut chunk);
            if count == 0 {
                break;
            }
            let mut window = &chunk[..count];
            while !window.is_empty() {
                window = match self.accumulator.borrow_mut().feed::<HostMessage>(window) {
                    FeedResult::Consumed => break,
                    FeedResult::OverFull(rest) | FeedResult::DeserError(rest) => {
                        log::warn!("a message from the host can't be decoded");
                        rest
                    }
                    FeedResult::Success { data, remaining } => {
                        self.incoming.borrow_mut().push_back(data);
                        arrived = true;
                        remaining
                    }
                };
            }
        }
        if arrived {
            self.changed.wake(Events::IN);
        }
    }
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

    /// Before the server waits: what was queued goes out, what was refused is offered again.
    pub fn flush(&self) {
        self.host.pump_out();
        if self.line.wanted.take()
            && let Some(terminal) = self.terminal.get()
        {
            self.line.pump(terminal);
        }
    }
}
