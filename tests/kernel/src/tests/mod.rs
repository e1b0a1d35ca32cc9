//! The tests, in files by what they test.

pub mod untyped;
