//! Behaviour of `inode`, by the manual pages.
