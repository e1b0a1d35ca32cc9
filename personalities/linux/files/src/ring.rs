//! A ring of bytes that grows to its capacity as it is used.
