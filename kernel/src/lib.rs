//! The microkernel.
#![no_std]
