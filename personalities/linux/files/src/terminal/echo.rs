//! The line being edited, and how its making looks on the screen (ECHO, ECHOE, ECHOK, ECHOKE, ECHOPRT, ECHOCTL, ECHONL).

use alloc::vec::Vec;

use linux_raw_sys::general as linux;

use super::letters::is_word;
use super::output::{Output, width};
use super::settings::Settings;

/// A line without its end.
#[derive(Default)]
pub(super) struct Line {
    bytes: Vec<u8>,
    /// The column where it began on the screen.
    start: usize,
    /// Between the `\` and the `/` of ECHOPRT.
    erasing: bool,
}

impl Line {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Called before a byte is echoed: the first one marks where the line begins.
    pub(super) fn begin(&mut self, output: &Output) {
        if self.bytes.is_empty() {
            self.start = output.column();
        }
    }

    pub(super) fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Shows a typed byte, control characters as ^X.
    pub(super) fn echo(&mut self, byte: u8, settings: &Settings, output: &mut Output) {
        if settings.on_local(linux::ECHO) {
            self.finish_erasing(settings, output);
            show(byte, settings, output);
        }
    }

    /// Shows what ends a line. This and the newline leave the `/` of ECHOPRT to what comes next.
    pub(super) fn echo_end(&self, byte: u8, settings: &Settings, output: &mut Output) {
        if settings.on_local(linux::ECHO) {
            show(byte, settings, output);
        }
    }

    pub(super) fn echo_newline(&self, settings: &Settings, output: &mut Output) {
        if settings.on_local(linux::ECHO | linux::ECHONL) {
            output.echo(b'\n', settings);
        }
    }

    /// VLNEXT shows a ^ that the next byte will overwrite.
    pub(super) fn announce_literal(&mut self, settings: &Settings, output: &mut Output) {
        self.begin(output);
        if settings.on_local(linux::ECHO) {
            self.finish_erasing(settings, output);
            if settings.on_local(linux::ECHOCTL) {
                output.echo(b'^', settings);
                output.echo(0x08, settings);
            }
        }
    }

    /// VREPRINT: the line once more, on a new one.
    pub(super) fn reprint(&mut self, byte: u8, settings: &Settings, output: &mut Output) {
        self.finish_erasing(settings, output);
        show(byte, settings, output);
        output.echo(b'\n', settings);
        self.start = output.column();
        self.bytes.iter().for_each(|&byte| show(byte, settings, output));
    }

    /// VERASE: the last character, with IUTF8 all its bytes.
    pub(super) fn erase(&mut self, settings: &Settings, output: &mut Output) {
        let from = self.previous(self.bytes.len(), settings);
        self.erase_from(from.unwrap_or(self.bytes.len()), linux::VERASE, settings, output);
    }

    /// VWERASE: what isn't a word, and the word before it.
    pub(super) fn erase_word(&mut self, settings: &Settings, output: &mut Output) {
        let mut from = self.bytes.len();
        let mut in_word = false;
        while let Some(at) = self.previous(from, settings) {
            if in_word && !is_word(self.bytes[at]) {
                break;
            }
            in_word |= is_word(self.bytes[at]);
            from = at;
        }
        self.erase_from(from, linux::VWERASE, settings, output);
    }

    /// VKILL: the whole line. Erased from the screen if ECHOK, ECHOKE and ECHOE are all on, else left behind.
    pub(super) fn kill(&mut self, settings: &Settings, output: &mut Output) {
        let all = [linux::ECHO, linux::ECHOK, linux::ECHOKE, linux::ECHOE];
        let visibly = all.into_iter().all(|flag| settings.on_local(flag));
        if visibly && !self.bytes.is_empty() {
            return self.erase_from(0, linux::VKILL, settings, output);
        }
        let was_empty = self.bytes.is_empty();
        self.bytes.clear();
        if settings.on_local(linux::ECHO) && !visibly && !was_empty {
            self.finish_erasing(settings, output);
            show(settings.character(linux::VKILL), settings, output);
            if settings.on_local(linux::ECHOK) {
                output.echo(b'\n', settings);
            }
        }
    }

    /// Where the character before `end` begins; `None` if there is none, or not its beginning.
    fn previous(&self, end: usize, settings: &Settings) -> Option<usize> {
        let continues = |byte: &u8| settings.on_input(linux::IUTF8) && byte & 0xc0 == 0x80;
        self.bytes[..end].iter().rposition(|byte| !continues(byte))
    }

    fn erase_from(&mut self, from: usize, key: u32, settings: &Settings, output: &mut Output) {
        if self.bytes.len() <= from {
            return;
        }
        while self.bytes.len() > from {
            let Some(at) = self.previous(self.bytes.len(), settings) else { break };
            if settings.on_local(linux::ECHO) {
                self.show_erased(at, key, settings, output);
            }
            self.bytes.truncate(at);
        }
        if self.bytes.is_empty() && settings.on_local(linux::ECHO) {
            self.finish_erasing(settings, output);
        }
    }

    /// Shows that the character from `at` on is gone.
    fn show_erased(&mut self, at: usize, key: u32, settings: &Settings, output: &mut Output) {
        if settings.on_local(linux::ECHOPRT) {
            if !core::mem::replace(&mut self.erasing, true) {
                output.echo(b'\\', settings);
            }
            self.bytes[at..].iter().for_each(|&byte| show(byte, settings, output));
        } else if key == linux::VERASE && !settings.on_local(linux::ECHOE) {
            show(settings.character(key), settings, output);
        } else if self.bytes[at] == b'\t' {
            let before = self.start + self.columns(at, settings);
            (0..8 - before % 8).for_each(|_| output.echo(0x08, settings));
        } else {
            for _ in 0..self.columns_of(&self.bytes[at..], settings) {
                [0x08, b' ', 0x08].into_iter().for_each(|byte| output.echo(byte, settings));
            }
        }
    }

    /// Columns from the line's start to the byte at `end`.
    fn columns(&self, end: usize, settings: &Settings) -> usize {
        let mut columns = 0;
        for byte in &self.bytes[..end] {
            columns += match byte {
                b'\t' => 8 - (self.start + columns) % 8,
                _ => self.columns_of(core::slice::from_ref(byte), settings),
            };
        }
        columns
    }

    fn columns_of(&self, bytes: &[u8], settings: &Settings) -> usize {
        let caret = |byte: u8| settings.on_local(linux::ECHOCTL) && byte.is_ascii_control();
        bytes.iter().map(|&byte| if caret(byte) { 2 } else { width(byte, settings) }).sum()
    }

    fn finish_erasing(&mut self, settings: &Settings, output: &mut Output) {
        if core::mem::take(&mut self.erasing) {
            output.echo(b'/', settings);
        }
    }
}

fn show(byte: u8, settings: &Settings, output: &mut Output) {
    if settings.on_local(linux::ECHOCTL) && byte.is_ascii_control() && byte != b'\t' {
        output.echo(b'^', settings);
        output.echo(byte ^ 0x40, settings);
    } else {
        output.echo(byte, settings);
    }
}
