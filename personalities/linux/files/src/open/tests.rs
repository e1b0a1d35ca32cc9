//! Behaviour of `open`, by the manual pages.
