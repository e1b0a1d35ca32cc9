//! Behaviour of `wait`, by the manual pages.
