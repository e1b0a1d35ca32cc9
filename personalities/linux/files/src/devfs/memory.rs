//! null, zero, full, random and urandom (null(4), full(4), random(4)).

use alloc::rc::Rc;

use super::Generator;
use crate::buffer::{Sink, Source, partial};
use crate::inode::{OpenRequest, Openable};
use crate::open::{Attempt, File, Plain, Whence};
use crate::{Errno, Result};

/// One of them.
#[derive(Clone)]
pub(super) enum Memory {
    Null,
    Zero,
    Full,
    Random(Rc<Generator>),
}

impl Openable for Memory {
    fn open(&self, _: &OpenRequest<'_>) -> Result<Rc<dyn File>> {
        Ok(Rc::new(self.clone()))
    }
}

#[inline(never)]
fn take(generator: &Generator, sink: &mut dyn Sink) -> Result<usize> {
    generator.read(sink)
}

/// A page of it is enough: what is written only stirs, it is not kept.
#[inline(never)]
fn stir(generator: &Generator, source: &mut dyn Source) -> Result<usize> {
    let mut chunk = [0; 64];
    let mut moved = 0;
    while source.remaining() > 0 && moved < 4096 {
        let taken = partial(moved, source.take(&mut chunk))?;
        generator.mix(&chunk[..taken]);
        moved += taken;
        if taken == 0 {
            break;
        }
    }
    Ok(moved)
}

impl File for Memory {
    fn read(&self, _: &mut Attempt, _: u64, sink: &mut dyn Sink) -> Result<usize> {
        match self {
            Memory::Null => sink.check().map(|()| 0),
            Memory::Zero | Memory::Full => sink.put_zeros(sink.remaining()),
            Memory::Random(generator) => take(generator, sink),
        }
    }

    fn write(&self, _: &mut Attempt, _: u64, source: &mut dyn Source) -> Result<usize> {
        match self {
            // Nobody looks at the bytes, so nobody minds if they aren't there.
            Memory::Null | Memory::Zero => source.check().map(|()| source.remaining()),
            Memory::Full => Err(Errno::ENOSPC),
            Memory::Random(generator) => stir(generator, source),
        }
    }

    fn plain(&self) -> Plain {
        match self {
            Memory::Null => Plain::READS_END | Plain::DISCARDS,
            Memory::Zero => Plain::READS_ZEROS | Plain::DISCARDS,
            // A read is, a write isn't.
            Memory::Full => Plain::READS_ZEROS,
            Memory::Random(_) => Plain::empty(),
        }
    }

    fn writes_everything(&self) -> bool {
        matches!(self, Memory::Random(_))
    }

    fn seek(&self, _: Whence, _: i64, _: u64) -> Result<u64> {
        Ok(0)
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn keeps_times(&self) -> bool {
        false
    }
}
