//! The entry of the root task that tries system calls by number: everything else is in the library.
#![no_std]
#![no_main]

/// Bytes: the driver formats lines, nothing recurses.
const STACK: usize = 64 * 1024;
/// Bytes: nothing allocates, but the allocator wants something to claim.
const HEAP: usize = 16 * 1024;

chestnut_runtime::root_entry!(chestnut_kernel_tests::calls::run, stack: STACK, heap: HEAP);
