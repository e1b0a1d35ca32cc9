//! Threads: registers, spaces, scheduling parameters and the redirection of system calls.

use super::{CNode, Frame, Notification, VSpace, capability};
use crate::message::{InvocationError, Outcome, invoke};
use chestnut_abi::{CNodeCapData, Label, UserContext, registers};

capability!(
    /// A thread control block.
    Tcb
);

const RESUME: u64 = 1;
const SUSPEND: u64 = 1;

impl Tcb {
    /// The running program's first thread.
    pub const OWN: Self = Self(chestnut_abi::bootinfo::slot::INIT_TCB);

    /// All registers; with `suspend`, the thread is suspended first.
    pub fn read_registers(self, suspend: bool) -> Result<UserContext, InvocationError> {
        let flags = if suspend { SUSPEND } else { 0 };
        let answer = invoke(self.0, Label::TcbReadRegisters, &[flags, registers::COUNT as u64], &[])?;
        Ok(UserContext::from_words(core::array::from_fn(|index| answer.word(index))))
    }

    /// Sets all registers; with `resume`, the thread is resumed afterwards.
    pub fn write_registers(self, context: &UserContext, resume: bool) -> Outcome {
        let mut words = [0; 2 + registers::COUNT];
        words[0] = if resume { RESUME } else { 0 };
        words[1] = registers::COUNT as u64;
        words[2..].copy_from_slice(&context.to_words());
        invoke(self.0, Label::TcbWriteRegisters, &words, &[]).map(drop)
    }

    /// Copies registers from `source`. `flags`: bit 0 suspends the source, bit 1 resumes this thread, bit 2 copies RIP,
    /// RSP, RFLAGS and the other special ones, bit 3 the integer registers.
    pub fn copy_registers(self, source: Tcb, flags: u64) -> Outcome {
        invoke(self.0, Label::TcbCopyRegisters, &[flags], &[source.0]).map(drop)
    }

    /// Sets the CSpace (with the guard of its root), the VSpace and the IPC buffer.
    pub fn configure(
        self,
        cspace: CNode,
        guard: CNodeCapData,
        vspace: VSpace,
        buffer_address: u64,
        buffer: Frame,
    ) -> Outcome {
        let caps = [cspace.0, vspace.0, buffer.0];
        invoke(self.0, Label::TcbConfigure, &[guard.0, 0, buffer_address], &caps).map(drop)
    }

    /// Sets the fault endpoint (a capability of the caller's CSpace; 0: none), the CSpace and the VSpace.
    pub fn set_space(self, fault_endpoint: u64, cspace: CNode, guard: CNodeCapData, vspace: VSpace) -> Outcome {
        invoke(self.0, Label::TcbSetSpace, &[guard.0, 0], &[fault_endpoint, cspace.0, vspace.0]).map(drop)
    }

    pub fn set_ipc_buffer(self, address: u64, buffer: Frame) -> Outcome {
        invoke(self.0, Label::TcbSetIpcBuffer, &[address], &[buffer.0]).map(drop)
    }

    /// Sets the priority, at most `authority`'s maximum controlled priority.
    pub fn set_priority(self, authority: Tcb, priority: u8) -> Outcome {
        invoke(self.0, Label::TcbSetPriority, &[priority.into()], &[authority.0]).map(drop)
    }

    /// Sets the maximum controlled priority, at most `authority`'s.
    pub fn set_max_priority(self, authority: Tcb, max_priority: u8) -> Outcome {
        invoke(self.0, Label::TcbSetMcpriority, &[max_priority.into()], &[authority.0]).map(drop)
    }

    /// Sets priorities, scheduling context and fault endpoint. `sched_context` and `fault_endpoint` are capabilities of
    /// the caller's CSpace; 0 stands for none.
    pub fn set_sched_params(
        self,
        authority: Tcb,
        max_priority: u8,
        priority: u8,
        sched_context: u64,
        fault_endpoint: u64,
    ) -> Outcome {
        let caps = [authority.0, sched_context, fault_endpoint];
        invoke(self.0, Label::TcbSetSchedParams, &[max_priority.into(), priority.into()], &caps).map(drop)
    }

    /// Says who hears that the budget ran out; 0: nobody.
    pub fn set_timeout_endpoint(self, endpoint: u64) -> Outcome {
        invoke(self.0, Label::TcbSetTimeoutEndpoint, &[], &[endpoint]).map(drop)
    }

    pub fn suspend(self) -> Outcome {
        invoke(self.0, Label::TcbSuspend, &[], &[]).map(drop)
    }

    pub fn resume(self) -> Outcome {
        invoke(self.0, Label::TcbResume, &[], &[]).map(drop)
    }

    /// Lets the thread receive `notification`'s signals also while it waits on an endpoint.
    pub fn bind_notification(self, notification: Notification) -> Outcome {
        invoke(self.0, Label::TcbBindNotification, &[], &[notification.0]).map(drop)
    }

    pub fn unbind_notification(self) -> Outcome {
        invoke(self.0, Label::TcbUnbindNotification, &[], &[]).map(drop)
    }

    /// Sets the FS base.
    pub fn set_tls_base(self, base: u64) -> Outcome {
        invoke(self.0, Label::TcbSetTlsBase, &[base], &[]).map(drop)
    }

    /// Clears and sets flags of [`TcbFlags`](chestnut_abi::object::TcbFlags); returns the flags afterwards.
    pub fn set_flags(self, clear: u64, set: u64) -> Result<u64, InvocationError> {
        invoke(self.0, Label::TcbSetFlags, &[clear, set], &[]).map(|answer| answer.word(0))
    }

    /// Redirects system calls made outside `base..base + length` to `entry`, with `word` in R11; length 0 ends that.
    pub fn set_redirect(self, base: u64, length: u64, entry: u64, word: u64) -> Outcome {
        invoke(self.0, Label::TcbSetRedirect, &[base, length, entry, word], &[]).map(drop)
    }
}
