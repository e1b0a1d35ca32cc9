//! Whole-system tests.
#![no_std]
