//! The kernel's objects: their data, the queues they stand in, typed views of capabilities, and the kernel's own state.
//! No policy: who runs next, what a message means and what deletion entails are decided on the floors above.
mod data;
mod domain;
mod endpoint;
mod fault;
mod irq;
mod queue;
mod redirect;
mod reply;
mod sched_context;
mod state;
mod tcb;
mod token;
mod typed;
pub mod x86_64;

pub use data::{Endpoint, Notification, Place, Queue, Refill, Reply, SchedContext, Tcb, TcbSlot, ThreadState};
pub use domain::{DomainSchedule, MAX_DURATION};
pub use fault::Fault;
pub use irq::{IRQS, IrqState, Irqs};
pub use redirect::Redirect;
pub use reply::Above;
pub use state::{Action, KERNEL_WCET_US, Kernel, MIN_BUDGET_US, State};
pub use token::enter;
#[cfg(not(target_os = "none"))]
pub use token::{install, uninstall};
