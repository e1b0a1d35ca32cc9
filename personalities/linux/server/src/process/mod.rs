//! Processes
pub mod signal;
