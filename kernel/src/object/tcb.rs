//! Thread control block: a thread's registers, what it waits for, and the five capabilities that are its own.

use super::{Endpoint, Fault, Kernel, Notification, Place, Reply, SchedContext};
use crate::arch::{Context, FpuState};
use crate::cap::{CapRef, Slot};
use crate::mem::{Link, Ref};
use chestnut_abi::CapRights;
use core::cell::Cell;

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

/// Where `syscall` instructions of this thread go that aren't native (extension (a) of the design).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redirect {
    /// First address whose `syscall` is a native one.
    pub base: u64,
    /// Bytes of the native range; 0 turns redirection off.
    pub length: u64,
    /// Where the thread goes on.
    pub entry: u64,
    /// What it finds in R11.
    pub word: u64,
}

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
    slots: [Slot; 5],
    pub fpu: FpuState,
    /// Debug builds: what DebugNameThread called it.
    pub name: Cell<[u8; 32]>,
}

const _: () = assert!(size_of::<Tcb>() <= 1 << chestnut_abi::object::TCB_BITS);

impl Tcb {
    /// Slots in a TCB.
    pub const SLOTS: u64 = 5;
    /// Where they begin, in bytes from the TCB's start.
    pub const SLOTS_OFFSET: u64 = core::mem::offset_of!(Tcb, slots) as u64;

    /// Sets what a cleared TCB must have before first use.
    pub fn initialise(&self) {
        self.context.initialise();
        self.fpu.initialise();
        self.fault.set(None);
    }

    /// Whether it could run if it had time.
    pub fn is_runnable(&self) -> bool {
        matches!(self.state.get(), ThreadState::Running | ThreadState::Restart)
    }
}

impl<'k> Ref<'k, Tcb> {
    pub fn slot(self, slot: TcbSlot) -> CapRef<'k> {
        let [cspace, vspace, buffer, fault, timeout] = &self.get().slots;
        Ref::from(match slot {
            TcbSlot::CSpace => cspace,
            TcbSlot::VSpace => vspace,
            TcbSlot::IpcBuffer => buffer,
            TcbSlot::FaultHandler => fault,
            TcbSlot::TimeoutHandler => timeout,
        })
    }

    /// Whether the scheduler may pick it: runnable, with a configured scheduling context whose budget isn't awaited.
    pub fn is_schedulable(self, k: Kernel<'k>) -> bool {
        self.is_runnable()
            && self.place.get() != Place::Release
            && self.sched_context.get(k).is_some_and(|context| context.is_configured())
    }
}
