//! Reads and writes of many bytes, in pieces: between two of them others have their turns ([`crate::turns`]).
//!
//! Only files that never wait are read and written so: those whose contents are there, and devices like /dev/zero. As on Linux no signal that
//! doesn't kill cuts such a call short. What is written behind what others write (O_APPEND) stays in one piece.

use super::read_write::signal_failure;
use super::{Call, Outcome};
use crate::capability::ticks;
use crate::memory::{Buffers, Iovec, PAGE, UserSink, UserSource};
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::open::{Attempt, OpenFile, OpenFlags};
use chestnut_linux_files::{Errno, Result};
use core::ops::Range;

/// Bytes.
pub const PIECE: u64 = 128 << 10;

/// Is a transfer to be cut?
pub fn is_long(file: &OpenFile, vector: &Buffers) -> bool {
    vector.length() > PIECE && !file.is_path() && file.waiters().is_none()
}

/// The same for a write.
pub fn is_long_write(file: &OpenFile, vector: &Buffers) -> bool {
    is_long(file, vector) && !file.flags().contains(OpenFlags::APPEND)
}

/// Where a transfer begins; `None`: at the file's own offset.
type Start = Option<u64>;

pub fn read(call: &Call, file: Rc<OpenFile>, vector: Buffers, attempt: Attempt, start: Start) -> Outcome {
    let space = call.space();
    in_pieces(call, vector, move |piece, done| {
        let (mut sink, mut attempt) = (UserSink::new(&space, piece), attempt.clone());
        match start {
            Some(start) => file.try_read_at(&mut attempt, start + done, &mut sink),
            None => file.try_read(&mut attempt, &mut sink),
        }
    })
}

pub fn write(call: &Call, file: Rc<OpenFile>, vector: Buffers, attempt: Attempt, start: Start) -> Outcome {
    let (space, server, thread) = (call.space(), call.server, call.thread.clone());
    in_pieces(call, vector, move |piece, done| {
        let (mut source, mut attempt) = (UserSource::new(&space, piece), attempt.clone());
        let result = match start {
            Some(start) => file.try_write_at(&mut attempt, start + done, &mut source),
            None => file.try_write(&mut attempt, &mut source),
        };
        if let (Err(error), 0) = (result, done) {
            signal_failure(server, &thread, attempt.size_limit, error);
        }
        result
    })
}

/// Calls `step` with each piece and how many bytes were moved before it, until one isn't moved wholly.
fn in_pieces(call: &Call, vector: Buffers, step: impl Fn(Vec<Iovec>, u64) -> Result<usize> + 'static) -> Outcome {
    let (server, thread) = (call.server, call.thread.clone());
    let future = async move {
        let (mut rest, mut done, mut since) = (Rest { vector: vector.into_vec(), entry: 0 }, 0, ticks());
        while let Some((piece, length)) = rest.next() {
            match step(piece, done) {
                Ok(count) => {
                    done += count as u64;
                    if (count as u64) < length {
                        break;
                    }
                }
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
            server.breathe(&thread, &mut since).await;
            server.current.set(thread.tid.get());
        }
        Ok(done)
    };
    call.steadily(future)
}

/// What is left of a vector.
struct Rest {
    vector: Vec<Iovec>,
    entry: usize,
}

impl Rest {
    /// The next piece and its length: a part of one entry.
    fn next(&mut self) -> Option<(Vec<Iovec>, u64)> {
        while self.vector.get(self.entry).is_some_and(|entry| entry.length == 0) {
            self.entry += 1;
        }
        let entry = self.vector.get_mut(self.entry)?;
        let length = entry.length.min(PIECE);
        let piece = vec![Iovec { base: entry.base, length }];
        *entry = Iovec { base: entry.base.wrapping_add(length), length: entry.length - length };
        Some((piece, length))
    }
}

/// Fills a program's buffer with what `make` puts into pieces of it.
pub fn fill(call: &Call, address: u64, length: u64, make: impl Fn(&mut [u8]) + 'static) -> Outcome {
    let space = call.space();
    in_pieces(call, Iovec::one(address, length), move |piece, _| {
        let [Iovec { base, length }] = piece[..] else { return Err(Errno::EFAULT) };
        let (mut chunk, mut done) = ([0; 1024], 0);
        while done < length {
            let part = chunk.len().min((length - done) as usize);
            make(&mut chunk[..part]);
            let stored = space.write_some(base.wrapping_add(done), &chunk[..part]);
            done += stored as u64;
            if stored < part {
                break;
            }
        }
        if done == 0 { Err(Errno::EFAULT) } else { Ok(done as usize) }
    })
}

/// Pages brought in at a time.
const PAGES: usize = 256;

/// Brings pages in until there is no memory for more, and returns `value`.
pub fn populate(call: &Call, range: Range<u64>, value: u64) -> Outcome {
    let (server, thread, space) = (call.server, call.thread.clone(), call.space());
    let future = async move {
        let mut since = ticks();
        for start in range.clone().step_by(PAGES * PAGE as usize) {
            if !space.populate(start..range.end.min(start + PAGES as u64 * PAGE)) {
                break;
            }
            server.breathe(&thread, &mut since).await;
        }
        Ok(value)
    };
    call.steadily(future)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_everything_once() {
        let vector = [(0x1000, 2 * PIECE + 5), (9, 0), (0x70_0000, 7)].map(|(base, length)| Iovec { base, length });
        let mut rest = Rest { vector: vector.to_vec(), entry: 0 };
        let pieces: Vec<(u64, u64)> =
            core::iter::from_fn(|| rest.next()).map(|(piece, length)| (piece[0].base, length)).collect();
        assert_eq!(pieces, [(0x1000, PIECE), (0x1000 + PIECE, PIECE), (0x1000 + 2 * PIECE, 5), (0x70_0000, 7)]);
    }
}
