//! A root task that tests the kernel from user mode; the host reads its results by name.
#![no_std]
