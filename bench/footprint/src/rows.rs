//! How often each instruction ran in each row: of all the passes of a row, the median one by its number of instructions.
//!
//! An instruction that faults runs again when the fault is resolved; the processor counts it once, when it has succeeded, and so does this,
//! as far as it can be seen: inside a block, where the next instruction can only be the one behind it. What a pass of the kernel's
//! benchmark costs by itself is its first row; as many instructions are left out at the beginning of each stretch of the later ones.

use crate::code::{Code, Instruction, Kind};
use crate::count::is_kernel;
use crate::mark::Mark;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::ops::Range;

/// How often instructions ran, by index.
type Times = Vec<(usize, u32)>;

struct Pass {
    total: usize,
    times: Times,
}

/// A finished row.
struct Row {
    passes: usize,
    median: Pass,
}

#[derive(Default)]
pub struct Rows {
    done: Vec<Row>,
    /// Of the row that is being measured: the passes of each column.
    columns: Vec<Vec<Pass>>,
    is_open: bool,
    recording: bool,
    /// What ran in this pass or turn, in its order.
    log: Vec<usize>,
    last: Option<Last>,
    turn: Turn,
    /// What each stretch of a turn costs by itself.
    overhead: Option<usize>,
}

/// The last instruction that ran.
struct Last {
    instruction: Instruction,
    is_logged: bool,
}

/// What is known of a turn.
#[derive(Default)]
struct Turn {
    is_on: bool,
    /// The address of the instruction that read the clock last, and how long the log was: whoever stores right behind it says which stamp it is.
    reading: Option<(u64, usize)>,
    /// Where in the log stamps were taken, by the address that they were stored at.
    stamps: HashMap<u64, usize>,
    /// Stamps that were named so far; `None` if nobody names any.
    named: Option<Vec<u64>>,
    stretches: Vec<Range<usize>>,
    /// Those of the next column.
    taken: Range<usize>,
    column: usize,
}

impl Rows {
    /// An instruction is about to run, a mark perhaps.
    pub fn executed(&mut self, code: &Code, index: usize) {
        let Some(&instruction) = code.instructions.get(index) else { return };
        if let Some(Last { instruction: before, is_logged }) = &self.last
            && !before.ends_block
            && before.end() != instruction.address
            && *is_logged
        {
            // It has faulted.
            self.log.pop();
        }
        let is_logged = self.recording && !matches!(instruction.kind, Kind::Mark(_));
        if instruction.kind == Kind::ReadsClock && self.turn.is_on && !is_kernel(instruction.address) {
            self.turn.reading = Some((instruction.address, self.log.len()));
        }
        if is_logged {
            self.log.push(index);
        }
        self.last = Some(Last { instruction, is_logged });
        if let Kind::Mark(mark) = instruction.kind {
            self.mark(code, mark);
        }
    }

    fn mark(&mut self, code: &Code, mark: Mark) {
        match mark {
            Mark::Begin => self.record(),
            Mark::End if self.recording => {
                self.recording = false;
                let all = 0..self.log.len();
                self.keep(code, 0, std::slice::from_ref(&all));
            }
            Mark::End => {}
            Mark::Row => {
                self.close();
                self.columns.clear();
                self.is_open = true;
            }
            Mark::RowEnd => {
                self.is_open = true;
                self.close();
            }
            Mark::Turn => {
                self.record();
                self.turn = Turn { is_on: true, ..Turn::default() };
            }
            Mark::Stretch => self.turn.named = Some(Vec::new()),
            Mark::Skip => self.turn.taken = self.turn.taken.start + 1..self.turn.taken.end + 1,
            Mark::Take => self.turn.taken.end += 1,
            Mark::Column => {
                let stretches = self.turn.stretches.get(self.turn.taken.clone()).unwrap_or_default().to_vec();
                self.keep(code, self.turn.column, &stretches);
                self.turn.column += 1;
                self.turn.taken = 0..0;
            }
            Mark::AllDone => self.close(),
        }
    }

    fn record(&mut self) {
        self.log.clear();
        self.recording = true;
        self.turn.is_on = false;
    }

    /// A program, not the kernel, reads or writes memory.
    pub fn accessed(&mut self, address: u64, is_store: bool) {
        let Some(Last { instruction, .. }) = self.last.as_ref().filter(|_| self.turn.is_on) else { return };
        let turn = &mut self.turn;
        if is_kernel(instruction.address) {
            return;
        }
        if is_store {
            // `rdtsc` has two bytes.
            if let Some((_, position)) = turn.reading.take_if(|(reader, _)| *reader + 2 == instruction.address) {
                turn.stamps.insert(address, position);
            }
        } else if let Some(named) = &mut turn.named {
            named.push(address);
            if let [first, last] = named[..] {
                let place = |stamp| turn.stamps.get(&stamp).copied();
                let (first, last) = (place(first).unwrap_or(0), place(last).unwrap_or(0));
                let begin = first + self.overhead.unwrap_or(0);
                turn.stretches.push(begin.min(last)..last);
                turn.named = None;
            }
        }
    }

    /// One more pass of a column, made of these parts of the log.
    fn keep(&mut self, code: &Code, column: usize, parts: &[Range<usize>]) {
        let mut times: BTreeMap<usize, u32> = BTreeMap::new();
        let mut counts =
            vec![0; if parts.iter().map(Range::len).sum::<usize>() > DENSE { code.instructions.len() } else { 0 }];
        let mut total = 0;
        for &index in parts.iter().filter_map(|part| self.log.get(part.clone())).flatten() {
            total += 1;
            match counts.get_mut(index) {
                Some(count) => *count += 1,
                None => *times.entry(index).or_default() += 1,
            }
        }
        times.extend(counts.into_iter().enumerate().filter(|(_, count)| *count > 0));
        if self.columns.len() <= column {
            self.columns.resize_with(column + 1, Vec::new);
        }
        self.columns[column].push(Pass { total, times: times.into_iter().collect() });
    }

    /// The row that is being measured is finished, whether it has passes or not.
    fn close(&mut self) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        self.recording = false;
        let mut columns = std::mem::take(&mut self.columns);
        if columns.is_empty() {
            columns.push(Vec::new());
        }
        for mut passes in columns {
            passes.sort_by_key(|pass| pass.total);
            let (count, middle) = (passes.len(), passes.len() / 2);
            let median = passes.into_iter().nth(middle).unwrap_or(Pass { total: 0, times: Vec::new() });
            if self.turn.is_on {
                self.overhead.get_or_insert(median.total);
            }
            self.done.push(Row { passes: count, median });
        }
    }

    /// The findings, as the package's documentation lists them.
    pub fn report(&self, code: &Code) -> String {
        let mut text = String::new();
        for Row { passes, median } in &self.done {
            // Writing to a string doesn't fail.
            _ = write!(text, "row {passes} {}", median.total);
            let mut open = None;
            for &(index, times) in &median.times {
                let Some(instruction) = code.instructions.get(index) else { continue };
                let Some(block) = code.blocks.get(instruction.block) else { continue };
                if open != Some(instruction.block) {
                    open = Some(instruction.block);
                    let bytes: String = block.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                    _ = write!(text, "\n{:x} {bytes}", block.address);
                }
                _ = write!(text, " {}:{times}", instruction.address - block.address);
            }
            text.push('\n');
        }
        text
    }
}

/// A pass of more instructions is counted in an array with a place for each that there is.
const DENSE: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    const NOP: &[u8] = &[0x90];
    const CLOCK: &[u8] = &[0x0f, 0x31];
    const KERNEL: u64 = 0xffff_ffff_8000_0000;

    fn mark(number: u16) -> Vec<u8> {
        [&[0x0f, 0x1f, 0x80][..], &number.to_le_bytes(), &[0x45, 0x51]].concat()
    }

    /// A machine that runs what it is told.
    #[derive(Default)]
    struct Machine {
        code: Code,
        rows: Rows,
    }

    impl Machine {
        fn run(&mut self, address: u64, instructions: &[&[u8]]) {
            let first = self.code.add(address, instructions);
            for index in 0..instructions.len() {
                self.rows.executed(&self.code, first + index);
            }
        }

        fn mark(&mut self, number: u16) {
            self.run(0x100, &[&mark(number)]);
        }

        /// Reads the clock and stores the stamp there.
        fn stamp(&mut self, place: u64) {
            self.run(0x200, &[CLOCK]);
            self.run(0x202, &[NOP]);
            self.rows.accessed(place, true);
        }

        fn report(&self) -> String {
            self.rows.report(&self.code)
        }
    }

    #[test]
    fn the_median_pass_counts_and_calibration_does_not() {
        let mut machine = Machine::default();
        let begin_end = |machine: &mut Machine, times: usize| {
            machine.mark(0x0001);
            for _ in 0..times {
                machine.run(0x1000, &[NOP]);
            }
            machine.run(KERNEL, &[NOP, NOP]);
            machine.mark(0x8001);
        };
        begin_end(&mut machine, 100);
        machine.mark(0x0002);
        for times in [7, 1, 3] {
            begin_end(&mut machine, times);
        }
        machine.mark(0x8002);
        machine.mark(0x0002);
        machine.mark(0xffff);
        let expected = "row 3 5\n1000 90 0:1\n1000 90 0:1\n1000 90 0:1\nffffffff80000000 9090 0:1 1:1\nrow 0 0\n";
        assert_eq!(machine.report(), expected);
    }

    #[test]
    fn what_faults_counts_once() {
        let mut machine = Machine::default();
        machine.mark(0x0002);
        machine.mark(0x0001);
        let first = machine.code.add(0x1000, &[NOP, NOP, NOP]);
        machine.rows.executed(&machine.code, first);
        machine.rows.executed(&machine.code, first + 1);
        machine.run(KERNEL, &[NOP]);
        machine.rows.executed(&machine.code, first + 1);
        machine.rows.executed(&machine.code, first + 2);
        machine.mark(0x8001);
        machine.mark(0x8002);
        assert_eq!(machine.report(), "row 1 4\n1000 909090 0:1 1:1 2:1\nffffffff80000000 90 0:1\n");
    }

    #[test]
    fn a_turn_has_columns_of_stretches_between_stamps() {
        let mut machine = Machine::default();
        let stretch = |machine: &mut Machine, from, to| {
            machine.mark(0x0004);
            machine.rows.accessed(from, false);
            machine.rows.accessed(to, false);
        };
        // What stamping costs: two instructions.
        machine.mark(0x0003);
        machine.stamp(0x5000);
        machine.stamp(0x5008);
        stretch(&mut machine, 0x5000, 0x5008);
        machine.mark(0x0006);
        machine.mark(0x0007);
        machine.mark(0x8002);
        // There, and back; and both together.
        machine.mark(0x0003);
        machine.stamp(0x5000);
        machine.run(KERNEL, &[NOP]);
        machine.stamp(0x6008);
        machine.run(0x3000, &[NOP]);
        machine.stamp(0x6000);
        machine.run(KERNEL + 16, &[NOP]);
        machine.stamp(0x5008);
        stretch(&mut machine, 0x5000, 0x6008);
        stretch(&mut machine, 0x6000, 0x5008);
        for number in [0x6, 0x7, 0x5, 0x6, 0x7, 0x6, 0x6, 0x7] {
            machine.mark(number);
        }
        machine.mark(0x8002);
        machine.mark(0xffff);
        let (there, back) = ("ffffffff80000000 90 0:1\n", "ffffffff80000010 90 0:1\n");
        let expected =
            format!("row 1 2\n200 0f31 0:1\n202 90 0:1\nrow 1 1\n{there}row 1 1\n{back}row 1 2\n{there}{back}");
        assert_eq!(machine.report(), expected);
    }
}
