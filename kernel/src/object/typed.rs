//! Typed views of capabilities: the object that a capability of the right kind names.
//!
//! `unsafe`: a capability's kind says what lives at its address. Invariant: only Retype and boot make capabilities to memory, of
//! the kind that they cleared (and initialised) it for, and `lifecycle` removes the last one before the memory is used anew.

use super::data::{Endpoint, Notification, Reply, SchedContext, Tcb};
use super::state::Kernel;
use super::x86_64::{AsidPool, Table};
use crate::cap::{Cap, Kind};
use crate::mem::Ref;

macro_rules! view {
    ($name:ident, $kind:ident, $object:ty) => {
        #[doc = concat!("The object, if this is a capability of kind `", stringify!($kind), "`.")]
        #[inline(always)]
        pub fn $name<'k>(self, k: Kernel<'k>) -> Option<Ref<'k, $object>> {
            // SAFETY: by the module's invariant such an object lives at the address of a capability of this kind.
            (self.kind() == Kind::$kind).then(|| unsafe { Ref::reached(k.entry(), self.place()) })
        }
    };
}

impl Cap {
    view!(as_endpoint, Endpoint, Endpoint);
    /// The endpoint, if a Call can be sent through this capability and answered.
    #[inline(always)]
    pub fn as_callable_endpoint<'k>(self, k: Kernel<'k>) -> Option<Ref<'k, Endpoint>> {
        // SAFETY: by the module's invariant an endpoint lives at the address of an endpoint capability.
        self.callable_endpoint().map(|place| unsafe { Ref::reached(k.entry(), place) })
    }
    /// The endpoint, if this capability allows to receive from it.
    #[inline(always)]
    pub fn as_receivable_endpoint<'k>(self, k: Kernel<'k>) -> Option<Ref<'k, Endpoint>> {
        // SAFETY: as above.
        self.receivable_endpoint().map(|place| unsafe { Ref::reached(k.entry(), place) })
    }
    view!(as_notification, Notification, Notification);
    /// The notification, if it can be signalled through this capability.
    #[inline(always)]
    pub fn as_signalled<'k>(self, k: Kernel<'k>) -> Option<Ref<'k, Notification>> {
        // SAFETY: by the module's invariant a notification lives at the address of a notification capability.
        self.signalled_notification().map(|place| unsafe { Ref::reached(k.entry(), place) })
    }
    view!(as_reply, Reply, Reply);
    view!(as_tcb, Tcb, Tcb);
    view!(as_sched_context, SchedContext, SchedContext);
    view!(as_table, PageTable, Table);
    view!(as_asid_pool, AsidPool, AsidPool);
}
