//! Sets of physical address ranges: what is RAM, what is taken, what is left.
//!
//! Fixed capacity, because there is nothing to allocate from yet. Guarantees: ranges are sorted, disjoint, not empty and
//! never touch. Every operation that could need one range too many says so.

/// Addresses from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Region {
    pub start: u64,
    pub end: u64,
}

impl Region {
    pub const fn new(start: u64, end: u64) -> Self {
        Self { start, end }
    }
    /// `length` bytes from `start`, cut at the end of the address space.
    pub const fn sized(start: u64, length: u64) -> Self {
        Self { start, end: start.saturating_add(length) }
    }
    pub const fn size(self) -> u64 {
        self.end.saturating_sub(self.start)
    }
    pub const fn is_empty(self) -> bool {
        self.start >= self.end
    }
    /// The whole pages of 2^`bits` bytes inside.
    pub const fn shrunk(self, bits: u32) -> Self {
        let mask = (1 << bits) - 1;
        Self { start: self.start.saturating_add(mask) & !mask, end: self.end & !mask }
    }
    /// The pages of 2^`bits` bytes that it touches.
    pub const fn grown(self, bits: u32) -> Self {
        let mask = (1 << bits) - 1;
        Self { start: self.start & !mask, end: self.end.saturating_add(mask) & !mask }
    }
    pub const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
    pub const fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

/// Ranges that one set can hold.
pub const CAPACITY: usize = 64;

/// More than [`CAPACITY`] ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

#[derive(Clone)]
pub struct Regions {
    list: [Region; CAPACITY],
    length: usize,
}

impl Regions {
    pub const fn new() -> Self {
        Self { list: [Region::new(0, 0); CAPACITY], length: 0 }
    }

    pub fn iter(&self) -> impl Iterator<Item = Region> {
        self.list.iter().take(self.length).copied()
    }

    /// Sum of all ranges, in bytes.
    pub fn size(&self) -> u64 {
        self.iter().map(Region::size).sum()
    }

    pub fn overlaps(&self, region: Region) -> bool {
        self.iter().any(|r| r.overlaps(region))
    }

    pub fn contains(&self, region: Region) -> bool {
        self.iter().any(|r| r.contains(region))
    }

    fn push(&mut self, region: Region) -> Result<(), Full> {
        if region.is_empty() {
            return Ok(());
        }
        *self.list.get_mut(self.length).ok_or(Full)? = region;
        self.length += 1;
        Ok(())
    }

    /// Adds a range, joined with what it overlaps or touches.
    pub fn add(&mut self, region: Region) -> Result<(), Full> {
        if region.is_empty() {
            return Ok(());
        }
        let mut joined = region;
        let mut result = Self::new();
        let mut placed = false;
        for old in self.iter() {
            if old.end < joined.start {
                result.push(old)?;
            } else if joined.end < old.start {
                if !placed {
                    result.push(joined)?;
                    placed = true;
                }
                result.push(old)?;
            } else {
                joined = Region::new(old.start.min(joined.start), old.end.max(joined.end));
            }
        }
        if !placed {
            result.push(joined)?;
        }
        *self = result;
        Ok(())
    }

    /// Takes a range out, wherever it overlaps.
    pub fn remove(&mut self, hole: Region) -> Result<(), Full> {
        if hole.is_empty() {
            return Ok(());
        }
        let mut result = Self::new();
        for old in self.iter() {
            if old.overlaps(hole) {
                result.push(Region::new(old.start, hole.start.min(old.end)))?;
                result.push(Region::new(hole.end.max(old.start), old.end))?;
            } else {
                result.push(old)?;
            }
        }
        *self = result;
        Ok(())
    }

    /// What lies between the ranges, within `bounds`.
    pub fn gaps(&self, bounds: Region) -> Result<Self, Full> {
        let mut result = Self::new();
        result.push(bounds)?;
        for region in self.iter() {
            result.remove(region)?;
        }
        Ok(result)
    }

    /// Takes `size` bytes aligned to 2^`bits` from the end of the largest range below `limit`; `None` if none has them.
    pub fn take(&mut self, size: u64, bits: u32, limit: u64) -> Option<u64> {
        let below = |r: Region| Region::new(r.start, r.end.min(limit));
        let fit = |r: Region| {
            let start = r.end.checked_sub(size)? & !((1 << bits) - 1);
            (start >= r.start).then_some(start)
        };
        let start = self.iter().map(below).filter(|r| fit(*r).is_some()).max_by_key(|r| r.size()).and_then(fit)?;
        self.remove(Region::sized(start, size)).ok()?;
        Some(start)
    }
}

impl Default for Regions {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    fn list(regions: &Regions) -> Vec<(u64, u64)> {
        regions.iter().map(|r| (r.start, r.end)).collect()
    }

    #[test]
    fn adding_joins_what_touches_and_keeps_order() {
        let mut r = Regions::new();
        for (start, end) in [(50, 60), (10, 20), (30, 40), (20, 30), (5, 5), (58, 70)] {
            r.add(Region::new(start, end)).unwrap();
        }
        assert_eq!(list(&r), [(10, 40), (50, 70)]);
        r.add(Region::new(0, 100)).unwrap();
        assert_eq!(list(&r), [(0, 100)]);
    }

    #[test]
    fn removing_splits_and_trims() {
        let mut r = Regions::new();
        r.add(Region::new(10, 40)).unwrap();
        r.add(Region::new(50, 60)).unwrap();
        r.remove(Region::new(20, 25)).unwrap();
        r.remove(Region::new(38, 52)).unwrap();
        r.remove(Region::new(0, 5)).unwrap();
        assert_eq!(list(&r), [(10, 20), (25, 38), (52, 60)]);
    }

    #[test]
    fn gaps_are_the_complement() {
        let mut r = Regions::new();
        r.add(Region::new(10, 20)).unwrap();
        r.add(Region::new(30, 40)).unwrap();
        assert_eq!(list(&r.gaps(Region::new(0, 35)).unwrap()), [(0, 10), (20, 30)]);
        assert_eq!(list(&r.gaps(Region::new(12, 100)).unwrap()), [(20, 30), (40, 100)]);
    }

    #[test]
    fn taking_comes_from_the_end_of_the_largest_range() {
        let mut r = Regions::new();
        r.add(Region::new(0x1000, 0x3000)).unwrap();
        r.add(Region::new(0x10000, 0x1f800)).unwrap();
        assert_eq!(r.take(0x1000, 12, u64::MAX), Some(0x1e000));
        assert_eq!(list(&r), [(0x1000, 0x3000), (0x10000, 0x1e000), (0x1f000, 0x1f800)]);
        assert_eq!(r.take(0x1000, 12, 0x8000), Some(0x2000));
        assert_eq!(r.take(0x10_0000, 12, u64::MAX), None);
    }

    #[test]
    fn a_full_set_says_so() {
        let mut r = Regions::new();
        for i in 0..CAPACITY as u64 {
            r.add(Region::new(i * 4, i * 4 + 2)).unwrap();
        }
        assert_eq!(r.add(Region::new(4000, 4001)), Err(Full));
        assert_eq!(r.remove(Region::new(0, 1)), Ok(()));
    }

    #[test]
    fn rounding_goes_inwards_and_outwards() {
        let r = Region::new(0x1001, 0x3fff);
        assert_eq!(r.shrunk(12), Region::new(0x2000, 0x3000));
        assert_eq!(r.grown(12), Region::new(0x1000, 0x4000));
        assert!(Region::new(0x1001, 0x1fff).shrunk(12).is_empty());
        assert_eq!(Region::sized(u64::MAX - 1, 5).end, u64::MAX);
    }
}
