//! Counts how many instructions the kernel runs at a stretch with interrupts off: a plugin of the emulator.
//!
//! The kernel keeps interrupts off from each entry to the return to a thread or to the idle loop. So a stretch is what
//! runs in the upper half of the address space up to and including `sysretq`, `iretq` or `hlt`. (The one `iretq` that
//! stays in the kernel, after a benchmark's access to a register that isn't there, exists in the bench build only.)
//! Boot is one too, counted apart: from the kernel's first instruction to the first return. Nothing is sampled: every
//! instruction counts, `rep` instructions once for each iteration.
//!
//! Start the emulator with `-plugin FILE,entry=ADDRESS,output=FILE`, where the address is that of the ELF file's entry. What was
//! found is written when the emulator ends by itself, one finding a line:
//!
//! | line | meaning |
//! |---|---|
//! | `boot N` | instructions from the kernel's entry to the root task's first |
//! | `longest N began ADDRESS` | the longest stretch after boot |
//! | `block ADDRESS N` | in the longest stretch, instructions of the basic block there; the most first |
//! | `entry ADDRESS N INSTRUCTIONS LONGEST` | stretches that began there, their instructions in all, the longest of them |
//!
//! `plugin` speaks with the emulator, `count` counts. The interface to the emulator is version 1 of its plugin interface,
//! as documented in QEMU's manual ("TCG plugins"), and is declared here so that building needs no headers.

mod count;
// The tests' own program has no emulator around it.
#[cfg(not(test))]
mod plugin;
