//! Behaviour of `page`, by the manual pages.
