//! The root task's entry: everything else is in the library, where the host can test it.
#![no_std]
#![no_main]

/// Bytes. Root parses tables and copies pages; it recurses nowhere.
const STACK: usize = 64 * 1024;
/// Bytes: the manifest, the books on slots and untypeds.
const HEAP: usize = 1024 * 1024;

chestnut_runtime::root_entry!(chestnut_root::run, stack: STACK, heap: HEAP);
