//! Behaviour of `vfs`, by the manual pages.
