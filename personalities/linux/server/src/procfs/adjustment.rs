//! /proc/PID/oom_score_adj: whom the server ends rather than others when memory comes to its end (proc(5)).

use super::Proc;
use crate::pressure::NEVER;
use crate::process::Process;
use alloc::format;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use chestnut_linux_files::buffer::{Sink, Source};
use chestnut_linux_files::inode::{Body, Inode, OpenRequest, Openable};
use chestnut_linux_files::open::{Attempt, File, GeneratedFile, Whence};
use chestnut_linux_files::{Errno, Result};

pub const NAME: &str = "oom_score_adj";
/// From [`NEVER`] to here.
const ALWAYS: i16 = 1000;
/// More bytes than any number that is allowed.
const LONGEST: usize = 16;

pub fn text(process: &Process) -> Vec<u8> {
    format!("{}\n", process.oom_adjustment.get()).into_bytes()
}

pub fn inode(proc: &Proc, number: u64, owner: (u32, u32), process: &Rc<Process>) -> Rc<Inode> {
    let body = Body::Generated(Rc::new(Adjustment(Rc::downgrade(process))));
    Inode::numbered(&proc.filesystem, number, body, 0o644, owner.0, owner.1)
}

struct Adjustment(Weak<Process>);

impl Openable for Adjustment {
    fn open(&self, request: &OpenRequest<'_>) -> Result<Rc<dyn File>> {
        let process = self.0.upgrade().ok_or(Errno::ESRCH)?;
        let text = GeneratedFile::new(text(&process));
        Ok(Rc::new(Opened { process: self.0.clone(), text, privileged: request.caller.credentials.privileged }))
    }
}

struct Opened {
    process: Weak<Process>,
    text: GeneratedFile,
    /// Who opened it may take itself out of the choice.
    privileged: bool,
}

impl File for Opened {
    fn read(&self, attempt: &mut Attempt, offset: u64, sink: &mut dyn Sink) -> Result<usize> {
        self.text.read(attempt, offset, sink)
    }

    /// `EINVAL` for what isn't a number between -1000 and 1000, `EACCES` for a smaller one than before without privilege.
    fn write(&self, _: &mut Attempt, _: u64, source: &mut dyn Source) -> Result<usize> {
        let mut bytes = [0; LONGEST];
        if source.remaining() > LONGEST {
            return Err(Errno::EINVAL);
        }
        let count = source.take(&mut bytes)?;
        let process = self.process.upgrade().ok_or(Errno::ESRCH)?;
        let new = number(&bytes[..count]).ok_or(Errno::EINVAL)?;
        if new < process.oom_adjustment.get() && !self.privileged {
            return Err(Errno::EACCES);
        }
        process.oom_adjustment.set(new);
        Ok(count)
    }

    fn seek(&self, whence: Whence, offset: i64, current: u64) -> Result<u64> {
        self.text.seek(whence, offset, current)
    }

    fn is_seekable(&self) -> bool {
        true
    }
}

fn number(text: &[u8]) -> Option<i16> {
    let number: i16 = core::str::from_utf8(text).ok()?.trim().parse().ok()?;
    (NEVER..=ALWAYS).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_within_a_thousand_are_taken() {
        assert_eq!((number(b"-1000\n"), number(b" 17 "), number(b"1000")), (Some(-1000), Some(17), Some(1000)));
        for text in [&b"1001"[..], b"-1001", b"", b"x", b"99999999999"] {
            assert_eq!(number(text), None);
        }
    }
}
