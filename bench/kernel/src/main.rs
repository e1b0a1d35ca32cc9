//! The benchmark root task's entry: everything else is in the library.
#![no_std]
#![no_main]

/// Bytes: the driver formats lines, nothing recurses.
const STACK: usize = 64 * 1024;
/// Bytes: nothing allocates, but the allocator wants something to claim.
const HEAP: usize = 16 * 1024;

chestnut_runtime::root_entry!(chestnut_kernel_bench::run, stack: STACK, heap: HEAP);
