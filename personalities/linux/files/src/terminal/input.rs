//! The way into a terminal: from the bytes of a keyboard to what read(2) returns (termios(3), "canonical and noncanonical
//! mode").

use alloc::collections::VecDeque;

use linux_raw_sys::general as linux;

use super::echo::Line;
use super::letters::lower;
use super::output::Output;
use super::settings::Settings;
use crate::Result;
use crate::buffer::{Sink, partial};

/// Bytes that wait to be read; a line in canonical mode has one less before its end.
pub(super) const ROOM: usize = 4096;

/// What an input byte led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing that anybody waits for.
    Quiet,
    /// There may be something to read.
    Readable,
    /// A signal for the foreground process group.
    Signal(u32),
}

#[derive(Default)]
pub(super) struct Input {
    /// Bytes that can be read.
    ready: VecDeque<u8>,
    /// In canonical mode, the lengths of the lines in it. A line of none is the end of the file: VEOF was typed, which isn't
    /// among the bytes.
    lines: VecDeque<usize>,
    /// The line being edited.
    line: Line,
    /// The next byte is taken as it is (VLNEXT).
    literal: bool,
}

impl Input {
    /// Can no more bytes be taken until somebody reads? In canonical mode an unfinished line never refuses: what is too much is
    /// discarded, so that its end can still be typed.
    pub(super) fn is_full(&self, settings: &Settings) -> bool {
        self.ready.len() >= ROOM || (settings.is_canonical() && self.lines.len() >= ROOM)
    }

    /// Bytes that a read would find (FIONREAD).
    pub(super) fn available(&self) -> usize {
        self.ready.len()
    }

    /// Would a canonical read return?
    pub(super) fn has_line(&self) -> bool {
        !self.lines.is_empty()
    }

    /// TCIFLUSH.
    pub(super) fn discard(&mut self) {
        self.ready.clear();
        self.lines.clear();
        self.line.clear();
        self.literal = false;
    }

    /// ICANON was switched. Turned off, all that was typed can be read at once; turned on, what could be read is a line.
    pub(super) fn change_mode(&mut self, canonical: bool) {
        self.lines.clear();
        self.literal = false;
        if !canonical {
            self.ready.extend(self.line.bytes());
            self.line.clear();
        } else if !self.ready.is_empty() {
            self.lines.push_back(self.ready.len());
        }
    }

    /// Canonical: moves at most one line out. Call only with [`Input::has_line`].
    pub(super) fn read_line(&mut self, sink: &mut dyn Sink) -> Result<usize> {
        let Some(length) = self.lines.pop_front() else { return Ok(0) };
        let moved = self.move_out(length, sink);
        let left = length - moved.unwrap_or(0);
        if left > 0 {
            self.lines.push_front(left);
        }
        moved
    }

    /// Noncanonical: moves out what there is.
    pub(super) fn read_bytes(&mut self, sink: &mut dyn Sink) -> Result<usize> {
        self.move_out(self.ready.len(), sink)
    }

    fn move_out(&mut self, most: usize, sink: &mut dyn Sink) -> Result<usize> {
        let mut moved = 0;
        while moved < most && sink.remaining() > 0 {
            let (front, _) = self.ready.as_slices();
            let run = front.len().min(most - moved).min(sink.remaining());
            let stored = partial(moved, sink.put(&front[..run]))?;
            self.ready.drain(..stored);
            moved += stored;
            if stored < run {
                break;
            }
        }
        Ok(moved)
    }

    /// Takes one byte from the line.
    pub(super) fn receive(&mut self, byte: u8, settings: &Settings, output: &mut Output) -> Outcome {
        let mut byte = byte;
        if settings.on_input(linux::ISTRIP) {
            byte &= 0x7f;
        }
        if settings.on_input(linux::IUCLC) && settings.on_local(linux::IEXTEN) {
            byte = lower(byte);
        }
        if core::mem::take(&mut self.literal) {
            return self.store(byte, false, settings, output);
        }
        if settings.on_input(linux::IXON) {
            if settings.is(byte, linux::VSTOP) && !(output.stopped && settings.is(byte, linux::VSTART)) {
                output.stopped = true;
                return Outcome::Quiet;
            }
            if settings.is(byte, linux::VSTART) {
                output.stopped = false;
                return Outcome::Quiet;
            }
        }
        if let Some(signal) = signal_of(byte, settings) {
            return self.interrupt(byte, signal, settings, output);
        }
        if settings.on_input(linux::IXON) && settings.on_input(linux::IXANY) {
            output.stopped = false;
        }
        // A newline that was typed as such is echoed as ^J in noncanonical mode; one made here isn't.
        let made_newline = byte == b'\r' && settings.on_input(linux::ICRNL);
        match byte {
            b'\r' if settings.on_input(linux::IGNCR) => return Outcome::Quiet,
            b'\r' if made_newline => byte = b'\n',
            b'\n' if settings.on_input(linux::INLCR) => byte = b'\r',
            _ => {}
        }
        let edited = if settings.is_canonical() { self.edit(byte, settings, output) } else { None };
        if let Some(outcome) = edited {
            return outcome;
        }
        self.store(byte, made_newline, settings, output)
    }

    fn interrupt(&mut self, byte: u8, signal: u32, settings: &Settings, output: &mut Output) -> Outcome {
        if !settings.on_local(linux::NOFLSH) {
            self.discard();
            output.discard();
        }
        output.stopped = false;
        self.line.echo(byte, settings, output);
        Outcome::Signal(signal)
    }

    /// The special characters of canonical mode; `None` for all others.
    fn edit(&mut self, byte: u8, settings: &Settings, output: &mut Output) -> Option<Outcome> {
        let extended = settings.on_local(linux::IEXTEN);
        if settings.is(byte, linux::VERASE) {
            self.line.erase(settings, output);
        } else if settings.is(byte, linux::VKILL) {
            self.line.kill(settings, output);
        } else if extended && settings.is(byte, linux::VWERASE) {
            self.line.erase_word(settings, output);
        } else if extended && settings.is(byte, linux::VLNEXT) {
            self.literal = true;
            self.line.announce_literal(settings, output);
        } else if extended && settings.on_local(linux::ECHO) && settings.is(byte, linux::VREPRINT) {
            self.line.reprint(byte, settings, output);
        } else if byte == b'\n' {
            self.line.echo_newline(settings, output);
            self.finish(Some(byte));
            return Some(Outcome::Readable);
        } else if settings.is(byte, linux::VEOF) {
            self.finish(None);
            return Some(Outcome::Readable);
        } else if settings.is(byte, linux::VEOL) || (extended && settings.is(byte, linux::VEOL2)) {
            self.line.echo_end(byte, settings, output);
            self.finish(Some(byte));
            return Some(Outcome::Readable);
        } else {
            return None;
        }
        Some(Outcome::Quiet)
    }

    /// The line is complete: it can be read.
    fn finish(&mut self, end: Option<u8>) {
        let length = self.line.bytes().len() + usize::from(end.is_some());
        self.ready.extend(self.line.bytes());
        self.ready.extend(end);
        self.line.clear();
        self.lines.push_back(length);
    }

    /// An ordinary byte.
    fn store(&mut self, byte: u8, made_newline: bool, settings: &Settings, output: &mut Output) -> Outcome {
        let marked = settings.on_input(linux::PARMRK) && byte == 0xff && !settings.on_input(linux::ISTRIP);
        let copies = 1 + usize::from(marked);
        if !settings.is_canonical() {
            if self.ready.len() + copies > ROOM {
                return Outcome::Readable;
            }
            if made_newline && settings.on_local(linux::ECHO) {
                self.line.echo_newline(settings, output);
            } else {
                self.line.echo(byte, settings, output);
            }
            self.ready.extend(core::iter::repeat_n(byte, copies));
            return Outcome::Readable;
        }
        // One byte is kept free for the line's end.
        if self.line.bytes().len() + copies >= ROOM {
            if settings.on_input(linux::IMAXBEL) {
                output.echo(0x07, settings);
            }
            return Outcome::Quiet;
        }
        self.line.begin(output);
        self.line.echo(byte, settings, output);
        (0..copies).for_each(|_| self.line.push(byte));
        Outcome::Quiet
    }
}

fn signal_of(byte: u8, settings: &Settings) -> Option<u32> {
    if !settings.on_local(linux::ISIG) {
        return None;
    }
    [(linux::VINTR, linux::SIGINT), (linux::VQUIT, linux::SIGQUIT), (linux::VSUSP, linux::SIGTSTP)]
        .into_iter()
        .find_map(|(index, signal)| settings.is(byte, index).then_some(signal))
}
