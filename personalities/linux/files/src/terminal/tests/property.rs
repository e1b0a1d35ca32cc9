//! What holds for every typist.

use std::string::String;
use std::vec::Vec;

use linux_raw_sys::general as linux;
use proptest::prelude::*;

use crate::Errno;
use crate::testing::{Desk, get};

/// Canonical editing as a user thinks of it: a list of lines, and one that is being typed.
#[derive(Default)]
struct Typist {
    lines: Vec<Vec<u8>>,
    line: Vec<u8>,
}

impl Typist {
    fn press(&mut self, key: u8) {
        match key {
            0x7f => drop(self.line.pop()),
            0x15 => self.line.clear(),
            0x04 => self.lines.push(core::mem::take(&mut self.line)),
            b'\n' | b'\r' => {
                self.line.push(b'\n');
                self.lines.push(core::mem::take(&mut self.line));
            }
            _ => self.line.push(key),
        }
    }
}

fn key() -> impl Strategy<Value = u8> {
    prop_oneof![5 => b' '..=b'~', 1 => Just(0x7f), 1 => Just(0x15), 1 => Just(0x04), 1 => Just(b'\n'), 1 => Just(b'\r')]
}

/// What a screen shows of the last line, given the bytes sent to it.
fn last_line(sent: &str) -> String {
    let mut line = Vec::new();
    let mut at = 0;
    for character in sent.chars() {
        match character {
            '\n' => {}
            '\r' => (line, at) = (Vec::new(), 0),
            '\x08' => at -= 1,
            _ => {
                line.truncate(at);
                line.push(character);
                at += 1;
            }
        }
    }
    line.truncate(at);
    line.into_iter().collect()
}

proptest! {
    #[test]
    fn lines_are_what_was_typed(keys in prop::collection::vec(key(), 0..200), most in 1usize..50) {
        let desk = Desk::new();
        let mut typist = Typist::default();
        for &key in &keys {
            prop_assert_eq!(desk.terminal.receive(&[key]), 1);
            typist.press(key);
        }
        for line in &typist.lines {
            let mut read = Vec::new();
            // A line longer than the buffer takes several reads; an empty one is the end of the file.
            loop {
                let part = get(&desk.file, most).unwrap();
                prop_assert!(part.len() <= most);
                read.extend(part);
                if read.len() >= line.len() {
                    break;
                }
            }
            prop_assert_eq!(&read, line);
        }
        prop_assert_eq!(get(&desk.file, most), Err(Errno::EAGAIN));
    }

    #[test]
    fn the_screen_shows_the_line_being_typed(keys in prop::collection::vec(key(), 0..200)) {
        let desk = Desk::new();
        let mut typist = Typist::default();
        for &key in keys.iter().filter(|&&key| key != 0x04) {
            desk.terminal.receive(&[key]);
            typist.press(key);
        }
        prop_assert_eq!(last_line(&desk.line.take()).into_bytes(), typist.line);
    }

    #[test]
    fn raw_bytes_come_through_unchanged(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..30)) {
        let desk = Desk::new();
        desk.set(|settings| {
            (settings.input, settings.output, settings.local) = (0, 0, 0);
            settings.characters[linux::VMIN as usize] = 0;
        });
        let mut read = Vec::new();
        for piece in &pieces {
            prop_assert_eq!(desk.terminal.receive(piece), piece.len());
            read.extend(get(&desk.file, 1000).unwrap());
        }
        prop_assert_eq!(read, pieces.concat());
        prop_assert_eq!(desk.line.take(), "");
    }
}
