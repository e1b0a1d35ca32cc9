//! The Linux server: processes, memory, signals and system calls of unmodified Linux programs.
#![no_std]
