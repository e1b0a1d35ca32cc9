//! Counts what is touched, or what runs, while a benchmark measures: a plugin of the emulator.
//!
//! Benchmark programs mark what they measure by instructions that do nothing ([`mark`]). With `output=FILE` this counts, between the marks
//! of the Linux program, instructions in the kernel's half of the address space and in the other, entries to the kernel, loads of CR3, and the
//! distinct cache lines and pages that the kernel executes, reads or writes. At the end of all it writes the median of each to the file,
//! a name and a number on each line; a run without marks writes `samples 0`.
//!
//! With `rows=FILE` it counts how often each instruction ran, for the Linux program's rows and the kernel's alike, and writes for each row,
//! in the order in which they were measured, what its median pass was made of:
//!
//! | line | meaning |
//! |---|---|
//! | `row PASSES INSTRUCTIONS` | a row begins; how many passes there were, and how many instructions the median one had |
//! | `ADDRESS BYTES OFFSET:TIMES…` | the instruction so many bytes (decimal) behind the address ran so often; the bytes are those of the whole block, and they and the address are hexadecimal |
//!
//! Start the emulator with `-plugin FILE,output=FILE,rows=FILE`, or one of the two. The interface to the emulator is version 1 of its
//! plugin interface, as documented in QEMU's manual ("TCG plugins").

mod code;
mod count;
mod mark;
mod rows;
// The tests' own program has no emulator around it.
#[cfg(not(test))]
mod plugin;
