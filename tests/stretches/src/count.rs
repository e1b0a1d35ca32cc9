//! The counting, apart from the emulator.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Blocks of the longest stretch that are listed.
const LISTED: usize = 24;

/// A run of instructions without a jump in between, as the emulator translated it.
struct Block {
    address: u64,
    instructions: u64,
    /// How often it ran in the present stretch.
    runs: u64,
}

/// Stretches that began at one address.
#[derive(Default)]
struct Entry {
    stretches: u64,
    instructions: u64,
    longest: u64,
}

/// What was counted so far.
#[derive(Default)]
pub struct Counts {
    blocks: Vec<Block>,
    /// Blocks of the present stretch.
    touched: Vec<usize>,
    began: Option<u64>,
    boot: Boot,
    longest: u64,
    longest_began: u64,
    longest_blocks: Vec<(u64, u64)>,
    entries: BTreeMap<u64, Entry>,
}

#[derive(Default, PartialEq, Eq)]
enum Boot {
    /// Firmware and boot loader run.
    #[default]
    Before,
    Running,
    Took(u64),
}

impl Counts {
    /// A block of the kernel was translated; the index to report its runs with.
    pub fn add_block(&mut self, address: u64, instructions: u64) -> usize {
        self.blocks.push(Block { address, instructions, runs: 0 });
        self.blocks.len() - 1
    }

    /// The kernel's first instruction is about to run.
    pub fn kernel_entered(&mut self) {
        self.boot = Boot::Running;
        self.forget_stretch();
    }

    /// Whether what runs outside the kernel's half may be the kernel's, too.
    pub fn is_booted(&self) -> bool {
        matches!(self.boot, Boot::Took(_))
    }

    /// The block with this index is about to run.
    pub fn ran(&mut self, index: usize) {
        let Some(block) = self.blocks.get_mut(index) else { return };
        self.began.get_or_insert(block.address);
        if block.runs == 0 {
            self.touched.push(index);
        }
        block.runs += 1;
    }

    /// The stretch ends after so many instructions.
    pub fn left(&mut self, instructions: u64) {
        match self.boot {
            Boot::Before => {}
            Boot::Running => self.boot = Boot::Took(instructions),
            Boot::Took(_) => self.stretch(instructions),
        }
        self.forget_stretch();
    }

    fn stretch(&mut self, instructions: u64) {
        let Some(began) = self.began else { return };
        let entry = self.entries.entry(began).or_default();
        entry.stretches += 1;
        entry.instructions += instructions;
        entry.longest = entry.longest.max(instructions);
        if instructions > self.longest {
            (self.longest, self.longest_began) = (instructions, began);
            let blocks = self.touched.iter().filter_map(|index| self.blocks.get(*index));
            self.longest_blocks = blocks.map(|block| (block.address, block.runs * block.instructions)).collect();
        }
    }

    fn forget_stretch(&mut self) {
        for index in self.touched.drain(..) {
            if let Some(block) = self.blocks.get_mut(index) {
                block.runs = 0;
            }
        }
        self.began = None;
    }

    /// The findings, as the package's documentation lists them.
    pub fn report(&self) -> String {
        let mut text = String::new();
        // Writing to a string doesn't fail.
        if let Boot::Took(instructions) = self.boot {
            _ = writeln!(text, "boot {instructions}");
        }
        if self.longest > 0 {
            _ = writeln!(text, "longest {} began {:#x}", self.longest, self.longest_began);
        }
        let mut blocks = self.longest_blocks.clone();
        blocks.sort_by_key(|(_, instructions)| std::cmp::Reverse(*instructions));
        for (address, instructions) in blocks.into_iter().take(LISTED) {
            _ = writeln!(text, "block {address:#x} {instructions}");
        }
        for (address, entry) in &self.entries {
            let Entry { stretches, instructions, longest } = entry;
            _ = writeln!(text, "entry {address:#x} {stretches} {instructions} {longest}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_is_counted_apart_and_the_longest_stretch_is_found() {
        let mut counts = Counts::default();
        let (stub, work) = (counts.add_block(0x100, 4), counts.add_block(0x200, 10));
        counts.ran(work);
        counts.left(77);
        counts.kernel_entered();
        assert!(!counts.is_booted());
        counts.ran(work);
        counts.left(5000);
        assert!(counts.is_booted());
        for turns in [1, 3, 2] {
            counts.ran(stub);
            (0..turns).for_each(|_| counts.ran(work));
            counts.left(4 + turns * 10);
        }
        counts.ran(work);
        counts.left(10);
        let expected = "boot 5000\nlongest 34 began 0x100\nblock 0x200 30\nblock 0x100 4\n\
                        entry 0x100 3 72 34\nentry 0x200 1 10 10\n";
        assert_eq!(counts.report(), expected);
    }

    #[test]
    fn nothing_is_reported_of_a_kernel_that_never_ran() {
        let mut counts = Counts::default();
        counts.left(9);
        assert_eq!(counts.report(), "");
    }
}
