//! From a file that has offsets: sendfile(2) and copy_file_range(2).

use alloc::rc::Rc;
use alloc::vec;
use core::cell::Cell;

use super::{End, MOST, PIECE, outcome};
use crate::inode::Kind;
use crate::open::OpenFlags;
use crate::page::SIZE_MAX;
use crate::{Errno, Result};

/// What one copy_file_range(2) moves at most, and one sendfile(2) that has never had to wait meanwhile, so that it doesn't take long:
/// some targets take, or throw away, whatever comes, and some sources never end.
const COPY_MOST: usize = 1 << 20;

/// sendfile(2): waits for room at `to` as its O_NONBLOCK says. `EBADF`, `EINVAL` for a source without offsets and for O_APPEND.
pub async fn send_file(to: End<'_>, from: End<'_>, count: usize, moved: &Cell<usize>) -> Result<usize> {
    from.check_readable()?;
    to.check_writable()?;
    if !from.file.is_seekable() || to.file.flags().contains(OpenFlags::APPEND) {
        return Err(Errno::EINVAL);
    }
    let from = End { offset: Some(from.offset.unwrap_or(from.file.offset())), moves: from.offset.is_none(), ..from };
    let result = send_pieces(to, from, count.min(MOST), moved).await;
    outcome(moved, result)
}

async fn send_pieces(to: End<'_>, from: End<'_>, count: usize, moved: &Cell<usize>) -> Result<()> {
    let mut piece = vec![0; PIECE.min(count)];
    let mut at_a_stretch = 0;
    while moved.get() < count && at_a_stretch < COPY_MOST {
        let wanted = piece.len().min(count - moved.get());
        let found = from.read(moved.get(), &mut piece[..wanted])?;
        if found == 0 {
            break;
        }
        let (written, waited) = to.write_some(moved.get(), &piece[..found]).await?;
        moved.set(moved.get() + written);
        at_a_stretch = if waited { written } else { at_a_stretch + written };
        from.advance(written);
    }
    Ok(())
}

/// copy_file_range(2) with no flags: between regular files, now; it may move less than there is. `EBADF` (also for O_APPEND),
/// `EISDIR`, `EINVAL` for other files and for ranges of one file that overlap, `EOVERFLOW`.
pub fn copy_range(from: End<'_>, to: End<'_>, count: usize) -> Result<usize> {
    from.check_readable()?;
    to.check_writable()?;
    if to.file.flags().contains(OpenFlags::APPEND) {
        return Err(Errno::EBADF);
    }
    for end in [from, to] {
        match end.file.inode().kind() {
            Kind::Regular if end.file.is_seekable() => {}
            Kind::Directory => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        }
    }
    let (source, target) = (from.place(), to.place());
    let fits = |at: u64| at.checked_add(count as u64).is_some_and(|end| end <= SIZE_MAX);
    if !fits(source) || !fits(target) {
        return Err(Errno::EOVERFLOW);
    }
    let left = from.file.metadata().size.saturating_sub(source);
    let count = usize::try_from(left).unwrap_or(usize::MAX).min(count).min(COPY_MOST);
    let same = Rc::ptr_eq(from.file.inode(), to.file.inode());
    if same && source < target + count as u64 && target < source + count as u64 && count > 0 {
        return Err(Errno::EINVAL);
    }
    let moved = Cell::new(0);
    let result = copy_pieces(from, to, count, &moved);
    outcome(&moved, result)
}

fn copy_pieces(from: End<'_>, to: End<'_>, count: usize, moved: &Cell<usize>) -> Result<()> {
    let mut piece = vec![0; PIECE.min(count)];
    let [from, to] = [from, to].map(|end| End { offset: Some(end.place()), moves: end.offset.is_none(), ..end });
    while moved.get() < count {
        let wanted = piece.len().min(count - moved.get());
        let found = from.read(moved.get(), &mut piece[..wanted])?;
        let written = if found > 0 { to.write(moved.get(), &piece[..found])? } else { 0 };
        if written == 0 {
            break;
        }
        moved.set(moved.get() + written);
        from.advance(written);
        to.advance(written);
    }
    Ok(())
}
