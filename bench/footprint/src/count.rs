//! The counting, apart from the emulator.

use crate::mark::Mark;
use std::collections::HashSet;
use std::fmt::Write;

const LINE_BITS: u32 = 6;
const PAGE_BITS: u32 = 12;

/// What one sample has touched so far.
#[derive(Default)]
struct Sample {
    kernel: u64,
    user: u64,
    entries: u64,
    space_switches: u64,
    code_lines: HashSet<u64>,
    data_lines: HashSet<u64>,
    was_in_kernel: bool,
}

/// The numbers of a finished sample, in the order of [`NAMES`].
type Numbers = [u64; NAMES.len()];

const NAMES: [&str; 8] = [
    "kernel-instructions",
    "user-instructions",
    "kernel-entries",
    "address-space-switches",
    "kernel-code-lines",
    "kernel-data-lines",
    "kernel-code-pages",
    "kernel-data-pages",
];

/// All samples.
#[derive(Default)]
pub struct Counts {
    now: Option<Sample>,
    done: Vec<Numbers>,
}

/// The kernel's half of the address space.
pub fn is_kernel(address: u64) -> bool {
    address >> 63 == 1
}

/// Distinct units of 2^`bits` bytes that these lines lie in.
fn units(lines: &HashSet<u64>, bits: u32) -> u64 {
    lines.iter().map(|line| line >> (bits - LINE_BITS)).collect::<HashSet<_>>().len() as u64
}

impl Counts {
    pub fn mark(&mut self, mark: Mark) {
        match mark {
            Mark::Begin => self.begin(),
            Mark::End => self.end(),
            Mark::Row => self.done.clear(),
            _ => {}
        }
    }

    fn begin(&mut self) {
        self.now = Some(Sample::default());
    }

    fn end(&mut self) {
        let Some(sample) = self.now.take() else { return };
        let Sample { kernel, user, entries, space_switches, code_lines, data_lines, .. } = &sample;
        let pages = |lines| units(lines, PAGE_BITS);
        self.done.push([
            *kernel,
            *user,
            *entries,
            *space_switches,
            units(code_lines, LINE_BITS),
            units(data_lines, LINE_BITS),
            pages(code_lines),
            pages(data_lines),
        ]);
    }

    /// An instruction of so many bytes is about to run.
    pub fn executed(&mut self, address: u64, bytes: u64, loads_cr3: bool) {
        let Some(sample) = &mut self.now else { return };
        let in_kernel = is_kernel(address);
        if in_kernel {
            sample.kernel += 1;
            sample.entries += u64::from(!sample.was_in_kernel);
            sample.code_lines.extend([address >> LINE_BITS, (address + bytes.max(1) - 1) >> LINE_BITS]);
        } else {
            sample.user += 1;
        }
        sample.was_in_kernel = in_kernel;
        sample.space_switches += u64::from(loads_cr3);
    }

    /// The kernel reads or writes so many bytes.
    pub fn accessed(&mut self, address: u64, bytes: u64) {
        if let Some(sample) = self.now.as_mut().filter(|sample| sample.was_in_kernel) {
            sample.data_lines.extend([address >> LINE_BITS, (address + bytes.max(1) - 1) >> LINE_BITS]);
        }
    }

    /// The findings, as the package's documentation lists them.
    pub fn report(&self) -> String {
        // Writing to a string doesn't fail.
        let mut text = format!("samples {}\n", self.done.len());
        for (index, name) in NAMES.iter().enumerate().filter(|_| !self.done.is_empty()) {
            let mut values: Vec<u64> = self.done.iter().map(|numbers| numbers[index]).collect();
            values.sort_unstable();
            _ = writeln!(text, "{name} {}", values[values.len() / 2]);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: u64 = 0xffff_ffff_8000_0000;

    #[test]
    fn only_what_lies_between_the_marks_counts() {
        let mut counts = Counts::default();
        counts.executed(KERNEL, 4, false);
        for _ in 0..3 {
            counts.mark(Mark::Begin);
            counts.mark(Mark::End);
        }
        counts.mark(Mark::Row);
        counts.mark(Mark::Begin);
        counts.executed(0x1000, 2, false);
        counts.accessed(0x5000, 8);
        for offset in [0, 60, 4096] {
            counts.executed(KERNEL + offset, 8, offset == 60);
        }
        counts.accessed(KERNEL + 0x3000, 8);
        counts.accessed(KERNEL + 0x3038, 16);
        counts.executed(0x1002, 2, false);
        counts.mark(Mark::End);
        counts.executed(KERNEL, 4, false);
        let expected = "samples 1\nkernel-instructions 3\nuser-instructions 2\nkernel-entries 1\naddress-space-switches 1\n\
                        kernel-code-lines 3\nkernel-data-lines 2\nkernel-code-pages 2\nkernel-data-pages 1\n";
        assert_eq!(counts.report(), expected);
    }

    #[test]
    fn a_run_without_marks_says_so() {
        assert_eq!(Counts::default().report(), "samples 0\n");
    }
}
