//! Counts what is touched while a benchmark measures: a plugin of the emulator.
//!
//! The benchmark program marks the beginning and the end of each thing that it measures, and the end of all, by instructions that
//! do nothing (`bench/linux/bench.h`). Between the first two this counts instructions in the kernel's half of the address space and
//! in the other, entries to the kernel, loads of CR3, and the distinct cache lines and pages that the kernel executes, reads or
//! writes. At the end of all it writes the median of each to a file.
//!
//! Start the emulator with `-plugin FILE,output=FILE`. A line of the output is a name and a number; a run without marks writes
//! `samples 0`. The interface to the emulator is version 1 of its plugin interface, as documented in QEMU's manual ("TCG plugins").

mod count;
// The tests' own program has no emulator around it.
#[cfg(not(test))]
mod plugin;
