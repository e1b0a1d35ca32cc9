//! Boot: see the bare-metal branch of this module.
