//! The stack that a new program finds: strings at the top, below them the auxiliary vector, the environment, the arguments
//! and their count, to which RSP points (System V ABI, AMD64 supplement, 3.4.1).

use alloc::vec::Vec;
use chestnut_linux_files::{Errno, Result};

/// Longest single string, its zero included (MAX_ARG_STRLEN).
pub const MAX_STRING: usize = 131_072;

/// What goes on the stack.
pub struct Contents<'a> {
    pub arguments: &'a [Vec<u8>],
    pub environment: &'a [Vec<u8>],
    /// AT_EXECFN.
    pub file_name: &'a [u8],
    /// AT_RANDOM.
    pub random: [u8; 16],
    /// AT_PLATFORM.
    pub platform: &'a [u8],
    /// The vector's other entries, without AT_NULL.
    pub auxiliary: &'a [(u64, u64)],
}

/// Where things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The first RSP: a multiple of 16.
    pub pointer: u64,
    pub arguments: (u64, u64),
    pub environment: (u64, u64),
    pub auxiliary: (u64, u64),
}

pub const AT_NULL: u64 = 0;
pub const AT_PLATFORM: u64 = 15;
pub const AT_RANDOM: u64 = 25;
pub const AT_EXECFN: u64 = 31;

/// The bytes from the stack pointer to `top`, and where things are. `E2BIG` if that is more than `limit` bytes.
pub fn build(top: u64, limit: u64, contents: &Contents<'_>) -> Result<(Layout, Vec<u8>)> {
    let mut strings = Strings { bytes: Vec::new() };
    let arguments = strings.add_all(contents.arguments)?;
    let arguments_end = strings.bytes.len() as u64;
    let environment = strings.add_all(contents.environment)?;
    let environment_end = strings.bytes.len() as u64;
    let file_name = strings.add(contents.file_name)?;
    let platform = strings.add(contents.platform)?;
    let random = strings.bytes.len() as u64;
    strings.bytes.extend_from_slice(&contents.random);
    // Linux leaves eight zero bytes at the very top.
    strings.bytes.extend_from_slice(&[0; 8]);

    let pointers = 1 + arguments.len() + 1 + environment.len() + 1;
    let auxiliary_entries = contents.auxiliary.len() + 4;
    let words = pointers + 2 * auxiliary_entries;
    let total = strings.bytes.len() as u64 + words as u64 * 8;
    if total + 32 > limit {
        return Err(Errno::E2BIG);
    }
    let base = top - strings.bytes.len() as u64;
    let pointer = (base - words as u64 * 8) & !15;

    let mut vector: Vec<u64> = Vec::with_capacity(words);
    vector.push(arguments.len() as u64);
    vector.extend(arguments.iter().map(|offset| base + offset));
    vector.push(0);
    vector.extend(environment.iter().map(|offset| base + offset));
    vector.push(0);
    let own = [(AT_RANDOM, base + random), (AT_EXECFN, base + file_name), (AT_PLATFORM, base + platform), (AT_NULL, 0)];
    for (kind, value) in contents.auxiliary.iter().copied().chain(own) {
        vector.extend([kind, value]);
    }

    let mut bytes: Vec<u8> = Vec::with_capacity((top - pointer) as usize);
    bytes.extend(vector.iter().flat_map(|word| word.to_le_bytes()));
    let auxiliary_start = pointer + pointers as u64 * 8;
    let auxiliary_end = pointer + bytes.len() as u64;
    bytes.resize((base - pointer) as usize, 0);
    bytes.extend_from_slice(&strings.bytes);
    let layout = Layout {
        pointer,
        arguments: (base, base + arguments_end),
        environment: (base + arguments_end, base + environment_end),
        auxiliary: (auxiliary_start, auxiliary_end),
    };
    Ok((layout, bytes))
}

struct Strings {
    bytes: Vec<u8>,
}

impl Strings {
    /// Adds a string with its zero; returns its offset.
    fn add(&mut self, string: &[u8]) -> Result<u64> {
        if string.len() >= MAX_STRING {
            return Err(Errno::E2BIG);
        }
        let offset = self.bytes.len() as u64;
        self.bytes.extend_from_slice(string);
        self.bytes.push(0);
        Ok(offset)
    }
    fn add_all(&mut self, strings: &[Vec<u8>]) -> Result<Vec<u64>> {
        strings.iter().map(|string| self.add(string)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    const TOP: u64 = 0x7fff_0000_0000;

    fn built(arguments: &[&[u8]], environment: &[&[u8]]) -> (Layout, Vec<u8>) {
        let own = |strings: &[&[u8]]| strings.iter().map(|string| string.to_vec()).collect::<Vec<_>>();
        let contents = Contents {
            arguments: &own(arguments),
            environment: &own(environment),
            file_name: b"/bin/x",
            random: [7; 16],
            platform: b"x86_64",
            auxiliary: &[(6, 4096)],
        };
        build(TOP, 1 << 20, &contents).unwrap()
    }
    fn word(stack: &(Layout, Vec<u8>), address: u64) -> u64 {
        let at = (address - stack.0.pointer) as usize;
        u64::from_le_bytes(stack.1[at..at + 8].try_into().unwrap())
    }
    fn string(stack: &(Layout, Vec<u8>), address: u64) -> Vec<u8> {
        let at = (address - stack.0.pointer) as usize;
        stack.1[at..].iter().copied().take_while(|&byte| byte != 0).collect()
    }

    #[test]
    fn counts_pointers_and_strings() {
        let stack = built(&[b"ls", b"-l"], &[b"A=1"]);
        let pointer = stack.0.pointer;
        assert_eq!(pointer % 16, 0);
        assert_eq!(word(&stack, pointer), 2);
        assert_eq!(string(&stack, word(&stack, pointer + 8)), b"ls");
        assert_eq!(string(&stack, word(&stack, pointer + 16)), b"-l");
        assert_eq!(word(&stack, pointer + 24), 0);
        assert_eq!(string(&stack, word(&stack, pointer + 32)), b"A=1");
        assert_eq!(word(&stack, pointer + 40), 0);
        assert_eq!(stack.0.auxiliary.0, pointer + 48);
        assert_eq!((word(&stack, pointer + 48), word(&stack, pointer + 56)), (6, 4096));
        assert_eq!(stack.0.pointer + stack.1.len() as u64, TOP);
        assert_eq!(stack.0.arguments.1 - stack.0.arguments.0, 6);
        assert_eq!(stack.0.environment, (stack.0.arguments.1, stack.0.arguments.1 + 4));
    }

    #[test]
    fn auxiliary_vector_ends_with_null_and_points_to_its_strings() {
        let stack = built(&[b"x"], &[]);
        let mut found = vec![];
        let mut at = stack.0.auxiliary.0;
        loop {
            let (kind, value) = (word(&stack, at), word(&stack, at + 8));
            at += 16;
            if kind == AT_NULL {
                break;
            }
            found.push((kind, value));
        }
        assert_eq!(at, stack.0.auxiliary.1);
        let value = |wanted| found.iter().find(|(kind, _)| *kind == wanted).unwrap().1;
        assert_eq!(string(&stack, value(AT_EXECFN)), b"/bin/x");
        assert_eq!(string(&stack, value(AT_PLATFORM)), b"x86_64");
        assert_eq!(word(&stack, value(AT_RANDOM)), 0x0707_0707_0707_0707);
    }

    #[test]
    fn alignment_holds_for_any_number_of_strings() {
        for count in 0..8 {
            let arguments: Vec<&[u8]> = (0..count).map(|_| &b"abc"[..]).collect();
            assert_eq!(built(&arguments, &[b"X=y"]).0.pointer % 16, 0);
        }
    }

    #[test]
    fn too_much_is_refused() {
        let huge = [vec![b'x'; MAX_STRING]];
        let contents = Contents {
            arguments: &huge,
            environment: &[],
            file_name: b"x",
            random: [0; 16],
            platform: b"p",
            auxiliary: &[],
        };
        assert_eq!(build(TOP, 1 << 30, &contents).err(), Some(Errno::E2BIG));
        let many = vec![vec![b'x'; 1000]; 100];
        assert_eq!(build(TOP, 50_000, &Contents { arguments: &many, ..contents }).err(), Some(Errno::E2BIG));
    }
}
