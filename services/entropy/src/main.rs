//! The entropy service's entry: everything else is in the library, where the host can test it.
#![no_std]
#![no_main]

chestnut_runtime::entry!(chestnut_entropy::run);
