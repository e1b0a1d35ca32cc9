//! Instructions that do nothing and say what is being measured: `nopl disp32(%rax)`, told apart by the displacement.
//!
//! The Linux program (`bench/linux/bench.h`) measures between [`Mark::Begin`] and [`Mark::End`], again and again, and says where a row's
//! own passes begin and end. The kernel's (`bench/kernel/src/mark.rs`) reads the clock in several threads and says afterwards which
//! stretches between two readings belong to which of a turn's columns.

/// The upper half of the displacement.
const SIGN: u16 = 0x5145;

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A pass begins behind this instruction and ends before the next [`Mark::End`].
    Begin,
    End,
    /// What was measured until now was for calibration; passes of a row follow.
    Row,
    /// The row is measured. For each of its columns there is one in the report.
    RowEnd,
    /// A turn begins: a pass for each column comes of it.
    Turn,
    /// The next two instructions read the places of two stamps: from the first to the second is a stretch, and they are numbered from 0.
    Stretch,
    /// The next column's first stretch has a number higher by one; a turn begins with 0.
    Skip,
    /// The next column has one more stretch; it begins with none.
    Take,
    /// The next column of the turn consists of the stretches that were taken, and those behind them belong to the one behind it.
    Column,
    AllDone,
}

impl Mark {
    /// The mark that this instruction is.
    pub fn of(instruction: &[u8]) -> Option<Mark> {
        let [0x0f, 0x1f, 0x80, displacement @ ..] = instruction else { return None };
        let displacement = u32::from_le_bytes(displacement.try_into().ok()?);
        if displacement >> 16 != SIGN.into() {
            return None;
        }
        match displacement & 0xffff {
            0x0001 => Some(Mark::Begin),
            0x8001 => Some(Mark::End),
            0x0002 => Some(Mark::Row),
            0x8002 => Some(Mark::RowEnd),
            0x0003 => Some(Mark::Turn),
            0x0004 => Some(Mark::Stretch),
            0x0005 => Some(Mark::Skip),
            0x0006 => Some(Mark::Take),
            0x0007 => Some(Mark::Column),
            0xffff => Some(Mark::AllDone),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_told_apart_and_from_others() {
        assert_eq!(Mark::of(&[0x0f, 0x1f, 0x80, 0x01, 0x00, 0x45, 0x51]), Some(Mark::Begin));
        assert_eq!(Mark::of(&[0x0f, 0x1f, 0x80, 0x01, 0x80, 0x45, 0x51]), Some(Mark::End));
        assert_eq!(Mark::of(&[0x0f, 0x1f, 0x80, 0xff, 0xff, 0x45, 0x51]), Some(Mark::AllDone));
        assert_eq!(Mark::of(&[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00]), None);
        assert_eq!(Mark::of(&[0x0f, 0x1f, 0x80]), None);
        assert_eq!(Mark::of(&[0x90]), None);
    }
}
