//! What the emulator's plugin (`bench/footprint`, `rows=FILE`) writes: for each row, what ran how often in its median pass.

use anyhow::{Context, Result, bail};

/// A block of instructions, some of which ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub address: u64,
    /// All of it: programs at the same address are told apart by them.
    pub bytes: Vec<u8>,
    /// Bytes from the beginning to an instruction, and how often it ran.
    pub times: Vec<(u64, u64)>,
}

/// The median pass of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Of how many it is the median.
    pub passes: u64,
    pub total: u64,
    pub blocks: Vec<Block>,
}

/// The passes of all rows, in the order in which they were measured.
pub fn parse(text: &str) -> Result<Vec<Pass>> {
    let mut rows: Vec<Pass> = Vec::new();
    for line in text.lines() {
        let wrong = || format!("the plugin wrote a strange line: {line}");
        if let Some(numbers) = line.strip_prefix("row ") {
            let (passes, total) = numbers.split_once(' ').with_context(wrong)?;
            let (passes, total) = (passes.parse().with_context(wrong)?, total.parse().with_context(wrong)?);
            rows.push(Pass { passes, total, blocks: Vec::new() });
            continue;
        }
        let Some(row) = rows.last_mut() else { bail!(wrong()) };
        row.blocks.push(block(line).with_context(wrong)?);
    }
    Ok(rows)
}

fn block(line: &str) -> Option<Block> {
    let mut words = line.split(' ');
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    let bytes = words.next()?;
    let byte = |at: usize| u8::from_str_radix(bytes.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..bytes.len()).step_by(2).map(byte).collect();
    let times: Option<Vec<(u64, u64)>> = words
        .map(|word| {
            let (offset, times) = word.split_once(':')?;
            Some((offset.parse().ok()?, times.parse().ok()?))
        })
        .collect();
    Some(Block { address, bytes: bytes?, times: times? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_are_written() {
        let text = "row 17 3\nffffffff80000000 9090 0:1 1:1\n1000 0f05 0:1\nrow 0 0\n";
        let rows = parse(text).expect("parses");
        let kernel = Block { address: 0xffff_ffff_8000_0000, bytes: vec![0x90, 0x90], times: vec![(0, 1), (1, 1)] };
        let program = Block { address: 0x1000, bytes: vec![0x0f, 0x05], times: vec![(0, 1)] };
        assert_eq!(rows, [Pass { passes: 17, total: 3, blocks: vec![kernel, program] }, Pass::default()]);
        for wrong in ["1000 90 0:1", "row", "row 1", "row 1 1\n1000 9 0:1", "row 1 1\n1000 90 0", "row 1 1\nx 90 0:1"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
