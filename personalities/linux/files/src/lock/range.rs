//! Ranges of bytes in a file.

use crate::{Errno, Result};

/// Bytes `first..=last`; `u64::MAX` at the end means however far the file grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Range {
    /// From `l_start`, counted from `base`, and `l_len`, which may be negative: then the range ends before the start. `EINVAL` if it
    /// would begin before the file, `EOVERFLOW` if it would end behind 2⁶³ − 1.
    pub(super) fn new(base: u64, start: i64, length: i64) -> Result<Self> {
        let base = i64::try_from(base).map_err(|_| Errno::EOVERFLOW)?;
        let start = base.checked_add(start).ok_or(Errno::EOVERFLOW)?;
        let (first, last) = match length {
            0 => (start, None),
            1.. => (start, Some(start.checked_add(length - 1).ok_or(Errno::EOVERFLOW)?)),
            _ => (start.checked_add(length).ok_or(Errno::EINVAL)?, Some(start - 1)),
        };
        let first = u64::try_from(first).map_err(|_| Errno::EINVAL)?;
        Ok(Range { first, last: last.map_or(u64::MAX, |last| last as u64) })
    }

    pub(super) fn overlaps(&self, other: &Range) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Do they overlap, or follow each other without a gap?
    pub(super) fn touches(&self, other: &Range) -> bool {
        self.first <= other.last.saturating_add(1) && other.first <= self.last.saturating_add(1)
    }

    pub(super) fn join(&self, other: &Range) -> Range {
        Range { first: self.first.min(other.first), last: self.last.max(other.last) }
    }

    /// What of it lies before and behind `cut`.
    pub(super) fn without(&self, cut: &Range) -> [Option<Range>; 2] {
        let before = (self.first < cut.first).then(|| Range { first: self.first, last: self.last.min(cut.first - 1) });
        let behind = (self.last > cut.last).then(|| Range { first: self.first.max(cut.last + 1), last: self.last });
        [before, behind]
    }

    /// `l_len`: 0 for an open end.
    pub(super) fn length(&self) -> i64 {
        if self.last == u64::MAX { 0 } else { (self.last - self.first + 1) as i64 }
    }
}
