//! `#!` scripts, by the rules of execve(2).

use alloc::vec::Vec;
use chestnut_linux_files::{Errno, Result};

/// How many interpreters may be scripts themselves.
pub const MAX_DEPTH: usize = 5;
/// Bytes of a file that are looked at (BINPRM_BUF_SIZE).
pub const HEAD_BYTES: usize = 256;

/// What the first line of a script asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Interpreter {
    pub path: Vec<u8>,
    /// The rest of the line, one argument whatever is in it.
    pub argument: Option<Vec<u8>>,
}

const fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The interpreter if `head`, the first bytes of a file, begin with `#!`. `ENOEXEC` if no name follows or it was cut off.
pub fn interpreter(head: &[u8]) -> Result<Option<Interpreter>> {
    let Some(line) = head.strip_prefix(b"#!") else { return Ok(None) };
    let end = line.iter().position(|&byte| byte == b'\n' || byte == 0);
    let complete = end.is_some() || head.len() < HEAD_BYTES;
    let line = line[..end.unwrap_or(line.len())].trim_ascii_end();
    let line = &line[line.iter().position(|&byte| !is_blank(byte)).ok_or(Errno::ENOEXEC)?..];
    let name_end = line.iter().position(|&byte| is_blank(byte));
    if name_end.is_none() && !complete {
        return Err(Errno::ENOEXEC);
    }
    let (path, rest) = line.split_at(name_end.unwrap_or(line.len()));
    let rest = rest.trim_ascii();
    let argument = (!rest.is_empty()).then(|| rest.to_vec());
    Ok(Some(Interpreter { path: path.to_vec(), argument }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(head: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
        let interpreter = interpreter(head).unwrap().unwrap();
        (interpreter.path, interpreter.argument)
    }

    #[test]
    fn name_and_one_argument() {
        assert_eq!(found(b"#!/bin/sh\necho"), (b"/bin/sh".to_vec(), None));
        assert_eq!(found(b"#! \t/bin/sh -e  x \nrest"), (b"/bin/sh".to_vec(), Some(b"-e  x".to_vec())));
        assert_eq!(found(b"#!/bin/sh"), (b"/bin/sh".to_vec(), None));
    }

    #[test]
    fn what_is_no_script() {
        assert_eq!(interpreter(b"\x7fELF"), Ok(None));
        assert_eq!(interpreter(b"#!   \n"), Err(Errno::ENOEXEC));
        assert_eq!(interpreter(b"#!"), Err(Errno::ENOEXEC));
    }

    #[test]
    fn a_name_that_was_cut_off_is_refused_but_a_cut_argument_is_not() {
        let mut long = b"#!/".to_vec();
        long.resize(HEAD_BYTES, b'x');
        assert_eq!(interpreter(&long), Err(Errno::ENOEXEC));
        long[5] = b' ';
        assert_eq!(found(&long).0, b"/xx");
    }
}
