//! Programs of the classic packet filter (BPF), in the form that seccomp(2) takes them: they look at a call and say what becomes
//! of it.
//!
//! What is checked once makes running safe: jumps go forward and inside, the last instruction returns, memory is written before it
//! is read. So a program ends after as many steps as it has instructions, at most.

use alloc::vec;
use alloc::vec::Vec;
use chestnut_linux_files::{Errno, Result};

/// Most instructions of a program (BPF_MAXINSNS).
pub const MOST: usize = 4096;
/// Words of scratch memory (BPF_MEMWORDS).
const MEMORY: usize = 16;

/// One instruction: `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    constant: u32,
}

impl Instruction {
    pub const BYTES: usize = 8;

    pub const fn from_word(word: u64) -> Self {
        Self {
            code: word as u16,
            if_true: (word >> 16) as u8,
            if_false: (word >> 24) as u8,
            constant: (word >> 32) as u32,
        }
    }
}

/// The classes of instructions, their lowest three bits.
mod class {
    pub const LOAD: u16 = 0;
    pub const LOAD_INDEX: u16 = 1;
    pub const STORE: u16 = 2;
    pub const STORE_INDEX: u16 = 3;
    pub const ARITHMETIC: u16 = 4;
    pub const JUMP: u16 = 5;
    pub const RETURN: u16 = 6;
    pub const MOVE: u16 = 7;
}
/// Where a load takes its word from.
mod mode {
    pub const CONSTANT: u16 = 0x00;
    pub const ABSOLUTE: u16 = 0x20;
    pub const MEMORY: u16 = 0x60;
    pub const LENGTH: u16 = 0x80;
}
/// The operand is the index register, not the constant.
const INDEX: u16 = 0x08;
const ACCUMULATOR: u16 = 0x10;
const TO_ACCUMULATOR: u16 = 0x80;
const ALWAYS: u16 = 0x00;

/// A program that has passed the check.
#[derive(Debug)]
pub struct Program(Vec<Instruction>);

impl Program {
    /// `EINVAL` for programs that could do what none may, or are too long. They look at `length` bytes of data.
    pub fn new(instructions: Vec<Instruction>, length: u32) -> Result<Self> {
        let sound = (1..=MOST).contains(&instructions.len()) && is_sound(&instructions, length);
        if sound { Ok(Self(instructions)) } else { Err(Errno::EINVAL) }
    }

    /// How many instructions there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What it returns for this data.
    pub fn run(&self, data: &[u32]) -> u32 {
        let (mut accumulator, mut index, mut memory) = (0u32, 0u32, [0u32; MEMORY]);
        let mut at = 0;
        while let Some(&Instruction { code, if_true, if_false, constant }) = self.0.get(at) {
            at += 1;
            let operand = if code & INDEX != 0 { index } else { constant };
            match code & 7 {
                class::LOAD | class::LOAD_INDEX => {
                    let value = match code & 0xe0 {
                        mode::ABSOLUTE => data.get(constant as usize / 4).copied().unwrap_or(0),
                        mode::MEMORY => memory[constant as usize % MEMORY],
                        mode::LENGTH => data.len() as u32 * 4,
                        _ => constant,
                    };
                    *(if code & 7 == class::LOAD { &mut accumulator } else { &mut index }) = value;
                }
                class::STORE => memory[constant as usize % MEMORY] = accumulator,
                class::STORE_INDEX => memory[constant as usize % MEMORY] = index,
                class::ARITHMETIC => match calculate(code & 0xf0, accumulator, operand) {
                    Some(value) => accumulator = value,
                    // A division by an index of zero ends the program.
                    None => return 0,
                },
                class::JUMP if code & 0xf0 == ALWAYS => at += constant as usize,
                class::JUMP => {
                    let holds = match code & 0xf0 {
                        0x10 => accumulator == operand,
                        0x20 => accumulator > operand,
                        0x30 => accumulator >= operand,
                        _ => accumulator & operand != 0,
                    };
                    at += usize::from(if holds { if_true } else { if_false });
                }
                class::RETURN => return if code & 0x18 == ACCUMULATOR { accumulator } else { constant },
                _ if code & TO_ACCUMULATOR != 0 => accumulator = index,
                _ => index = accumulator,
            }
        }
        // Not reached: the last instruction returns.
        0
    }
}

fn calculate(operation: u16, left: u32, right: u32) -> Option<u32> {
    Some(match operation {
        0x00 => left.wrapping_add(right),
        0x10 => left.wrapping_sub(right),
        0x20 => left.wrapping_mul(right),
        0x30 => left.checked_div(right)?,
        0x40 => left | right,
        0x50 => left & right,
        0x60 => left.checked_shl(right).unwrap_or(0),
        0x70 => left.checked_shr(right).unwrap_or(0),
        0x80 => left.wrapping_neg(),
        _ => left ^ right,
    })
}

/// Is it an instruction that filters of system calls may have?
fn is_known(instruction: Instruction, length: u32) -> bool {
    let Instruction { code, constant, .. } = instruction;
    let in_memory = (constant as usize) < MEMORY;
    match code & 7 {
        class::LOAD if code == class::LOAD | mode::ABSOLUTE => constant < length && constant.is_multiple_of(4),
        class::LOAD | class::LOAD_INDEX => match code & !7 {
            mode::CONSTANT | mode::LENGTH => true,
            mode::MEMORY => in_memory,
            _ => false,
        },
        class::STORE | class::STORE_INDEX => code & !7 == 0 && in_memory,
        class::ARITHMETIC => match code & !(7 | INDEX) {
            0x30 => code & INDEX != 0 || constant != 0,
            0x60 | 0x70 => code & INDEX != 0 || constant < 32,
            0x80 => code & INDEX == 0,
            operation => matches!(operation, 0x00 | 0x10 | 0x20 | 0x40 | 0x50 | 0xa0),
        },
        class::JUMP => match code & !(7 | INDEX) {
            ALWAYS => code & INDEX == 0,
            test => matches!(test, 0x10 | 0x20 | 0x30 | 0x40),
        },
        class::RETURN => matches!(code & !7, 0 | ACCUMULATOR),
        class::MOVE => matches!(code & !7, 0 | TO_ACCUMULATOR),
        _ => false,
    }
}

fn is_sound(instructions: &[Instruction], length: u32) -> bool {
    let ends = instructions.last().is_some_and(|last| last.code & 7 == class::RETURN);
    // For each instruction, the words that every way to it has written.
    let mut written = vec![u16::MAX; instructions.len()];
    let mut here = 0;
    for (at, &instruction) in instructions.iter().enumerate() {
        if !is_known(instruction, length) {
            return false;
        }
        here &= written[at];
        let Instruction { code, if_true, if_false, constant } = instruction;
        let word = 1u16.checked_shl(constant).unwrap_or(0);
        match code & 7 {
            class::STORE | class::STORE_INDEX => here |= word,
            class::LOAD | class::LOAD_INDEX if code & 0xe0 == mode::MEMORY && here & word == 0 => return false,
            class::JUMP => {
                let both = [usize::from(if_true), usize::from(if_false)];
                let targets = if code & 0xf0 == ALWAYS { [constant as usize; 2] } else { both };
                for target in targets {
                    let Some(target) = (at + 1).checked_add(target).and_then(|at| written.get_mut(at)) else {
                        return false;
                    };
                    *target &= here;
                }
                here = u16::MAX;
            }
            class::RETURN => here = u16::MAX,
            _ => {}
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(code: u16, if_true: u8, if_false: u8, constant: u32) -> Instruction {
        Instruction { code, if_true, if_false, constant }
    }
    fn run(program: &[Instruction], data: &[u32]) -> Option<u32> {
        Program::new(program.to_vec(), data.len() as u32 * 4).ok().map(|program| program.run(data))
    }

    #[test]
    fn a_filter_chooses_by_number() {
        let program = [step(0x20, 0, 0, 4), step(0x15, 1, 0, 39), step(0x06, 0, 0, 7), step(0x06, 0, 0, 9)];
        assert_eq!(run(&program, &[0, 39]), Some(9));
        assert_eq!(run(&program, &[0, 40]), Some(7));
    }

    #[test]
    fn arithmetic_memory_and_both_registers() {
        // A = data[0]; M[3] = A; A = 100; X = M[3]; A = A / X << 2 ^ 1, returned by way of X.
        let program = [
            step(0x20, 0, 0, 0),
            step(0x02, 0, 0, 3),
            step(0x00, 0, 0, 100),
            step(0x61, 0, 0, 3),
            step(0x3c, 0, 0, 0),
            step(0x64, 0, 0, 2),
            step(0xa4, 0, 0, 1),
            step(0x07, 0, 0, 0),
            step(0x87, 0, 0, 0),
            step(0x16, 0, 0, 0),
        ];
        assert_eq!(run(&program, &[7]), Some(((100 / 7) << 2) ^ 1));
        // Division by zero returns 0.
        assert_eq!(run(&program, &[0]), Some(0));
        assert_eq!(
            run(&[step(0x80, 0, 0, 0), step(0x84, 0, 0, 0), step(0x16, 0, 0, 0)], &[0; 3]),
            Some(0u32.wrapping_sub(12))
        );
    }

    #[test]
    fn what_could_go_wrong_is_refused() {
        let end = step(0x06, 0, 0, 0);
        let wrong: &[&[Instruction]] = &[
            &[],
            &[step(0x20, 0, 0, 0)],
            &[step(0x20, 0, 0, 64), end],
            &[step(0x20, 0, 0, 2), end],
            &[step(0x28, 0, 0, 0), end],
            &[step(0x05, 0, 0, 1), end],
            &[step(0x05, 0, 0, u32::MAX), end],
            &[step(0x15, 0, 1, 0), end],
            &[step(0x60, 0, 0, 0), end],
            &[step(0x02, 0, 0, 16), end],
            &[step(0x34, 0, 0, 0), end],
            &[step(0x64, 0, 0, 32), end],
            // Only one of two ways has written the word.
            &[step(0x15, 1, 0, 0), step(0x02, 0, 0, 1), step(0x60, 0, 0, 1), end],
        ];
        for program in wrong {
            assert_eq!(run(program, &[0; 16]), None, "{program:?}");
        }
        assert!(Program::new(vec![end; MOST], 64).is_ok() && Program::new(vec![end; MOST + 1], 64).is_err());
        assert!(run(&[step(0x02, 0, 0, 1), step(0x60, 0, 0, 1), end], &[0; 16]).is_some());
    }
}
