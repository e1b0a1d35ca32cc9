//! The user-level library: entry, IPC buffer, typed capabilities, allocators, rings.
#![no_std]
