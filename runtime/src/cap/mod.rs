//! Typed capabilities: a capability pointer with the methods of the object that it should name.
//!
//! A value of these types is only a name. Whether the slot holds such a capability, the kernel checks at every
//! invocation, so copying and guessing names is harmless and all methods are safe functions, with one exception
//! that is the caller's to mind: mapping, unmapping and revoking change the memory of an address space, and one who
//! does that to its own address space below a live reference breaks Rust's rules. Only the code that owns the layout
//! of an address space may do so.
//!
//! Argument orders are those of [`INVOCATIONS`](chestnut_abi::invocation::INVOCATIONS).

mod cnode;
mod hardware;
mod ipc;
mod memory;
mod scheduling;
mod thread;

pub use cnode::{CNode, Slot};
pub use hardware::{InterruptControl, InterruptHandler, IoApicRoute, IoPort, IoPortControl};
pub use ipc::{Endpoint, Notification, Reply};
pub use memory::{AsidControl, AsidPool, Frame, PageDirectory, PageTable, Pdpt, Untyped, VSpace};
pub use scheduling::{Budget, SchedContext, SchedControl};
pub use thread::Tcb;

/// Defines a typed capability pointer.
macro_rules! capability {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The capability pointer.
            #[inline]
            pub const fn cptr(self) -> u64 {
                self.0
            }
        }

        impl From<$name> for u64 {
            fn from(cap: $name) -> u64 {
                cap.0
            }
        }
    };
}
pub(crate) use capability;

/// The null capability: names nothing, and stands for "none" where an argument is optional.
pub const NULL: u64 = 0;
