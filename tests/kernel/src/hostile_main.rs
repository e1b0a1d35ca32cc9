//! The entry of the root task with hostile threads: everything else is in the library.
#![no_std]
#![no_main]

/// Bytes: the initial thread makes a partition and formats lines, nothing recurses.
const STACK: usize = 32 * 1024;
/// Bytes: nothing allocates, but the allocator wants something to claim.
const HEAP: usize = 16 * 1024;

chestnut_runtime::root_entry!(chestnut_kernel_tests::hostile::run, stack: STACK, heap: HEAP);
