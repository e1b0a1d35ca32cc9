//! The way out of a terminal: output processing (OPOST), columns, and bytes that wait for the line.

use alloc::collections::VecDeque;

use linux_raw_sys::general as linux;

use super::Settings;
use super::letters::upper;

/// Bytes that may wait before writers have to.
const ROOM: usize = 4096;
/// Echo is dropped beyond this, so that nobody can fill memory by typing at a stopped terminal.
const ECHO_ROOM: usize = 2 * ROOM;

/// What has been written and not yet sent.
#[derive(Default)]
pub(super) struct Output {
    queue: VecDeque<u8>,
    /// Where the cursor is, as far as the terminal can know.
    column: usize,
    /// Stopped by VSTOP, until VSTART.
    pub(super) stopped: bool,
    /// Stopped by TCOOFF, until TCOON.
    pub(super) held: bool,
}

impl Output {
    pub(super) fn column(&self) -> usize {
        self.column
    }

    /// Bytes waiting.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// How many bytes a writer may bring now. Processing makes more of them than that, at most eight times.
    pub(super) fn room(&self) -> usize {
        ROOM.saturating_sub(self.queue.len())
    }

    /// TCOFLUSH.
    pub(super) fn discard(&mut self) {
        self.queue.clear();
    }

    /// A copy of the first bytes that wait, for the line; [`Output::sent`] says how many it took.
    pub(super) fn front(&self, into: &mut [u8]) -> usize {
        let count = into.len().min(self.queue.len());
        into.iter_mut().zip(&self.queue).for_each(|(to, from)| *to = *from);
        count
    }

    pub(super) fn sent(&mut self, count: usize) {
        self.queue.drain(..count.min(self.queue.len()));
    }

    /// Bytes of a program.
    pub(super) fn write(&mut self, bytes: &[u8], settings: &Settings) {
        bytes.iter().for_each(|&byte| self.process(byte, settings));
    }

    /// An echoed byte, processed as written ones are.
    pub(super) fn echo(&mut self, byte: u8, settings: &Settings) {
        if self.queue.len() >= ECHO_ROOM {
            return;
        }
        // Observed: 0xff alone is echoed without processing.
        if byte == 0xff { self.put(byte, settings) } else { self.process(byte, settings) }
    }

    /// A byte that goes out before all others and unprocessed (TCIOFF's STOP character).
    pub(super) fn urgent(&mut self, byte: u8) {
        self.queue.push_front(byte);
    }

    fn process(&mut self, byte: u8, settings: &Settings) {
        if !settings.on_output(linux::OPOST) {
            return self.put(byte, settings);
        }
        match byte {
            b'\n' => {
                if settings.on_output(linux::ONLCR) {
                    self.put(b'\r', settings);
                } else if settings.on_output(linux::ONLRET) {
                    self.column = 0;
                }
                self.put(b'\n', settings);
            }
            b'\r' if settings.on_output(linux::ONOCR) && self.column == 0 => {}
            b'\r' if settings.on_output(linux::OCRNL) => {
                if settings.on_output(linux::ONLRET) {
                    self.column = 0;
                }
                self.put(b'\n', settings);
            }
            b'\t' if settings.output & linux::TABDLY == linux::XTABS => {
                for _ in 0..8 - self.column % 8 {
                    self.put(b' ', settings);
                }
            }
            _ if settings.on_output(linux::OLCUC) => self.put(upper(byte), settings),
            _ => self.put(byte, settings),
        }
    }

    fn put(&mut self, byte: u8, settings: &Settings) {
        self.column = match byte {
            b'\r' => 0,
            b'\x08' => self.column.saturating_sub(1),
            b'\t' => (self.column | 7) + 1,
            _ => self.column + width(byte, settings),
        };
        self.queue.push_back(byte);
    }
}

/// Columns that a byte takes when sent as it is: none for control characters and, with IUTF8, for all but the first byte of
/// a character.
pub(super) fn width(byte: u8, settings: &Settings) -> usize {
    let continues = settings.on_input(linux::IUTF8) && byte & 0xc0 == 0x80;
    usize::from(!byte.is_ascii_control() && !continues)
}
