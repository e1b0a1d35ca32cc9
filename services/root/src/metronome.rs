//! A second thread of root's that does nothing but send a message in regular intervals, so that root can do things in time.
//!
//! It needs no timer: its scheduling context's period is the interval, and it yields the rest of each period's budget. At
//! root's own priority it beats wherever the services are, in the middle of an instruction sequence too.

use crate::{
    failure::{Doing, Result},
    resources::{Resources, own},
    shared::Shared,
};
use alloc::{boxed::Box, vec};
use chestnut_runtime::{
    CNode,
    abi::{CNodeCapData, CapRights, MessageInfo, ObjectType, UserContext, object::MIN_SCHED_CONTEXT_BITS},
    cap::{Budget, Endpoint, SchedContext, Tcb, VSpace},
    sys,
};

/// The badge of its messages.
pub const BADGE: u64 = 1 << 32;
const PRIORITY: u8 = 255;
/// Bytes.
const STACK: usize = 4096;
/// Microseconds: ample for one message.
const BUDGET: u64 = 500;
/// RFLAGS: interrupts on.
const FLAGS: u64 = 0x202;

/// Lets it begin. It beats for ever, at intervals of `period` microseconds, which are at least twice its budget.
pub fn start(period: u64, shared: &Shared, resources: &mut Resources) -> Result<()> {
    let doing = "making the metronome";
    let endpoint = resources.slot()?;
    own(endpoint).mint_from(own(shared.supervision.0), CapRights::WRITE, BADGE).doing(doing)?;
    let tcb = Tcb(resources.object(ObjectType::Tcb, 0)?);
    let time = SchedContext(resources.object(ObjectType::SchedContext, MIN_SCHED_CONTEXT_BITS)?);
    let budget = Budget::periodic(BUDGET, period.max(2 * BUDGET));
    shared.sched_control.configure_flags(time, budget).doing(doing)?;
    // The capability to root's CNode has its guard already: 0 leaves it as it is.
    tcb.set_space(0, CNode::OWN, CNodeCapData(0), VSpace::OWN).doing(doing)?;
    tcb.set_sched_params(Tcb::OWN, 0, PRIORITY, time.0, 0).doing(doing)?;
    let stack = Box::leak(vec![0u8; STACK].into_boxed_slice());
    let stack_end = (stack.as_ptr_range().end.addr() & !15) as u64 - 8;
    let context = UserContext {
        rip: beat as *const () as u64,
        rsp: stack_end,
        rflags: FLAGS,
        rdi: endpoint,
        ..UserContext::default()
    };
    tcb.write_registers(&context, true).doing(doing)
}

/// The thread's program. It has no IPC buffer and touches nothing of root's.
extern "C" fn beat(endpoint: u64) -> ! {
    loop {
        Endpoint(endpoint).send(MessageInfo::default(), [0; 4]);
        sys::yield_now();
    }
}
