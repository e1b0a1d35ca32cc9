//! Behaviour of `tmpfs`, by the manual pages.
