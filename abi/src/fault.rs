//! Fault messages: the label says which fault, the words are laid out as the constants say.

/// Labels of fault messages.
pub mod label {
    pub const NULL: u64 = 0;
    pub const CAP: u64 = 1;
    pub const UNKNOWN_SYSCALL: u64 = 2;
    pub const USER_EXCEPTION: u64 = 3;
    pub const TIMEOUT: u64 = 5;
    pub const VM: u64 = 6;
}

/// A capability lookup failed in a system call. From `LOOKUP_FAILURE` on, the words of a
/// [`LookupFailure`](crate::LookupFailure).
pub mod cap {
    pub const IP: usize = 0;
    pub const ADDRESS: usize = 1;
    /// 1 when the lookup was for the receive phase.
    pub const IN_RECEIVE_PHASE: usize = 2;
    pub const LOOKUP_FAILURE: usize = 3;
}

/// rdx named no system call. Words 0–14 are the general registers, see
/// [`UNKNOWN_SYSCALL_REGISTERS`](crate::registers::UNKNOWN_SYSCALL_REGISTERS).
pub mod unknown_syscall {
    pub const FAULT_IP: usize = 15;
    pub const SP: usize = 16;
    pub const FLAGS: usize = 17;
    pub const SYSCALL: usize = 18;
    pub const LENGTH: usize = 19;
}

/// The processor raised an exception other than a page fault.
pub mod user_exception {
    pub const FAULT_IP: usize = 0;
    pub const SP: usize = 1;
    pub const FLAGS: usize = 2;
    /// The exception's vector.
    pub const NUMBER: usize = 3;
    /// The processor's error code, 0 where it pushes none.
    pub const CODE: usize = 4;
    pub const LENGTH: usize = 5;
}

/// A page fault.
pub mod vm {
    pub const IP: usize = 0;
    pub const ADDRESS: usize = 1;
    /// 1 for an instruction fetch.
    pub const PREFETCH: usize = 2;
    /// The processor's page-fault error code.
    pub const FSR: usize = 3;
    pub const LENGTH: usize = 4;
}

/// The budget ran out.
pub mod timeout {
    /// Badge given to the scheduling context when it was configured.
    pub const DATA: usize = 0;
    /// Microseconds consumed since the last such fault or Consumed invocation.
    pub const CONSUMED: usize = 1;
    pub const LENGTH: usize = 2;
    /// Words of a reply that sets registers, in [`TIMEOUT_REPLY_REGISTERS`](crate::registers::TIMEOUT_REPLY_REGISTERS) order.
    pub const REPLY_LENGTH: usize = 19;
}
