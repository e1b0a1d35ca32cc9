//! How objects come to be and end: Retype, Delete, Revoke. The long loops of the kernel are here; each turn ends at a preemption
//! point, and what was done so far is a state from which the same invocation, entered again, goes on.
mod delete;
mod finalise;
mod preemption;
mod retype;
mod tcb_slots;

pub use delete::{WORK, delete, delete_aside, revoke};
pub use finalise::unbind_thread;
pub use preemption::{Preempted, preemption_point};
pub use retype::{Blueprint, make_asid_pool, reset, retype};
pub use tcb_slots::{install, replace};
