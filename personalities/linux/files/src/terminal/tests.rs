//! Behaviour of `terminal`, by the manual pages.
