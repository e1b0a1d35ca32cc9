//! Behaviour of `devfs`, by the manual pages.
