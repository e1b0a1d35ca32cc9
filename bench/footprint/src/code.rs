//! What was translated: instructions, and the blocks that they came in.
//!
//! Programs may lie at the same addresses in different address spaces; a block's bytes tell them apart.

use crate::mark::Mark;

/// A stretch of instructions, one behind the other, without a jump but at its end.
pub struct Block {
    pub address: u64,
    pub bytes: Vec<u8>,
}

/// One of a block's.
#[derive(Clone, Copy)]
pub struct Instruction {
    pub address: u64,
    pub length: u64,
    /// Index of its block.
    pub block: usize,
    pub ends_block: bool,
    pub kind: Kind,
}

/// What is remarkable about an instruction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    LoadsCr3,
    ReadsClock,
    Mark(Mark),
}

impl Instruction {
    /// The address behind it.
    pub fn end(&self) -> u64 {
        self.address + self.length
    }
}

impl Kind {
    pub fn of(instruction: &[u8]) -> Kind {
        match (Mark::of(instruction), instruction) {
            (Some(mark), _) => Kind::Mark(mark),
            // `mov %reg, %cr3`, with or without a prefix.
            (None, [0x0f, 0x22, 0xd8..=0xdf] | [0x40..=0x4f, 0x0f, 0x22, 0xd8..=0xdf]) => Kind::LoadsCr3,
            (None, [0x0f, 0x31]) => Kind::ReadsClock,
            _ => Kind::Plain,
        }
    }
}

/// All that was translated; never forgotten, so that an index stays good.
#[derive(Default)]
pub struct Code {
    pub blocks: Vec<Block>,
    pub instructions: Vec<Instruction>,
}

impl Code {
    /// Notes a block's instructions; returns the index of the first.
    pub fn add(&mut self, address: u64, instructions: &[&[u8]]) -> usize {
        let (block, first) = (self.blocks.len(), self.instructions.len());
        let mut next = address;
        for (index, bytes) in instructions.iter().enumerate() {
            let (length, ends_block) = (bytes.len() as u64, index + 1 == instructions.len());
            let kind = Kind::of(bytes);
            self.instructions.push(Instruction { address: next, length, block, ends_block, kind });
            next += length;
        }
        self.blocks.push(Block { address, bytes: instructions.concat() });
        first
    }
}
