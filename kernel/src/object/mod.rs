//! The kernel's objects: their data, the queues they stand in, typed views of capabilities, and the kernel's own state.
//! No policy: who runs next, what a message means and what deletion entails are decided on the floors above.
mod endpoint;
mod fault;
mod irq;
mod notification;
mod queue;
mod reply;
mod sched_context;
mod state;
mod tcb;
mod typed;
pub mod x86_64;

pub use endpoint::Endpoint;
pub use fault::Fault;
pub use irq::{IRQS, IrqState, Irqs};
pub use notification::Notification;
pub use queue::{Place, Queue};
pub use reply::{Above, Reply};
pub use sched_context::{Refill, SchedContext};
pub use state::{Action, Kernel, State};
pub use tcb::{Redirect, Tcb, TcbSlot, ThreadState};
