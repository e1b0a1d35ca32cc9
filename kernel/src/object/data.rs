//! The objects' data: threads, endpoints, notifications, replies, scheduling contexts. They name each other by links, so they stand in
//! one file; what can be done with each has a file of its own.
//!
//! Sizes are the interface's and asserted here. What is used together shares a cache line where that is possible.

use super::fault::Fault;
use super::redirect::Redirect;
use super::x86_64::Loadable;
use crate::arch::{Context, FpuState};
use crate::cap::{BufferCache, RootCache, Slot};
use crate::mem::Link;
use chestnut_abi::CapRights;
use chestnut_abi::object::{ENDPOINT_BITS, NOTIFICATION_BITS, REPLY_BITS, TCB_BITS};
use core::cell::Cell;

/// Which queue a thread stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Place {
    /// None: it runs, is inactive, or waits for a reply.
    Nowhere = 0,
    /// The ready queue of its priority.
    Ready,
    /// The queue of those whose budget comes later.
    Release,
    /// The endpoint or notification it is blocked on.
    Object,
}

/// Threads in line, doubly linked through their TCBs.
#[repr(C)]
pub struct Queue {
    pub(super) first: Link<Tcb>,
    pub(super) last: Link<Tcb>,
}

impl Queue {
    pub const EMPTY: Self = Self { first: Link::NONE, last: Link::NONE };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ThreadState {
    /// Not started, suspended, or faulted with nobody to tell.
    Inactive = 0,
    /// Goes on where its registers say.
    Running,
    /// Executes the instruction that entered the kernel again.
    Restart,
    BlockedOnReceive,
    BlockedOnSend,
    BlockedOnReply,
    BlockedOnNotification,
}

/// The capabilities in a TCB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum TcbSlot {
    CSpace = 0,
    VSpace,
    IpcBuffer,
    FaultHandler,
    TimeoutHandler,
}

/// Thread control block.
#[repr(C, align(64))]
pub struct Tcb {
    /// First, so that the assembly stubs find it at the TCB's address.
    pub context: Context,
    pub state: Cell<ThreadState>,
    pub place: Cell<Place>,
    pub priority: Cell<u8>,
    /// Maximum controlled priority: the highest that this thread may give.
    pub mcp: Cell<u8>,
    pub domain: Cell<u8>,
    /// `TcbFlags`.
    pub flags: Cell<u8>,
    /// What a thread in `BlockedOnSend` does: Call rather than Send.
    pub is_call: Cell<bool>,
    /// Grant and grant-reply of the endpoint capability that a blocked sender or receiver used.
    pub blocked_rights: Cell<CapRights>,
    /// Badge of the endpoint capability that a blocked sender used.
    pub blocked_badge: Cell<u64>,
    pub prev: Link<Tcb>,
    pub next: Link<Tcb>,
    /// The endpoint that a thread in `BlockedOnSend` or `BlockedOnReceive` stands at.
    pub endpoint: Link<Endpoint>,
    /// The notification that a thread in `BlockedOnNotification` stands at.
    pub waiting_on: Link<Notification>,
    pub bound_notification: Link<Notification>,
    pub sched_context: Link<SchedContext>,
    /// The context that this thread yielded to.
    pub yield_to: Link<SchedContext>,
    /// The reply object it waits on (`BlockedOnReply`), or has set aside for a caller (`BlockedOnReceive`).
    pub reply: Link<Reply>,
    pub fault: Cell<Option<Fault>>,
    /// User address of the IPC buffer.
    pub ipc_buffer: Cell<u64>,
    pub redirect: Cell<Redirect>,
    /// Decoded from the CSpace slot, while it holds what this was decoded from.
    pub cspace: Cell<RootCache>,
    /// Decoded from the buffer slot, while it holds what this was decoded from.
    pub buffer: Cell<BufferCache>,
    /// What to load in the processor, as the root table says that the VSpace slot names.
    pub vspace: Loadable,
    pub(super) slots: [Slot; 5],
    pub fpu: FpuState,
    /// Debug builds: what DebugNameThread called it.
    pub name: Cell<[u8; 32]>,
}

const _: () = assert!(size_of::<Tcb>() <= 1 << TCB_BITS && core::mem::offset_of!(Tcb, context) == 0);

/// Where senders and receivers meet.
#[repr(C)]
pub struct Endpoint {
    pub queue: Queue,
}

const _: () = assert!(size_of::<Endpoint>() == 1 << ENDPOINT_BITS);

/// A word of signals, and threads that wait for one.
#[repr(C, align(64))]
pub struct Notification {
    /// Threads that wait.
    pub queue: Queue,
    /// The badges of signals that nobody received yet, or'ed; meaningful when `active`.
    pub badge: Cell<u64>,
    /// Whether a signal waits to be received.
    pub active: Cell<bool>,
    /// The thread that receives signals while it waits on endpoints.
    pub bound_tcb: Link<Tcb>,
    /// Lent to a passive thread that receives a signal.
    pub sched_context: Link<SchedContext>,
}

const _: () = assert!(size_of::<Notification>() == 1 << NOTIFICATION_BITS);

/// A caller that waits, and its place in a stack of calls.
#[repr(C)]
pub struct Reply {
    /// The thread that waits for this reply, or the receiver that has set it aside for its next caller.
    pub tcb: Link<Tcb>,
    /// The reply of the call before, further down the stack.
    pub below: Link<Reply>,
    /// What is above: nothing, the next reply (an address with bit 0 set), or the scheduling context (an address).
    pub(super) above: Cell<usize>,
    spare: Cell<u64>,
}

const _: () = assert!(size_of::<Reply>() == 1 << REPLY_BITS);

/// An amount of time, in ticks, that may be used from `time` on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Refill {
    pub time: u64,
    pub amount: u64,
}

/// A right to processor time; its refills follow it in memory.
#[repr(C, align(32))]
pub struct SchedContext {
    /// Ticks between replenishments; equal to `budget` for round robin.
    pub period: Cell<u64>,
    /// Ticks in each period.
    pub budget: Cell<u64>,
    /// Ticks used since somebody last asked.
    pub consumed: Cell<u64>,
    /// The thread that this context runs.
    pub tcb: Link<Tcb>,
    /// Top of the stack of calls that the context has passed through.
    pub reply: Link<Reply>,
    pub notification: Link<Notification>,
    /// The thread that yielded to this context and is to be told what it consumed.
    pub yield_from: Link<Tcb>,
    /// Given when configured; names the context in timeout faults.
    pub badge: Cell<u64>,
    /// Refills that there is room for.
    pub(super) capacity: Cell<u32>,
    pub(super) refill_max: Cell<u32>,
    pub(super) head: Cell<u32>,
    pub(super) count: Cell<u32>,
    pub sporadic: Cell<bool>,
    /// Configured, with budget and period equal.
    pub(super) round_robin: Cell<bool>,
}
