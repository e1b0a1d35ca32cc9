//! The line discipline side by side with Linux's own, as it was observed from outside.
//!
//! `observed.txt` was made by `python3 record.py SEED COUNT` (beside it) on a Linux machine: it sets random flags on a
//! pseudo-terminal, types random keys in one write, and notes the echo and what reads of 64 bytes return.
//! Another file of such rows can be named in the environment as OBSERVED.
//! A row: c_iflag, c_oflag, c_lflag, VMIN, the keys in hexadecimal, the echo, the reads.

use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, fs};

use linux_raw_sys::general as linux;

use crate::Errno;
use crate::testing::{Desk, get};

fn bytes(hexadecimal: &str) -> Vec<u8> {
    if hexadecimal == "-" {
        return Vec::new();
    }
    let digit = |at: usize| u8::from_str_radix(&hexadecimal[at..at + 2], 16).unwrap();
    (0..hexadecimal.len()).step_by(2).map(digit).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What our terminal does with a row's settings and keys, in the row's notation.
fn replay(fields: &[&str]) -> (String, String) {
    let number = |at: usize| fields[at].parse::<u32>().unwrap();
    let desk = Desk::new();
    desk.set(|settings| {
        (settings.input, settings.output, settings.local) = (number(0), number(1), number(2));
        settings.characters[linux::VMIN as usize] = number(3) as u8;
        settings.characters[linux::VEOL as usize] = 0x19;
    });
    let keys = bytes(fields[4]);
    assert_eq!(desk.terminal.receive(&keys), keys.len());
    let echo = hexadecimal(&desk.line.sent.take());
    let mut reads = Vec::new();
    while reads.len() < 40 {
        match get(&desk.file, 64) {
            Err(Errno::EAGAIN) => {
                reads.push("again".to_string());
                break;
            }
            Ok(bytes) if bytes.is_empty() => {
                reads.push("eof".to_string());
                if number(2) & linux::ICANON == 0 {
                    break;
                }
            }
            Ok(bytes) => reads.push(hexadecimal(&bytes)),
            Err(error) => panic!("{error}"),
        }
    }
    (if echo.is_empty() { "-".to_string() } else { echo }, reads.join(","))
}

#[test]
fn it_behaves_as_linux_was_observed_to() {
    let path =
        std::env::var("OBSERVED").unwrap_or(format!("{}/src/terminal/tests/observed.txt", env!("CARGO_MANIFEST_DIR")));
    let rows = fs::read_to_string(path).unwrap();
    let mut wrong = Vec::new();
    for row in rows.lines() {
        let fields: Vec<&str> = row.split(' ').collect();
        let (echo, reads) = replay(&fields);
        if (&*echo, &*reads) != (fields[5], fields[6]) {
            wrong.push(format!("{row}\n  echo {echo}\n  reads {reads}\n"));
        }
    }
    assert!(rows.lines().count() >= 300);
    assert!(wrong.is_empty(), "{} of {} rows differ:\n{}", wrong.len(), rows.lines().count(), wrong.join("\n"));
}
