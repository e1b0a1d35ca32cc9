//! Capabilities: what they name and allow, the slots that hold them, the derivation tree through the slots, and lookup.
//!
//! This floor knows a capability's kind, address and rights, but not what the objects look like inside.
mod buffer_cache;
mod capability;
mod lookup;
mod root_cache;
mod slot;

pub use buffer_cache::BufferCache;
pub use capability::{Cap, FrameSize, Kind, VmRights};
pub use lookup::{Found, direct_slot, lookup, lookup_slot_at, slots};
pub use root_cache::RootCache;
pub use slot::{CapRef, Slot};
