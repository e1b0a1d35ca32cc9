//! Thread control block: a thread's registers, what it waits for, and the five capabilities that are its own.

use super::data::{Place, Tcb, TcbSlot, ThreadState};
use super::redirect::Redirect;
use super::state::Kernel;
use crate::arch::Context;
use crate::cap::{Cap, CapRef, lookup};
use crate::mem::Ref;
use chestnut_abi::LookupFailure;

impl Tcb {
    /// Slots in a TCB.
    pub const SLOTS: u64 = 5;
    /// Where they begin, in bytes from the TCB's start.
    pub const SLOTS_OFFSET: u64 = core::mem::offset_of!(Tcb, slots) as u64;

    /// Where the stub of `syscall` finds the redirection, in bytes from the TCB's start, where the context is.
    pub const REDIRECT_OFFSET: usize = core::mem::offset_of!(Tcb, redirect);

    /// The thread that a context is the registers of.
    ///
    /// # Safety
    /// It is a thread's, not the idle loop's.
    #[inline(always)]
    pub unsafe fn of_context<'k>(k: Kernel<'k>, context: &'k Context) -> Ref<'k, Self> {
        let _ = k;
        // SAFETY: the context is the first field of a TCB, as the caller says.
        Ref::from(unsafe { &*core::ptr::with_exposed_provenance(core::ptr::from_ref(context).expose_provenance()) })
    }

    /// Sets what a cleared TCB must have before first use.
    pub fn initialise(&self) {
        self.context.initialise();
        self.fpu.initialise();
        self.fault.set(None);
        self.redirect.set(Redirect::OFF);
        self.vspace.set(None);
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

    /// The slot at this index of `root`, if that is the thread's own and resolves a whole address.
    #[inline(always)]
    pub fn slot_of_own(self, k: Kernel<'k>, root: Cap, index: u64, depth: u64) -> Option<CapRef<'k>> {
        let is_own = depth == 64 && self.slot(TcbSlot::CSpace).cap() == root.in_tcb();
        if is_own { self.cspace.get().slot(k.entry(), index) } else { None }
    }

    /// The slot that a capability address names in the thread's CSpace.
    #[inline(always)]
    pub fn named_slot(self, k: Kernel<'k>, address: u64) -> Result<CapRef<'k>, LookupFailure> {
        match self.cspace.get().slot(k.entry(), address) {
            Some(slot) => Ok(slot),
            None => self.walk(k, address),
        }
    }

    /// The same, if it names one, where the root CNode alone doesn't resolve the address.
    #[cold]
    #[inline(never)]
    pub fn slot_below(self, k: Kernel<'k>, address: u64) -> Option<CapRef<'k>> {
        self.cspace.get().slot_below(k.entry(), address).or_else(|| self.walk(k, address).ok())
    }

    #[cold]
    #[inline(never)]
    fn walk(self, k: Kernel<'k>, address: u64) -> Result<CapRef<'k>, LookupFailure> {
        lookup(k.entry(), self.slot(TcbSlot::CSpace).cap(), address, 64).map(|found| found.slot)
    }

    /// Whether the scheduler may pick it: runnable, with a configured scheduling context whose budget isn't awaited.
    pub fn is_schedulable(self, k: Kernel<'k>) -> bool {
        self.is_runnable()
            && self.place.get() != Place::Release
            && self.sched_context.get(k).is_some_and(|context| context.is_configured())
    }
}
